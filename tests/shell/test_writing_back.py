"""What Services are told: what was written stays theirs, quietly, and nothing of it is in the way of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler import writing_back
from reconciler.errors import Denied, NotFound, OutsideError, Rejected, RetryLater, Stale
from reconciler.model import STANDARD_PREFIX, Condition, Service, ServiceRef
from reconciler.ports import WakeUp
from reconciler.reconcile import Run, dry_run
from reconciler.wakeups import PERSON
from reconciler.writing_back import WritingBack
from tests.builders import service
from tests.fakes.ledger import MemoryLedger
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
WRONG = service("wrong", settings={"ip-configuration-subnet": "no-such-subnet"})
ALIAS, RESOURCE_ID = STANDARD_PREFIX + "alias", STANDARD_PREFIX + "resource-id"
TELLS = ("patch_status", "patch_annotations", "record_event")
FORBIDDEN = Denied('User "x" cannot patch resource "services/status"', code="Forbidden")


def settled(*services: Service, **settings: Any) -> World:
    """A world in which all is done and told, a while after the last run."""
    world = worlds.make(*services, **settings)
    world.handle()
    world.drain(40)
    later(world)
    world.queue.messages.clear()
    world.forget_calls()
    return world


def later(world: World, reason: str = "event", seconds: float = 60) -> Run:
    """A run, a while later."""
    world.clock.forward(seconds)
    run = world.handle(reason).run
    assert run is not None
    return run


def condition(world: World, name: str = "web") -> Condition | None:
    found = world.cluster.get_service("shop", name)
    assert found is not None
    return found.condition


def told(world: World) -> list[str]:
    """The calls that told something."""
    return [method for method in world.calls if method in TELLS]


def history(world: World, reason: str) -> list[str]:
    return [entry.sentence for entry in world.ledger.history("prod", 200) if entry.reason == reason]


def shown(world: World, reason: str) -> list[str]:
    """What status says of this reason."""
    report = world.api.status({}).body["clusters"][0]
    return [finding["sentence"] for finding in report["findings"] if finding["reason"] == reason]


def test_a_service_hears_first_that_it_is_coming_and_then_its_alias() -> None:
    """The time is that of the change of status."""
    world = worlds.make(WEB, slow=True)
    world.handle()
    first = condition(world)
    assert first is not None
    assert (first.status, first.reason) == ("False", "Provisioning")
    world.azure.settle()
    world.drain(40)
    then = condition(world)
    assert then is not None
    assert (then.status, then.reason) == ("True", "Provisioned")
    assert f"alias {world.pls('pls-0').alias}" in then.message
    assert then.since > first.since


def test_the_probe_after_it_is_idle() -> None:
    """Our own patch gives a Service another version: taken for a change, each run would bring the next."""
    world = worlds.make(WRONG, write_back="annotations")
    world.handle()
    assert told(world) == ["patch_status", "record_event"]
    world.forget_calls()
    world.clock.forward(60)
    assert "no Service changed" in world.handle("probe").sentence
    assert [call for call in world.calls if call not in ("state", "lease")] == ["digest"]


def test_a_change_beside_our_patch_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody edits between our list and our patch: the probe must see it, though the version is ours."""
    world = worlds.make(WEB)
    inner = world.cluster.patch_status

    def after_somebody(ref: ServiceRef, told: Condition | None) -> Service:
        monkeypatch.setattr(world.cluster, "patch_status", inner)
        world.change(WEB, name="pls-0", fqdns="late.example.com")
        return inner(ref, told)

    monkeypatch.setattr(world.cluster, "patch_status", after_somebody)
    world.handle()
    world.queue.messages.clear()
    later(world, "probe")
    assert world.written()[-1] == ("put_private_link_service", "pls-0")


def test_at_rest_nothing_is_told() -> None:
    """No call more than the looks, however often somebody asks."""
    world = settled(WEB, WRONG)
    for reason in ("timer", "event", PERSON):
        later(world, reason)
    assert told(world) == []


def test_two_deployments_say_the_same() -> None:
    """Each finds what the other wrote, and leaves it."""
    world = settled(WEB)
    ledger = MemoryLedger(world.clock.now)
    other = replace(world.worker, engine=replace(world.engine, ledger=ledger), ledger=ledger, documents=None)
    assert other.handle(WakeUp("prod", "timer"), world.clock.now()).run is not None
    assert told(world) == []


def test_what_is_told_goes_when_nothing_is_to_be_told() -> None:
    """A Service that asks no more, of a PLS that is gone."""
    world = settled(WRONG)
    assert condition(world, "wrong") is not None
    found = world.cluster.get_service("shop", "wrong")
    assert found is not None
    world.cluster.put(replace(found, annotations={}))
    later(world)
    assert condition(world, "wrong") is None


