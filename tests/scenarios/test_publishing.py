"""Our own events on a topic, as a pipeline gets them: ready, refused, handed over, gone; nothing is lost, doubles show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.demo_world import OWNER_TAG
from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World, ok

Json = dict[str, Any]


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    return start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, publish=True))


@pytest.fixture(autouse=True)
def nothing_yet(world: World) -> Iterator[None]:
    """Each story begins and ends without Services, its own events alone."""
    ok(world.sandbox.topic_backdoor("DELETE", "published"), 204)
    yield
    names = [service["metadata"]["name"] for service in world.services("prod")]
    world.remove("prod", *names)
    for name in names:
        wait_for(world, "Deleted", name)


def events(world: World) -> list[Json]:
    found: list[Json] = ok(world.sandbox.topic_backdoor("GET", "published"))["value"]
    return found


def told(world: World, kind: str, *names: str) -> list[Json]:
    """The first event of a kind for each of these Services, once all of them are there."""
    mine = [e for e in events(world) if e["type"] == f"PrivateLink.{kind}"]
    found = [next((e for e in mine if e["data"]["name"] == name), None) for name in names]
    return [event for event in found if event] if all(found) else []


def wait_for(world: World, kind: str, name: str) -> Json:
    found: list[Json] = world.wait(
        f"{kind} of {name} is told", lambda: told(world, kind, name), lambda: events(world)
    )
    return found[0]


def condition(world: World, name: str) -> Json:
    """What the Service itself is told."""
    service = world.service("prod", name)
    assert service is not None
    conditions = service["status"]["conditions"]
    return next(c for c in conditions if c["type"] == "PrivateLinkServiceReady")


@contextmanager
def fault(world: World, **what: Any) -> Iterator[None]:
    """The topic goes wrong in this way until the end of the block."""
    ok(world.sandbox.topic_backdoor("POST", "faults", what), 201)
    try:
        yield
    finally:
        world.sandbox.topic_backdoor("DELETE", "faults")


def test_from_ready_to_gone(world: World) -> None:
    """A Service's whole life, in the words that it is told itself; a quiet run in between does not call the topic."""
    pls_id = world.make_ready("prod", "web")
    ready = wait_for(world, "Ready", "web")
    pls = world.pls(pls_id)
    assert pls is not None
    assert ready["data"]["alias"] == pls["properties"]["alias"] != ""
    assert ready["data"]["privateLinkService"].lower() == pls_id.lower()
    assert ready["subject"] == "/clusters/prod/namespaces/default/services/web"
    message = ready["data"]["message"]
    world.wait("the Service is told the same", lambda: condition(world, "web")["message"] == message)

    pls_name = {"load-balancer-ipv4": world.address("prod", "web"), "load-balancer-internal": "true"}
    world.apply_service("prod", "api", {**pls_name, "pls-create": "true"}, 81)
    world.address("prod", "api")
    world.run_now("prod")
    shared = wait_for(world, "Ready", "api")
    assert (shared["data"]["reason"], shared["data"]["alias"]) == ("Shared", ready["data"]["alias"])

    ok(world.sandbox.topic_backdoor("DELETE", "requests"), 204)
    assert world.run_now("prod")["complete"]
    assert ok(world.sandbox.topic_backdoor("GET", "requests"))["value"] == []

    world.annotate("prod", "web", {"pls-ip-configuration-ip-address-count": "many"})
    world.run_now("prod")
    refused = wait_for(world, "Refused", "web")
    told_itself = condition(world, "web")
    assert (refused["data"]["reason"], refused["data"]["message"]) == (
        told_itself["reason"],
        told_itself["message"],
    )
    assert "'many'" in refused["data"]["message"]

    world.tag_by_hand(pls_id, {OWNER_TAG: "default/api"})
    world.run_now("prod")
    changed = wait_for(world, "OwnerChanged", "api")
    assert changed["data"]["previousOwner"] == "default/web"

    world.remove("prod", "web", "api")
    gone = wait_for(world, "Deleted", "api")
    assert (gone["data"]["alias"], gone["data"]["ready"]) == (ready["data"]["alias"], False)
    ids = [event["id"] for event in events(world)]
    assert len(ids) == len(set(ids))


def test_a_topic_that_is_down_loses_nothing_and_stops_nothing(world: World) -> None:
    """Its answers fail, then are lost, then it is well: the PLS is there at once, its event at last; doubles have one id."""
    with fault(world, status=503, code="ServerBusy", times=None):
        world.make_ready("prod", "web")
        assert "does not answer" in world.finding("prod", "NotPublished")["sentence"]
        world.quiet_plan("prod")
        assert events(world) == []
    with fault(world, mode="reset-after", times=1):
        world.run_now("prod")
        wait_for(world, "Ready", "web")
    world.run_now("prod")
    first, second = events(world)
    assert first["id"] == second["id"]
    assert first["data"] == second["data"]
    assert [f for f in world.status("prod")["findings"] if f["reason"] == "NotPublished"] == []
    assert len([e for e in world.history("prod") if e["reason"] == "NotPublished"]) == 1
