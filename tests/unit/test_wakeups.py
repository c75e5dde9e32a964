"""The wake-up protocol: what each message leads to, and how each run ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.ports import Lease, WakeUp
from reconciler.wakeups import (
    GUARD,
    PARKED,
    PERSON,
    PROBE,
    WANTED,
    Arrival,
    Busy,
    Drop,
    Ended,
    Park,
    Release,
    Take,
    arrive,
    back_off,
    covered,
    guard,
    held,
    may_write,
    release,
    renew,
)
from tests.builders import NOW, after

FREE = Lease("prod")
HELD = Lease("prod", holder="a", until=after(seconds=100), fence=4, version="v", stamp=NOW)
DEAD = replace(HELD, until=after(seconds=-1))
LASTS = timedelta(seconds=120)
DONE = Ended(completed=True)


def message(seconds: float = 0, reason: str = "event", due: datetime | None = None) -> Arrival:
    """A message that was inserted so many seconds after now."""
    return Arrival(WakeUp("prod", reason, due), after(seconds=seconds))


def on(arrival: Arrival, lease: Lease, seconds: float = 0) -> Drop | Busy | Take | Park:
    """What becomes of a message that is received so many seconds after now."""
    return arrive(arrival, lease, after(seconds=seconds), "me", LASTS)


def ended(lease: Lease, how: Ended, taken: Lease = HELD, seconds: float = 50) -> Release:
    """The release of a run, whose row reads as ``lease`` by now."""
    found = release(taken, lease, how, after(seconds=seconds))
    assert found is not None
    return found


# Arriving


def test_a_free_lease_is_taken_with_a_new_fence() -> None:
    """Also the very first one, for which there is no row."""
    decision = on(message(), FREE)
    assert decision == Take(Lease("prod", holder="me", until=NOW + LASTS, fence=1))


def test_a_lease_that_ran_out_is_taken_over_and_its_notes_are_kept() -> None:
    """A killed worker's wanted wake-ups are served by its successor."""
    decision = on(message(), replace(DEAD, wanted=after(seconds=-10)))
    assert isinstance(decision, Take)
    assert (decision.lease.fence, decision.lease.holder) == (5, "me")
    assert decision.lease.wanted == after(seconds=-10)


@pytest.mark.parametrize(("before", "dropped"), [(4.9, False), (5, False), (5.1, True), (60, True)])
def test_a_message_is_covered_only_with_five_seconds_to_spare(before: float, dropped: bool) -> None:
    """Queue times are whole seconds and clocks differ: in doubt run."""
    decision = on(message(-before), replace(FREE, covered=NOW))
    assert isinstance(decision, Drop) is dropped


def test_a_message_that_a_run_relied_on_is_served_though_it_looks_covered() -> None:
    """A worker whose clock is 20 s behind parks a message for in 30 s; a run 20 s later sends no other."""
    behind = timedelta(seconds=20)
    taken = replace(FREE, holder="me", until=NOW + LASTS, parked=after(seconds=10), stamp=after(seconds=20))
    end = release(taken, taken, Ended(True, after(seconds=60) - behind), after(seconds=21) - behind)
    assert end is not None
    assert end.messages == ()
    parked = message(0, PARKED, due=after(seconds=10))
    assert isinstance(arrive(parked, end.lease, after(seconds=30) - behind, "me", LASTS), Take)


def test_a_due_time_at_the_end_of_time_is_served_now() -> None:
    """Whoever may write to the queue may write that; nothing can be added to it."""
    odd = Arrival(WakeUp("prod", "timer", datetime.max.replace(tzinfo=UTC)), NOW)
    assert isinstance(on(odd, replace(FREE, covered=after(seconds=-60))), Take)


def test_a_delayed_message_is_covered_only_by_a_run_after_its_due_time() -> None:
    """It was parked for a look then: an earlier run says nothing."""
    parked = message(-3600, PARKED, due=after(seconds=0))
    assert isinstance(on(parked, replace(FREE, covered=after(seconds=-6))), Take)
    assert isinstance(on(parked, replace(FREE, covered=after(seconds=6))), Drop)


def test_busy_notes_the_latest_wish_and_is_done() -> None:
    """max(wanted, its time); the holder stays the holder."""
    decision = on(message(3), replace(HELD, wanted=after(seconds=1)), 4)
    assert decision == Busy(replace(HELD, wanted=after(seconds=3)))


def test_a_back_off_waits_for_no_message_that_comes_later_than_its_end() -> None:
    """A look in an hour is no answer to an event of now."""
    row = replace(FREE, not_before=after(seconds=40), parked=after(hours=1))
    decision = on(message(), row)
    assert decision == Park(replace(row, parked=after(seconds=40)), after(seconds=40))


