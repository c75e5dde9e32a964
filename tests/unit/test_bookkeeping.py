"""What the ledger says before and after the writes of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler import arm_ids, bookkeeping
from reconciler.bookkeeping import Outcome, Result, network_keys, outcome_of
from reconciler.errors import (
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    OutsideError,
    Rejected,
    RetryLater,
    Stale,
)
from reconciler.model import Ownership
from reconciler.plan import DeletePls, Finding, Plan, Reason, Severity, Write, content
from reconciler.ports import Accepted
from tests.builders import (
    NOW,
    VNET,
    after,
    decide,
    frontend,
    network_id,
    observe,
    pls,
    put_of,
    row,
    service,
    subnet,
    subnet_put_of,
    subnets,
)

WEB = service()
PLAN = decide(WEB)
PUT = put_of(PLAN)
LINK = pls(frontend(WEB), WEB, "mine")
DELETE = DeletePls(LINK.id, LINK.frontend_id, "guid", WEB.key, Reason.SERVICE_GONE, "delete mine")
SUBNET = subnet_put_of(decide(WEB, subnets=subnets(subnet("default", "Enabled"))))


def settled(known: Ownership, write: Write, error: OutsideError | None = None, **accepted: str) -> Ownership:
    """The row after this write ended so, with its intent noted before."""
    plan = Plan("prod", writes=(write,), ownership=(known,))
    noted = bookkeeping.intents(plan, NOW)
    outcome = (
        outcome_of(write, error) if error else Outcome(write, Result.ACCEPTED, accepted=Accepted(**accepted))
    )
    (after_it,) = bookkeeping.settle(plan.ownership, noted, [outcome], after(seconds=1))
    return after_it


def planned(**rest: object) -> Ownership:
    """The plan's own row of the PUT."""
    return replace(PLAN.ownership[0], **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (OutcomeUnknown("reset"), Result.UNKNOWN),
        (RetryLater("busy"), Result.BUSY),
        (Stale("changed"), Result.CHANGED),
        (Rejected("no"), Result.FAILED),
        (Denied("403"), Result.FAILED),
        (Conflict("taken"), Result.FAILED),
        (NotFound("gone"), Result.FAILED),
    ],
)
def test_each_failure_means_one_result(error: OutsideError, result: Result) -> None:
    """A lost answer is not a busy one, though it is handled like one elsewhere."""
    assert outcome_of(PUT, error).result is result


# Intents


def test_an_intent_notes_content_time_and_count_before_the_write() -> None:
    """The first time, a repeat, and another content."""
    (first,) = bookkeeping.intents(PLAN, NOW)
    assert (first.written_hash, first.written_at, first.written_count) == (PUT.content_hash, NOW, 1)
    (again,) = bookkeeping.intents(replace(PLAN, ownership=(first,)), after(seconds=9))
    assert (again.written_count, again.written_at) == (2, after(seconds=9))
    fought = replace(first, written_hash="other", written_count=7, attempts=3, not_before=after(hours=1))
    (fresh,) = bookkeeping.intents(replace(PLAN, ownership=(fought,)), NOW)
    assert (fresh.written_count, fresh.attempts, fresh.not_before) == (1, 0, None)


def test_rows_that_are_not_written_keep_as_they_are() -> None:
    """The intents of others touch them not."""
    rows = (row("another", WEB, written_hash="x", written_count=2),)
    assert bookkeeping.intents(Plan("prod", writes=(DELETE, SUBNET), ownership=rows), NOW) == rows


def test_deletes_and_subnets_note_an_intent_too() -> None:
    """What is accepted, and undone or never carried out, must not be repeated at once for ever."""
    for write, known in ((DELETE, row(LINK, WEB)), (SUBNET, planned())):
        once = settled(known, write)
        twice = settled(once, write)
        assert once.written_hash == twice.written_hash == content(write)
        assert (once.written_count, twice.written_count) == (1, 2)


