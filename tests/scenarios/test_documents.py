"""The documents' own manifests, applied with the real kubectl, lead to what the documents promise."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

MANIFESTS = Path(__file__).parent / "manifests"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    return start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3))


def kubectl(world: World, *words: str) -> str:
    """What kubectl prints; it must succeed."""
    known = ["kubectl", "--kubeconfig", str(world.sandbox.kubeconfig("prod"))]
    done = subprocess.run([*known, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def nat(properties: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Subnet, static address or "", primary: of each NAT configuration."""
    inner = [c["properties"] for c in properties["ipConfigurations"]]
    return [
        (
            p["subnet"]["id"].rsplit("/", 1)[1],
            p["privateIPAddress"] if p["privateIPAllocationMethod"] == "Static" else "",
            p["primary"],
        )
        for p in inner
    ]


EXPECTED = {
    "pls-integration.yaml": ("myservice", "myServicePLS", ("pls-subnet", "10.225.0.9", True)),
    "super-api.yaml": ("super-api", "myPLS", ("default", "10.224.10.10", True)),
    "sample-app.yaml": ("sample-app", None, ("default", "", True)),
}


@pytest.mark.parametrize("file", EXPECTED)
def test_kubectl_apply_of_a_documents_manifest_leads_to_its_private_link_service(
    world: World, file: str
) -> None:
    """Created with every setting of the manifest, then left alone: a second plan has nothing to write."""
    service, name, address = EXPECTED[file]
    kubectl(world, "apply", "-f", str(MANIFESTS / file))
    uid = kubectl(world, "get", "service", service, "-o", "jsonpath={.metadata.uid}")
    pls_id = world.pls_id("MC_prod", name or f"pls-a{uid.replace('-', '')[:31]}")
    has = world.ready(pls_id)["properties"]
    assert has["alias"]
    assert nat(has) == [address]
    plain = name is None
    assert has["fqdns"] == (["fqdn1", "fqdn2"] if service == "myservice" else [])
    assert has["visibility"]["subscriptions"] == ([] if plain else ["*"])
    assert has["autoApproval"]["subscriptions"] == ([] if plain else [SUBSCRIPTION])
    assert has["enableProxyProtocol"] is False
    external = kubectl(world, "get", "service", service).splitlines()[1].split()[3]
    assert external == world.address("prod", service)
    world.quiet_plan("prod")
    world.forget_requests()
    second = world.reconciler("plan", "--output", "json")
    assert second.returncode == 0, second.stdout + second.stderr
    plan = json.loads(second.stdout)["plans"][0]
    assert (plan["writes"], plan["after"], plan["held"]) == ([], [], [])
    assert {r["method"] for r in world.requests() if r["user"]} == {"GET"}


def test_a_manifest_applied_again_changes_nothing(world: World) -> None:
    """Pipelines apply the same files over and over; that must not cost a write."""
    file = str(MANIFESTS / "super-api.yaml")
    kubectl(world, "apply", "-f", file)
    world.ready(world.pls_id("MC_prod", "myPLS"))
    world.quiet_plan("prod")
    world.forget_requests()
    kubectl(world, "apply", "-f", file)
    assert world.run_now("prod")["writes"] == []
    assert world.link_writes() == []


def test_kubectl_delete_takes_the_private_link_service_away(world: World) -> None:
    """It shares the lifetime of its frontend, as the document says."""
    file = str(MANIFESTS / "pls-integration.yaml")
    kubectl(world, "apply", "-f", file)
    pls_id = world.pls_id("MC_prod", "myServicePLS")
    world.ready(pls_id)
    kubectl(world, "delete", "-f", file)
    world.gone(pls_id)
    world.quiet_plan("prod")
