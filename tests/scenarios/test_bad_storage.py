"""What somebody else put into queues and tables: ignored, recorded or rebuilt; never an endless retry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.data.tables import TableClient, UpdateMode
from azure.storage.queue import QueueClient

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

Json = dict[str, Any]
BALANCER = "/resourceGroups/MC_prod/providers/Microsoft.Network/loadBalancers/kubernetes-internal"


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """A PLS with a sharer, so that every ledger has something to lose."""
    world = start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3))
    world.make_ready("prod", "app", pls_fqdns="0")
    more = {"load-balancer-internal": "true", "pls-create": "true"}
    world.apply_service("prod", "guest", {**more, "load-balancer-ipv4": world.address("prod", "app")}, 81)
    world.address("prod", "guest")
    world.wait("the sharer is known", lambda: remembered(world)["sharers"] == ["default/guest"])
    world.quiet_plan("prod")
    return world


def remembered(world: World) -> Json:
    """What status tells of the PLS."""
    empty: Json = {"sharers": None, "owner": None, "alias": None}
    return world.status_of("prod", world.pls_id("MC_prod", "pls-app")) or empty


def followed(world: World, value: str) -> None:
    """The product still works."""
    world.annotate("prod", "app", {"pls-fqdns": value})
    world.ready(world.pls_id("MC_prod", "pls-app"), lambda has: has["fqdns"] == [value])


def event(world: World, **changes: Any) -> Json:
    """A load balancer was written, in Event Grid's schema."""
    subject = f"/subscriptions/{world.subscription}{BALANCER}"
    fields = {
        "id": "1",
        "subject": subject,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-01-01T00:00:00Z",
        "data": {},
        "dataVersion": "2",
        "topic": "/subscriptions/x",
    }
    return {**fields, **changes}


ODD: dict[str, Callable[[World], str | bytes]] = {
    "empty": lambda w: "{}",
    "no JSON": lambda w: "hello",
    "bytes": lambda w: b"\xff\xfe\x00\x01",
    "null": lambda w: "null",
    "a number": lambda w: "7",
    "nested deeply": lambda w: "[" * 20_000,
    "numbers for texts": lambda w: json.dumps(event(w, subject=5, eventType=["x"])),
    "no subject": lambda w: json.dumps({k: v for k, v in event(w).items() if k != "subject"}),
    "a wrong cloud event": lambda w: json.dumps({"specversion": "1.0", "data": 1}),
    "of a blob": lambda w: json.dumps(
        event(w, eventType="Microsoft.Storage.BlobCreated", subject="/blobServices/x")
    ),
    "of another subscription": lambda w: json.dumps(event(w, subject=f"/subscriptions/other{BALANCER}")),
    "of another group": lambda w: json.dumps(
        event(w, subject=event(w)["subject"].replace("MC_prod", "MC_x"))
    ),
    "of 48 kB": lambda w: json.dumps(event(w, data={"claims": "x" * 47_000})),
    "of 48 kB of subject": lambda w: json.dumps(event(w, subject="/subscriptions/" + "y" * 47_000)),
}


def test_odd_events_are_ignored_without_a_retry(world: World) -> None:
    """Each is read once; none fails, none is poison, none touches the PLS."""
    world.forget_requests()
    for make in ODD.values():
        world.send_event(make(world))
    world.wait("the queue is empty", lambda: world.waiting_messages("lb-events") == 0)
    assert world.failures("on_event_queue") == 0
    assert world.waiting_messages("lb-events-poison") == 0
    followed(world, "after-odd-events")


def test_an_event_again_and_again_leads_to_no_write(world: World) -> None:
    """Duplicates, lists and CloudEvents of the truth: looked at, nothing to do."""
    world.run_now("prod")
    world.forget_requests()
    one = event(world)
    cloud = {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": one["eventType"],
        "subject": one["subject"],
    }
    for _ in range(15):
        world.send_event(json.dumps(one))
    world.send_event(json.dumps([one] * 20))
    world.send_event(json.dumps(cloud))
    world.wait("the queue is empty", lambda: world.waiting_messages("lb-events") == 0)
    world.run_now("prod")
    assert world.failures("on_event_queue") == 0
    assert world.link_writes() == []


def test_a_message_that_is_not_even_base64_stops_nobody(world: World) -> None:
    """The host itself cannot read it: it lies in the poison queue, and the next one is served."""
    with QueueClient.from_connection_string(connection(world), "lb-events") as queue:
        queue.send_message("%%% not base64 %%%")
    world.wait("the queue is empty", lambda: world.waiting_messages("lb-events") == 0)
    assert world.waiting_messages("lb-events-poison") == 1
    followed(world, "after-raw-text")