def test_busy_with_a_later_wish_noted_needs_no_write() -> None:
    """Contention on one row costs nothing more."""
    assert isinstance(on(message(1), replace(HELD, wanted=after(seconds=3)), 4), Drop)


@pytest.mark.parametrize("reason", [WANTED, PARKED])
def test_a_message_of_a_release_that_is_being_written_always_writes(reason: str) -> None:
    """It was sent before the row: the holder must find the row changed, and send another."""
    row = replace(HELD, wanted=after(seconds=3))
    assert on(message(3, reason), row, 4) == Busy(row)


def test_a_busy_delayed_message_wants_its_due_time() -> None:
    """Not its insertion, which an earlier run may have covered."""
    decision = on(message(-3600, PARKED, due=after(seconds=2)), HELD, 4)
    assert isinstance(decision, Busy)
    assert decision.lease.wanted == after(seconds=2)


def test_a_guard_is_dropped_where_its_run_has_ended_and_serves_where_it_died() -> None:
    """That is all it is for."""
    assert isinstance(on(message(0, GUARD), FREE), Drop)
    assert isinstance(on(message(0, GUARD), DEAD), Take)


def test_a_guard_that_finds_a_run_under_way_leaves_no_wish() -> None:
    """The lease has a guard of its own; early by another clock, it is sent once more."""
    assert on(message(0, GUARD, due=after(seconds=95)), HELD, 96) == Drop("a run is under way")
    early = on(message(0, GUARD, due=after(seconds=105)), HELD, 99)
    assert (type(early), early.messages) == (Drop, (guard(HELD),))


def test_who_leaves_the_first_wish_sends_a_guard() -> None:
    """The holder may be dead, and its own message here already: nobody else would look."""
    first = on(message(3), HELD, 4)
    assert first == Busy(replace(HELD, wanted=after(seconds=3)), (guard(HELD),))
    assert isinstance(first, Busy)
    assert on(message(4), first.lease, 5).messages == ()


def test_who_takes_over_a_wish_sends_a_guard_for_its_own_lease() -> None:
    """The dead holder's guard has found the lease held by then, or will."""
    taken = on(message(), replace(DEAD, wanted=after(seconds=-10)))
    assert isinstance(taken, Take)
    assert taken.messages == (guard(taken.lease),)
    assert on(message(), DEAD).messages == ()


@pytest.mark.parametrize("reason", [GUARD, PROBE])
def test_who_takes_over_for_a_message_that_leaves_no_wish_sends_a_guard(reason: str) -> None:
    """The taking may be written and its answer lost: the message comes again, finds the lease held and is dropped."""
    taken = on(message(0, reason), DEAD)
    assert isinstance(taken, Take)
    assert taken.messages == (guard(taken.lease),)
    assert isinstance(on(message(0, reason), taken.lease, 30), Drop)


def test_a_probe_that_takes_a_free_lease_needs_no_guard() -> None:
    """Nobody relies on it; the next probe asks again."""
    taken = on(message(0, PROBE), FREE)
    assert isinstance(taken, Take)
    assert taken.messages == ()


def test_a_parked_message_that_finds_a_run_under_way_is_relied_upon_no_more() -> None:
    """It came early by another clock and is used up: the run parks another."""
    due = after(seconds=8)
    row = replace(HELD, parked=due, wanted=due)
    decision = on(message(-10, PARKED, due), row, 7)
    assert decision == Busy(replace(row, parked=None))
    assert isinstance(on(message(-10, "timer", after(seconds=7)), row, 7), Drop)


def test_a_cluster_that_backs_off_parks_one_message() -> None:
    """Sent for the end of the back-off; the next ones see it in the row."""
    resting = replace(FREE, not_before=after(seconds=60))
    decision = on(message(), resting)
    assert decision == Park(replace(resting, parked=after(seconds=60)), after(seconds=60))
    assert isinstance(on(message(), decision.lease), Drop)


def test_a_parked_message_of_the_past_is_not_relied_upon() -> None:
    """It has been received, or is being: another is parked."""
    resting = replace(FREE, not_before=after(seconds=60), parked=after(seconds=-1))
    assert isinstance(on(message(), resting), Park)


def test_a_parked_message_that_comes_early_does_not_rely_on_itself() -> None:
    """Its sender's clock was ahead: it is parked once more, or the cluster would sleep on."""
    resting = replace(FREE, not_before=after(seconds=60), parked=after(seconds=60))
    early = message(0, PARKED, due=after(seconds=60))
    assert isinstance(on(early, resting, 59), Park)
    assert isinstance(on(early, resting, 60), Take)


