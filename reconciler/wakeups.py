"""The wake-up protocol of a cluster: covered, lease, fence, wanted, guard, due. A pure state machine.

A message is a key and a time, never a fact. Each arriving message gets one decision, each ending run
one release; the shell (:mod:`reconciler.worker`) reads and writes the lease row under its ETag and asks
again when somebody else wrote first. The promises:

- a wake-up is dropped only when a completed run began to observe after it (``covered``), or when a
  message that leads to such a run is certain to come: the parked one while the cluster backs off, else
  the guard. While a lease is held and a wish is noted in it, a guard for the end of that very lease is in
  the queue, sent before the row was written: a holder may be dead, whatever the row says;
- two holders never overlap: a lease is taken only when it is free or has run out;
- contention raises nothing, so it poisons nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.ports import Lease, WakeUp

# Queue insertion times are whole seconds, rounded down, and two storage services' clocks differ.
SLACK = timedelta(seconds=5)
# No write starts in the last seconds of a lease: a request in flight ends within them.
LAST_WRITES = timedelta(seconds=20)
# Runs for events begin at least so far apart: a burst outlives the first run, and would get a run each. As
# long as the doubt lasts: what one run leaves in doubt, the next one covers.
REST = SLACK
# A message that a release sends comes so much later: the row it belongs to is written by then. Should it not
# be, the message changes the row, and the release is made anew, with another message.
RELEASE = timedelta(seconds=1)
GUARD = "guard"
PERSON = "manual"
PROBE = "probe"
PARKED = "parked"
WANTED = "wanted"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it arrives: what it says, and when the queue says it was inserted."""

    wake_up: WakeUp
    inserted: datetime

    @property
    def time(self) -> datetime:
        """The moment after which a run must begin for this message to be served."""
        due = self.wake_up.due
        return max(self.inserted, due) if due else self.inserted


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing to do; ``why`` is for the log. ``messages``, as in all decisions, are sent first."""

    why: str
    messages: tuple[WakeUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody holds the lease: leave a note in the row, and be done."""

    lease: Lease
    messages: tuple[WakeUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Take:
    """Take the lease by writing this row, then run."""

    lease: Lease
    messages: tuple[WakeUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Park:
    """The cluster backs off or rests, and no parked message is certain: send one for then, and write the row."""

    lease: Lease
    due: datetime

    @property
    def messages(self) -> tuple[WakeUp, ...]:
        """The message that comes then."""
        return (WakeUp(self.lease.cluster, PARKED, self.due),)


Decision = Drop | Busy | Take | Park


def covered(time: datetime, lease: Lease) -> bool:
    """Whether a completed run began to observe after this time. In doubt not: a run too many is harmless."""
    return lease.covered is not None and time < lease.covered - SLACK


def held(lease: Lease, now: datetime) -> bool:
    """Whether somebody holds the lease."""
    return bool(lease.holder) and lease.until is not None and now < lease.until


def arrive(arrival: Arrival, lease: Lease, now: datetime, holder: str, lasts: timedelta) -> Decision:
    """What to do about a message, given the lease row as just read."""
    # Not the message that the row relies on: it is due by its sender's clock, which may be behind the storage's,
    # and the run that covers it sent no other.
    if covered(arrival.time, lease) and not _is_parked(arrival, lease):
        return Drop("covered by a completed run")
    if held(lease, now):
        return _while_held(arrival, lease)
    if arrival.wake_up.reason == GUARD and not lease.holder:
        return Drop("the run it guarded has ended")
    until = None if arrival.wake_up.reason == PERSON else _quiet_until(arrival, lease, now)
    if until:
        if lease.parked and now < lease.parked <= until and not _is_parked(arrival, lease):
            return Drop("the cluster backs off or rests, and a parked message will come")
        return Park(replace(lease, parked=until), until)
    row = replace(lease, holder=holder, until=now + lasts, fence=lease.fence + 1)
    return Take(_without(arrival, row), _promise(arrival, lease, row))


def _while_held(arrival: Arrival, lease: Lease) -> Decision:
    if arrival.wake_up.reason == PROBE:
        return Drop("a run is under way, and the next probe asks again")
    if arrival.wake_up.reason == GUARD:
        # Of this lease, and early by another clock; or of an earlier lease, and this one has its own.
        early = lease.until is not None and arrival.time > lease.until
        return Drop("a run is under way", (guard(lease),) if early else ())
    row = replace(lease, wanted=max(lease.wanted or arrival.time, arrival.time))
    noted = _without(arrival, row)
    # The holder may have sent these just now: its release must not be written as if they were still to come.
    released = arrival.wake_up.reason in (WANTED, PARKED)
    return (
        Drop("noted already")
        if noted == lease and not released
        else Busy(noted, _promise(arrival, lease, row))
    )


def _quiet_until(arrival: Arrival, lease: Lease, now: datetime) -> datetime | None:
    """Until when the cluster is left alone: it backs off, or it rests after a run; None where it is not.

    The parked message that the row relies on has had its rest, and a probe looks before it leads to a run.
    """
    if lease.not_before and now < lease.not_before:
        return lease.not_before
    if arrival.wake_up.reason == PROBE or _is_parked(arrival, lease):
        return None
    rested = _rested(lease, now)
    return rested if now < rested else None


def _rested(lease: Lease, now: datetime) -> datetime:
    """When the rest after the last run ends. The watermark is the storage's time, and may be ahead."""
    return min(lease.covered, now) + REST if lease.covered else now


def _promise(arrival: Arrival, found: Lease, row: Lease) -> tuple[WakeUp, ...]:
    """The guard that the first wish noted in a lease needs, and each later lease with that wish in it.

    The holder's own message does not do: it comes back half a minute after the run failed, finds the
    lease still held, and leaves a wish, too. A guard or a probe leaves none: a dead holder's lease that is
    taken for it needs another guard.
    """
    promised = found.wanted is not None and found.until == row.until
    needed = row.wanted or (found.holder and arrival.wake_up.reason in (GUARD, PROBE))
    return (guard(row),) if needed and not promised else ()


def _is_parked(arrival: Arrival, lease: Lease) -> bool:
    """Whether this is the message the row relies on, early by another worker's clock: no other will come."""
    due = arrival.wake_up.due
    return due is not None and lease.parked is not None and due >= lease.parked


def _without(arrival: Arrival, lease: Lease) -> Lease:
    """The row, relying on this message no more where it was the parked one."""
    return replace(lease, parked=None) if _is_parked(arrival, lease) else lease


def guard(lease: Lease) -> WakeUp:
    """The message that wakes the cluster if the holder dies: due after the lease ends by any worker's clock."""
    until = lease.until
    if until is None:
        raise ValueError("a lease that is not held needs no guard")
    return WakeUp(lease.cluster, GUARD, until + SLACK)


def may_write(lease: Lease, now: datetime) -> bool:
    """The fence: whether the holder may still start a write."""
    return held(lease, now) and lease.until is not None and now < lease.until - LAST_WRITES


def is_same_hold(taken: Lease, current: Lease) -> bool:
    """Whether the row still tells of the lease that was taken: nobody else has taken or released it."""
    return current.fence == taken.fence and current.holder == taken.holder


def renew(taken: Lease, current: Lease, now: datetime, lasts: timedelta) -> Lease | None:
    """The row with a longer lease, for a run whose looking took long. None where it is somebody else's by now."""
    if not is_same_hold(taken, current):
        return None
    return replace(current, until=now + lasts)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. ``completed``: it observed everything, so that it covers earlier messages.

    ``come_back`` is when to look again; ``back_off`` until when everybody but a person stays away. Where
    both are given, the look at the end of the back-off says anew when to come back.
    """

    completed: bool
    come_back: datetime | None = None
    back_off: datetime | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Send these messages first, one at most, then write the row."""

    messages: tuple[WakeUp, ...]
    lease: Lease


def release(taken: Lease, current: Lease, ended: Ended, now: datetime) -> Release | None:
    """The end of a run. ``taken`` is the row as written when the lease was taken (its ``stamp`` is when
    observing began), ``current`` as just read. None where somebody else holds the lease by now.
    """
    if not is_same_hold(taken, current):
        return None
    watermark = taken.stamp if ended.completed else current.covered
    row = replace(
        current,
        holder="",
        until=None,
        covered=max(filter(None, (watermark, current.covered)), default=None),
        wanted=None,
        not_before=ended.back_off,
        failures=0 if ended.completed else current.failures + 1,
    )
    wished = current.wanted is not None and not covered(current.wanted, row)
    due = _next_look(row, ended, wished, now)
    if due is None or (row.parked and now < row.parked <= due):
        return Release((), row)
    message = WakeUp(row.cluster, WANTED if wished and not ended.back_off else PARKED, due)
    return Release((message,), replace(row, parked=due))


def _next_look(row: Lease, ended: Ended, wished: bool, now: datetime) -> datetime | None:
    """When the released cluster is looked at again; a wish is served after the rest, or after the back-off."""
    soon = now + RELEASE
    times = [ended.back_off] if ended.back_off else [ended.come_back, _rested(row, now) if wished else None]
    due = min(filter(None, times), default=None)
    return max(due, soon) if due else None


def back_off(failures: int, asked: float | None) -> float:
    """Seconds to stay away from a cluster that could not be observed: 5 s doubling to 5 min, or as asked."""
    return max(min(300.0, 5.0 * float(2 ** min(failures, 6))), min(asked or 0.0, 3600.0))
