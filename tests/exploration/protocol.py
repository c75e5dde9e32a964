"""The protocol functions of :mod:`reconciler.wakeups` on numbers: half seconds since a fixed moment.

Nothing is decided here. Numbers become the product's own values, the product's functions are called, and
their answers become numbers again; each different question is asked once. A test hands over other
functions to see whether the exploration finds a mistake in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from reconciler import wakeups
from reconciler.ports import Lease, WakeUp
from tests.builders import NOW

HALF = timedelta(seconds=0.5)
LASTS = 240
DEAD = 9

Time = int | None


class Row(NamedTuple):
    """The lease row. ``holder`` is a worker's number plus one, 0 for nobody, DEAD for one that is gone."""

    holder: int = 0
    until: Time = None
    fence: int = 0
    wanted: Time = None
    covered: Time = None
    parked: Time = None
    not_before: Time = None


class Wake(NamedTuple):
    """What a message says."""

    reason: str
    due: Time = None


class Hold(NamedTuple):
    """The lease as its holder knows it: taken at ``stamp``, renewed to ``until``."""

    fence: int
    stamp: int
    until: int


class Ended(NamedTuple):
    """How a run ended. ``serves``: all it had to write was written, so that whoever asked before is served."""

    completed: bool
    come_back: Time = None
    back_off: Time = None
    serves: bool = False


class Decision(NamedTuple):
    """``row`` is None for a message that is dropped; ``messages`` are sent first."""

    kind: str
    row: Row | None
    messages: tuple[Wake, ...]


@dataclass(frozen=True)
class Functions:
    """The functions under test."""

    arrive: Callable[..., wakeups.Decision] = wakeups.arrive
    may_write: Callable[[Lease, datetime], bool] = wakeups.may_write
    renew: Callable[..., Lease | None] = wakeups.renew
    release: Callable[..., wakeups.Release | None] = wakeups.release
    guard: Callable[[Lease], WakeUp] = wakeups.guard


@cache
def moment(time: int) -> datetime:
    """A number as a moment."""
    return NOW + time * HALF


def number(time: datetime | None) -> Time:
    """A moment as a number."""
    return None if time is None else round((time - NOW) / HALF)


def _time(time: Time) -> datetime | None:
    return None if time is None else moment(time)


@cache
def _lease(row: Row) -> Lease:
    return Lease(
        "prod",
        str(row.holder) if row.holder else "",
        _time(row.until),
        row.fence,
        _time(row.wanted),
        _time(row.covered),
        _time(row.parked),
        _time(row.not_before),
    )


def _row(lease: Lease) -> Row:
    times = (lease.wanted, lease.covered, lease.parked, lease.not_before)
    return Row(int(lease.holder or 0), number(lease.until), lease.fence, *map(number, times))


def _wakes(messages: tuple[WakeUp, ...]) -> tuple[Wake, ...]:
    return tuple(Wake(m.reason, number(m.due)) for m in messages)


class Protocol:
    """The functions, asked in numbers."""

    def __init__(self, functions: Functions) -> None:
        self.arrive = cache(self._arrive)
        self.may_write = cache(self._may_write)
        self.renew = cache(self._renew)
        self.release = cache(self._release)
        self._does = functions

    def _arrive(self, wake: Wake, inserted: int, row: Row, now: int, holder: int) -> Decision:
        arrival = wakeups.Arrival(WakeUp("prod", wake.reason, _time(wake.due)), moment(inserted))
        made = self._does.arrive(arrival, _lease(row), moment(now), str(holder), LASTS * HALF)
        lease = None if isinstance(made, wakeups.Drop) else _row(made.lease)
        return Decision(type(made).__name__, lease, _wakes(made.messages))

    def _taken(self, hold: Hold, holder: int) -> Lease:
        until, stamp = moment(hold.until), moment(hold.stamp)
        return Lease("prod", str(holder), until, hold.fence, stamp=stamp)

    def _may_write(self, hold: Hold, now: int) -> bool:
        return self._does.may_write(self._taken(hold, 1), moment(now))

    def _renew(self, hold: Hold, holder: int, row: Row, now: int) -> Row | None:
        lease = self._does.renew(self._taken(hold, holder), _lease(row), moment(now), LASTS * HALF)
        return _row(lease) if lease else None

    def _release(
        self, hold: Hold, holder: int, row: Row, ended: Ended, now: int
    ) -> tuple[Row, tuple[Wake, ...]] | None:
        how = wakeups.Ended(ended.completed, _time(ended.come_back), _time(ended.back_off))
        done = self._does.release(self._taken(hold, holder), _lease(row), how, moment(now))
        return (_row(done.lease), _wakes(done.messages)) if done else None

    def guard(self, until: int) -> Wake:
        """The guard of a lease that ends then."""
        wake_up = self._does.guard(Lease("prod", "1", moment(until), 1))
        return Wake(wake_up.reason, number(wake_up.due))
