"""Apply: intents before writes, outcomes after them, and what stops a run from writing on."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from threading import Barrier, Lock
from time import sleep

import pytest

from reconciler import arm_ids
from reconciler.bookkeeping import Outcome, Result
from reconciler.errors import Denied, OutcomeUnknown, OutsideError, Rejected, RetryLater, Stale
from reconciler.gate import Gate
from reconciler.model import CLUSTER_TAG, OWNER_TAG, Json, Ownership, Reservation
from reconciler.plan import Reason
from reconciler.ports import Accepted
from reconciler.reconcile import Run, carry_out, dry_run, reconcile
from tests import builders
from tests.builders import pls_id, service
from tests.shell import world as worlds
from tests.shell.world import BALANCER, World

WEB = service("web", settings={"name": "pls-0"})
THROTTLED = RetryLater("429", code="SubscriptionRequestsThrottled", after=17.0, throttled=True)
BUSY = RetryLater("another operation is in progress", code="AnotherOperationInProgress")


def row(world: World, name: str = "pls-0") -> Ownership:
    """The ledger's row."""
    return next(r for r in world.ledger.ownership("prod") if r.pls_id.endswith(f"/{name}"))


def results(run: Run) -> list[Result]:
    return [o.result for o in run.applied.outcomes]


def reasons(run: Run) -> set[Reason]:
    return {f.reason for f in run.plan.findings}


def first(number: int) -> Callable[[], bool]:
    """A fence that lets this many writes start."""
    left: Iterator[int] = count(number, -1)
    return lambda: next(left) > 0


def test_an_intent_is_in_the_ledger_before_the_write() -> None:
    """A worker killed within the PUT would leave a PLS that no row explains, under an unreserved name."""
    world = worlds.make(WEB)
    world.run()
    order = [
        c
        for c in world.calls
        if c in ("put_ownership", "reserve", "put_private_link_service", "replace_sharing")
    ]
    assert order == [
        "put_ownership",
        "reserve",
        "put_private_link_service",
        "put_ownership",
        "replace_sharing",
    ]


def test_an_intent_tells_what_is_being_written() -> None:
    """The outcome may never be noted: the next run must still know what was sent, and how often."""
    world = worlds.make(WEB)

    def ledger_goes_down() -> None:
        world.azure.fail("put_ownership", RetryLater("the ledger is down"))

    world.azure.meanwhile["put_private_link_service"] = ledger_goes_down
    with pytest.raises(RetryLater):
        world.run()
    noted = row(world)
    assert noted.written_hash
    assert (noted.written_count, noted.written_at, noted.owner) == (1, world.clock.now(), WEB.ref)
    assert world.run().plan.writes == ()  # it came to be, and nothing is written twice


def test_an_outcome_is_in_the_ledger_after_the_write() -> None:
    """Status is told from the ledger alone."""
    world = worlds.make(WEB)
    run = world.run()
    there = world.pls("pls-0")
    noted = row(world)
    assert results(run) == [Result.ACCEPTED]
    assert (noted.state, noted.alias, noted.resource_guid) == (
        "Succeeded",
        there.alias,
        there.resource_guid,
    )
    assert world.ledger.reservations([there.id]).keys() == {arm_ids.key(there.id)}
    assert [s.role for s in world.ledger.sharing("prod")] == ["owner"]


def test_nothing_is_written_twice() -> None:
    """Neither while ARM is still at it, nor once it is done."""
    world = worlds.make(*worlds.some(5), slow=True)
    assert len(world.run().plan.writes) == 5
    world.clock.forward(2)
    updating = world.run()
    assert (updating.plan.writes, reasons(updating)) == ((), {Reason.WAITING})
    world.azure.settle()
    assert world.run().plan.writes == ()
    assert len(world.written()) == 5


def test_an_accepted_write_is_looked_at_again_soon() -> None:
    """Its event may never come."""
    world = worlds.make(WEB)
    due = world.run().come_back
    assert due is not None
    assert 0 < (due - world.clock.now()).total_seconds() <= 5


def test_a_throttled_subscription_stops_all_writes() -> None:
    """Each further PUT into a 429 makes the penalty longer."""
    world = worlds.make(*worlds.some(6), gate=Gate(1, 1))
    world.azure.fail("put_private_link_service", THROTTLED, match="pls-2")
    run = world.run()
    assert results(run) == [Result.ACCEPTED, Result.ACCEPTED, Result.BUSY, *[Result.LEFT] * 3]
    assert run.applied.back_off == builders.after(seconds=17)
    assert [name for _, name in world.written()] == ["pls-0", "pls-1", "pls-2"]


