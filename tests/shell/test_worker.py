"""The worker: what becomes of each message, and what is promised to those that wait."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler import wakeups, worker
from reconciler.errors import Denied, RetryLater, Stale
from reconciler.gate import Gate
from reconciler.model import Limits
from reconciler.ports import Lease, WakeUp
from reconciler.reconcile import Engine, Run
from reconciler.recording import update_state
from reconciler.wakeups import Arrival
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
DOWN = RetryLater("the API server is down")
LEDGER_DOWN = RetryLater("the ledger is down")


def settled_world(**settings: Any) -> World:
    """A world in which nothing is to be done, a while after the last run."""
    world = worlds.make(WEB, **settings)
    world.handle()
    world.clock.forward(2)
    world.drain(30)
    world.clock.forward(60)
    world.queue.messages.clear()
    world.forget_calls()
    return world


def held_by_another(world: World) -> Lease:
    """Another worker holds the lease."""
    lease = world.ledger.lease("prod")
    until = world.clock.now() + timedelta(seconds=120)
    return world.ledger.write_lease(Lease("prod", "other", until, lease.fence + 1, version=lease.version))


def test_a_message_leads_to_a_private_link_service() -> None:
    """The whole way, from the key to the PLS, and to the look that confirms it."""
    world = worlds.make(WEB)
    done = world.handle()
    assert done.run is not None
    assert world.written() == [("put_private_link_service", "pls-0")]
    assert world.ledger.lease("prod").holder == ""
    assert ("parked", 2.0) in world.waiting()


def test_a_replayed_message_writes_nothing() -> None:
    """Queues deliver at least once."""
    world = worlds.make(WEB)
    for _ in range(5):
        world.handle()
        world.clock.forward(20)
    assert len(world.written()) == 1


def test_a_cluster_that_is_not_configured_is_left_alone() -> None:
    """Taken out of the configuration: nothing is asked, nothing deleted, and the message is done."""
    world = worlds.make(WEB)
    done = world.handle(cluster="former")
    assert "not configured" in done.sentence
    assert world.calls == []


def test_a_paused_cluster_is_left_alone_even_by_a_person() -> None:
    """Somebody is at work there."""
    world = worlds.make(WEB)
    update_state(world.ledger, "prod", lambda s: replace(s, paused=True))
    world.forget_calls()
    for reason in ("event", "timer", "probe", "parked", wakeups.PERSON):
        assert "paused" in world.handle(reason).sentence
    assert set(world.calls) == {"state"}


def test_a_message_of_before_the_last_look_is_dropped() -> None:
    """A burst of a hundred events is one run; each one that came later is another."""
    world = settled_world()
    sent = world.clock.now()
    world.clock.forward(10)
    world.handle()
    world.forget_calls()
    assert "covered" in world.worker.handle(WakeUp("prod", "event"), sent).sentence
    assert "list_services" not in world.calls
    world.clock.forward(5)
    assert world.handle().run is not None


def test_events_just_after_a_run_lead_to_one_more_run_after_a_rest() -> None:
    """In doubt a message is served; many in doubt are served together."""
    world = settled_world()
    world.handle()
    world.forget_calls()
    for _ in range(20):
        assert world.handle().run is None
    assert "list_services" not in world.calls
    assert [sent for sent in world.waiting() if sent[0] == "parked"] == [("parked", 5.0)]


def test_a_delayed_message_is_not_covered_by_a_run_before_its_time() -> None:
    """It was sent long ago, for now."""
    world = settled_world()
    sent = world.clock.now()
    world.clock.forward(10)
    world.handle()
    due = world.clock.now() + timedelta(seconds=5)
    world.clock.forward(6)
    assert world.worker.handle(WakeUp("prod", "parked", due), sent).run is not None


def test_a_run_that_saw_only_half_covers_nothing() -> None:
    """What it did not see is still to be looked at."""
    world = settled_world()
    sent = world.clock.now()
    world.clock.forward(10)
    world.cluster.fail("list_services", DOWN)
    world.handle(wakeups.PERSON)
    done = world.worker.handle(WakeUp("prod", wakeups.PERSON), sent)
    assert done.run is not None
    assert done.run.look.complete


def test_a_busy_cluster_is_looked_at_again_afterwards() -> None:
    """A change that comes while a run is under way may have come after its look."""
    world = worlds.make(WEB)
    said: list[str] = []

    def somebody_changes_a_service() -> None:
        world.clock.forward(1)
        world.change(WEB, name="pls-0", fqdns="a.example")
        said.append(world.handle().sentence)
        said.append(world.handle("timer").sentence)

    world.azure.meanwhile["put_private_link_service"] = somebody_changes_a_service
    world.handle()
    assert "under way" in said[0]
    assert ("wanted", 2.0) in world.waiting()
    assert [reason for reason, _ in world.waiting()].count("wanted") == 1
    assert world.ledger.lease("prod").wanted is None
    world.drain(10)
    assert world.pls("pls-0").fqdns == ("a.example",)


def test_contention_raises_nothing() -> None:
    """What raises is tried five times and then poisons: a busy cluster would fill the poison queue."""
    world = settled_world()
    held_by_another(world)
    for _ in range(20):
        world.clock.forward(1)
        assert world.handle().run is None
    assert world.written() == []
    assert world.ledger.lease("prod").wanted == world.clock.now()


def test_a_lease_row_that_keeps_changing_is_read_again() -> None:
    """Somebody else wrote first: decide anew on what is there now."""
    world = settled_world()
    world.azure.fail("write_lease", Stale("somebody else wrote first"), times=3)
    assert world.handle().run is not None


def test_a_message_that_loses_every_race_is_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    """Raised, it would be poison after five rounds, of nothing but others being quicker; a warning tells of it."""
    world = settled_world()
    world.azure.fail("write_lease", Stale("somebody else wrote first"), times=worker.TRIES)
    assert "sent again" in world.handle().sentence
    assert "changed 10 times" in caplog.text
    assert world.waiting() == [("event", 1.0)]
    world.drain(10)
    assert world.ledger.lease("prod").covered == world.clock.now() - timedelta(seconds=9)


def test_a_guard_is_parked_only_where_something_is_written() -> None:
    """A message for each of hundreds of quiet clusters each five minutes would be for nothing."""
    world = worlds.make(WEB)
    world.handle()
    assert ("guard", 125.0) in world.waiting()
    quiet = settled_world()
    quiet.handle("timer")
    assert quiet.queue.messages == []


def test_the_guard_is_sent_before_the_first_write() -> None:
    """A worker killed in its first PUT must have left something that wakes the cluster."""
    world = worlds.make(WEB)
    seen: list[list[str]] = []
    world.azure.meanwhile["put_private_link_service"] = lambda: seen.append([r for r, _ in world.waiting()])
    world.handle()
    assert seen == [["guard"]]


def test_a_killed_worker_is_replaced_when_its_lease_ends() -> None:
    """Its own message stays invisible for minutes; the guard does not."""
    world = worlds.make(WEB)

    class Killed(BaseException):
        """The process is gone: not even its clean-up runs."""

    def kill() -> None:
        world.azure.fail("lease", LEDGER_DOWN)  # it cannot release any more
        raise Killed

    world.azure.meanwhile["put_private_link_service"] = kill
    with pytest.raises(Killed):
        world.handle()
    assert world.ledger.lease("prod").holder != ""
    world.drain(130)
    assert world.written()[-1] == ("put_private_link_service", "pls-0")
    assert world.ledger.lease("prod").holder == ""


def test_a_message_that_finds_the_lease_of_its_own_failed_run_is_not_lost() -> None:
    """Storage failed as the run ended: the message comes back in half a minute, long before the lease ends."""
    world = settled_world()
    sent = world.clock.now()
    world.azure.meanwhile["list_load_balancers"] = lambda: world.azure.fail("lease", LEDGER_DOWN)
    with pytest.raises(RetryLater):
        world.worker.handle(WakeUp("prod", "event"), sent)
    world.clock.forward(30)
    world.change(WEB, name="pls-0", fqdns="late.example")
    assert "under way" in world.worker.handle(WakeUp("prod", "event"), sent).sentence
    world.drain(130)
    assert world.pls("pls-0").fqdns == ("late.example",)
    assert world.ledger.lease("prod").holder == ""


def test_a_guard_whose_run_has_ended_does_nothing() -> None:
    """It is sent with each run that writes."""
    world = worlds.make(WEB)
    world.handle()
    world.clock.forward(121)
    world.queue.messages.clear()
    world.forget_calls()
    assert world.handle("guard", due=world.clock.now()).run is None
    assert "list_services" not in world.calls


def test_a_probe_of_unchanged_services_asks_nothing_else() -> None:
    """One metadata-only list each 30 seconds, no call to ARM, no lease."""
    world = settled_world()
    assert "no Service changed" in world.handle("probe").sentence
    assert set(world.calls) == {"state", "lease", "digest"}


def test_a_probe_of_changed_services_runs() -> None:
    """An annotation writes nothing to the load balancer: no event tells."""
    world = settled_world()
    world.change(WEB, name="pls-0", fqdns="b.example")
    assert world.handle("probe").run is not None
    assert world.pls("pls-0").fqdns == ("b.example",)


def test_a_probe_of_a_cluster_never_looked_at_runs() -> None:
    """There is no digest to compare with."""
    assert worlds.make().handle("probe").run is not None


def test_a_probe_that_fails_runs() -> None:
    """The run tells, and backs off; a probe alone would be silent for ever."""
    world = settled_world()
    world.cluster.fail("digest", Denied("401"))
    assert world.handle("probe").run is not None


def test_an_unreachable_cluster_is_left_alone_for_a_while() -> None:
    """Longer each time, and one message waits for the end, however many come."""
    world = settled_world()
    world.cluster.fail("list_services", DOWN, times=3)
    waits = []
    for _ in range(3):
        done = world.handle()
        assert done.run is not None
        for _ in range(5):
            assert "back" in world.handle().sentence
        (parked,) = world.waiting()
        assert parked[0] == "parked"
        waits.append(parked[1])
        world.clock.forward(parked[1])
        world.queue.receive()
    assert waits == [5, 10, 20]
    assert world.handle().run is not None
    assert world.ledger.lease("prod").failures == 0


def test_a_wait_that_was_asked_for_is_kept() -> None:
    """Retry-After: 90 means it."""
    world = settled_world()
    world.azure.fail("list_load_balancers", RetryLater("throttled", after=90.0, throttled=True))
    world.handle()
    assert world.waiting() == [("parked", 90.0)]


def test_a_throttled_write_keeps_everybody_away() -> None:
    """Each look is a dozen reads of the same throttled subscription."""
    world = worlds.make(*worlds.some(2), gate=Gate(1, 1))
    world.azure.fail("put_private_link_service", RetryLater("429", after=40.0, throttled=True))
    world.handle()
    assert ("parked", 40.0) in world.waiting()
    world.forget_calls()
    world.clock.forward(7)
    assert "back" in world.handle("timer").sentence
    assert "list_services" not in world.calls
    world.drain(60)
    assert len(world.written()) == 2


def test_a_part_that_could_not_be_read_is_read_again_soon() -> None:
    """A subnet that was not answered holds a Service up: not until the next full pass."""
    world = worlds.make(WEB)
    world.azure.fail("get_subnet", RetryLater("502"))
    done = world.handle()
    assert done.run is not None
    assert done.run.look.complete
    assert world.written() == []
    world.drain(35)
    assert len(world.written()) == 1


def test_a_mode_that_never_writes_comes_back_for_nothing() -> None:
    """It would be a look each two seconds at what it never changes."""
    world = worlds.make(WEB, mode="plan")
    done = world.handle()
    assert done.run is not None
    assert len(done.run.plan.writes) == 1
    assert world.queue.messages == []


def test_what_is_seen_a_while_is_remembered_between_runs() -> None:
    """A frontend must be seen gone twice, a grace apart: a run that forgets never deletes."""
    world = worlds.make(WEB, limits=Limits(grace_seconds=100))
    world.handle()
    world.azure.store(worlds.balancer([]))
    world.clock.forward(10)
    world.handle(wakeups.PERSON)
    assert len(world.written()) == 1
    world.clock.forward(101)
    world.handle(wakeups.PERSON)
    assert world.written()[1:] == [("delete_private_link_service", "pls-0")]


def test_a_person_does_not_wait_for_the_back_off() -> None:
    """Somebody has just mended it, and asks."""
    world = settled_world()
    world.cluster.fail("list_services", DOWN)
    world.handle()
    assert world.handle(wakeups.PERSON).run is not None


def test_a_lost_parked_message_is_sent_again() -> None:
    """Somebody cleared the queue: the next message brings another, else the back-off had no end."""
    world = settled_world()
    world.cluster.fail("list_services", DOWN)
    world.handle()
    world.queue.messages.clear()
    lease = world.ledger.lease("prod")
    world.ledger.write_lease(replace(lease, parked=None))
    world.handle()
    assert world.waiting() == [("parked", 5.0)]


@pytest.mark.parametrize("where", ["put_ownership", "add_history", "write_state"])
def test_a_run_that_breaks_raises_and_releases_its_lease(where: str) -> None:
    """The message is tried again, and does not find a lease of its own that lasts for minutes."""
    world = worlds.make(WEB)
    world.azure.fail(where, LEDGER_DOWN)
    with pytest.raises(RetryLater):
        world.handle()
    lease = world.ledger.lease("prod")
    assert (lease.holder, lease.failures, lease.covered) == ("", 1, None)
    assert ("parked", 5.0) in world.waiting()
    world.drain(30)
    assert world.pls("pls-0").provisioning_state == "Succeeded"


def test_a_run_that_breaks_starts_no_more_writes() -> None:
    """Its lease is released, and the cluster another's, while threads of it are still about to write."""
    world = worlds.make(WEB)
    lease = world.worker.take(Arrival(WakeUp("prod", "event"), world.clock.now()), world.config, "")
    assert isinstance(lease, Lease)
    fences: list[Callable[[], bool]] = []

    def interrupted(engine: Engine, may_start: Callable[[], bool], before: Callable[[], None]) -> Run:
        before()
        assert may_start()
        fences.append(may_start)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.worker.run(world.config, "event", lease, interrupted)
    assert world.ledger.lease("prod").holder == ""
    assert [may_start() for may_start in fences] == [False]


