"""What the ledger says before and after the writes of a run: intents, outcomes, history. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler import arm_ids
from reconciler.errors import Conflict, OutcomeUnknown, OutsideError, Rejected, RetryLater, Stale
from reconciler.model import IN_TRANSIT, WAIT, Observed, Ownership, known
from reconciler.plan import (
    NAT_IPS,
    DeleteConnection,
    DeletePls,
    Finding,
    Plan,
    PutPls,
    PutSubnet,
    Reason,
    Write,
    content,
    frontend_of,
)
from reconciler.ports import Accepted, HistoryEntry

# Seconds until the next try after a busy answer or a change by somebody else, and after a refusal.
BUSY_DELAYS = (2, 5, 15, 60, 300)
REFUSED_DELAYS = (30, 120, 600, 3600)
BUSY_IS_NEWS_FROM = 3
# An operation that was seen for longer (seconds) is in nobody's way any more.
LONGEST_OPERATION = 300.0
NO_ANSWER = Accepted()
NO_TIME = timedelta(0)


class Result(StrEnum):
    """How a write ended."""

    ACCEPTED = "accepted"
    BUSY = "busy"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CHANGED = "changed meanwhile"
    LEFT = "left for the next run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write. ``error`` is set for all results but accepted and left."""

    write: Write
    result: Result
    error: OutsideError | None = None
    accepted: Accepted = NO_ANSWER

    @property
    def sentence(self) -> str:
        """One line for people."""
        return f"{self.write.sentence}: {self.error}" if self.error else self.write.sentence


def outcome_of(write: Write, error: OutsideError) -> Outcome:
    """The outcome that a failure means."""
    match error:
        case OutcomeUnknown():
            return Outcome(write, Result.UNKNOWN, error)
        case RetryLater():
            return Outcome(write, Result.BUSY, error)
        case Stale():
            return Outcome(write, Result.CHANGED, error)
        case _:
            return Outcome(write, Result.FAILED, error)


def intents(plan: Plan, now: datetime) -> tuple[Ownership, ...]:
    """The plan's rows with what is about to be written noted, before it is."""
    about = {arm_ids.key(w.pls_id): w for w in plan.writes}
    return tuple(
        _noted(row, about[key], now) if (key := arm_ids.key(row.pls_id)) in about else row
        for row in plan.ownership
    )


def _noted(row: Ownership, write: Write, now: datetime) -> Ownership:
    again = row.written_hash == content(write)
    return replace(
        row,
        nat_ips=() if _gives_addresses_anew(write) else row.nat_ips,
        written_hash=content(write),
        written_at=now,
        written_count=row.written_count + 1 if again else 1,
        attempts=row.attempts if again else 0,
        not_before=row.not_before if again else None,
        last_error=row.last_error if again else "",
        last_error_code=row.last_error_code if again else "",
    )


def _gives_addresses_anew(write: Write) -> bool:
    """Whether dynamic addresses will be others: perhaps as many, so that the old ones would pass for them."""
    return isinstance(write, PutPls) and any(change.property == NAT_IPS for change in write.changes)


def settle(
    before: Iterable[Ownership], noted: Iterable[Ownership], outcomes: Iterable[Outcome], now: datetime
) -> tuple[Ownership, ...]:
    """The rows after the writes. ``before`` are the plan's rows, ``noted`` the same with intents."""
    old = {arm_ids.key(row.pls_id): row for row in before}
    worst_last = sorted(outcomes, key=lambda o: o.result is not Result.ACCEPTED)
    ended = {arm_ids.key(o.write.pls_id): o for o in worst_last}
    return tuple(
        _settled(old[key], row, ended[key], now) if (key := arm_ids.key(row.pls_id)) in ended else row
        for row in noted
    )


def _settled(before: Ownership, noted: Ownership, outcome: Outcome, now: datetime) -> Ownership:
    error = outcome.error
    match outcome.result:
        case Result.ACCEPTED:
            return _accepted(noted, outcome, now)
        case Result.UNKNOWN:
            return noted
        case Result.LEFT:
            return before
        case Result.BUSY | Result.FAILED if isinstance(error, RetryLater) and error.throttled:
            return before
        case Result.BUSY | Result.FAILED | Result.CHANGED:
            return _failed(before, noted, outcome, now)


def _accepted(noted: Ownership, outcome: Outcome, now: datetime) -> Ownership:
    write, answer = outcome.write, outcome.accepted
    row = replace(noted, attempts=0, not_before=None, last_error="", last_error_code="")
    match write:
        case PutSubnet():
            return row
        case DeleteConnection():
            return replace(row, written_at=now)
        case DeletePls():
            return replace(row, written_at=now, state="Deleting")
        case PutPls():
            return replace(
                row,
                claim_hash=write.claim_hash or row.claim_hash,
                state=answer.provisioning_state or row.state,
                resource_guid=answer.resource_guid or row.resource_guid,
                alias=answer.alias or row.alias,
            )