def test_what_a_cluster_is_writing_now_is_not_waited_for_by_the_others() -> None:
    """What it was left with before is old: a cluster with two writes left waited for two hundred."""
    world = worlds.make(*worlds.some(40), gate=Gate(1, 1))
    gate, account, told = world.engine.gate, world.config.subscription, []
    gate.waiting(account, "prod", 100)
    run = dry_run(world.engine, world.config)
    carry_out(world.engine, run, lambda: True, progress=lambda _: told.append(gate.pause(account, "dev", 1)))
    assert told == pytest.approx([(39 - done + 1) / 10 for done in range(40)])
    assert gate.pause(account, "dev", 1) == pytest.approx(0.1)


def test_clusters_of_a_throttled_subscription_wait_for_what_all_of_them_need() -> None:
    """Ten writes a second are given out: ten clusters that come back each second would look in vain for a few each."""
    world = worlds.make(*worlds.some(61), gate=Gate(1, 1))
    second = RetryLater("429", after=1.0, throttled=True)
    world.azure.fail("put_private_link_service", second)
    first = world.run()
    assert first.applied.back_off == builders.after(seconds=6.1)
    assert world.engine.gate.closed_at(world.config.subscription.upper(), builders.after()) == builders.NOW
    assert world.engine.gate.pause(world.config.subscription.upper(), "dev", 20) == pytest.approx(8.1)
    assert world.engine.gate.pause(world.config.subscription, "test", 500) == 10
    world.clock.forward(10)
    assert world.run().applied.back_off is None
    assert world.engine.gate.pause(world.config.subscription, "test", 5) == pytest.approx(2.5)


def test_the_wait_for_tokens_begins_when_they_were_refused() -> None:
    """Settling a large run takes seconds in which they flow in already."""
    world = worlds.make(*worlds.some(61), gate=Gate(1, 1))
    world.azure.fail("put_private_link_service", RetryLater("429", after=1.0, throttled=True))
    late = iter([3.0])
    run = reconcile(
        world.engine, world.config, lambda: True, progress=lambda _: world.clock.forward(next(late, 0))
    )
    assert run.applied.back_off == builders.after(seconds=6.1)


def test_what_was_left_is_no_history() -> None:
    """A write that waits for its turn is told by each run's report; a thousand lines say nothing more."""
    world = worlds.make(*worlds.some(3), gate=Gate(1, 1))
    world.azure.fail("put_private_link_service", THROTTLED, match="pls-1")
    world.handle()
    assert [entry.result for entry in world.ledger.history("prod", 9)] == ["busy", "accepted"]
    assert len(world.ledger.state("prod").last_run["writes"]) == 3


def test_what_was_throttled_counts_as_no_attempt() -> None:
    """A quota says nothing about the PLS: it must not be left in back-off for it."""
    world = worlds.make(*worlds.some(3), gate=Gate(1, 1))
    world.azure.fail("put_private_link_service", THROTTLED, match="pls-1")
    world.run()
    for name in ("pls-1", "pls-2"):
        assert (row(world, name).attempts, row(world, name).written_hash) == (0, "")
    world.clock.forward(17)
    assert results(world.run()) == [Result.ACCEPTED, Result.ACCEPTED]


def test_a_throttled_subscription_stops_its_other_clusters() -> None:
    """One budget per subscription: and the other cluster stays away as long, instead of asking each second."""
    world = worlds.make(WEB, clusters=("prod", "dev"))
    world.azure.fail("put_private_link_service", THROTTLED)
    world.run()
    other = service("dev", settings={"name": "pls-dev"})
    world.clusters["dev"].put(other)
    lb = builders.network_id("loadBalancers", builders.INTERNAL, "MC_dev")
    world.azure.store({**worlds.balancer([_frontend_in(lb, "dev")]), "id": lb})
    world.clock.forward(5)
    run = world.run(config=world.configs["dev"])
    assert results(run) == [Result.LEFT]
    assert run.applied.back_off == builders.after(seconds=17)
    world.clock.forward(12)
    assert results(world.run(config=world.configs["dev"])) == [Result.ACCEPTED]


def _frontend_in(lb: str, name: str) -> worlds.Json:
    found = worlds.front(service(name))
    return {**found, "id": f"{lb}/frontendIPConfigurations/{found['name']}"}


def test_the_longest_wait_that_was_asked_for_counts() -> None:
    """Two throttled answers of writes in flight: the subscription is closed until the later time."""
    world = worlds.make(*worlds.some(2))
    world.azure.fail("put_private_link_service", THROTTLED, match="pls-0")
    longer = RetryLater("429", after=40.0, throttled=True)
    world.azure.fail("put_private_link_service", longer, match="pls-1")
    meeting, put = Barrier(2, timeout=5), world.azure.put_private_link_service

    def together(pls_id: str, body: Json) -> Accepted:
        meeting.wait()
        return put(pls_id, body)

    world.azure.put_private_link_service = together  # type: ignore[method-assign]
    assert world.run().applied.back_off == builders.after(seconds=40)


