"""Apply: carry out exactly the writes of a plan, intents before them and outcomes after them.

A PUT that is accepted is not done: nothing waits for it here, a later look sees what became of it.
Right before each write of a PLS it is read once more: writes queue for minutes, and what somebody made
or changed meanwhile is neither replaced nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from reconciler import arm_ids, bookkeeping
from reconciler.bookkeeping import Outcome, Result, network_keys, outcome_of
from reconciler.errors import Conflict, NotFound, OutsideError, RetryLater, Stale
from reconciler.gate import Gate
from reconciler.model import Observed, Ownership, PrivateLinkService, Reservation, known
from reconciler.plan import DeleteConnection, DeletePls, Plan, PutPls, PutSubnet, Write
from reconciler.ports import Accepted, Azure, Clock, Ledger

Progress = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan. ``back_off`` is set where the whole subscription was throttled."""

    outcomes: tuple[Outcome, ...] = ()
    come_back: datetime | None = None
    back_off: datetime | None = None


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
        noted = bookkeeping.intents(plan, observed.now)
        self._index(plan, observed)
        self._record(observed.ownership, noted)
        outcomes = self._write(plan, observed, progress)
        now = self.clock.now()
        rows = bookkeeping.settle(plan.ownership, noted, outcomes, now)
        lost = bookkeeping.lost_names(outcomes)
        self._record(noted, [r for r in rows if r.pls_id not in lost])
        self._forget(plan, observed, lost)
        due = bookkeeping.come_back(plan, rows, outcomes, now)
        return Applied(outcomes, due, self._back_off(observed, outcomes, now))

    def _back_off(self, observed: Observed, outcomes: tuple[Outcome, ...], now: datetime) -> datetime | None:
        """Throttled here, or by what another cluster of the subscription did: then writes were left."""
        left = any(o.result is Result.LEFT for o in outcomes)
        elsewhere = self.gate.closed_until(observed.cluster.subscription, now) if left else None
        return _throttled_until(outcomes, now) or elsewhere

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

        Before their rows are there: a row says that this was done.
        """
        before = {arm_ids.key(row.pls_id) for row in observed.ownership}
        new = [r for r in plan.ownership if r.resource_guid and arm_ids.key(r.pls_id) not in before]
        list(self.pool.map(self._adopt, new))

    def _adopt(self, row: Ownership) -> None:
        with suppress(Conflict):  # somebody else's reservation: the next plan tells
            self.ledger.reserve(_reservation(row))

    def _write(self, plan: Plan, observed: Observed, progress: Progress) -> tuple[Outcome, ...]:
        seen = {arm_ids.key(p.id): p for p in known(observed.private_link_services)}
        owners = {arm_ids.key(r.pls_id): r for r in plan.ownership}
        account = observed.cluster.subscription
        stop: list[Outcome] = []
        busy: set[str] = set()
        outcomes: list[Outcome] = []

        def may_start() -> bool:
            return not stop and self.may_start() and not self.gate.closed_until(account, self.clock.now())

        ends = self.gate.run(
            plan.writes,
            network_keys,
            lambda write: self._one(write, seen, owners, may_start),
            self.pool,
            may_start,
        )
        for write, ended in ends:
            outcome = ended or Outcome(write, Result.LEFT)
            outcomes.append(outcome)
            progress(outcome)
            if isinstance(outcome.error, RetryLater) and outcome.error.throttled:
                stop.append(outcome)
                self.gate.close(account, _throttled_until([outcome], self.clock.now()))
            elif outcome.result is Result.BUSY:
                busy |= network_keys(write)
                self.gate.busy(network_keys(write))
        self.gate.quiet({key for write in plan.writes for key in network_keys(write)} - busy)
        return tuple(outcomes)

    def _one(
        self,
        write: Write,
        seen: dict[str, PrivateLinkService],
        owners: dict[str, Ownership],
        may_start: Callable[[], bool],
    ) -> Outcome:
        try:
            if not self._is_needed(write, seen, owners):
                return Outcome(write, Result.ACCEPTED)
            # Once more: the read may have outlasted the lease, or a process that was frozen in it.
            if not may_start():
                return Outcome(write, Result.LEFT)
            return Outcome(write, Result.ACCEPTED, accepted=self._send(write))
        except OutsideError as error:
            return outcome_of(write, error)

    def _is_needed(
        self, write: Write, seen: dict[str, PrivateLinkService], owners: dict[str, Ownership]
    ) -> bool:
        """Read once more; False where what is to be deleted is gone. Raises Stale where somebody was faster."""
        match write:
            case PutPls():
                if write.created:
                    self.ledger.reserve(_reservation(owners[arm_ids.key(write.pls_id)]))
                self._require_as_planned(write, seen)
                return True
            case PutSubnet():
                return True
            case DeletePls() | DeleteConnection():
                return self._as_planned(seen[arm_ids.key(write.pls_id)])
        assert_never(write)

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

    def _require_as_planned(self, write: PutPls, seen: dict[str, PrivateLinkService]) -> None:
        """Raises Stale where somebody made the PLS since it was looked for, or changed what the PUT replaces."""
        present = self._present(write.pls_id)
        if write.created and present:
            raise Stale(f"Private Link Service {write.pls_id} was made by somebody else meanwhile")
        planned = None if write.created else seen[arm_ids.key(write.pls_id)]
        if planned and (present is None or _replaced(present) != _replaced(planned)):
            raise Stale(
                f"Private Link Service {write.pls_id} changed since it was looked at; it is not written"
            )

    def _as_planned(self, planned: PrivateLinkService) -> bool:
        """Whether it is still the same PLS; False where it is gone already.

        Raises Stale where somebody changed it since: the next look decides anew.
        """
        present = self._present(planned.id)
        if present and _identity(present) != _identity(planned):
            raise Stale(
                f"Private Link Service {planned.id} changed since it was looked at; nothing was deleted"
            )
        return present is not None

    def _present(self, pls_id: str) -> PrivateLinkService | None:
        try:
            return self.azure.get_private_link_service(pls_id)
        except NotFound:
            return None


def _identity(pls: PrivateLinkService) -> tuple[object, ...]:
    """What makes a PLS the one that was planned. Connections may go meanwhile, but none may come."""
    return (
        pls.resource_guid,
        arm_ids.key(pls.frontend_id),
        tuple(sorted(pls.tags.items())),
    )


def _replaced(pls: PrivateLinkService) -> tuple[object, ...]:
    """What a PUT would undo. Not the ETag: connections come and go, and change it too."""
    return (
        *_identity(pls),
        pls.provisioning_state,
        pls.nat_ips,
        pls.fqdns,
        pls.proxy_protocol,
        pls.visibility,
        pls.auto_approval,
    )


def _reservation(row: Ownership) -> Reservation:
    return Reservation(row.pls_id, row.cluster, row.owner.uid, row.frontend_id)


def _throttled_until(outcomes: Iterable[Outcome], now: datetime) -> datetime | None:
    waits = [o.error.after or 30.0 for o in outcomes if isinstance(o.error, RetryLater) and o.error.throttled]
    return now + timedelta(seconds=max(waits)) if waits else None


def _frozen(row: Ownership) -> tuple[object, ...]:
    return (*(getattr(row, name) for name in _FIELDS), tuple(sorted(row.connections.items())))


_FIELDS = tuple(name for name in Ownership.__slots__ if name != "connections")