def test_a_persons_message_does_not_wait_for_the_back_off() -> None:
    """Everybody else's does, until it ends."""
    resting = replace(FREE, not_before=after(seconds=60))
    assert isinstance(on(message(0, PERSON), resting), Take)
    assert isinstance(on(message(0, "timer"), resting, 60), Take)


def test_events_just_after_a_run_are_served_by_one_more_together() -> None:
    """200 events outlive the run that the first one leads to: without a rest that would be forty runs."""
    rested = replace(FREE, covered=NOW)
    decision = on(message(), rested, 1)
    assert decision == Park(replace(rested, parked=after(seconds=5)), after(seconds=5))
    assert isinstance(on(message(1), decision.lease, 2), Drop)
    parked = on(message(1, PARKED, due=after(seconds=5)), decision.lease, 4.9)  # early by this clock
    assert isinstance(parked, Take)
    assert parked.lease.parked is None
    assert isinstance(on(message(5), rested, 5), Take)


def test_a_rest_waits_for_no_message_that_comes_later_than_its_end() -> None:
    """A look in an hour is no answer to an event of now."""
    decision = on(message(), replace(FREE, covered=NOW, parked=after(hours=1)), 1)
    assert isinstance(decision, Park)
    assert decision.due == after(seconds=5)


@pytest.mark.parametrize("reason", [PERSON, PROBE])
def test_neither_a_person_nor_a_probe_waits_for_a_rest(reason: str) -> None:
    """A person looks on; a probe asks whether anything changed at all."""
    assert isinstance(on(message(reason=reason), replace(FREE, covered=NOW), 1), Take)


def test_a_rest_is_short_by_every_clock() -> None:
    """The watermark is the storage's time, this worker's clock may be a minute behind."""
    decision = on(message(60), replace(FREE, covered=after(seconds=60)), 58)
    assert isinstance(decision, Park)
    assert decision.due == after(seconds=63)


# While holding


def test_the_fence_closes_twenty_seconds_before_the_lease_ends() -> None:
    """A request in flight ends within them."""
    assert may_write(HELD, after(seconds=79.9))
    assert not may_write(HELD, after(seconds=80))
    assert not may_write(FREE, NOW)


def test_a_lease_is_held_to_its_end_exactly() -> None:
    """At its end it is free: who takes it then finds nobody writing."""
    assert held(HELD, after(seconds=99.9))
    assert not held(HELD, after(seconds=100))


def test_the_guard_is_due_just_after_the_lease_ends() -> None:
    """Then a dead holder's lease can be taken, also where clocks differ by a few seconds."""
    assert guard(HELD) == WakeUp("prod", GUARD, after(seconds=105))
    with pytest.raises(ValueError, match="not held"):
        guard(FREE)


# Releasing


def test_a_completed_run_covers_what_came_before_it_began() -> None:
    """The watermark is the stamp of taking the lease, not the end of the run."""
    done = ended(replace(HELD, stamp=after(seconds=30)), DONE)  # somebody noted a wish since
    assert (done.messages, done.lease.covered) == ((), NOW)
    assert (done.lease.holder, done.lease.until, done.lease.failures) == ("", None, 0)


def test_a_run_that_observed_only_a_part_covers_nothing() -> None:
    """And counts as a failure, for the next pause."""
    failed = ended(replace(HELD, covered=after(hours=-1)), Ended(False, None, after(seconds=60)))
    assert (failed.lease.covered, failed.lease.failures) == (after(hours=-1), 1)


def test_the_watermark_never_goes_back() -> None:
    """A run with an old stamp does not uncover what a later one covered."""
    assert ended(replace(HELD, covered=after(seconds=1)), DONE).lease.covered == after(seconds=1)


@pytest.mark.parametrize(("wanted", "sent"), [(-60, False), (-5, True), (10, True)])
def test_what_was_wanted_meanwhile_is_sent_unless_covered(wanted: float, sent: bool) -> None:
    """One message however many came, and the note is gone."""
    done = ended(replace(HELD, wanted=after(seconds=wanted)), DONE)
    soon = after(seconds=51)
    assert done.messages == ((WakeUp("prod", WANTED, soon),) if sent else ())
    assert (done.lease.wanted, done.lease.parked) == (None, soon if sent else None)


def test_what_was_wanted_in_a_short_run_is_looked_at_after_the_rest() -> None:
    """With whatever else comes until then."""
    done = ended(replace(HELD, wanted=after(seconds=1)), DONE, seconds=1)
    assert [m.due for m in done.messages] == [after(seconds=5)]


