"""What the triggers do: events and timers become wake-ups, and what cannot be read harms nobody."""

import json
from datetime import timedelta
from typing import Any

import pytest

from reconciler import arm_ids, ingest
from reconciler.errors import Rejected, RetryLater
from reconciler.messages import encode
from reconciler.model import Reservation
from reconciler.ports import WakeUp
from reconciler.status import status, status_text
from tests import builders
from tests.builders import SUBSCRIPTION, network_id, pls_id, service
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
BALANCER = network_id("loadBalancers", "kubernetes-internal")


def event(subject: str, kind: str = "ResourceWriteSuccess") -> dict[str, Any]:
    """An event in Event Grid's own schema."""
    return {
        "id": "1",
        "topic": f"/subscriptions/{SUBSCRIPTION}",
        "subject": subject,
        "eventType": f"Microsoft.Resources.{kind}",
        "eventTime": "2026-06-01T12:00:00Z",
        "data": {"operationName": "Microsoft.Network/loadBalancers/write"},
        "dataVersion": "2",
        "metadataVersion": "1",
    }


def cloud_event(subject: str, kind: str = "ResourceWriteSuccess") -> dict[str, Any]:
    """The same in the CloudEvents schema."""
    return {
        "specversion": "1.0",
        "id": "1",
        "source": f"/subscriptions/{SUBSCRIPTION}",
        "subject": subject,
        "type": f"Microsoft.Resources.{kind}",
        "time": "2026-06-01T12:00:00Z",
        "data": {},
    }


def woken(world: World, *events: Any) -> tuple[str, ...]:
    """The clusters that a message with these events wakes; each gets one message."""
    body = json.dumps(events[0] if len(events) == 1 else list(events))
    names = ingest.on_events(world.worker, body.encode())
    assert [m.wake_up for m in world.queue.messages] == [WakeUp(name, "event") for name in names]
    return names


@pytest.fixture
def world() -> World:
    """Three clusters, dev and test in one load balancer group."""
    found = worlds.make(WEB, clusters=("prod", "dev", "test"))
    found.configs["test"] = worlds.configured("test", load_balancer_resource_group="MC_dev")
    return found


@pytest.mark.parametrize("schema", [event, cloud_event])
@pytest.mark.parametrize("kind", ["ResourceWriteSuccess", "ResourceDeleteSuccess", "ResourceDeleteFailure"])
def test_a_load_balancer_wakes_its_cluster(world: World, schema: Any, kind: str) -> None:
    """In both schemas, in any case of the id."""
    assert woken(world, schema(BALANCER.upper().replace("SUBSCRIPTIONS", "subscriptions"), kind)) == ("prod",)


def test_a_shared_group_wakes_all_its_clusters(world: World) -> None:
    """Which of them it was about, the run finds out."""
    assert woken(world, event(network_id("loadBalancers", "lb", "MC_dev"))) == ("dev", "test")


def test_a_burst_wakes_a_cluster_once(world: World) -> None:
    """A message each would be a run each."""
    assert woken(world, *[event(BALANCER)] * 50, cloud_event(BALANCER)) == ("prod",)


@pytest.mark.parametrize("kind", ["ResourceWriteSuccess", "ResourceDeleteSuccess"])
def test_a_private_link_service_wakes_its_cluster(world: World, kind: str) -> None:
    """Somebody edited or deleted it by hand: repaired in seconds. A connection is part of it."""
    assert woken(world, event(pls_id("any"), kind)) == ("prod",)
    world.queue.messages.clear()
    assert woken(world, event(f"{pls_id('any')}/privateEndpointConnections/pe.1", kind)) == ("prod",)


