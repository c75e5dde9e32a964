"""Azure down, throttled or losing answers: tried again later, nothing lost, nothing done twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

PLS = "/privateLinkServices/pls-"
LISTED = "/privateLinkServices$"


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    world = start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3))
    world.make_ready("prod", "settled")  # the subnet's policy is out of the way
    world.quiet_plan("prod")
    return world


@pytest.fixture(autouse=True)
def cleared(world: World) -> Iterator[None]:
    """No trouble is left to the next test, no back-off, and no request of the last one."""
    world.run_now("prod")
    world.forget_requests()
    yield
    world.sandbox.arm_backdoor("DELETE", "faults")
    items = world.sandbox.cluster("prod", "GET", "/api/v1/namespaces/default/services").body["items"]
    names = {item["metadata"]["name"] for item in items} - {"kubernetes", "settled"}
    world.remove("prod", *names)  # a load balancer takes eight Private Link Services


WRITES: dict[str, dict[str, Any]] = {
    "throttled": {
        "status": 429,
        "code": "SubscriptionRequestsThrottled",
        "message": "Number of 'write' requests for subscription exceeded.",
        "headers": {"Retry-After": "1"},
    },
    "down": {"status": 503, "code": "ServiceUnavailable", "headers": {"Retry-After": "1"}},
    "gateway": {"status": 502, "code": "BadGateway"},
    "busy": {"status": 429, "code": "RetryableErrorDueToAnotherOperation"},
    "conflict": {"status": 409, "code": "AnotherOperationInProgress"},
    "request lost": {"mode": "reset-before"},
    "answer lost": {"mode": "reset-after"},
    "answer cut off": {"mode": "truncate"},
}


@pytest.mark.parametrize("trouble", WRITES)
def test_a_put_that_azure_did_not_take_is_sent_again(world: World, trouble: str) -> None:
    """Also when nobody asks: the cluster comes back by itself, and settles."""
    name = f"put-{trouble.replace(' ', '-')}"
    with world.arm_fault(path=PLS, method="PUT", **WRITES[trouble]):
        world.make_ready("prod", name, pls_fqdns="x.example")
    world.quiet_plan("prod")
    path = world.pls_id("MC_prod", f"pls-{name}")
    sent = [r["status"] for r in world.requests() if r["method"] == "PUT" and r["path"] == path]
    done_at_once = trouble in ("answer lost", "answer cut off")
    assert len(sent) == (1 if done_at_once else 2)
    assert [f for f in world.status("prod")["findings"] if f["severity"] == "error"] == []


def test_an_operation_that_fails_at_its_end_is_tried_again(world: World) -> None:
    """The PUT was accepted, the PLS is Failed: it is there, but it is not done."""
    with world.arm_fault(path=PLS, method="PUT", mode="async-failed", code="InternalServerError"):
        world.make_ready("prod", "failing", pls_fqdns="x.example")
    world.quiet_plan("prod")
    reasons = [e["reason"] for e in world.history("prod") if "pls-failing" in e["sentence"]]
    assert "Retry" in reasons


READS: dict[str, dict[str, Any]] = {
    "down": {"status": 503, "code": "ServiceUnavailable"},
    "throttled": {
        "status": 429,
        "code": "SubscriptionRequestsThrottled",
        "headers": {"Retry-After": "1"},
    },
    "cut off": {"mode": "truncate"},
    "reset": {"mode": "reset-before"},
}


@pytest.mark.parametrize("trouble", READS)
def test_while_azure_cannot_be_read_nothing_is_written_and_all_is_caught_up(
    world: World, trouble: str
) -> None:
    """An unread list is not an empty one: no second PLS, no delete."""
    pls_id = world.pls_id("MC_prod", "pls-settled")
    with world.arm_fault(path=LISTED, method="GET", times=None, **READS[trouble]):
        # A run that began before may have read the lists in time, and see the annotation.
        world.wait("no run is under way", lambda: not hosts.lease(world, "prod").get("holder"))
        world.annotate("prod", "settled", {"pls-fqdns": f"read-{trouble.replace(' ', '-')}"})
        world.finding("prod", "UnknownView")
        assert world.link_writes() == []
    world.resync("prod")
    world.ready(pls_id, lambda has: has["fqdns"] == [f"read-{trouble.replace(' ', '-')}"])


def test_what_arm_rejects_is_a_refusal_of_that_service_alone(world: World) -> None:
    """With ARM's own words; the neighbour gets its PLS, and nothing is sent over and over."""
    refusal = {"status": 400, "code": "InvalidRequestFormat", "message": "the pizza is cold"}
    with world.arm_fault(path=f"{PLS}rejected", method="PUT", times=None, **refusal):
        world.make("prod", "rejected")
        world.make_ready("prod", "beside")
        found = world.finding("prod", "Rejected", "rejected")
        assert "the pizza is cold" in found["sentence"]
        for _ in range(3):
            world.run_now("prod")
        sent = [r for r in world.requests() if r["path"].endswith("/pls-rejected") and r["method"] == "PUT"]
        assert len(sent) == 1
    world.remove("prod", "rejected")


def test_a_delete_that_azure_did_not_take_is_sent_again(world: World) -> None:
    """The Service waits for it, and must not wait for ever."""
    pls_id = world.make_ready("prod", "going")
    world.quiet_plan("prod")
    busy = {"status": 429, "code": "RetryableErrorDueToAnotherOperation"}
    with world.arm_fault(path=PLS, method="DELETE", **busy):
        world.remove("prod", "going")
    assert world.pls(pls_id) is None
