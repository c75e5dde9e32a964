"""The command line without Functions, as a pipeline uses it: exit codes, the JSON's shape, digests."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

Json = dict[str, Any]
PLAN = {
    "version": int,
    "cluster": str,
    "mode": str,
    "digest": str,
    "heldDigest": str,
    "empty": bool,
    "unread": bool,
    "writes": list,
    "after": list,
    "held": list,
    "findings": list,
}
WRITE = {
    "verb": str,
    "target": str,
    "service": str,
    "frontend": str,
    "reason": str,
    "sentence": str,
    "changes": list,
}
FINDING = {
    "reason": str,
    "severity": str,
    "sentence": str,
    "service": str,
    "frontend": str,
    "privateLinkService": str,
}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """Clusters of which each is touched by one test only; no functions that would act by themselves."""
    names = ("story", "refused", "broken", "forced", "explained", "paused")
    return start(SandboxOptions(clusters=names, provisioning_seconds=0.3, functions=False))


def shape(value: Json) -> dict[str, type]:
    """The keys and their types."""
    return {key: type(item) for key, item in value.items()}


def planned(done: subprocess.CompletedProcess[str]) -> Json:
    """The one plan that was printed."""
    document = json.loads(done.stdout)
    assert document["version"] == 1
    [plan] = document["plans"]
    assert shape(plan) == PLAN
    found: Json = plan
    return found


def test_plan_then_apply_exactly_that_plan(world: World) -> None:
    """0, 2, 4, 0, 0: nothing; writes; not the expected ones; done; nothing again."""
    about = ("--cluster", "story")
    nothing = world.reconciler("plan", *about)
    assert (nothing.returncode, nothing.stderr) == (0, "")
    pls_id = world.make("story", "app")
    world.address("story", "app")
    before = world.reconciler("plan", *about, "--output", "json")
    assert before.returncode == 2
    plan = planned(before)
    assert plan["mode"] == "sync"
    assert [shape(write) for write in plan["writes"]] == [WRITE] * len(plan["writes"])
    world.forget_requests()
    wrong = world.reconciler("apply", *about, "--expect", "000000000000")
    assert wrong.returncode == 4
    assert plan["digest"] in wrong.stdout
    assert world.link_writes() == []
    done = world.reconciler("apply", *about, "--expect", plan["digest"], "--output", "json")
    assert done.returncode == 0, done.stderr
    assert {w["result"] for w in json.loads(done.stdout)["runs"][0]["writes"]} == {"accepted"}
    assert world.pls(pls_id)["properties"]["provisioningState"] == "Succeeded"  # type: ignore[index]
    world.forget_requests()
    second = world.reconciler("plan", *about, "--output", "json")
    assert (second.returncode, planned(second)["empty"]) == (0, True)
    assert {r["method"] for r in world.requests() if r["user"]} == {"GET"}


def test_plan_needs_no_storage(world: World) -> None:
    """A laptop without any account can read what would be done."""
    words = ("plan", "--cluster", "refused")
    assert world.reconciler(*words, AzureWebJobsStorage="").returncode in (0, 3)


def test_findings_alone_end_with_3(world: World) -> None:
    """Nothing to write, but a Service is refused and a person should read why."""
    world.make("refused", "odd", pls_ip_configuration_subnet="nowhere")
    world.address("refused", "odd")
    done = world.reconciler("plan", "--cluster", "refused", "--output", "json")
    assert done.returncode == 3
    [finding] = planned(done)["findings"]
    assert shape(finding) == FINDING
    assert (finding["reason"], finding["service"]) == ("InvalidSettings", "default/odd")
    assert "nowhere" in finding["sentence"]


def test_a_cluster_that_cannot_be_read_ends_with_1_and_names_it(world: World) -> None:
    """An error outranks writes of another cluster; the reason is told."""
    with world.cluster_fault("broken", path="services", times=None, status=503, code="ServiceUnavailable"):
        done = world.reconciler("plan", "--cluster", "broken", "--cluster", "refused")
    assert done.returncode == 1
    assert "broken" in done.stdout
    assert "UnknownView" in done.stdout
    assert "Traceback" not in done.stderr


def test_an_unknown_cluster_and_a_wrong_setting_end_with_1_and_one_message(world: World) -> None:
    """Every mistake is named in one go, with its setting."""
    done = world.reconciler("plan", "--cluster", "nobody")
    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "story" in done.stderr
    wrong = world.reconciler(
        "plan", BRAKE_SHARE="much", LEASE_SECONDS="1", ARM_ENDPOINT="nowhere", CLUSTERS="[]"
    )
    assert wrong.returncode == 1
    for name in ("BRAKE_SHARE", "LEASE_SECONDS", "ARM_ENDPOINT"):
        assert wrong.stderr.count(f"{name}:") == 1, wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_apply_no_wait_returns_while_azure_works_and_status_tells_it_all(world: World) -> None:
    """A pipeline that need not wait does not; the next apply finishes the bookkeeping."""
    pls_id = world.make("forced", "app")
    world.address("forced", "app")
    # 2: the subnet's policy is written first, and the PLS follows in a later run.
    assert world.reconciler("apply", "--cluster", "forced", "--no-wait").returncode == 2
    assert world.reconciler("apply", "--cluster", "forced").returncode == 0
    done = world.reconciler("status", "--cluster", "forced", "--output", "json")
    assert done.returncode == 0
    [cluster] = json.loads(done.stdout)["clusters"]
    [pls] = cluster["privateLinkServices"]
    assert (pls["id"], pls["owner"], pls["state"]) == (pls_id, "default/app", "Succeeded")
    assert pls["alias"]
    assert pls["natIps"]


def test_explain_ends_by_what_the_service_is_told(world: World) -> None:
    """3 with the check that decides, 0 with the alias once it is ready."""
    world.make("explained", "app", pls_ip_configuration_subnet="nowhere")
    world.address("explained", "app")
    about = ("--cluster", "explained", "--output", "json")
    done = world.reconciler("explain", "default/app", *about)
    assert done.returncode == 3, done.stderr
    [told] = json.loads(done.stdout)["explanations"]
    [decisive] = [check for check in told["checks"] if check["outcome"] == "no"]
    assert (decisive["check"], told["reason"]) == ("part", "RefusedInvalidSettings")
    assert "subnet 'nowhere' does not exist" in told["message"]
    refused = world.reconciler("apply", "--cluster", "explained")
    assert (refused.returncode, refused.stderr) == (3, "")
    world.annotate("explained", "app", {"pls-ip-configuration-subnet": None})
    assert world.reconciler("apply", "--cluster", "explained").returncode == 0
    done = world.reconciler("explain", "default/app", *about)
    assert done.returncode == 0, done.stdout
    [told] = json.loads(done.stdout)["explanations"]
    assert told["alias"]
    assert told["verdict"].startswith(f"Provisioned: Private Link Service pls-app (alias {told['alias']}")


def test_history_pause_resume_and_resync_work_through_storage(world: World) -> None:
    """What the functions read, and they what it writes."""
    about = ("--cluster", "paused")
    assert world.reconciler("pause", *about).returncode == 0
    refused = world.reconciler("resync", *about)
    assert (refused.returncode, "is paused" in refused.stderr) == (1, True)
    assert world.reconciler("resume", *about).returncode == 0
    done = world.reconciler("resync", *about, "--output", "json")
    assert json.loads(done.stdout) == {"queued": ["paused"], "paused": []}
    assert world.waiting_messages("reconcile") >= 2
    ran = world.reconciler("resync", *about, "--wait", "--output", "json")
    assert (ran.returncode, json.loads(ran.stdout)["run"]["complete"]) == (0, True)
    lines = world.reconciler("history", *about, "--limit", "2").stdout.splitlines()
    assert [line.split(": ")[-1] for line in lines] == ["the cluster was resumed", "the cluster was paused"]
    assert all("paused  Person: " in line for line in lines)


def test_the_doctor_finds_what_is_amiss_and_says_what_to_run(world: World) -> None:
    """0 where nothing is; rights that are taken away, a cluster that is down: 1, each with its remedy."""
    about = ("doctor", "--cluster", "story", "--output", "json")
    healthy = world.reconciler(*about)
    assert healthy.returncode == 0, healthy.stdout
    scope = f"/subscriptions/{world.subscription}/resourceGroups/{world.groups['story']}"
    limit = {"scope": scope, "actions": ["*/read"], "notActions": []}
    world.expect(world.sandbox.arm_backdoor("PUT", "permissions", limit), 204)
    world.forget_requests()
    with world.cluster_fault("story", path="services", times=None, status=403, code="Forbidden"):
        done = world.reconciler(*about)
    world.expect(world.sandbox.arm_backdoor("PUT", "permissions", {"scope": scope}), 204)
    assert done.returncode == 1
    failed = [each for each in json.loads(done.stdout)["diagnoses"] if each["state"] == "failed"]
    assert [each["area"] for each in failed] == ["permissions", "permissions", "clusters"]
    assert "privateLinkServices/write" in failed[0]["sentence"]
    assert "virtualNetworks/subnets/join/action" in failed[1]["sentence"]
    assert all(each["remedy"] for each in failed)
    assert {request["method"] for request in world.requests()} == {"GET"}
    assert "Traceback" not in done.stderr