def test_storage_that_is_busy_with_a_reservation_holds_up_that_pls_alone() -> None:
    """It is no answer of ARM's: neither the subscription nor the network is to be left alone for it."""
    world = worlds.make(*worlds.some(3), gate=Gate(1, 1))
    world.azure.fail("reserve", RetryLater("503", code="ServerBusy", after=30.0, throttled=True))
    run = world.run()
    assert Counter(results(run)) == {Result.CHANGED: 1, Result.ACCEPTED: 2}
    assert run.applied.back_off is None
    assert world.engine.gate.closed_until(world.config.subscription, world.clock.now()) is None
    assert row(world).not_before == builders.after(seconds=2)
    world.clock.forward(2)
    assert results(world.run()) == [Result.ACCEPTED]


@pytest.mark.parametrize(("gate", "at_once"), [(Gate(2, 9), 2), (Gate(9, 3), 3)])
def test_no_more_writes_are_in_flight_than_allowed(gate: Gate, at_once: int) -> None:
    """In total, and below one network; and as many as that, or a thousand PLSs take hours."""
    meeting, flying, most = Barrier(at_once, timeout=5), [0], [0]
    lock = Lock()

    def work(item: int) -> int:
        with lock:
            flying[0] += 1
            most[0] = max(most[0], flying[0])
        meeting.wait()
        with lock:
            flying[0] -= 1
        return item

    items = range(at_once * 4)
    ended = list(gate.run(items, lambda item: frozenset({"network"}), work, worlds.POOL, lambda: True))
    assert sorted(ended) == [(item, item) for item in items]
    assert most == [at_once]


def test_a_busy_network_halves_its_limit_and_quiet_runs_raise_it() -> None:
    """ARM serialises writes below a network: more at once are only more 409s."""
    gate = Gate(16, 4)
    world = worlds.make(WEB, gate=gate)
    world.azure.fail("put_private_link_service", BUSY)
    assert results(world.run()) == [Result.BUSY]
    assert [gate.limit(key) for key in (BALANCER.lower(), builders.VNET.lower())] == [2, 2]
    world.clock.forward(2)
    assert results(world.run()) == [Result.ACCEPTED]
    assert gate.limit(BALANCER.lower()) == 3


def test_a_connection_that_is_refused_says_nothing_of_the_network_written_to() -> None:
    """One of hundreds would make the rest wait for each other's operations, for minutes each."""
    world = worlds.make(*worlds.some(2), gate=Gate(1, 4))
    world.azure.fail("put_private_link_service", RetryLater("Azure could not be reached"))
    assert results(world.run()) == [Result.BUSY, Result.ACCEPTED]
    assert not world.engine.gate.serialises([BALANCER.lower(), builders.VNET.lower()])
    assert row(world).attempts == 1


def test_a_busy_answer_backs_off_that_pls_alone() -> None:
    """Back-off is per PLS: the neighbours are written, and the busy one again after its time."""
    world = worlds.make(*worlds.some(3))
    world.azure.fail("put_private_link_service", BUSY, match="pls-1")
    run = world.run()
    assert sorted(results(run)) == [Result.ACCEPTED, Result.ACCEPTED, Result.BUSY]
    assert (row(world, "pls-1").attempts, row(world, "pls-1").last_error) == (1, "")
    assert row(world, "pls-1").not_before == builders.after(seconds=2)
    assert world.run().plan.writes == ()
    world.clock.forward(2)
    assert results(world.run()) == [Result.ACCEPTED]
    assert row(world, "pls-1").attempts == 0


def test_many_busy_answers_are_news() -> None:
    """An error that stays must show in the status, and the waits grow."""
    world = worlds.make(WEB)
    world.azure.fail("put_private_link_service", BUSY, times=4)
    waits = []
    for _ in range(4):
        world.run()
        due = row(world).not_before
        assert due is not None
        waits.append((due - world.clock.now()).total_seconds())
        world.clock.time = due
    assert waits == [2, 5, 15, 60]
    assert "in progress" in row(world).last_error


@pytest.mark.parametrize("error", [Rejected("ip is taken", code="X"), Denied("no role", code="Y")])
def test_a_refused_write_is_not_repeated_at_once(error: OutsideError) -> None:
    """The same request will be refused again; the reason is told, and a changed claim goes out at once."""
    world = worlds.make(WEB)
    world.azure.fail("put_private_link_service", error, times=2)
    assert results(world.run()) == [Result.FAILED]
    again = world.run()
    assert again.plan.writes == ()
    assert {Reason.REJECTED, Reason.BACK_OFF} <= reasons(again)
    assert any(str(error) in f.sentence for f in again.plan.findings)
    assert again.come_back == builders.after(seconds=30)
    world.change(WEB, **{"name": "pls-0", "fqdns": "a.example"})
    assert results(world.run()) == [Result.FAILED]