@pytest.mark.parametrize(
    ("settings", "tells"),
    [
        ({"mode": "plan"}, False),
        ({"write_back": "off"}, False),
        ({"mode": "upsert-only"}, True),
        ({"write_back": "status"}, True),
    ],
)
def test_where_nothing_is_to_be_written_nothing_is_told(settings: dict[str, Any], tells: bool) -> None:
    """Mode plan writes nowhere, and off is off."""
    world = worlds.make(WEB, WRONG, **settings)
    world.handle()
    later(world)
    assert bool(told(world)) is tells


def test_an_incomplete_look_changes_nothing() -> None:
    """Who is not seen has not stopped asking."""
    world = settled(WEB)
    before = condition(world)
    world.azure.fail("list_load_balancers", RetryLater("down"), times=9)
    assert not later(world).look.complete
    assert told(world) == []
    assert condition(world) == before


def test_the_fence_holds_for_this_too() -> None:
    """A worker that outlived its lease tells what may not be true any more."""
    world = worlds.make(WRONG)
    run = dry_run(world.engine, world.config)
    back = WritingBack(world.engine, run, lambda: False, person=True)
    back.tell()
    back.tell_events(None)
    assert told(world) == []
    assert back.done().left == 1


def test_a_cluster_that_refuses_is_left_alone_for_a_day_and_reported_once() -> None:
    """A 403 for each Service in each run is an alarm in somebody's audit log."""
    world = worlds.make(WEB, WRONG)
    world.cluster.fail("patch_status", FORBIDDEN, times=99)
    world.handle()
    assert told(world).count("patch_status") == 1
    for reason in ("timer", "event"):
        later(world, reason)
    assert told(world).count("patch_status") == 1
    (reported,) = history(world, "WriteBackDenied")
    assert "infra/rbac/services-status.yaml" in reported
    assert shown(world, "WriteBackDenied") == [reported]
    later(world, seconds=86_400)
    assert told(world).count("patch_status") == 2
    assert len(history(world, "WriteBackDenied")) == 1


def test_a_person_s_resync_tries_again_and_what_is_given_is_used() -> None:
    """Whoever applied the manifest wants to see it work."""
    world = worlds.make(WEB)
    world.cluster.fail("patch_status", FORBIDDEN)
    world.handle()
    assert condition(world) is None
    later(world, PERSON)
    assert condition(world) is not None
    assert shown(world, "WriteBackDenied") == []
    assert world.ledger.state("prod").denied == {}


def test_events_may_be_refused_alone() -> None:
    """The condition is worth more, and needs another right."""
    world = worlds.make(WRONG)
    world.cluster.fail("record_event", FORBIDDEN, times=99)
    world.handle()
    assert condition(world, "wrong") is not None
    assert list(world.ledger.state("prod").denied) == ["events"]


@pytest.mark.parametrize(
    "error", [RetryLater("down"), Denied("401", code="Unauthorized"), Rejected("a webhook says no")]
)
@pytest.mark.parametrize("method", TELLS)
def test_trouble_fails_no_run_and_is_tried_again(method: str, error: OutsideError) -> None:
    """The PLS is what people wait for."""
    world = worlds.make(WEB, write_back="annotations")
    world.cluster.fail(method, error)
    run = world.handle().run
    assert run is not None
    assert world.written() == [("put_private_link_service", "pls-0")]
    world.drain(40)
    later(world)
    now = condition(world)
    assert now is not None
    assert now.status == "True"
    assert world.ledger.state("prod").denied == {}


@pytest.mark.parametrize("error", [NotFound("gone"), Stale("another"), Rejected("a webhook says no")])
def test_one_service_s_refusal_is_its_own(error: OutsideError) -> None:
    """The others are told all the same."""
    services = worlds.some(5)
    world = worlds.make(*services)
    world.cluster.fail("patch_status", error, match="web0")
    world.handle()
    assert [condition(world, s.name) is not None for s in services] == [False, True, True, True, True]


def test_a_cluster_that_falls_silent_is_not_asked_for_each_service() -> None:
    """Five hundred times ten seconds is more than a lease."""
    world = worlds.make(*worlds.some(5))
    world.cluster.fail("patch_status", RetryLater("no answer"), times=99)
    world.handle()
    assert told(world).count("patch_status") == 1


