"""Apply: carry out exactly the writes of a plan, intents before them and outcomes after them.

A PUT that is accepted is not done: nothing waits for it here, a later look sees what became of it.
Right before each write of a PLS there is a last look at it (:mod:`reconciler.recheck`): writes queue for
minutes, and what somebody made or changed meanwhile is neither replaced nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from reconciler import arm_ids, bookkeeping
from reconciler.bookkeeping import Outcome, Result, network_keys, outcome_of
from reconciler.errors import Conflict, OutsideError, RetryLater, Stale
from reconciler.gate import Gate
from reconciler.model import Observed, Ownership, Reservation
from reconciler.plan import DeleteConnection, DeletePls, Plan, PutPls, PutSubnet, Write
from reconciler.ports import Accepted, Azure, Clock, Ledger
from reconciler.recheck import Recheck

Progress = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan, and the ledger's rows after it. ``back_off`` is set where the whole subscription was throttled."""

    outcomes: tuple[Outcome, ...] = ()
    come_back: datetime | None = None
    back_off: datetime | None = None
    rows: tuple[Ownership, ...] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out plans. ``may_start`` is the fence: whether another write may begin."""

    azure: Azure
    ledger: Ledger
    gate: Gate
    pool: Executor
    clock: Clock
    may_start: Callable[[], bool]

    def apply(self, plan: Plan, observed: Observed, progress: Progress = lambda outcome: None) -> Applied:
        """Carry out ``plan.writes``. Raises OutsideError only where the ledger fails."""
        may, cannot = self.gate.candidates(plan.writes, network_keys, bookkeeping.running(observed))
        begun = replace(plan, writes=may)
        noted = bookkeeping.intents(begun, observed.now)
        self._index(plan, observed)
        self._record(observed.ownership, noted)
        left = tuple(Outcome(write, Result.LEFT) for write in cannot)
        for outcome in left:
            progress(outcome)
        outcomes = (*self._write(begun, observed, progress), *left)
        now = self.clock.now()
        lost = bookkeeping.lost_names(outcomes)
        settled = bookkeeping.settle(plan.ownership, noted, outcomes, now)
        rows = tuple(row for row in settled if row.pls_id not in lost)
        self._record(noted, rows)
        self._forget(plan, observed, lost)
        due = bookkeeping.come_back(plan, settled, outcomes, now)
        return Applied(outcomes, due, self._back_off(observed, outcomes, now), rows)

    def _back_off(self, observed: Observed, outcomes: tuple[Outcome, ...], now: datetime) -> datetime | None:
        """Throttled here, or by what another cluster of the subscription did: then writes were left."""
        account = observed.cluster.subscription
        left = sum(o.result is Result.LEFT or _is_throttled(o) for o in outcomes)
        elsewhere = self.gate.closed_until(account, now) if left else None
        until = _throttled_until(outcomes, now) or elsewhere
        pause = self.gate.pause(account, observed.cluster.name, left if until else 0)
        # From when ARM refused: settling a large run takes seconds, and tokens flow in meanwhile.
        return max(until, self.gate.closed_at(account, now) + timedelta(seconds=pause)) if until else None

    def _record(self, before: Iterable[Ownership], after: Iterable[Ownership]) -> None:
        """Write the rows that differ."""
        known_rows = set(map(_frozen, before))
        changed = [row for row in after if _frozen(row) not in known_rows]
        if changed:
            self.ledger.put_ownership(changed)

    def _forget(self, plan: Plan, observed: Observed, lost: tuple[str, ...]) -> None:
        gone = (*plan.forget, *lost)
        if gone:
            self.ledger.forget_ownership(plan.cluster, gone)
        if set(plan.sharing) != set(observed.sharing):
            self.ledger.replace_sharing(plan.cluster, observed.sharing, plan.sharing)

    def _index(self, plan: Plan, observed: Observed) -> None:
        """Reserve the ids of PLSs seen for the first time, so that events about them find their cluster.

        Between two states of their rows: one without a guid says that the reservation may be there, so that
        it is forgotten with the row; one with a guid that it was made.
        """
        before = {arm_ids.key(row.pls_id): row.resource_guid for row in observed.ownership}
        new = [r for r in plan.ownership if r.resource_guid and not before.get(arm_ids.key(r.pls_id))]
        unknown = [replace(r, resource_guid="") for r in new if arm_ids.key(r.pls_id) not in before]
        if unknown:
            self.ledger.put_ownership(unknown)
        list(self.pool.map(self._adopt, new))

    def _adopt(self, row: Ownership) -> None:
        with suppress(Conflict):  # somebody else's reservation: the next plan tells
            self.ledger.reserve(_reservation(row))

    def _write(self, plan: Plan, observed: Observed, progress: Progress) -> tuple[Outcome, ...]:
        recheck = Recheck(self.azure, self.clock, observed, plan.writes)
        owners = {arm_ids.key(r.pls_id): r for r in plan.ownership}
        account = observed.cluster.subscription
        running = bookkeeping.running(observed)
        stop: list[Outcome] = []
        busy: set[str] = set()
        outcomes: list[Outcome] = []

        def may_start() -> bool:
            return not stop and self.may_start() and not self.gate.closed_until(account, self.clock.now())

        ends = self.gate.run(
            plan.writes,
            network_keys,
            lambda write: self._one(write, recheck, owners, may_start),
            self.pool,
            may_start,
            running,
            lambda outcome: outcome.result is Result.ACCEPTED or _is_busy(outcome),
        )
        for number, (write, ended) in enumerate(ends, start=1):
            self.gate.waiting(account, observed.cluster.name, len(plan.writes) - number)
            outcome, keys = ended or Outcome(write, Result.LEFT), network_keys(write)
            if _is_throttled(outcome):
                stop.append(outcome)
                now = self.clock.now()
                self.gate.close(account, _throttled_until([outcome], now), now)
            elif _is_busy(outcome):
                if self.gate.serialises(keys) and any(running[key] for key in keys):
                    outcome = Outcome(write, Result.LEFT)  # by what we began ourselves: no fault of the PLS
                busy |= keys
                self.gate.busy(keys)
            elif outcome.result is Result.ACCEPTED:
                running.update(keys)
            outcomes.append(outcome)
            progress(outcome)
        written = (o.write for o in outcomes if o.result is Result.ACCEPTED)
        self.gate.quiet({key for write in written for key in network_keys(write)} - busy)
        return tuple(outcomes)

    def _one(
        self,
        write: Write,
        recheck: Recheck,
        owners: dict[str, Ownership],
        may_start: Callable[[], bool],
    ) -> Outcome:
        try:
            if not self._is_needed(write, recheck, owners):
                return Outcome(write, Result.ACCEPTED)
            # Once more: the read may have outlasted the lease, or a process that was frozen in it.
            if not may_start():
                return Outcome(write, Result.LEFT)
            return Outcome(write, Result.ACCEPTED, accepted=self._send(write))
        except OutsideError as error:
            return outcome_of(write, error)

    def _is_needed(self, write: Write, recheck: Recheck, owners: dict[str, Ownership]) -> bool:
        """The last look; False where what is to be deleted is gone. Raises Stale where somebody was faster."""
        match write:
            case PutPls():
                if write.created:
                    self._reserve(owners[arm_ids.key(write.pls_id)])
                recheck.require(write)
                return True
            case PutSubnet():
                return True
            case DeletePls() | DeleteConnection():
                return recheck.still_there(write.pls_id)
        assert_never(write)

    def _reserve(self, row: Ownership) -> None:
        """Raises Conflict where another has the name, Stale where storage is busy: that is no busy ARM."""
        try:
            self.ledger.reserve(_reservation(row))
        except RetryLater as error:
            raise Stale(str(error), code=error.code) from error

    def _send(self, write: Write) -> Accepted:
        match write:
            case PutPls():
                return self.azure.put_private_link_service(write.pls_id, write.body)
            case PutSubnet():
                return self.azure.put_subnet(write.subnet_id, write.body, write.etag)
            case DeletePls():
                self.azure.delete_private_link_service(write.pls_id)
            case DeleteConnection():
                self.azure.delete_connection(write.connection_id)
            case _:
                assert_never(write)
        return Accepted()


def _reservation(row: Ownership) -> Reservation:
    return Reservation(row.pls_id, row.cluster, row.owner.uid, row.frontend_id)


def _is_busy(outcome: Outcome) -> bool:
    """Whether ARM said so, and why: a connection that was refused tells nothing of the network written to."""
    return outcome.result is Result.BUSY and outcome.error is not None and bool(outcome.error.code)


def _is_throttled(outcome: Outcome) -> bool:
    return isinstance(outcome.error, RetryLater) and outcome.error.throttled


def _throttled_until(outcomes: Iterable[Outcome], now: datetime) -> datetime | None:
    errors = (o.error for o in outcomes if _is_throttled(o))
    waits = [error.after or 30.0 for error in errors if isinstance(error, RetryLater)]
    return now + timedelta(seconds=max(waits)) if waits else None


def _frozen(row: Ownership) -> tuple[object, ...]:
    return (*(getattr(row, name) for name in _FIELDS), tuple(sorted(row.connections.items())))


_FIELDS = tuple(name for name in Ownership.__slots__ if name != "connections")
