"""What is written down of a run, and of a person's decision: the cluster's state row, history, log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from reconciler import bookkeeping, logs, settling
from reconciler.bookkeeping import Outcome, Result
from reconciler.errors import OutsideError, Stale
from reconciler.lenient import objects
from reconciler.model import known
from reconciler.plan import Finding, Severity
from reconciler.ports import ClusterState, HistoryEntry, Ledger
from reconciler.reconcile import Run
from reconciler.rendering import finding_json, instant, outcome_json, write_json


def record(
    ledger: Ledger,
    run: Run,
    run_id: str,
    reason: str,
    finished: datetime,
    wished: datetime | None = None,
    document: str = "",
) -> None:
    """Write down how a run ended: the cluster's state, and history and log lines for writes and new findings.

    ``wished`` is when what has led to the run happened, as far as it is known; ``document`` the digest of the
    status document.
    """
    begun, fresh = _begun(run), _fresh(run)
    logs.tell(begun, fresh)
    entries = [
        *(bookkeeping.written(outcome, run.config.name, run_id, finished) for outcome in begun),
        *(bookkeeping.found(finding, run.config.name, run_id, finished) for finding in fresh),
    ]
    if entries:
        ledger.add_history(entries)
    report = report_of(run, run_id, reason, finished, wished)
    update_state(ledger, run.config.name, lambda state: _after(state, run, report, document))


def _after(state: ClusterState, run: Run, report: dict[str, Any], document: str) -> ClusterState:
    first = not state.identity and run.look.complete
    other = bool(run.look.identity and state.identity and run.look.identity != state.identity)
    used = bool(state.released) and run.look.observed.released == state.released and not run.plan.held
    return replace(
        state,
        identity=run.look.identity if first else state.identity,
        offered=run.look.identity if other else "",
        digest=run.fed_back.digest or run.look.digest or state.digest,
        denied=dict(run.fed_back.denied),
        sightings=dict(run.plan.sightings),
        released="" if used else state.released,
        released_until=None if used else state.released_until,
        document=document,
        publication=run.publication or state.publication,
        last_run=report,
    )


def update_state(
    ledger: Ledger, cluster: str, change: Callable[[ClusterState], ClusterState], tries: int = 8
) -> ClusterState:
    """Change a cluster's state row, again when somebody else wrote first. Raises Stale after ``tries``."""
    for _ in range(tries - 1):
        try:
            return ledger.write_state(change(ledger.state(cluster)))
        except Stale:
            continue
    return ledger.write_state(change(ledger.state(cluster)))


def decide(
    ledger: Ledger,
    cluster: str,
    now: datetime,
    change: Callable[[ClusterState], ClusterState],
    sentence: str,
) -> None:
    """A person's decision about a cluster: change its state row, and write that into the history."""
    update_state(ledger, cluster, change)
    ledger.add_history([HistoryEntry(cluster, now, "person", "Person", sentence)])


def _begun(run: Run) -> list[Outcome]:
    return [outcome for outcome in run.applied.outcomes if outcome.result is not Result.LEFT]


def _fresh(run: Run) -> list[Finding]:
    """What was found now, and not in the run before."""
    known_before = {_key(f) for f in objects(run.look.memory.state.last_run, "findings")}
    return [
        f
        for f in (*run.plan.findings, *run.untold)
        if f.severity is not Severity.INFO and _key(finding_json(f)) not in known_before
    ]


def _key(finding: dict[str, Any]) -> tuple[str, ...]:
    """What makes a finding the same one in the next run; sentences tell times."""
    return tuple(str(finding.get(k)) for k in ("reason", "service", "frontend", "privateLinkService"))


def report_of(
    run: Run, run_id: str, reason: str, finished: datetime, wished: datetime | None = None
) -> dict[str, Any]:
    """A run as JSON values, for the state row and for status."""
    seen, plan = run.look.observed, run.plan
    return {
        "run": run_id,
        "reason": reason,
        "began": instant(seen.now),
        "seconds": round((finished - seen.now).total_seconds(), 2),
        "complete": run.look.complete,
        "mode": run.config.mode,
        "scope": "resource groups" if seen.groups else "subscription",
        "services": len(known(seen.services)),
        "frontends": sum(len(lb.frontends) for lb in known(seen.load_balancers)),
        "digest": plan.digest,
        "heldDigest": plan.held_digest,
        "writes": _brief(run),
        "held": [write_json(w) for w in plan.held],
        "findings": [finding_json(f) for f in run.findings],
        "failures": _sentences(run.look.failures),
        "comeBack": instant(run.come_back),
        settling.SINCE: instant(run.unsettled_after(wished)),
    }


def writes_json(run: Run) -> list[dict[str, Any]]:
    """What became of each write; in mode ``plan``, what would be written."""
    if run.applied.outcomes:
        return [outcome_json(outcome) for outcome in run.applied.outcomes]
    return [{**write_json(write), "result": "planned"} for write in run.plan.writes]


def _brief(run: Run) -> list[dict[str, Any]]:
    """The same for the state row, whose space is short: the status document has what was changed."""
    left_out = {"changes"} if run.applied.outcomes else set()
    return [{k: v for k, v in write.items() if k not in left_out} for write in writes_json(run)]


def _sentences(failures: Iterable[OutsideError]) -> list[str]:
    return sorted({str(failure) for failure in failures})[:20]