def test_a_run_tells_so_many_and_the_next_one_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand Services at first contact: no run outlives its lease, and nobody waits for the timer."""
    monkeypatch.setattr(writing_back, "MOST_PATCHES", 2)
    world = worlds.make(*worlds.some(5))
    run = world.handle().run
    assert run is not None
    assert told(world).count("patch_status") == 2
    assert run.fed_back.left == 3
    assert run.come_back is not None
    assert (run.come_back - world.clock.now()).total_seconds() <= 5
    world.drain(60)
    assert all(condition(world, f"web{i}") for i in range(5))
    assert later(world).fed_back.left == 0


def written(world: World, name: str = "web") -> Mapping[str, str]:
    found = world.cluster.get_service("shop", name)
    assert found is not None
    return {key: value for key, value in found.annotations.items() if key in (ALIAS, RESOURCE_ID)}


def test_annotations_on_wish_and_gone_with_the_pls() -> None:
    """Written once; what it costs is a sync of the cloud provider's."""
    world = settled(WEB, write_back="annotations")
    link = world.pls("pls-0")
    assert written(world) == {ALIAS: link.alias, RESOURCE_ID: link.id}
    later(world)
    assert told(world) == []
    found = world.cluster.get_service("shop", "web")
    assert found is not None
    world.cluster.put(replace(found, type="ClusterIP"))
    assert written(worlds_after_deletion(world)) == {}


def worlds_after_deletion(world: World) -> World:
    """The Service is of another type now, then a load balancer's again that asks for nothing."""
    later(world)
    world.drain(60)
    found = world.cluster.get_service("shop", "web")
    assert found is not None
    kept = {k: v for k, v in found.annotations.items() if not k.endswith("create")}
    world.cluster.put(replace(found, type="LoadBalancer", annotations=kept))
    later(world, seconds=3600)
    return world


def test_without_the_wish_no_annotation_is_touched() -> None:
    """Not even those that an earlier setting left: the right to patch Services may be gone with it."""
    world = settled(service("web", settings={"name": "pls-0"}, annotations={ALIAS: "old"}))
    assert "patch_annotations" not in told(world)
    assert written(world) == {ALIAS: "old"}


def events(world: World) -> list[tuple[str, str]]:
    return [(event.service.name, event.reason) for event in world.cluster.events]


def test_events_tell_a_life_and_are_not_repeated() -> None:
    """What ``kubectl describe`` shows; each once, however many runs follow."""
    world = settled(WEB, WRONG)
    for _ in range(3):
        later(world)
    assert sorted(events(world)) == [
        ("web", "PrivateLinkServiceCreated"),
        ("web", "PrivateLinkServiceReady"),
        ("wrong", "PrivateLinkServiceRefused"),
    ]
    world.change(WEB, name="pls-0", fqdns="a.example.com")
    later(world)
    assert events(world)[-1] == ("web", "PrivateLinkServiceUpdated")


def test_the_words_are_the_same_everywhere() -> None:
    """Condition, Event, history and status: one sentence to search for."""
    world = settled(WRONG)
    now = condition(world, "wrong")
    assert now is not None
    (event,) = world.cluster.events
    assert now.reason == "RefusedInvalidSettings"
    assert history(world, "InvalidSettings") == [event.message] == [now.message]
    assert shown(world, "InvalidSettings") == [now.message]


def test_a_pls_deleted_by_hand_tells_the_old_alias_and_the_new() -> None:
    """Private endpoints hang on the old one, and nothing else remembers it."""
    world = settled(WEB)
    old = world.pls("pls-0").alias
    world.azure.remove(world.pls("pls-0").id)
    later(world)
    world.drain(40)
    (event,) = [e for e in world.cluster.events if e.reason == "AliasChanged"]
    assert old in event.message
    assert world.pls("pls-0").alias in event.message
    assert world.pls("pls-0").alias != old


def test_what_was_told_before_the_document_was_written_is_told_again() -> None:
    """At least once: the API counts what is the same."""
    world = worlds.make(WRONG)
    world.documents.fail = RetryLater("storage is down")
    world.handle()
    assert events(world) == []
    world.documents.fail = None
    later(world)
    assert events(world) == [("wrong", "PrivateLinkServiceRefused")]


@pytest.mark.parametrize(
    ("refused", "policy"), [("put_private_link_service", "Disabled"), ("put_subnet", "Enabled")]
)
def test_a_refusal_that_lasts_is_told_in_the_same_words(refused: str, policy: str) -> None:
    """By the run that hears it, by those that know it from the row: one Event, one condition, one document."""
    world = worlds.make(WEB, policy=policy)
    world.azure.fail(refused, Rejected("Azure answered 400 No, writing it", code="No"), times=99)
    world.handle()
    first, told_first = condition(world), history(world, "Rejected")
    assert first is not None
    assert first.reason == "RefusedRejected"
    for _ in range(4):
        later(world)
        assert condition(world) == first
    assert told(world).count("record_event") == told(world).count("patch_status") == 1
    assert history(world, "Rejected") == told_first