def test_addresses_are_forgotten_before_azure_gives_out_others() -> None:
    """Another subnet, as many addresses: the old ones would pass for the new ones for good."""
    there = pls(frontend(WEB), WEB)
    known = row(there, WEB, nat_ips=("10.224.0.7",))
    moved = service(settings={"ip-configuration-subnet": "pls-subnet"})
    for asks, kept in ((moved, ()), (service(settings={"fqdns": "a"}), known.nat_ips)):
        plan = decide(asks, links=[there], ownership=(known,))
        assert put_of(plan).reason is Reason.UPDATE
        assert bookkeeping.intents(plan, NOW)[0].nat_ips == kept


# Outcomes


def test_an_accepted_put_learns_claim_state_and_identity() -> None:
    """And the trouble before it is over."""
    known = planned(written_hash=PUT.content_hash, attempts=2, not_before=after(hours=1), last_error="x")
    got = settled(known, PUT, provisioning_state="Updating", resource_guid="g", alias="a")
    assert (got.claim_hash, got.state, got.resource_guid, got.alias) == (PUT.claim_hash, "Updating", "g", "a")
    assert (got.attempts, got.not_before, got.last_error) == (0, None, "")


def test_a_restored_tag_does_not_pass_for_a_settled_claim() -> None:
    """It has no claim hash: the one that is known stays."""
    known = planned(claim_hash="known")
    assert settled(known, replace(PUT, claim_hash="")).claim_hash == "known"


def test_a_lost_answer_counts_as_written() -> None:
    """It may have been carried out: the intent stays."""
    got = settled(planned(), PUT, OutcomeUnknown("reset"))
    assert (got.written_hash, got.written_count, got.attempts) == (PUT.content_hash, 1, 0)


def test_what_was_throttled_leaves_the_row_as_before() -> None:
    """Nothing was written, and it says nothing about this PLS."""
    assert settled(planned(), PUT, RetryLater("throttled", throttled=True)) == planned()


@pytest.mark.parametrize("write", [PUT, DELETE, SUBNET])
def test_what_changed_meanwhile_is_tried_again_later_each_time(write: Write) -> None:
    """A list and a GET that differ for good would be compared each second; the third time is news."""
    known = row(LINK, WEB) if write is DELETE else planned()
    waits, news = [], []
    for _ in range(6):
        known = settled(known, write, Stale("changed"))
        assert known.not_before is not None
        waits.append((known.not_before - after(seconds=1)).total_seconds())
        news.append(bool(known.last_error))
    assert waits == [2, 5, 15, 60, 300, 300]
    assert news == [False, False, True, True, True, True]
    assert known.written_count == 0


def test_a_write_that_was_left_leaves_the_row_as_before() -> None:
    """The fence stopped it."""
    noted = bookkeeping.intents(PLAN, NOW)
    assert bookkeeping.settle(PLAN.ownership, noted, [Outcome(PUT, Result.LEFT)], NOW) == PLAN.ownership


@pytest.mark.parametrize(("attempts", "wait"), [(0, 30), (1, 120), (2, 600), (3, 3600), (9, 3600)])
def test_a_refused_write_waits_longer_each_time(attempts: int, wait: int) -> None:
    """And is not counted as written, or it would look like a fight."""
    known = planned(written_hash=PUT.content_hash, attempts=attempts)
    got = settled(known, PUT, Rejected("too small", code="Bad"))
    assert got.not_before == after(seconds=1 + wait)
    assert (got.attempts, got.written_count, got.written_at) == (attempts + 1, 0, None)
    assert (got.last_error, got.last_error_code) == ("too small", "Bad")


@pytest.mark.parametrize(("attempts", "wait"), [(0, 2), (1, 5), (2, 15), (3, 60), (4, 300), (9, 300)])
def test_a_busy_write_is_tried_again_soon(attempts: int, wait: int) -> None:
    """Two seconds to five minutes."""
    known = planned(written_hash=PUT.content_hash, attempts=attempts)
    assert settled(known, PUT, RetryLater("busy")).not_before == after(seconds=1 + wait)