def _failed(before: Ownership, noted: Ownership, outcome: Outcome, now: datetime) -> Ownership:
    """A write that was not done counts as a failed attempt, not as content written."""
    error = outcome.error
    attempts = noted.attempts + 1
    passing = isinstance(error, RetryLater | Stale)
    delays = BUSY_DELAYS if passing else REFUSED_DELAYS
    asked = (error.after or 0) if isinstance(error, RetryLater) else 0
    wait = max(asked, delays[min(attempts, len(delays)) - 1])
    moved = isinstance(outcome.write, PutPls) and outcome.write.reason is Reason.MOVE
    return replace(
        noted,
        written_count=max(noted.written_count - 1, 0),
        written_at=before.written_at,
        attempts=attempts,
        not_before=now + timedelta(seconds=wait),
        last_error="" if passing and attempts < BUSY_IS_NEWS_FROM else str(error),
        last_error_code="move" if moved and isinstance(error, Rejected) else error.code if error else "",
    )


def come_back(
    plan: Plan, rows: Iterable[Ownership], outcomes: Iterable[Outcome], now: datetime
) -> datetime | None:
    """When the next look is due at the latest; None where only the timer needs to look."""
    times = [plan.come_back] if plan.come_back else []
    waited = max((now - at for key, at in plan.sightings.items() if key.startswith(WAIT)), default=NO_TIME)
    for outcome in outcomes:
        if seconds := _seconds_until_look(outcome, waited):
            times.append(now + timedelta(seconds=seconds))
    times += [row.not_before for row in rows if row.attempts and row.not_before and row.not_before > now]
    return min(times, default=None)


def _seconds_until_look(outcome: Outcome, waited: timedelta) -> float:
    """Accepted is not done: a PUT takes seconds to minutes, and its event may never come.

    ``waited`` is how long the longest operation has been seen under way.
    """
    match outcome.result:
        case Result.ACCEPTED:
            return 1.0 if isinstance(outcome.write, PutSubnet) else 2.0
        case Result.UNKNOWN:
            return 5.0
        case Result.LEFT:  # for the next lease, or for operations in the way: the longer they take, the rarer
            return min(max(2.0, waited.total_seconds() / 2), 60.0)
        case Result.BUSY:
            asked = outcome.error.after if isinstance(outcome.error, RetryLater) else None
            return max(2.0, asked or 0.0)
        case Result.FAILED | Result.CHANGED:  # its row says when
            return 0.0


def lost_names(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """The ids that somebody else reserved between plan and write: their rows go."""
    return tuple(
        o.write.pls_id
        for o in outcomes
        if isinstance(o.write, PutPls) and o.write.created and isinstance(o.error, Conflict)
    )


def written(outcome: Outcome, cluster: str, run: str, now: datetime) -> HistoryEntry:
    """The history line of a write."""
    write = outcome.write
    return HistoryEntry(
        cluster=cluster,
        at=now,
        kind="write",
        reason=write.reason.value,
        sentence=outcome.sentence,
        service=write.service,
        frontend_id=frontend_of(write),
        pls_id="" if isinstance(write, PutSubnet) else write.pls_id,
        run=run,
        result=outcome.result.value,
    )


def found(finding: Finding, cluster: str, run: str, now: datetime) -> HistoryEntry:
    """The history line of a finding that is new."""
    return HistoryEntry(
        cluster=cluster,
        at=now,
        kind="finding",
        reason=finding.reason.value,
        sentence=finding.sentence,
        service=finding.service,
        frontend_id=finding.frontend_id,
        pls_id=finding.pls_id,
        run=run,
        result=finding.severity.value,
    )


def network_keys(write: Write) -> frozenset[str]:
    """What ARM serialises a write below: its load balancer and its virtual networks."""
    match write:
        case PutSubnet():
            return _networks(write.subnet_id)
        case PutPls():
            return _networks(write.frontend_id, *write.subnet_ids)
        case DeletePls() | DeleteConnection():
            return _networks(write.frontend_id)


def running(observed: Observed) -> Counter[str]:
    """How many of the cluster's operations were seen under way below each load balancer and virtual network.

    Not those of others, nor what has been going on for long: nobody's stuck operation holds writes back for good.
    """
    rows = {arm_ids.key(row.pls_id) for row in observed.ownership}
    oldest = observed.now - timedelta(seconds=LONGEST_OPERATION)
    return Counter(
        network
        for pls in known(observed.private_link_services)
        if pls.provisioning_state in IN_TRANSIT
        and (key := arm_ids.key(pls.id)) in rows
        and observed.sightings.get(f"{WAIT}{key}", observed.now) > oldest
        for network in _networks(pls.frontend_id, *(ip.subnet_id for ip in pls.nat_ips))
    )


def _networks(*children: str) -> frozenset[str]:
    return frozenset(arm_ids.key(arm_ids.load_balancer_of(child)) for child in children) - {""}