def test_a_parked_message_that_comes_soon_serves_what_was_wanted() -> None:
    """It is in the queue already."""
    waiting = replace(HELD, wanted=after(seconds=10), parked=after(seconds=50.5))
    assert ended(waiting, DONE).messages == ()
    assert len(ended(replace(waiting, parked=after(seconds=52)), DONE).messages) == 1


def test_a_message_of_a_release_comes_after_the_row_is_written() -> None:
    """It would find the lease held, and be used up."""
    for how in (Ended(True, come_back=NOW), Ended(False, None, back_off=NOW)):
        assert [m.due for m in ended(HELD, how).messages] == [after(seconds=51)]


def test_coming_back_parks_a_message_and_notes_it() -> None:
    """Once: an earlier parked one that is still to come serves as well."""
    later = after(seconds=300)
    done = ended(HELD, Ended(True, come_back=later))
    assert (done.messages, done.lease.parked) == ((WakeUp("prod", PARKED, later),), later)
    assert ended(replace(HELD, parked=after(seconds=200)), Ended(True, come_back=later)).messages == ()


@pytest.mark.parametrize("parked", [10, 400])
def test_a_parked_message_that_is_past_or_too_late_is_not_relied_upon(parked: float) -> None:
    """Another is parked for the time that is wished."""
    done = ended(replace(HELD, parked=after(seconds=parked)), Ended(True, come_back=after(seconds=300)))
    assert [m.due for m in done.messages] == [after(seconds=300)]


def test_a_back_off_parks_one_message_and_swallows_what_was_wanted() -> None:
    """The parked message comes after it, and serves the wish."""
    pause = after(seconds=90)
    done = ended(replace(HELD, wanted=after(seconds=10)), Ended(False, after(seconds=60), pause))
    assert done.messages == (WakeUp("prod", PARKED, pause),)
    assert (done.lease.not_before, done.lease.wanted) == (pause, None)


def test_the_end_of_a_back_off_is_looked_at_whenever_else_to_come_back() -> None:
    """What was wanted meanwhile would wait for hours, else."""
    done = ended(replace(HELD, wanted=after(seconds=10)), Ended(True, after(hours=1), after(seconds=90)))
    assert [m.due for m in done.messages] == [after(seconds=90)]


def test_the_end_of_trouble_ends_the_back_off() -> None:
    """A run that a person started and that completed opens the cluster for all."""
    assert ended(replace(HELD, not_before=after(seconds=600)), DONE).lease.not_before is None


@pytest.mark.parametrize("change", [{"fence": 5, "holder": "b"}, {"fence": 5}, {"holder": ""}])
def test_a_run_that_lost_its_lease_releases_nothing(change: dict[str, object]) -> None:
    """The row is another holder's by now."""
    assert release(HELD, replace(HELD, **change), DONE, after(seconds=200)) is None  # type: ignore[arg-type]


def test_nothing_is_covered_before_the_first_run() -> None:
    """No watermark, no drop."""
    assert not covered(after(days=-1), FREE)


@pytest.mark.parametrize(
    ("failures", "asked", "seconds"),
    [
        (0, None, 5),
        (1, None, 10),
        (5, None, 160),
        (6, None, 300),
        (60, None, 300),
        (0, 90, 90),
        (0, 1e9, 3600),
    ],
)
def test_the_pause_doubles_from_five_seconds_to_five_minutes(
    failures: int, asked: float | None, seconds: float
) -> None:
    """Or as long as asked, an hour at most."""
    assert back_off(failures, asked) == seconds


def test_a_probe_leaves_a_run_under_way_alone() -> None:
    """It comes again by itself; a note would cost a full run each time the two meet."""
    assert isinstance(on(message(reason=PROBE), HELD), Drop)
    assert isinstance(on(message(reason=PROBE), DEAD), Take)


def test_a_parked_message_that_takes_the_lease_is_relied_upon_no_more() -> None:
    """It came early by another clock: the next look needs a message of its own."""
    due = after(seconds=1)
    decision = on(message(-10, PARKED, due), replace(FREE, parked=due))
    assert isinstance(decision, Take)
    assert decision.lease.parked is None
    assert isinstance(on(message(-10), replace(FREE, parked=due)), Take)


def test_a_lease_is_renewed_only_by_its_holder() -> None:
    """Looking may take most of a lease; the writes get a whole one, unless somebody took over."""
    current = replace(HELD, wanted=after(seconds=3), version="w")
    renewed = renew(HELD, current, after(seconds=101), LASTS)
    assert renewed == replace(current, until=after(seconds=221))
    assert renew(HELD, replace(current, fence=5, holder="b"), NOW, LASTS) is None