def test_a_fight_over_the_same_content_slows_down() -> None:
    """Another writer undoes each repair: the repeats become rare, and the finding names what comes back."""
    world = worlds.make(WEB)
    world.run()
    repairs, found = [], set()
    for _ in range(60):
        world.clock.forward(10)
        document = world.azure.document(pls_id("pls-0"))
        document["properties"]["fqdns"] = ["theirs.example"]
        world.azure.store(document)
        run = world.run()
        found |= {f.sentence for f in run.plan.findings if f.reason is Reason.DRIFT_FIGHT}
        if run.plan.writes:
            repairs.append((world.clock.now() - builders.NOW).total_seconds())
    assert repairs == [10, 40, 160]
    assert any("fqdns" in sentence for sentence in found)


def test_a_lost_answer_is_looked_at_before_anything_is_written() -> None:
    """The PUT may have been carried out."""
    world = worlds.make(WEB)
    world.azure.fail("put_private_link_service", OutcomeUnknown("connection reset"))
    run = world.run()
    assert results(run) == [Result.UNKNOWN]
    assert row(world).written_hash
    due = run.come_back
    assert due is not None
    assert due > world.clock.now()


def test_the_fence_stops_writes() -> None:
    """A lease about to end belongs to the next holder: what has not begun stays."""
    world = worlds.make(*worlds.some(5), gate=Gate(1, 1))
    run = world.run(may_start=first(6))
    assert sorted(results(run)) == [Result.ACCEPTED, Result.ACCEPTED, *[Result.LEFT] * 3]
    assert len(world.written()) == 2
    due = run.come_back
    assert due is not None
    assert (due - world.clock.now()).total_seconds() <= 2
    assert results(world.run()) == [Result.ACCEPTED] * 3


def test_the_fence_is_asked_again_after_the_read_before_a_write() -> None:
    """A worker that was frozen in that read, and wakes when another holds the lease, writes nothing."""
    world = worlds.make(WEB)
    run = world.run(may_start=lambda: "get_private_link_service" not in world.calls)
    assert results(run) == [Result.LEFT]
    assert world.written() == []


def test_a_write_held_by_the_fence_leaves_no_trace() -> None:
    """Its row must not say that something was written."""
    world = worlds.make(WEB)
    assert results(world.run(may_start=lambda: False)) == [Result.LEFT]
    assert (row(world).written_hash, row(world).written_count) == ("", 0)


def test_a_pls_that_somebody_made_meanwhile_is_not_replaced() -> None:
    """Its id was free when we looked; a blind PUT would take its frontend and its tags."""
    world = worlds.make(WEB)
    on = f"{BALANCER}-theirs/frontendIPConfigurations/fe"
    theirs = builders.pls_json("pls-0", on, None, tags={CLUSTER_TAG: None})
    world.azure.meanwhile["reserve"] = lambda: world.azure.store(theirs)
    run = world.run()
    assert results(run) == [Result.CHANGED]
    assert world.written() == []
    assert world.azure.document(pls_id("pls-0")) == theirs
    world.clock.forward(5)
    assert reasons(world.run()) == {Reason.NAME_TAKEN}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("tags", {OWNER_TAG: "shop/other"}),
        ("tags", {"costcenter": "42"}),
        ("properties", {"resourceGuid": "made-anew"}),
        ("properties", {"provisioningState": "Updating"}),
        ("properties", {"visibility": {"subscriptions": ["*"]}}),
        (
            "properties",
            {"loadBalancerFrontendIpConfigurations": [{"id": f"{BALANCER}/frontendIPConfigurations/other"}]},
        ),
    ],
)
def test_a_pls_that_changed_meanwhile_is_not_overwritten(place: str, value: worlds.Json) -> None:
    """A full PUT of an old look would undo a hand-over of the ownership, or somebody's tag."""
    world = worlds.make(WEB)
    world.run()
    world.change(WEB, **{"name": "pls-0", "fqdns": "a.example"})
    world.forget_calls()
    planned = dry_run(world.engine, world.config)
    document = world.azure.document(pls_id("pls-0"))
    document[place] = {**document[place], **value}
    world.azure.store(document)
    run = carry_out(world.engine, planned, lambda: True)
    assert results(run) == [Result.CHANGED]
    assert world.written() == []
    assert run.come_back is not None


def test_many_writes_are_looked_up_in_one_list_and_not_read_one_by_one() -> None:
    """A read before each PUT would double the calls of a cluster's first run."""
    world = worlds.make(*worlds.some(40))
    assert set(results(world.run())) == {Result.ACCEPTED}
    assert world.calls.count("list_private_link_services") == 2
    assert world.calls.count("get_private_link_service") == 0