def test_busy_waits_at_least_as_long_as_asked_and_is_no_news_at_first() -> None:
    """Retry-After is heeded; the third time a person hears."""
    got = settled(planned(), PUT, RetryLater("busy", after=40))
    assert (got.not_before, got.last_error) == (after(seconds=41), "")
    third = planned(written_hash=PUT.content_hash, attempts=2)
    assert settled(third, PUT, RetryLater("busy")).last_error == "busy"


def test_a_refused_move_is_remembered_as_one() -> None:
    """So that the next plan says MoveNotPossible; a busy one is just busy."""
    move = replace(PUT, reason=Reason.MOVE, created=False)
    assert settled(planned(), move, Rejected("no", code="X")).last_error_code == "move"
    assert settled(planned(), move, RetryLater("busy", code="X")).last_error_code == "X"
    assert settled(planned(), PUT, Rejected("no", code="X")).last_error_code == "X"


def test_the_back_off_of_a_delete_is_its_own() -> None:
    """Three refused PUTs before do not make its first failure the fourth."""
    refused = row(LINK, WEB, written_hash="abc", attempts=3, not_before=after(hours=1))
    once = settled(refused, DELETE, Rejected("in use"))
    assert (once.attempts, once.not_before) == (1, after(seconds=31))
    twice = settled(once, DELETE, Rejected("in use"))
    assert (twice.attempts, twice.not_before) == (2, after(seconds=121))


def test_an_accepted_delete_is_seen_in_the_row() -> None:
    """The row stays until a GET proves the PLS gone."""
    assert settled(row(LINK, WEB), DELETE).state == "Deleting"


def test_of_several_writes_of_one_pls_the_worst_counts() -> None:
    """One connection gone and one refused: the row tells of the refusal, in whichever order they ended."""
    on = pls(frontend(WEB), WEB, "mine", privateEndpointConnections=[])
    rows = (row(on, WEB),)
    one, two = replace(DELETE, sentence="one"), replace(DELETE, sentence="two")
    ends = [Outcome(one, Result.ACCEPTED), outcome_of(two, Rejected("no"))]
    for order in (ends, ends[::-1]):
        assert bookkeeping.settle(rows, rows, order, NOW)[0].last_error == "no"


def test_a_subnets_outcome_is_in_the_row_of_the_pls_that_waits_for_it() -> None:
    """And nothing else of that row changes: the PLS was not written."""
    refused = settled(planned(), SUBNET, Denied("no role", code="AuthorizationFailed"))
    assert (refused.last_error, refused.not_before) == ("no role", after(seconds=31))
    done = settled(refused, SUBNET, provisioning_state="Updating")
    assert (done.last_error, done.attempts, done.state) == ("", 0, planned().state)
    (other,) = bookkeeping.settle(
        (row(LINK, WEB),), (row(LINK, WEB),), [outcome_of(SUBNET, Denied("x"))], NOW
    )
    assert other == row(LINK, WEB)


# Coming back


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [
        (Outcome(PUT, Result.ACCEPTED), 2),
        (Outcome(SUBNET, Result.ACCEPTED), 1),
        (Outcome(PUT, Result.LEFT), 2),
        (outcome_of(PUT, OutcomeUnknown("x")), 5),
        (outcome_of(PUT, RetryLater("x")), 2),
        (outcome_of(PUT, RetryLater("x", after=60)), 60),
    ],
)
def test_each_outcome_is_looked_at_again(outcome: Outcome, seconds: float) -> None:
    """Accepted is not done, and its event may never come."""
    assert bookkeeping.come_back(Plan("prod"), (), [outcome], NOW) == after(seconds=seconds)


@pytest.mark.parametrize("error", [Stale("x"), Rejected("x")])
def test_the_back_off_of_the_row_decides_where_the_outcome_has_no_time_of_its_own(
    error: OutsideError,
) -> None:
    """Else the looks would not grow apart with the tries."""
    failing = row(LINK, WEB, attempts=4, not_before=after(seconds=60))
    assert bookkeeping.come_back(Plan("prod"), (failing,), [outcome_of(PUT, error)], NOW) == after(seconds=60)


