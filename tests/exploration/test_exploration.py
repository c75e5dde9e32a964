"""Every interleaving: no lost wake-up, no two writers, always quiet in the end. And mistakes are found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler import wakeups
from reconciler.ports import Lease
from reconciler.wakeups import Arrival, Busy, Decision, Drop, Ended, Release, Take
from tests.chaos_mode import FULL
from tests.exploration.explore import Explored, explore
from tests.exploration.protocol import Functions
from tests.exploration.state import ANY, Budget, start
from tests.exploration.world import World

TROUBLE = Budget(troubles=1, failures=0, pauses=0, looks=0)
SLOW_TROUBLE = TROUBLE._replace(pauses=1)
TWO_TROUBLES = TROUBLE._replace(troubles=2)
CALM = Budget(troubles=0, failures=0, pauses=0, looks=1)
SLOW = Budget(troubles=0, failures=1, pauses=1, looks=0)
SKEWED = World(skews=(0, 6), queue=-3, table=3)

Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Prints past the capture: the number of states belongs to the result. Under xdist only stderr gets out."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end=" ", file=sys.stderr)

    return say


def explored(kinds: tuple[str, ...], budget: Budget, world: World | None = None) -> Explored:
    """All states of a world with these messages."""
    return explore(world or World(), start(kinds, budget))


def check(tell: Tell, kinds: tuple[str, ...], budget: Budget, world: World | None = None) -> None:
    """No promise is broken anywhere."""
    found = explored(kinds, budget, world)
    tell(f"{'+'.join(kinds)}: {found.states} states, {found.steps} steps")
    assert not found.broken, "\n".join((found.broken or "", *found.way))
    assert found.states > 10


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("budget", "world"), [(SLOW_TROUBLE, World()), (TROUBLE, SKEWED)], ids=["slow", "clocks"]
)
def test_trouble_with_slow_workers_and_with_other_clocks(tell: Tell, budget: Budget, world: World) -> None:
    """One message of any kind; all pairs of kinds in full mode."""
    check(tell, (ANY, ANY) if FULL else (ANY,), budget, world)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_one_message_and_trouble_twice(tell: Tell) -> None:
    """Whoever makes up for a dead worker may die as well. In full mode a message of any kind."""
    check(tell, (ANY,) if FULL else ("event",), TWO_TROUBLES)


@pytest.mark.parametrize("kinds", [("event", "event"), ("event", "timer")])
def test_two_messages_and_no_trouble(tell: Tell, kinds: tuple[str, ...]) -> None:
    """Races of two workers alone; runs that come back, that fail, that are slow."""
    check(tell, kinds, CALM)
    check(tell, kinds, SLOW if FULL else Budget(0, 1, 0, 0))


def test_two_messages_of_any_kinds_and_trouble_at_any_step(tell: Tell) -> None:
    """All pairs of kinds at once: which kinds they are is open until they are sent."""
    check(tell, (ANY, ANY), TROUBLE)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_three_messages_of_any_kinds_and_trouble_at_any_step(tell: Tell) -> None:
    """All twenty combinations of kinds. In full mode with the trouble; else every race without it."""
    check(tell, (ANY, ANY, ANY), TROUBLE if FULL else Budget(0, 0, 0, 0))


# Mistakes that were made or could be: the exploration finds each.


def _at_once(covers: Callable[[datetime, Lease], bool]) -> Callable[..., Decision]:
    def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
        if covers(arrival.time, lease):
            return Drop("covered")
        return wakeups.arrive(arrival, lease, now, holder, lasts)

    return arrive


def without_slack() -> Functions:
    """A message of the second in which a run began is taken for one from before it."""
    return Functions(arrive=_at_once(lambda time, lease: bool(lease.covered and time < lease.covered)))


def without_wanted() -> Functions:
    """A message that finds the lease held is dropped."""

    def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
        made = wakeups.arrive(arrival, lease, now, holder, lasts)
        return Drop("somebody is at it") if isinstance(made, Busy) else made

    return Functions(arrive=arrive)


def without_guard() -> Functions:
    """A wish relies on a holder that may be dead."""

    def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
        made = wakeups.arrive(arrival, lease, now, holder, lasts)
        return replace(made, messages=()) if isinstance(made, Busy) else made

    return Functions(arrive=arrive)


def without_guard_for_guard() -> Functions:
    """A guard takes the lease of a dead worker, and finds it held when it comes again."""

    def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
        made = wakeups.arrive(arrival, lease, now, holder, lasts)
        return replace(made, messages=()) if isinstance(made, Take) and not made.lease.wanted else made

    return Functions(arrive=arrive)


def without_message_of_release() -> Functions:
    """The wish is read, and nothing is sent for it."""

    def release(taken: Lease, current: Lease, ended: Ended, now: datetime) -> Release | None:
        made = wakeups.release(taken, current, ended, now)
        return made and replace(made, messages=())

    return Functions(release=release)


def with_released_message_at_once() -> Functions:
    """What a release sends is received before the row is written, and taken for noted already."""

    def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
        made = wakeups.arrive(arrival, lease, now, holder, lasts)
        return Drop("noted already") if isinstance(made, Busy) and made.lease == lease else made

    def release(taken: Lease, current: Lease, ended: Ended, now: datetime) -> Release | None:
        made = wakeups.release(taken, current, ended, now)
        return made and replace(made, messages=tuple(replace(m, due=None) for m in made.messages))

    return Functions(arrive=arrive, release=release)


def with_renewal_by_anybody() -> Functions:
    """Whoever thaws renews a lease that is another's by now."""

    def renew(taken: Lease, current: Lease, now: datetime, lasts: timedelta) -> Lease | None:
        return replace(current, until=now + lasts)

    return Functions(renew=renew)