@pytest.mark.parametrize("where", ["state", "lease", "write_lease", "ownership"])
def test_a_failing_ledger_raises(where: str) -> None:
    """The message must not be lost: the platform tries it again."""
    world = worlds.make(WEB)
    world.azure.fail(where, LEDGER_DOWN, times=100)
    with pytest.raises(RetryLater):
        world.handle()
    assert world.written() == []


def test_a_lease_taken_over_meanwhile_is_left_to_its_new_holder() -> None:
    """A run that took too long must not end the run of another."""
    world = worlds.make(WEB)
    world.azure.meanwhile["put_private_link_service"] = lambda: (held_by_another(world), None)[1]
    world.handle()
    assert world.ledger.lease("prod").holder == "other"


def test_no_write_starts_at_the_end_of_a_lease() -> None:
    """A request in flight must have ended before the next holder begins."""
    world = worlds.make(*worlds.some(4), gate=Gate(1, 1))
    world.azure.meanwhile["put_private_link_service"] = lambda: world.clock.forward(101)
    world.handle()
    assert len(world.written()) == 1
    assert world.ledger.lease("prod").holder == ""
    world.drain(20)
    assert len(world.written()) == 4


def test_a_cluster_that_takes_long_to_read_is_written_all_the_same() -> None:
    """Looking took longer than the writes' part of the lease: it is renewed before the first write."""
    world = worlds.make(WEB)
    world.azure.meanwhile["list_load_balancers"] = lambda: world.clock.forward(110)
    world.handle()
    assert world.written() == [("put_private_link_service", "pls-0")]
    [(_, delay)] = [(reason, d) for reason, d in world.waiting() if reason == wakeups.GUARD]
    assert delay > 100