def test_the_earliest_time_is_when_to_come_back() -> None:
    """Of the plan's own, the outcomes' and the rows' back-offs; the past and a plain refusal do not count."""
    due = Plan("prod", come_back=after(seconds=90))
    failing = row(LINK, WEB, attempts=1, not_before=after(seconds=30))
    assert bookkeeping.come_back(due, (), [], NOW) == after(seconds=90)
    assert bookkeeping.come_back(due, (failing,), [], NOW) == after(seconds=30)
    past = replace(failing, not_before=after(seconds=-1))
    assert bookkeeping.come_back(Plan("prod"), (past,), [outcome_of(PUT, Rejected("x"))], NOW) is None


# Names, history, networks


def test_only_a_lost_reservation_gives_its_name_up() -> None:
    """A create that met another's row; not an update, and no other refusal."""
    assert bookkeeping.lost_names([outcome_of(PUT, Conflict("taken"))]) == (PUT.pls_id,)
    update = replace(PUT, created=False)
    others = [
        outcome_of(update, Conflict("x")),
        outcome_of(PUT, Rejected("x")),
        Outcome(PUT, Result.ACCEPTED),
    ]
    assert bookkeeping.lost_names(others) == ()


def test_history_tells_write_result_and_error() -> None:
    """One line for people, fields for machines."""
    entry = bookkeeping.written(outcome_of(PUT, Rejected("too small")), "prod", "r1", NOW)
    assert (entry.kind, entry.reason, entry.result, entry.run) == ("write", "Create", "failed", "r1")
    assert (entry.pls_id, entry.frontend_id, entry.service) == (PUT.pls_id, PUT.frontend_id, "shop/web")
    assert entry.sentence.endswith("too small")
    on_subnet = bookkeeping.written(Outcome(SUBNET, Result.ACCEPTED), "prod", "r1", NOW)
    assert (on_subnet.pls_id, on_subnet.frontend_id) == ("", "")


def test_history_tells_new_findings() -> None:
    """With their severity as the result."""
    finding = Finding(Reason.STUCK, Severity.ERROR, "stuck", "shop/web", "f", "p")
    entry = bookkeeping.found(finding, "prod", "r1", NOW)
    assert (entry.kind, entry.reason, entry.result, entry.sentence) == ("finding", "Stuck", "error", "stuck")


def test_a_put_goes_below_its_load_balancer_and_its_virtual_network() -> None:
    """What ARM serialises; a delete below the balancer, a subnet below its network."""
    balancer = network_id("loadBalancers", "kubernetes-internal").lower()
    assert network_keys(PUT) == frozenset({balancer, VNET.lower()})
    assert network_keys(DELETE) == frozenset({balancer})
    assert network_keys(SUBNET) == frozenset({VNET.lower()})
    assert network_keys(replace(DELETE, frontend_id="")) == frozenset()


def test_only_fresh_operations_of_ours_are_in_the_way() -> None:
    """A stuck one, or one of somebody else, would hold back every write below the network for good."""
    there = pls(frontend(WEB), WEB, provisioningState="Updating")
    key = arm_ids.key(there.id)
    world = observe(WEB, links=[there], ownership=[row(there, WEB)])
    networks = {
        arm_ids.key(arm_ids.load_balancer_of(i)) for i in (there.frontend_id, there.nat_ips[0].subnet_id)
    }
    assert bookkeeping.running(world) == dict.fromkeys(networks, 1)
    assert bookkeeping.running(replace(world, sightings={f"wait:{key}": after(seconds=-299)})).total() == 2
    assert bookkeeping.running(replace(world, sightings={f"wait:{key}": after(seconds=-300)})) == {}
    assert bookkeeping.running(replace(world, ownership=())) == {}


def test_what_is_left_behind_a_long_operation_is_looked_at_ever_more_rarely() -> None:
    """A look each two seconds for as long as an operation takes would be a hot loop."""
    left = [Outcome(PUT, Result.LEFT)]
    for seconds, pause in ((1, 2), (4, 2), (30, 15), (200, 60)):
        plan = Plan("prod", sightings={"wait:x": after(seconds=-seconds), "gone:y": after(seconds=-9999)})
        assert bookkeeping.come_back(plan, (), left, NOW) == after(seconds=pause)