def test_the_list_that_many_writes_are_looked_up_in_grows_no_older_than_seconds() -> None:
    """Writes queue for minutes: what somebody made since is seen before its turn comes."""
    world = worlds.make(*worlds.some(20), gate=Gate(1, 1))
    theirs = builders.pls_json("pls-19", f"{BALANCER}-theirs/frontendIPConfigurations/fe", None)

    def written(outcome: Outcome) -> None:
        world.clock.forward(1)
        if len(world.written()) == 3:
            world.azure.store(theirs)

    run = reconcile(world.engine, world.config, lambda: True, progress=written)
    assert Counter(results(run)) == {Result.ACCEPTED: 19, Result.CHANGED: 1}
    assert world.azure.document(pls_id("pls-19")) == theirs
    assert world.calls.count("list_private_link_services") == 1 + 4


def test_of_many_updates_the_one_that_somebody_changed_meanwhile_is_not_overwritten() -> None:
    """A list tells of changes as well as of new ones."""
    services = worlds.some(12)
    world = worlds.make(*services)
    world.run()
    for number, one in enumerate(services):
        world.change(one, **{"name": f"pls-{number}", "fqdns": "a.example"})
    planned = dry_run(world.engine, world.config)
    document = world.azure.document(pls_id("pls-7"))
    world.azure.store({**document, "tags": {**document["tags"], OWNER_TAG: "shop/other"}})
    run = carry_out(world.engine, planned, lambda: True)
    assert Counter(results(run)) == {Result.ACCEPTED: 11, Result.CHANGED: 1}
    assert world.azure.document(pls_id("pls-7"))["tags"][OWNER_TAG] == "shop/other"


def test_without_the_list_many_writes_are_read_one_by_one() -> None:
    """The last look is worth more than its calls; only a quota stops it."""
    world = worlds.make(*worlds.some(10))
    planned = dry_run(world.engine, world.config)
    world.azure.fail("list_private_link_services", RetryLater("garbage"))
    assert set(results(carry_out(world.engine, planned, lambda: True))) == {Result.ACCEPTED}
    assert world.calls.count("get_private_link_service") == 10


@pytest.mark.parametrize("error", [RetryLater("no answer within 30 seconds"), THROTTLED])
def test_a_list_that_fails_is_asked_for_once_by_all_who_wait_for_it(error: RetryLater) -> None:
    """One after another they would wait for a timeout each, for longer than the lease."""
    world = worlds.make(*worlds.some(12), gate=Gate(12, 12))
    planned = dry_run(world.engine, world.config)
    world.forget_calls()
    world.azure.meanwhile["list_private_link_services"] = lambda: sleep(0.1)  # until the others wait, too
    world.azure.fail("list_private_link_services", error, times=12)
    carry_out(world.engine, planned, lambda: True)
    assert world.calls.count("list_private_link_services") == 1


def test_a_list_that_takes_too_long_is_not_read_anew_for_each_write() -> None:
    """It is too old when it comes: a list for each write would be slower than a read for each."""
    world = worlds.make(*worlds.some(10))
    planned = dry_run(world.engine, world.config)
    world.forget_calls()
    world.azure.meanwhile["list_private_link_services"] = lambda: world.clock.forward(6)
    assert set(results(carry_out(world.engine, planned, lambda: True))) == {Result.ACCEPTED}
    assert world.calls.count("list_private_link_services") == 1
    assert world.calls.count("get_private_link_service") == 10


def test_a_quota_that_is_used_up_stops_the_last_look_too() -> None:
    """Instead of the list ten reads into the same quota would only make it worse."""
    world = worlds.make(*worlds.some(10), gate=Gate(1, 1))
    planned = dry_run(world.engine, world.config)
    world.azure.fail("list_private_link_services", THROTTLED)
    assert results(carry_out(world.engine, planned, lambda: True)) == [Result.BUSY, *[Result.LEFT] * 9]
    assert world.calls.count("get_private_link_service") == 0


def test_where_only_groups_may_be_listed_the_last_look_lists_the_group() -> None:
    """The role that denies the subscription's list denies it here as well."""
    world = worlds.make(*worlds.some(10))
    world.azure.fail("list_private_link_services", Denied("groups only"))
    assert set(results(world.run())) == {Result.ACCEPTED}
    assert world.calls.count("list_private_link_services") == 1
    assert world.calls.count("list_private_link_services_in") == 2


def test_below_a_network_that_was_busy_operations_under_way_hold_the_rest_back() -> None:
    """ARM serialises operations: a request beside one that runs is only another 429, and costs the PLS a back-off."""
    gate = Gate(16, 4)
    world = worlds.make(*worlds.some(6), slow=True, gate=gate)
    gate.busy({BALANCER.lower()})
    assert Counter(results(world.run())) == {Result.ACCEPTED: 2, Result.LEFT: 4}
    gate.busy({BALANCER.lower()})
    world.clock.forward(2)
    still = world.run()
    assert Counter(results(still)) == {Result.LEFT: 4}
    assert still.come_back == builders.after(seconds=4)
    world.azure.settle()
    world.clock.forward(2)
    assert Counter(results(world.run())) == {Result.ACCEPTED: 1, Result.LEFT: 3}