def test_a_run_whose_lease_was_taken_over_while_it_looked_writes_nothing() -> None:
    """Its successor looks and writes itself."""
    world = worlds.make(WEB)

    def taken_over() -> None:
        world.clock.forward(121)
        held_by_another(world)

    world.azure.meanwhile["list_load_balancers"] = taken_over
    world.handle()
    assert world.written() == []
    assert world.ledger.lease("prod").holder == "other"


def test_a_run_that_stood_still_writes_nothing_into_the_ledger_either() -> None:
    """What it knew is old: sightings, rows and findings of the new holder stay."""
    world = worlds.make(WEB)

    def taken_over() -> None:
        world.clock.forward(130)
        held_by_another(world)
        world.forget_calls()

    world.azure.meanwhile["put_private_link_service"] = taken_over
    done = world.handle()
    assert "another has taken over" in done.sentence
    assert set(world.calls) <= {"put_private_link_service", "lease"}
    assert world.ledger.lease("prod").holder == "other"


def test_a_run_that_outlasted_its_lease_is_written_down_if_nobody_took_over() -> None:
    """A slow machine alone loses no outcome."""
    world = worlds.make(WEB)
    world.azure.meanwhile["put_private_link_service"] = lambda: world.clock.forward(130)
    assert world.handle().run is not None
    assert world.ledger.state("prod").last_run["writes"][0]["result"] == "accepted"


