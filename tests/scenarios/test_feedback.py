"""What developers see of it where they already look: ``kubectl wait``, ``kubectl describe svc``, annotations.

The functions come as an identity that holds the manifests of ``infra/rbac/`` in one cluster, and in the other the
right to read alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import ROOT, World

Json = dict[str, Any]
pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")

PREFIX = "service.beta.kubernetes.io/azure-pls-"
READ, STATUS, ANNOTATE = (f"services-{name}.yaml" for name in ("read", "status", "annotate"))


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    options = SandboxOptions(
        clusters=("prod", "reader"),
        api="aks",
        provisioning_seconds=0.3,
        extra_settings={"WRITE_BACK": "annotations"},
    )
    world = start(options)
    bind(world, "prod", READ, STATUS, ANNOTATE)
    bind(world, "reader", READ)
    return world


def bind(world: World, cluster: str, *manifests: str) -> None:
    """Let every identity have in a cluster what these manifests give."""
    roles = [next(yaml.safe_load_all((ROOT / "infra/rbac" / name).read_text())) for name in manifests]
    rules = [{key: rule[key] for key in ("verbs", "resources")} for role in roles for rule in role["rules"]]
    world.expect(world.sandbox.cluster_backdoor(cluster, "PUT", "bindings/*", {"rules": rules}), 200)


def kubectl(world: World, *arguments: str, cluster: str = "prod", home: Path | None = None) -> str:
    """kubectl as a person of the cluster's uses it."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home or world.sandbox.state),
        "KUBECONFIG": str(world.sandbox.kubeconfig(cluster)),
    }
    done = subprocess.run(
        ["kubectl", *arguments], env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(world: World, name: str, wanted: str = "True", cluster: str = "prod") -> str:
    return kubectl(
        world,
        "wait",
        f"--for=condition=PrivateLinkServiceReady={wanted}",
        f"svc/{name}",
        "--timeout=60s",
        cluster=cluster,
    )


def condition(world: World, name: str, cluster: str = "prod") -> Json | None:
    service = json.loads(kubectl(world, "get", "svc", name, "-o", "json", cluster=cluster))
    found = service["status"].get("conditions", [])
    return next((c for c in found if c["type"] == "PrivateLinkServiceReady"), None)


def described(world: World, name: str, *words: str) -> str:
    """What ``kubectl describe`` says, once it says all of this."""

    def seen() -> str | None:
        text = kubectl(world, "describe", "svc", name)
        return text if all(word in text for word in words) else None

    return world.wait(
        f"describe svc {name} says {words}", seen, lambda: kubectl(world, "describe", "svc", name)
    )


def link(world: World, pls_id: str) -> Json:
    found = world.pls(pls_id)
    assert found is not None
    return found


def test_a_new_service_hears_its_alias(world: World) -> None:
    """``kubectl wait`` ends, and ``kubectl describe svc`` tells what a consumer needs."""
    pls_id = world.make("prod", "told")
    assert "condition met" in wait_for(world, "told")
    alias = link(world, pls_id)["properties"]["alias"]
    ready = condition(world, "told")
    assert ready is not None
    assert ready["reason"] == "Provisioned"
    assert alias in ready["message"]
    assert pls_id.lower() in ready["message"].lower()
    text = described(
        world, "told", "PrivateLinkServiceCreated", "PrivateLinkServiceReady", alias, f"{PREFIX}alias"
    )
    assert "private-link-reconciler" in text
    service = world.service("prod", "told")
    assert service is not None
    assert service["metadata"]["annotations"][f"{PREFIX}alias"] == alias
    assert service["metadata"]["annotations"][f"{PREFIX}resource-id"].lower() == pls_id.lower()
    assert service["status"]["loadBalancer"]["ingress"]


def test_a_mistake_is_told_in_the_same_words_everywhere(world: World) -> None:
    """Condition, Event, history and status; the address is there all the same. Mended, it is ready."""
    world.make("prod", "wrong", 81, pls_ip_configuration_subnet="no-such-subnet")
    wait_for(world, "wrong", "False")
    finding = world.finding("prod", "InvalidSettings", "wrong")
    refused = condition(world, "wrong")
    assert refused is not None
    assert (refused["reason"], refused["message"]) == ("RefusedInvalidSettings", finding["sentence"])
    text = described(world, "wrong", "PrivateLinkServiceRefused")
    assert " ".join(finding["sentence"].split()) in " ".join(text.split())
    told = [entry["sentence"] for entry in world.history("prod") if entry["service"] == "default/wrong"]
    assert finding["sentence"] in told
    assert world.address("prod", "wrong")
    world.annotate("prod", "wrong", {"pls-ip-configuration-subnet": "pls-subnet"})
    assert "condition met" in wait_for(world, "wrong")


def test_a_pls_deleted_by_hand_tells_the_old_alias_and_the_new(world: World) -> None:
    """Consumers of the old one must be told, and by then nothing else knows it."""
    pls_id = world.make("prod", "lost", 82)
    wait_for(world, "lost")
    old = link(world, pls_id)["properties"]["alias"]
    world.touch()
    world.expect(world.sandbox.arm("DELETE", pls_id), 200, 202, 204)
    text = described(world, "lost", "AliasChanged", old)
    new = world.ready(pls_id, lambda has: has["alias"] != old)["properties"]["alias"]
    assert new in text
    wait_for(world, "lost")
    shown = world.wait("the condition tells the new alias", lambda: new in str(condition(world, "lost")))
    assert shown


def test_what_it_writes_wakes_nobody(world: World) -> None:
    """Told of all and left alone, no look of the probe leads to a run, and nothing is written again."""
    pls_id = world.make("prod", "quiet", 83)
    wait_for(world, "quiet")
    world.ready(pls_id)
    described(world, "quiet", f"{PREFIX}alias")
    world.quiet_plan("prod")
    world.wait("a probe finds nothing", lambda: _probes_without_a_run(world) >= 2)
    assert _patches(world) == []


def _requests(world: World) -> list[Json]:
    found: list[Json] = world.expect(world.sandbox.cluster_backdoor("prod", "GET", "requests"), 200)["value"]
    return [line for line in found if "admin" not in str(line.get("user"))]


def _patches(world: World) -> list[Json]:
    return [line for line in _requests(world) if line["method"] == "PATCH"]


def _probes_without_a_run(world: World) -> int:
    """How many lists there were since the last look of a run; the log begins anew with each run."""
    lines = _requests(world)
    if _patches(world) or any("/services/kubernetes" in line["path"] for line in lines):
        world.sandbox.cluster_backdoor("prod", "DELETE", "requests")
        return 0
    return sum(line["path"].startswith("/api/v1/services") for line in lines)


def test_a_cluster_that_gives_only_reading_is_served_and_said_so_once(world: World) -> None:
    """No results in the cluster, the PLS all the same; applied manifests and a resync turn it on."""
    pls_id = world.make("reader", "plain")
    world.ready(pls_id)
    world.finding("reader", "WriteBackDenied")
    world.run_now("reader")
    told = [f["sentence"] for f in world.status("reader")["findings"] if f["reason"] == "WriteBackDenied"]
    assert [manifest in " ".join(told) for manifest in (STATUS, ANNOTATE)] == [True, True]
    assert condition(world, "plain", "reader") is None
    reported = [e["sentence"] for e in world.history("reader") if e["reason"] == "WriteBackDenied"]
    assert len(reported) == len(set(reported)) > 0
    bind(world, "reader", READ, STATUS, ANNOTATE)
    world.resync("reader")
    assert "condition met" in wait_for(world, "plain", cluster="reader")
    world.wait(
        "status says nothing of it any more",
        lambda: all(f["reason"] != "WriteBackDenied" for f in world.status("reader")["findings"]),
    )