def test_who_is_refused_for_an_operation_of_ours_is_left_without_an_attempt() -> None:
    """The limit is tried out again and again: those it is tried with would end up waiting for minutes."""
    gate = Gate(16, 4)
    world = worlds.make(*worlds.some(6), slow=True, gate=gate)
    gate.busy({BALANCER.lower()})
    gate.busy({BALANCER.lower()})
    assert Counter(results(world.run())) == {Result.ACCEPTED: 1, Result.LEFT: 5}
    assert gate.limit(BALANCER.lower()) == 2
    world.clock.forward(2)
    world.azure.fail("put_private_link_service", BUSY)
    assert Counter(results(world.run())) == {Result.LEFT: 5}
    assert {r.attempts for r in world.ledger.ownership("prod")} == {0}
    assert gate.limit(BALANCER.lower()) == 1


def test_a_pls_that_went_meanwhile_is_not_updated() -> None:
    """The body of an update is no body to create from: the next look plans that."""
    world = worlds.make(WEB)
    world.run()
    world.change(WEB, **{"name": "pls-0", "fqdns": "a.example"})
    world.forget_calls()
    planned = dry_run(world.engine, world.config)
    world.azure.remove(pls_id("pls-0"))
    assert results(carry_out(world.engine, planned, lambda: True)) == [Result.CHANGED]
    assert world.written() == []


def test_a_connection_that_came_meanwhile_does_not_stop_an_update() -> None:
    """Consumers come at any time, and a PUT takes nothing from them."""
    world = worlds.make(WEB)
    world.run()
    world.change(WEB, **{"name": "pls-0", "fqdns": "a.example"})
    planned = dry_run(world.engine, world.config)
    document = world.azure.document(pls_id("pls-0"))
    document["properties"]["privateEndpointConnections"] = [builders.connection("pls-0")]
    world.azure.store({**document, "etag": 'W/"another"'})
    assert results(carry_out(world.engine, planned, lambda: True)) == [Result.ACCEPTED]


def gone_service(slow: bool = False) -> World:
    """A world whose only Service went, after its PLS was made."""
    world = worlds.make(WEB, slow=slow)
    world.run()
    world.azure.settle()
    world.run()
    world.remove(WEB)
    world.forget_calls()
    return world


def test_a_pls_is_read_once_more_before_it_goes() -> None:
    """Between plan and write somebody may have given it to another Service."""
    world = gone_service()
    run = world.run()
    assert results(run) == [Result.ACCEPTED]
    where = world.calls.index("delete_private_link_service")
    assert world.calls[where - 1] == "get_private_link_service"
    with pytest.raises(KeyError):
        world.azure.document(pls_id("pls-0"))


@pytest.mark.parametrize(
    "change",
    [
        {"tags": {OWNER_TAG: "shop/other"}},
        {"guid": "made-anew"},
        {"frontend": f"{BALANCER}/frontendIPConfigurations/other"},
    ],
)
def test_a_pls_that_changed_meanwhile_is_not_deleted(change: worlds.Json) -> None:
    """Handed over, made anew, or moved: no longer the one that was planned."""
    world = gone_service()
    planned = dry_run(world.engine, world.config)
    document = world.azure.document(pls_id("pls-0"))
    document["tags"] = {**document["tags"], **change.get("tags", {})}
    document["properties"]["resourceGuid"] = change.get("guid", document["properties"]["resourceGuid"])
    if "frontend" in change:
        document["properties"]["loadBalancerFrontendIpConfigurations"] = [{"id": change["frontend"]}]
    world.azure.store(document)
    run = carry_out(world.engine, planned, lambda: True)
    assert results(run) == [Result.CHANGED]
    assert isinstance(run.applied.outcomes[0].error, Stale)
    assert world.written() == []
    assert run.come_back is not None


def test_a_pls_that_went_meanwhile_is_fine() -> None:
    """What shall be gone is gone; its row goes with the next look."""
    world = gone_service()
    planned = dry_run(world.engine, world.config)
    world.azure.remove(pls_id("pls-0"))
    assert results(carry_out(world.engine, planned, lambda: True)) == [Result.ACCEPTED]
    assert world.written() == []
    world.run()
    assert world.ledger.ownership("prod") == ()
    assert world.ledger.reservations([pls_id("pls-0")]) == {}