def test_clusters_do_not_wait_for_each_other() -> None:
    """A lease, a back-off and a broken cluster are that cluster's."""
    world = worlds.make(WEB, clusters=("prod", "dev"))
    world.clusters["dev"].fail("list_services", DOWN, times=9)
    world.handle(cluster="dev")
    assert world.handle().run is not None
    assert len(world.written()) == 1


def test_a_run_is_written_down() -> None:
    """Status and history are told from the ledger."""
    world = worlds.make(WEB, service("typo", settings={"ip-configuration-ip-address-count": "many"}))
    world.handle("timer")
    report = world.ledger.state("prod").last_run
    assert (report["reason"], report["complete"], report["services"], report["frontends"]) == (
        "timer",
        True,
        2,
        2,
    )
    assert [w["result"] for w in report["writes"]] == ["accepted"]
    assert [f["reason"] for f in report["findings"]] == ["InvalidSettings"]
    assert world.ledger.state("prod").identity == "uid-of-prod"
    kinds = [(e.kind, e.reason) for e in world.ledger.history("prod", 10)]
    assert sorted(kinds) == [("finding", "InvalidSettings"), ("write", "Create")]


def test_a_finding_gets_into_the_history_once() -> None:
    """A refusal that stays for weeks is not a line each five minutes."""
    world = worlds.make(service("typo", settings={"ip-configuration-ip-address-count": "many"}))
    for _ in range(4):
        world.handle()
        world.clock.forward(60)
    assert len(world.ledger.history("prod", 10)) == 1


