"""A message that really fails five times: recorded in history and status, and made up for by the next full pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.data.tables import UpdateMode

from sandbox.up import SandboxOptions
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

Json = dict[str, Any]
CLAIM = "somebody@example.com"
SOON = {"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01"}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """No timers: a full pass is a test's own. What failed is tried again after a second."""
    options = SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, timers=False, extra_settings=SOON)
    world = start(options)
    world.make("prod", "app", pls_fqdns="0")
    world.address("prod", "app")
    world.resync("prod")
    world.ready(world.pls_id("MC_prod", "pls-app"))
    world.quiet_plan("prod")
    return world


@contextmanager
def newer(world: World, table: str, partition: str) -> Iterator[None]:
    """Rows of a version that was rolled back: whatever needs them is refused until they are as before."""
    with world.tables() as service:
        client = service.get_table_client(table)
        rows = [row for row in client.list_entities() if row["PartitionKey"].startswith(partition)]
        for row in rows:
            client.upsert_entity({**row, "schema": 2}, mode=UpdateMode.MERGE)
        try:
            yield
        finally:
            for row in rows:
                client.upsert_entity({**row, "schema": 1}, mode=UpdateMode.MERGE)


def poison(world: World) -> list[Json]:
    """The poison messages that history tells of."""
    return [entry for entry in world.history() if entry["kind"] == "poison"]


def full_pass(world: World) -> None:
    """Let the timer fire."""
    assert world.sandbox.function("POST", "/admin/functions/on_timer", {"input": ""}).status == 202


def test_a_wake_up_that_fails_for_good_is_told_and_made_up_for(world: World) -> None:
    """The cluster's lease cannot be read for as long as five tries take; nobody sends the message again."""
    pls_id, failed = world.pls_id("MC_prod", "pls-app"), world.failures("on_reconcile")
    with newer(world, "leases", "prod"):
        world.annotate("prod", "app", {"pls-fqdns": "1"})
        world.resync("prod")
        told = world.wait(
            "status tells it", lambda: world.status("prod")["poison"]["last"], lambda: poison(world)
        )
        assert world.failures("on_reconcile") >= failed + 5
    world.wait("each is counted", lambda: world.status("prod")["poison"]["count"] == len(poison(world)) >= 1)
    assert {entry["cluster"] for entry in poison(world)} == {"prod"}
    assert "reconcile-poison: wake-up of cluster prod" in poison(world)[0]["sentence"]
    assert world.pls(pls_id)["properties"]["fqdns"] == ["0"]  # type: ignore[index]
    full_pass(world)
    world.ready(pls_id, lambda has: has["fqdns"] == ["1"])
    assert world.status("prod")["lastRun"]["began"] >= told  # in whole seconds


def counted(world: World) -> int:
    """How many poison messages that name no cluster status tells of."""
    report = world.sandbox.function("GET", "/api/status").body
    return int(report["poison"]["count"])


def test_an_event_that_fails_for_good_is_told_and_made_up_for(world: World) -> None:
    """Whose PLS it is about cannot be looked up; the record is made though the cause goes on."""
    pls_id, before = world.pls_id("MC_prod", "pls-app"), len(poison(world))
    wanted = world.pls(pls_id)["properties"]["fqdns"]  # type: ignore[index]
    edit = {"properties": {"fqdns": ["by-hand"]}}
    assert world.sandbox.arm_backdoor("PATCH", "resources", edit, id=pls_id).status == 200
    event = {**hosts.event(pls_id), "data": {"claims": {"name": CLAIM}}}
    with newer(world, "ownership", "reserved"):
        world.send_event(json.dumps(event))
        world.wait("history tells it", lambda: len(poison(world)) > before, lambda: world.history()[:3])
        told = [entry["sentence"] for entry in poison(world) if not entry["cluster"]]
        # Counted right after it was written down.
        world.wait("status counts it", lambda: counted(world) == len(told), lambda: counted(world))
    assert any(f"lb-events-poison: event {event['eventType']} {pls_id}" in sentence for sentence in told)
    assert CLAIM not in json.dumps(world.history())
    world.wait("the poison queue is empty", lambda: world.waiting_messages("lb-events-poison") == 0)
    full_pass(world)
    world.ready(pls_id, lambda has: has["fqdns"] == wanted)
