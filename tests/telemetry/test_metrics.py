"""The metrics, read back from the SDK: what one value means, and that few values of attributes come together."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler import ingest, telemetry
from reconciler.errors import OutsideError, Rejected, RetryLater
from reconciler.messages import encode, read_wake_up
from reconciler.model import Limits
from reconciler.ports import Lease, WakeUp
from tests import builders
from tests.shell import world as worlds
from tests.shell.world import World
from tests.telemetry.ear import WEB, Ear, listened


def event(world: World, seconds_ago: float) -> bytes:
    """A load balancer was written so long ago."""
    time = world.clock.now() - timedelta(seconds=seconds_ago)
    written = {
        "id": "1",
        "subject": worlds.BALANCER,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": time.isoformat(),
        "dataVersion": "2",
        "data": {},
    }
    return json.dumps(written).encode()


def serve(world: World, seconds: float = 0) -> None:
    """The queue's messages, after a while."""
    world.clock.forward(seconds)
    for sent in world.queue.receive():
        world.worker.handle(read_wake_up(encode(sent.wake_up)), sent.inserted)


def test_from_event_to_settled(world: World, ear: Ear) -> None:
    """Event 4 s old; queued for 3 s; written; found Succeeded 20 s later: 27 s, by the event's own time."""
    ingest.on_events(world.worker, event(world, 4))
    serve(world, 3)
    assert ear.values(telemetry.EVENT_LAG) == {("prod",): 4.0}
    assert ear.values(telemetry.QUEUE_AGE) == {("prod", "event"): 3.0}
    assert ear.values(telemetry.RUNS) == {("prod", "event", "changed"): 1}
    assert ear.values(telemetry.ACTIONS) == {("prod", "create", "accepted"): 1}
    assert ear.values(telemetry.UNSETTLED) == {("prod",): 7.0}
    assert ear.values(telemetry.SETTLE) == {}
    world.azure.settle()
    serve(world, 20)
    assert ear.values(telemetry.SETTLE) == {("prod", "succeeded"): 27.0}
    assert ear.values(telemetry.UNSETTLED) == {("prod",): 0}
    assert ear.values(telemetry.LINKS)["prod", "Succeeded"] == 1


def test_an_event_that_leads_to_nothing_settles_nothing(world: World, ear: Ear) -> None:
    """Most events do: they would drown the ones that count."""
    world.handle()
    world.azure.settle()
    serve(world, 20)
    world.clock.forward(60)
    ingest.on_events(world.worker, event(world, 4))
    serve(world, 1)
    assert ear.values(telemetry.RUNS)["prod", "event", "unchanged"] == 1
    assert [point.count for point in ear.points()[telemetry.SETTLE.name]] == [1]


def test_the_clock_begins_with_the_first_event(world: World, ear: Ear) -> None:
    """Each PLS's own write event comes while it is made: the wait of whoever asked first would be hidden."""
    ingest.on_events(world.worker, event(world, 4))
    serve(world)
    world.clock.forward(30)
    ingest.on_events(world.worker, event(world, 1))
    serve(world)
    assert ear.values(telemetry.UNSETTLED) == {("prod",): 34.0}


def test_an_event_that_was_parked_keeps_its_time(world: World, ear: Ear) -> None:
    """It finds the cluster resting after a run; the parked message in its place must not begin to count anew."""
    world.handle()
    world.azure.settle()
    serve(world, 20)
    world.change(WEB, name="pls-0", fqdns="a.example")
    ingest.on_events(world.worker, event(world, 4))
    serve(world, 1)  # it rests: parked
    assert ear.values(telemetry.LEASE_WAITS) == {("prod", "resting"): 1}
    serve(world, 6)
    assert ear.values(telemetry.UNSETTLED) == {("prod",): 11.0}