def test_a_wake_up_of_no_sense_is_recorded_and_set_aside(world: World) -> None:
    """Not retried five times: it will not make sense later either."""
    world.send_event('{"cluster": 5}', "reconcile")
    world.send_event("\x00\x01", "reconcile")
    world.send_event('{"cluster": "nobody", "reason": "event"}', "reconcile")
    world.wait("both are told", lambda: len(poison(world)) >= 2, lambda: world.history())
    assert world.failures("on_reconcile") == 0
    followed(world, "after-odd-wake-ups")


def test_a_poison_message_is_recorded_in_the_history(world: World) -> None:
    """Under its cluster, where it names one."""
    world.send_event('{"cluster": "prod", "reason": "poisoned"}', "reconcile-poison")
    world.wait(
        "history tells it",
        lambda: [e for e in world.history("prod") if e["reason"] == "Poison" and "poisoned" in e["sentence"]],
        lambda: world.history("prod"),
    )


def poison(world: World) -> list[Json]:
    """The poison messages that history tells of."""
    return [entry for entry in world.history() if entry["kind"] == "poison"]


def connection(world: World) -> str:
    """The storage's connection string."""
    return str(world.sandbox.endpoints["storage"]["connectionString"])


def delete_rows(table: TableClient) -> None:
    """Somebody tidied up."""
    for row in list(table.list_entities()):
        table.delete_entity(row)


def write_garbage(table: TableClient) -> None:
    """Somebody's hand slipped in every column."""
    for row in list(table.list_entities()):
        keys = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
        table.upsert_entity(
            {**keys, **{k: "{gar:bage" for k in row if k not in keys}}, mode=UpdateMode.REPLACE
        )


def change_types(table: TableClient) -> None:
    """A tool that knows only numbers."""
    for row in list(table.list_entities()):
        keys = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
        kept = {**keys, "schema": row.get("schema", 1)}  # a newer one would be refused, with its own words
        table.upsert_entity({**dict.fromkeys(row, 7), **kept}, mode=UpdateMode.REPLACE)


def take_columns(table: TableClient) -> None:
    """Only the keys are left."""
    for row in list(table.list_entities()):
        keys = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
        table.upsert_entity(keys, mode=UpdateMode.REPLACE)


HARMS = (delete_rows, take_columns, write_garbage, change_types)
TABLES = ("ownership", "sharing", "leases", "history")
ALL = [(table, harm) for table in TABLES for harm in HARMS]


@pytest.mark.parametrize(("table", "harm"), [*ALL, ("clusters", delete_rows), ("clusters", take_columns)])
def test_a_ledger_that_somebody_spoiled_is_rebuilt(
    world: World, table: str, harm: Callable[[TableClient], None]
) -> None:
    """From the tags and the load balancer; the PLS itself is neither deleted nor made anew."""
    world.quiet_plan("prod")
    before = remembered(world)
    assert (before["owner"], before["sharers"]) == ("default/app", ["default/guest"])
    world.forget_requests()
    with world.tables() as service:
        harm(service.get_table_client(table))
    world.run_now("prod")
    world.wait(
        "status knows all again",
        lambda: all(remembered(world)[key] == before[key] for key in ("owner", "sharers", "alias", "natIps")),
        lambda: world.status("prod"),
    )
    assert world.link_writes() == []
    followed(world, f"{table}-{harm.__name__}".replace("_", "-"))
    assert {w.method for w in world.link_writes()} == {"PUT"}
    assert world.history("prod")


@pytest.mark.parametrize("harm", [write_garbage, change_types])
def test_a_state_row_of_garbage_stops_the_cluster_until_a_person_has_looked(
    world: World, harm: Callable[[TableClient], None]
) -> None:
    """Paused or not, this cluster or another: where the row cannot tell, nothing is written."""
    world.quiet_plan("prod")
    with world.tables() as service:
        harm(service.get_table_client("clusters"))
    world.annotate("prod", "app", {"pls-fqdns": harm.__name__})
    refused = world.sandbox.function("POST", "/api/resync?cluster=prod&wait=true")
    assert (refused.status, refused.body["error"]["code"]) == (409, "Paused")
    assert world.sandbox.function("POST", "/api/resume?cluster=prod").status == 202
    world.run_now("prod")
    if offered := world.status("prod")["offeredIdentity"]:
        assert world.sandbox.function("POST", f"/api/release?cluster=prod&identity={offered}").status == 202
    world.ready(world.pls_id("MC_prod", "pls-app"), lambda has: has["fqdns"] == [harm.__name__])