def with_release_by_anybody() -> Functions:
    """Whoever thaws releases a lease that is another's by now."""

    def release(taken: Lease, current: Lease, ended: Ended, now: datetime) -> Release | None:
        return wakeups.release(current, replace(current, stamp=taken.stamp), ended, now)

    return Functions(release=release)


def without_fence() -> Functions:
    """A write starts whatever the clock says."""
    return Functions(may_write=lambda lease, now: True)


def with_writes_to_the_end() -> Functions:
    """A write starts in the last moment of a lease, and is under way after it."""
    return Functions(may_write=wakeups.held)


def with_taking_of_what_is_held() -> Functions:
    """Two holders."""

    def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
        return wakeups.arrive(arrival, replace(lease, until=None), now, holder, lasts)

    return Functions(arrive=arrive)


@pytest.mark.parametrize(
    ("mistake", "kinds", "budget"),
    [
        (without_slack, ("event", "event"), Budget(0, 0, 0, 0)),
        (without_wanted, ("event", "event"), Budget(0, 0, 0, 0)),
        (without_guard, ("event",), TROUBLE),
        (without_guard_for_guard, ("event",), TWO_TROUBLES),
        (without_message_of_release, ("event", "event"), Budget(0, 0, 0, 0)),
        (with_released_message_at_once, ("event", "event"), Budget(0, 0, 0, 0)),
        (with_renewal_by_anybody, ("event", "event"), TROUBLE),
        (with_release_by_anybody, ("event", "event"), TROUBLE),
        (without_fence, ("event", "event"), TROUBLE),
        (with_writes_to_the_end, ("event", "event"), SLOW_TROUBLE),
        (with_taking_of_what_is_held, ("event", "event"), Budget(0, 0, 0, 0)),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_exploration_finds_known_mistakes(
    tell: Tell, mistake: Callable[[], Functions], kinds: tuple[str, ...], budget: Budget
) -> None:
    """Else its silence about the protocol as it is would say nothing."""
    found = explored(kinds, budget, World(mistake()))
    tell(f"after {found.states} states: {found.broken}")
    assert found.broken
    assert found.way