@pytest.mark.parametrize("seconds_ago", [100_000, -3600])
def test_the_time_of_an_event_is_not_believed_blindly(world: World, ear: Ear, seconds_ago: float) -> None:
    """Whoever may write to the queue states any time: no figure of 50 years, none below 0."""
    assert ingest.on_events(world.worker, event(world, seconds_ago)) == ("prod",)
    serve(world)
    assert ear.values(telemetry.EVENT_LAG) == {}
    assert ear.values(telemetry.UNSETTLED) == {("prod",): 0}


def test_a_refused_write_settles_as_refused(world: World, ear: Ear) -> None:
    """Nothing more happens without a person: the clock stops, and does not say succeeded."""
    world.azure.fail("put_private_link_service", Rejected("no", code="InvalidSubnet"))
    world.handle()
    assert ear.values(telemetry.ACTIONS) == {("prod", "create", "failed"): 1}
    assert ear.values(telemetry.REFUSALS) == {("prod", "Rejected"): 1}
    serve(world, 5)
    world.handle()
    assert ear.values(telemetry.SETTLE) == {("prod", "refused"): 5.0}


def test_refusals_by_reason_and_their_end(world: World, ear: Ear) -> None:
    """A gauge that is not told 0 stays at its last value, and its alert with it."""
    bad = replace(
        WEB,
        annotations={
            **WEB.annotations,
            f"{builders.CONFIG.pls_prefix}ip-configuration-ip-address-count": "99",
        },
    )
    world.cluster.put(bad)
    world.handle()
    assert ear.values(telemetry.REFUSALS) == {("prod", "InvalidSettings"): 1}
    world.cluster.put(WEB)
    world.clock.forward(10)
    world.handle()
    assert ear.values(telemetry.REFUSALS) == {("prod", "InvalidSettings"): 0}


def test_states_that_have_gone(world: World, ear: Ear) -> None:
    """By the ledger's rows: Updating, then Succeeded, and Updating no more."""
    world.handle()
    world.clock.forward(10)
    world.handle()
    assert ear.values(telemetry.LINKS)["prod", "Updating"] == 1
    world.azure.settle()
    world.clock.forward(10)
    world.handle()
    links = ear.values(telemetry.LINKS)
    assert (links["prod", "Updating"], links["prod", "Succeeded"]) == (0, 1)


def test_a_gauge_is_told_once(world: World, ear: Ear) -> None:
    """Several instances live at once: one that ran the cluster an hour ago must not contradict the one that does."""
    gauges = {metric.name for metric in telemetry.METRICS if metric.kind is telemetry.Kind.GAUGE}
    world.handle()
    assert gauges & set(ear.collect()) == gauges - {telemetry.REFUSALS.name}
    assert gauges & set(ear.collect()) == set()


def test_what_the_brake_holds(ear: Ear) -> None:
    """As long as a person has not decided; the alert looks at the last value."""
    services = worlds.some(4)
    made = listened(worlds.make(*services, limits=Limits(grace_seconds=0)), ear.telemetry)
    made.handle()
    made.clock.forward(10)
    made.handle()
    for gone in services:
        made.remove(gone)
    made.clock.forward(10)
    made.handle()
    assert ear.values(telemetry.HELD) == {("prod",): 4}
    assert ear.values(telemetry.UNSETTLED) == {("prod",): 0}
    made.engine.pool.shutdown()


def test_waits_for_the_lease(world: World, ear: Ear) -> None:
    """Messages that find another run under way; a guard that has nothing to guard waits for nobody."""
    until = world.clock.now() + timedelta(seconds=60)
    world.ledger.write_lease(Lease("prod", "other", until, 1))
    world.handle("event")
    world.handle("probe")
    assert ear.values(telemetry.LEASE_WAITS) == {("prod", "held"): 2}
    world.clock.forward(200)
    world.handle("event")
    world.clock.forward(60)
    world.handle("guard")
    assert ear.values(telemetry.LEASE_WAITS) == {("prod", "held"): 2}


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (RetryLater("quota", after=7, throttled=True), 1),
        (RetryLater("wait", after=7), 1),
        (RetryLater("connection refused"), 0),
        (Rejected("no"), 0),
    ],
)
def test_throttles(world: World, ear: Ear, error: OutsideError, number: int) -> None:
    """Who says when to come back throttles; who does not answer is down."""
    world.azure.fail("put_private_link_service", error)
    world.handle()
    assert ear.values(telemetry.THROTTLES) == ({("prod", "arm"): number} if number else {})