def test_connections_go_before_their_pls() -> None:
    """ARM refuses to delete a PLS that has connections."""
    world = worlds.make(WEB)
    world.run()
    document = world.azure.document(pls_id("pls-0"))
    document["properties"]["privateEndpointConnections"] = [builders.connection("pls-0")]
    world.azure.store(document)
    world.run()
    world.remove(WEB)
    world.forget_calls()
    world.run()
    assert world.written() == [("delete_connection", "pe-1")]
    world.run()
    assert world.written()[1:] == [("delete_private_link_service", "pls-0")]


def test_connections_of_a_pls_that_changed_meanwhile_stay() -> None:
    """It was handed to another Service, whose consumers they are now."""
    world = worlds.make(WEB)
    world.run()
    document = world.azure.document(pls_id("pls-0"))
    document["properties"]["privateEndpointConnections"] = [builders.connection("pls-0")]
    world.azure.store(document)
    world.run()
    world.remove(WEB)
    world.forget_calls()
    planned = dry_run(world.engine, world.config)
    world.azure.store({**document, "tags": {**document["tags"], OWNER_TAG: "shop/other"}})
    assert results(carry_out(world.engine, planned, lambda: True)) == [Result.CHANGED]
    assert world.written() == []


def test_a_connection_that_came_meanwhile_keeps_the_pls() -> None:
    """ARM refuses; the next plan deletes the connection first."""
    world = gone_service()
    planned = dry_run(world.engine, world.config)
    document = world.azure.document(pls_id("pls-0"))
    document["properties"]["privateEndpointConnections"] = [builders.connection("pls-0")]
    world.azure.store(document)
    assert results(carry_out(world.engine, planned, lambda: True)) == [Result.BUSY]
    world.clock.forward(5)
    assert [o.write.__class__.__name__ for o in world.run().applied.outcomes] == ["DeleteConnection"]


def test_a_name_that_another_cluster_reserved_is_given_up() -> None:
    """Two clusters that plan the same id at once: one writes, the other refuses and leaves no row."""
    world = worlds.make(WEB)
    planned = dry_run(world.engine, world.config)
    theirs = Reservation(pls_id("pls-0"), "dev", "their-uid", "their-frontend")
    world.ledger.reserve(theirs)
    run = carry_out(world.engine, planned, lambda: True)
    assert results(run) == [Result.FAILED]
    assert world.written() == []
    assert world.ledger.ownership("prod") == ()
    assert world.ledger.reservations([pls_id("pls-0")])[arm_ids.key(pls_id("pls-0"))].cluster == "dev"
    again = world.run()
    assert again.plan.writes == ()
    assert reasons(again) == {Reason.NAME_TAKEN}


def test_a_name_that_was_refused_comes_free_when_its_service_asks_for_another() -> None:
    """Else nobody could ever have it: no PLS of that name goes, which would free it."""
    world = worlds.make(WEB)
    world.azure.fail("put_private_link_service", Rejected("not this name"), match="pls-0")
    world.run()
    assert results(world.run()) == []
    world.change(WEB, name="better")
    world.run()
    assert [r.pls_id for r in world.ledger.ownership("prod")] == [pls_id("better")]
    assert world.ledger.reservations([pls_id("pls-0")]) == {}


def test_two_clusters_never_write_the_same_name() -> None:
    """Whoever comes second is refused, whichever it is."""
    world = worlds.make(clusters=("prod", "dev"), pls_resource_group="shared")
    world.azure.make_group(builders.SUBSCRIPTION, "shared")
    lb = builders.network_id("loadBalancers", builders.INTERNAL, "MC_dev")
    world.add(WEB)
    theirs = service("theirs", settings={"name": "pls-0"})
    world.clusters["dev"].put(theirs)
    world.azure.store({**worlds.balancer([_frontend_in(lb, "theirs")]), "id": lb})
    plans = [dry_run(world.engine, world.configs[name]) for name in ("prod", "dev")]
    ended = [results(carry_out(world.engine, plan, lambda: True)) for plan in plans]
    assert ended == [[Result.ACCEPTED], [Result.FAILED]]
    assert len(world.written()) == 1


def test_a_subnet_is_opened_before_its_first_pls() -> None:
    """The PUT of a PLS into a closed subnet is refused by ARM."""
    world = worlds.make(WEB, policy="Enabled", slow=True)
    world.run()
    assert world.written() == [("put_subnet", "default")]
    opening = world.run()
    assert opening.plan.writes == ()
    world.azure.settle()
    world.run()
    assert world.written() == [("put_subnet", "default"), ("put_private_link_service", "pls-0")]