def test_another_cluster_is_offered_and_writes_stop() -> None:
    """Until a person accepts it."""
    world = settled_world()
    update_state(world.ledger, "prod", lambda s: replace(s, identity="first"))
    world.remove(WEB)
    done = world.handle()
    assert done.run is not None
    assert not done.run.look.complete
    state = world.ledger.state("prod")
    assert (state.identity, state.offered) == ("first", "uid-of-prod")
    assert world.written() == []


def test_a_release_is_used_once() -> None:
    """What a person let go is that list, not the next one too."""
    world = worlds.make(*worlds.some(4), limits=Limits(brake_minimum=3))
    world.handle()
    world.drain(10)
    for each in worlds.some(4):
        world.remove(each)
    world.forget_calls()
    world.handle(wakeups.PERSON)
    held = world.ledger.state("prod").last_run["heldDigest"]
    assert held
    assert world.written() == []
    until = world.clock.now() + timedelta(hours=1)
    update_state(world.ledger, "prod", lambda s: replace(s, released=held, released_until=until))
    world.handle(wakeups.PERSON)
    assert len(world.written()) == 4
    assert world.ledger.state("prod").released == ""


def test_events_of_our_own_writes_come_to_an_end() -> None:
    """Each PUT raises an event, which wakes us: it must lead to a look and no more."""
    world = worlds.make(*worlds.some(3))
    world.handle()
    for _ in range(10):
        world.clock.forward(7)
        world.handle("event")
        world.queue.receive()
    assert len(world.written()) == 3
    world.clock.forward(200)
    world.queue.receive()
    world.handle("timer")
    assert world.queue.messages == []