def test_a_cluster_that_cannot_be_read(world: World, ear: Ear) -> None:
    """The run is counted; of what it could not see nothing is said, or the last figures would be false."""
    world.handle()
    world.azure.settle()
    world.cluster.fail("list_services", RetryLater("down"), times=1)
    links = ear.values(telemetry.LINKS)
    serve(world, 20)
    assert ear.values(telemetry.RUNS)["prod", "parked", "unread"] == 1
    assert (ear.values(telemetry.LINKS), ear.values(telemetry.SETTLE)) == (links, {})


def test_poison(world: World, ear: Ear) -> None:
    """By cluster, as far as one of ours is named."""
    ingest.on_poison(world.worker, encode(WakeUp("prod", "event")), "reconcile-poison")
    ingest.on_poison(world.worker, b"\xff\xfe", "reconcile-poison")
    ingest.on_poison(world.worker, encode(WakeUp("somebody-s", "event")), "reconcile-poison")
    assert ear.values(telemetry.POISON) == {("prod",): 1, ("",): 2}


def test_a_run_that_lost_its_lease(world: World, ear: Ear) -> None:
    """It is counted once, as overtaken, and claims nothing that it did not write down."""

    def another() -> None:
        world.clock.forward(300)
        lease = world.ledger.lease("prod")
        later = world.clock.now() + timedelta(seconds=120)
        world.ledger.write_lease(replace(lease, holder="other", until=later, fence=lease.fence + 1))

    world.azure.meanwhile["list_load_balancers"] = another
    world.handle()
    assert ear.values(telemetry.RUNS) == {("prod", "event", "overtaken"): 1}
    assert ear.values(telemetry.ACTIONS) == {}


def test_any_text_in_a_queue_is_one_trigger(world: World, ear: Ear) -> None:
    """A series for each text that somebody queues would cost without end."""
    world.handle("anything-1")
    world.clock.forward(30)
    world.handle("anything-2")
    assert {trigger for _, trigger, _ in ear.values(telemetry.RUNS)} == {"other"}


def test_the_metrics_are_those_of_the_table(world: World, ear: Ear) -> None:
    """All of them are told, with their names and attributes exactly; and no value is an id."""
    world.azure.fail("get_private_link_service", RetryLater("busy", after=1.0), times=1)
    ingest.on_events(world.worker, event(world, 4))
    serve(world, 1)
    world.change(WEB, name="bad name!")
    serve(world, 10)
    world.azure.settle()
    world.change(WEB, name="pls-0")
    serve(world, 30)
    world.handle()
    world.azure.settle()
    serve(world, 30)
    world.handle("event")
    ingest.on_poison(world.worker, b"", "reconcile-poison")
    told = ear.points()
    assert set(told) == {metric.name for metric in telemetry.METRICS}
    for metric in telemetry.METRICS:
        for point in told[metric.name]:
            assert set(point.attributes) == set(metric.attributes)
            assert all("/" not in str(value) for value in point.attributes.values())


def test_a_wish_travels_and_decides_nothing(world: World) -> None:
    """The time of the event is in the message; two that differ in it alone are the same message."""
    since = datetime.fromisoformat("2026-06-01T11:59:56+00:00")
    sent = WakeUp("prod", "event", since=since)
    assert read_wake_up(encode(sent)).since == since
    assert sent == WakeUp("prod", "event")
    assert read_wake_up('{"cluster": "prod", "since": "yesterday"}') == WakeUp("prod", "")