def test_a_private_link_service_elsewhere_wakes_who_holds_it(world: World) -> None:
    """An annotated resource group is in no configuration; the ledger knows."""
    elsewhere = pls_id("pls-9", "annotated")
    assert woken(world, event(elsewhere)) == ()
    world.ledger.reserve(Reservation(elsewhere, "dev", "uid", "frontend"))
    assert woken(world, event(elsewhere.replace("pls-9", "PLS-9"))) == ("dev",)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        (network_id("loadBalancers", "lb", "somebody-elses"), "ResourceWriteSuccess"),
        (network_id("loadBalancers", "lb", subscription="other"), "ResourceWriteSuccess"),
        (network_id("virtualNetworks", "aks-vnet"), "ResourceWriteSuccess"),
        (BALANCER, "ResourceWriteFailure"),
        (BALANCER, "ResourceActionSuccess"),
        (pls_id("any"), "ResourceDeleteFailure"),
        (arm_ids.group_id(SUBSCRIPTION, "MC_prod"), "ResourceDeleteSuccess"),
        ("", "ResourceWriteSuccess"),
        ("/", "ResourceWriteSuccess"),
        ("/subscriptions/x", "ResourceWriteSuccess"),
        (BALANCER.replace("Microsoft.Network", "Microsoft.Fake"), "ResourceWriteSuccess"),
    ],
)
def test_what_is_not_ours_wakes_nobody(world: World, subject: str, kind: str) -> None:
    """A subscription's events are many; most are about others."""
    assert woken(world, event(subject, kind)) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"null",
        b"5",
        b'"text"',
        b"[5]",
        b"{}",
        json.dumps({**event(BALANCER), "eventType": None}).encode(),
        json.dumps({k: v for k, v in event(BALANCER).items() if k != "subject"}).encode(),
        json.dumps({**cloud_event(BALANCER), "subject": None}).encode(),
        json.dumps([event(BALANCER), {}]).encode(),
        json.dumps([event(BALANCER)] * 101).encode(),
        b'{"subject": "' + b"x" * 300_000 + b'"}',
        b"[" * 50_000,
        b'{"specversion": "1.0"}',
    ],
)
def test_an_event_that_cannot_be_read_is_ignored(
    world: World, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Raising would have it tried five times and poisoned; the timer catches what it was about."""
    assert ingest.on_events(world.worker, body) == ()
    assert "an event was ignored" in caplog.text
    assert len(caplog.text) < 2000


def test_an_event_of_64_kb_is_read(world: World) -> None:
    """As large as Event Grid sends them."""
    assert woken(world, {**event(BALANCER), "data": {"x": "y" * 64_000}}) == ("prod",)


def test_an_event_whose_wake_up_cannot_be_sent_is_not_lost(world: World) -> None:
    """It raises, so that the queue brings it again."""
    world.azure.fail("reservations", RetryLater("the ledger is down"))
    with pytest.raises(RetryLater):
        ingest.on_events(world.worker, json.dumps(event(pls_id("p", "elsewhere"))).encode())


# -- timers


def test_full_passes_are_spread_over_the_interval() -> None:
    """Hundreds of clusters at once would meet ARM's quota; each at the same moment of each interval."""
    names = tuple(f"cluster-{i}" for i in range(300))
    delays: list[dict[str, float]] = []
    for _ in range(2):
        world = worlds.make(clusters=names)
        ingest.on_timer(world.worker)
        delays.append(
            {m.wake_up.cluster: (m.visible - world.clock.now()).seconds for m in world.queue.messages}
        )
        for message in world.queue.messages:
            assert message.wake_up.due == (None if message.visible == world.clock.now() else message.visible)
    assert delays[0] == delays[1]
    assert set(delays[0]) == set(names)
    values = sorted(delays[0].values())
    assert 0 <= values[0] < values[-1] <= ingest.SPREAD_SECONDS
    busiest = max(sum(low <= v < low + 30 for v in values) for low in range(0, 240, 30))
    assert busiest < 2 * 300 / 8


def test_few_clusters_do_not_wait() -> None:
    """One cluster is looked at on the minute, a handful within seconds."""
    assert {ingest.spread(name, 0) for name in ("a", "b", "c")} == {0}
    world = worlds.make(clusters=("a", "b", "c"))
    ingest.on_timer(world.worker)
    assert max(m.visible for m in world.queue.messages) <= world.clock.now() + timedelta(seconds=4)


def test_a_delayed_full_pass_runs() -> None:
    """Not covered by a run between its sending and its time."""
    world = worlds.make(WEB)
    world.handle()
    world.clock.forward(30)
    due = world.clock.now()
    body = encode(WakeUp("prod", "timer", due))
    assert ingest.on_wake_up(world.worker, body, builders.NOW).run is not None


def test_a_probe_is_a_message_for_each_cluster(world: World) -> None:
    """The worker looks, on as many instances as the platform gives."""
    ingest.on_probe(world.worker)
    assert {(m.wake_up.cluster, m.wake_up.reason) for m in world.queue.messages} == {
        ("prod", "probe"),
        ("dev", "probe"),
        ("test", "probe"),
    }


# -- the work queue


def test_a_wake_up_is_served(world: World) -> None:
    """As JSON, which the host decodes, and as it is on the wire."""
    assert ingest.on_wake_up(world.worker, b'{"cluster": "prod", "reason": "x"}', builders.NOW).run
    world.clock.forward(10)
    assert ingest.on_wake_up(world.worker, encode(WakeUp("prod", "x")), world.clock.now()).run


@pytest.mark.parametrize("body", [b"", b"{}", b"junk", b'{"cluster": 5}', b'{"cluster": "p", "due": "soon"}'])
def test_a_message_that_is_no_wake_up_is_recorded_and_done(world: World, body: bytes) -> None:
    """Tried again it would be no better."""
    assert ingest.on_wake_up(world.worker, body, builders.NOW).run is None
    (entry,) = world.ledger.history("", 10)
    assert (entry.kind, entry.cluster) == ("poison", "")


def test_a_poison_message_is_recorded_for_its_cluster(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """History shows it, and the log has an error that alerts."""
    ingest.on_poison(world.worker, encode(WakeUp("prod", "event")), "reconcile-poison")
    (entry,) = world.ledger.history("prod", 10)
    assert (entry.kind, entry.reason) == ("poison", "Poison")
    assert "reconcile-poison" in entry.sentence
    assert [r.levelname for r in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"x" * 64_000, "text", b'{"cluster": "nobody"}', b"[" * 9999])
def test_poison_of_any_kind_is_recorded(world: World, body: bytes | str) -> None:
    """A poison handler that raises has a poison queue of its own."""
    ingest.on_poison(world.worker, body, "lb-events-poison")
    (entry,) = world.ledger.history("", 10)
    assert len(entry.sentence) < 1000


def test_poison_shows_in_status_for_its_cluster(world: World) -> None:
    """A wake-up by the name it has, an event by what it is about; what names nobody beside the clusters."""
    ingest.on_poison(world.worker, encode(WakeUp("prod", "event")), "reconcile-poison")
    ingest.on_poison(world.worker, json.dumps(event(BALANCER)), "lb-events-poison")
    for body in (b"\xff", b'{"cluster": "nobody"}'):
        ingest.on_poison(world.worker, body, "reconcile-poison")
    report = status(world.ledger, world.configs, now=world.clock.now())
    told = {c["name"]: c["poison"]["count"] for c in report["clusters"]}
    assert {name: count for name, count in told.items() if count} == {"prod": 2}
    assert set(told) == set(world.configs)
    assert report["poison"] == {"count": 2, "last": "2026-06-01T12:00:00Z"}
    assert "2, the last at 2026-06-01T12:00:00Z" in status_text(report)
    one = status(world.ledger, world.configs, "prod", now=world.clock.now())
    assert (one["poison"]["count"], one["clusters"][0]["poison"]["count"]) == (2, 2)


def test_poison_is_told_once_where_status_cannot_be_written(world: World) -> None:
    """Raising would bring the message back, and the same line into the history five times."""
    world.azure.fail("write_state", Rejected("schema 2 is newer"))
    ingest.on_poison(world.worker, encode(WakeUp("prod", "event")), "reconcile-poison")
    assert len(world.ledger.history("prod", 10)) == 1
    assert world.ledger.state("prod").poisoned == 0


def test_claims_of_an_event_are_told_nowhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """An event tells who caused it, with address and roles: not for logs, not for the history."""
    caplog.set_level("DEBUG")
    claims = {"claims": {"name": "a-person"}, "authorization": {"scope": "a-scope"}}
    told = json.dumps({**event(BALANCER), "data": claims})
    for body in (told, told[:-1], json.dumps({**event(BALANCER), "subject": None, "data": claims})):
        ingest.on_events(world.worker, body)
        ingest.on_poison(world.worker, body, "lb-events-poison")
        if body != told:
            ingest.on_wake_up(world.worker, body, builders.NOW)
    everything = caplog.text + str(world.ledger.history("", 50))
    assert "a-person" not in everything
    assert "a-scope" not in everything


def test_poison_is_recorded_though_its_cause_goes_on(world: World) -> None:
    """What broke the event's function breaks the search for its clusters, too."""
    world.azure.fail("reservations", Rejected("schema 2 is newer"))
    ingest.on_poison(world.worker, json.dumps(event(pls_id("elsewhere"))), "lb-events-poison")
    (entry,) = world.ledger.history("", 10)
    assert "elsewhere" in entry.sentence