SCENARIOS: list[Callable[[World], None]] = [
    lambda w: w.cluster.fail("list_services", DOWN, times=3),
    lambda w: w.azure.fail("put_private_link_service", RetryLater("busy"), times=5),
    lambda w: w.azure.fail("put_private_link_service", RetryLater("429", after=8.0, throttled=True), times=2),
    lambda w: w.azure.fail("write_lease", Stale("raced"), times=4),
    lambda w: w.azure.fail("list_private_link_services", RetryLater("502"), times=4),
]


@pytest.mark.parametrize("trouble", SCENARIOS)
def test_no_wake_up_is_lost_whatever_goes_wrong(trouble: Callable[[World], None]) -> None:
    """One message, some trouble that passes, and no timer: everything comes to be all the same."""
    world = worlds.make(*worlds.some(3))
    trouble(world)
    world.handle()
    world.drain(180)
    assert {name for _, name in world.written()} == {"pls-0", "pls-1", "pls-2"}
    assert len(world.ledger.ownership("prod")) == 3
    assert all(world.pls(f"pls-{i}").provisioning_state == "Succeeded" for i in range(3))


def test_a_stopped_cluster_is_looked_at_seldom_told_once_and_goes_on_after_its_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may be stopped for weeks: no hot loop, no line in the log each time, no call of Azure."""
    world = settled_world()
    running, web = world.config, world.pls("pls-0")
    world.configs["prod"] = replace(running, unresolved="the AKS cluster aks1 is stopped")
    world.remove(WEB)
    world.forget_calls()

    def half_an_hour() -> int:
        done = []
        for _ in range(60):
            world.queue.send(WakeUp("prod", wakeups.PROBE), 0)
            done += world.drain(30)
        return sum(d.run is not None for d in done)

    assert half_an_hour() <= 12
    assert half_an_hour() <= 7
    assert world.written() == []
    assert not [name for name in world.calls if name.startswith(("list_", "get_"))]
    assert world.pls("pls-0") == web
    told = [r for r in caplog.records if "aks1 is stopped" in r.getMessage() and r.levelno >= logging.WARNING]
    assert len(told) == 1
    assert world.ledger.history("prod", 1)[0].reason == "UnknownView"
    world.configs["prod"] = running
    assert half_an_hour() >= 1
    assert ("delete_private_link_service", "pls-0") in world.written()