def test_a_subnet_that_changed_meanwhile_is_not_overwritten() -> None:
    """A full PUT of an old subnet would take somebody's route table away."""
    world = worlds.make(WEB, policy="Enabled")
    planned = dry_run(world.engine, world.config)
    theirs = worlds.subnet("default", "Enabled")
    theirs["properties"]["routeTable"] = {"id": "theirs"}
    world.azure.store({**theirs, "etag": 'W/"2"'})
    run = carry_out(world.engine, planned, lambda: True)
    assert results(run) == [Result.CHANGED]
    assert run.come_back is not None
    world.clock.time = run.come_back
    assert results(world.run()) == [Result.ACCEPTED]
    assert world.azure.document(builders.subnet_id("default"))["properties"]["routeTable"] == {"id": "theirs"}


def test_a_row_somebody_deleted_is_rebuilt_with_its_reservation() -> None:
    """Else events about the PLS would find no cluster, and another cluster could take the name."""
    world = worlds.make(WEB)
    world.run()
    world.run()
    before = row(world)
    world.ledger.forget_ownership("prod", [before.pls_id])
    world.forget_calls()
    world.run()
    rebuilt = row(world)
    kept = {"alias", "owner", "frontend_id", "resource_guid", "nat_ips", "state"}
    assert {k: getattr(rebuilt, k) for k in kept} == {k: getattr(before, k) for k in kept}
    assert world.ledger.reservations([before.pls_id])[arm_ids.key(before.pls_id)].cluster == "prod"
    assert world.written() == []


def test_a_reservation_that_failed_is_made_up_for() -> None:
    """The ledger is down for a moment when a PLS is seen for the first time: its row must not hide that."""
    world = worlds.make(WEB)
    on = worlds.front(WEB)["id"]
    world.azure.store(builders.pls_json("pls-0", on, WEB.key))
    world.azure.fail("reserve", RetryLater("the ledger is down"))
    with pytest.raises(RetryLater):
        world.run()
    assert row(world).resource_guid == ""
    world.run()
    assert (row(world).owner, row(world).resource_guid) == (WEB.ref, "guid-pls-0")
    (reserved,) = world.ledger.reservations([pls_id("pls-0")]).values()
    assert (reserved.cluster, reserved.service_uid, reserved.frontend_id) == ("prod", WEB.uid, on)


def test_a_reservation_goes_though_its_pls_went_before_the_ledger_came_back() -> None:
    """Else nobody could have the name any more, here or in another cluster: no row would tell of it."""
    world = worlds.make(WEB)
    world.azure.store(builders.pls_json("pls-0", worlds.front(WEB)["id"], WEB.key))
    down = RetryLater("the ledger is down")
    world.azure.meanwhile["reserve"] = lambda: world.azure.fail("put_ownership", down)
    with pytest.raises(RetryLater):
        world.run()
    assert world.ledger.reservations([pls_id("pls-0")])
    world.azure.remove(pls_id("pls-0"))
    world.remove(WEB, frontend=True)
    world.run()
    assert (world.ledger.reservations([pls_id("pls-0")]), world.ledger.ownership("prod")) == ({}, ())


def test_a_failing_write_stops_no_other() -> None:
    """Ten Services must not wait for the eleventh's mistake."""
    world = worlds.make(*worlds.some(11))
    world.azure.fail("put_private_link_service", Rejected("bad"), match="pls-7")
    assert sorted(results(world.run())) == [*[Result.ACCEPTED] * 10, Result.FAILED]


def test_progress_is_told_write_by_write() -> None:
    """A person in front of the command line waits."""
    world = worlds.make(*worlds.some(3))
    planned = dry_run(world.engine, world.config)
    told: list[str] = []
    carry_out(world.engine, planned, lambda: True, progress=lambda o: told.append(o.write.service))
    assert sorted(told) == ["shop/web0", "shop/web1", "shop/web2"]


@pytest.mark.parametrize("mode", ["plan", "upsert-only"])
def test_the_mode_bounds_what_is_written(mode: str) -> None:
    """Nobody gets writes, or deletes, by accident."""
    world = gone_service()
    config = replace(world.config, mode="plan" if mode == "plan" else "upsert-only")
    world.add(service("new", settings={"name": "pls-new"}))
    world.run(config=config)
    expected = [] if mode == "plan" else [("put_private_link_service", "pls-new")]
    assert world.written() == expected


def test_a_plan_mode_writes_nothing_into_the_ledger_either() -> None:
    """A reservation made by a plan would refuse somebody who means it."""
    world = worlds.make(WEB, mode="plan")
    world.run()
    assert not set(worlds.LEDGER_WRITES) & set(world.calls)


def test_a_mode_that_never_writes_does_not_come_back_by_itself() -> None:
    """What is in transit would be looked at each two seconds, for somebody who only wants to know."""
    world = worlds.make(WEB, slow=True)
    world.run()
    assert world.run().come_back is not None
    config = replace(world.config, mode="plan")
    waiting = world.run(config=config)
    assert reasons(waiting) == {Reason.WAITING}
    assert waiting.come_back is None
