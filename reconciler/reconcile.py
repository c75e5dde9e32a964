"""The shell around the core: observe, plan, apply, and a record of what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler import arm_ids, bookkeeping, context, logs, planning, settling
from reconciler.apply import Applied, Progress, Writer
from reconciler.bookkeeping import Outcome, Result
from reconciler.errors import OutsideError, Rejected, RetryLater, Stale
from reconciler.feedback import FedBack
from reconciler.gate import Gate
from reconciler.model import ClusterConfig, Limits, Ownership, Sharing, WriteBack, known
from reconciler.observe import Look, Outside, observe
from reconciler.plan import (
    Finding,
    Plan,
    PutPls,
    PutSubnet,
    Reason,
    Severity,
    frontend_of,
    not_written,
    title_of,
)
from reconciler.ports import Azure, Clock, Cluster, ClusterState, HistoryEntry, Ledger, Publication
from reconciler.publication import trouble
from reconciler.rendering import finding_json, instant, outcome_json, write_json
from reconciler.telemetry import OFF, Telemetry
from reconciler.telling import Telling, tellings

MAX_PLANS = 8
PARTIAL_RETRY = timedelta(seconds=30)
TOLD_LATER = timedelta(seconds=5)  # until the next run tells those whom this one had no time for


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a run needs, for all clusters. ``cluster_of`` and ``azure_of`` open the outside of one.

    ``ledger`` is None for plans without storage.
    """

    cluster_of: Callable[[ClusterConfig], Cluster]
    azure_of: Callable[[ClusterConfig], Azure]
    ledger: Ledger | None
    pool: Executor
    gate: Gate
    limits: Limits
    clock: Clock
    telemetry: Telemetry = OFF
    write_back: WriteBack = "status"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what was seen, what was planned, what became of it. ``publication`` is None where nothing is published."""

    config: ClusterConfig
    look: Look
    plan: Plan
    applied: Applied = field(default_factory=Applied)
    fed_back: FedBack = field(default_factory=FedBack)
    publication: Publication | None = None

    @property
    def come_back(self) -> datetime | None:
        """When the next look is due at the latest. A mode that never writes leaves that to the timer."""
        if self.config.mode == "plan":
            return None
        times = [t for t in (self.plan.come_back, self.applied.come_back) if t]
        if self.publication and self.publication.not_before:
            times.append(self.publication.not_before)
        if self.fed_back.left:
            times.append(self.look.observed.now + TOLD_LATER)
        if any(isinstance(error, RetryLater) for error in self.look.failures):
            times.append(self.look.observed.now + PARTIAL_RETRY)
        return min(times, default=None)

    @property
    def asked_wait(self) -> float | None:
        """The longest wait in seconds that a failing system asked for."""
        waits = [e.after for e in self.look.failures if isinstance(e, RetryLater) and e.after]
        return max(waits, default=None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the plan, what ARM refused just now (the next plan says that again while it stays so), and what
        the cluster, or the topic, refuses to be told."""
        return (*self.plan.findings, *_refusals(self), *_untold(self))

    @property
    def rows(self) -> tuple[Ownership, ...]:
        """The ledger's rows after the run; a mode that never writes leaves them as they are."""
        return self.look.memory.ownership if self.config.mode == "plan" else self.applied.rows

    @property
    def sharing(self) -> tuple[Sharing, ...]:
        """The same of the tenants."""
        return self.look.memory.sharing if self.config.mode == "plan" else self.plan.sharing

    @property
    def tellings(self) -> tuple[Telling, ...]:
        """What each Service is told; nothing where the look was incomplete, or the mode never writes."""
        if not self.look.complete or self.config.mode == "plan":
            return ()
        return tellings(self.rows, self.sharing, self.findings)

    @property
    def unsettled_before(self) -> datetime | None:
        """Since when the cluster was on its way to what is wished; None where it was settled."""
        return settling.unsettled_before(self.look.memory.state.last_run)

    def unsettled_after(self, wished: datetime | None) -> datetime | None:
        """The same after this run, which a wish of that moment has led to. Mode plan never goes anywhere."""
        if self.config.mode == "plan":
            return None
        if not self.look.complete:
            return self.unsettled_before
        last_run = self.look.memory.state.last_run
        return settling.unsettled_after(self.plan, last_run, wished or self.look.observed.now)


def dry_run(engine: Engine, config: ClusterConfig) -> Run:
    """Observe and plan; writes nothing anywhere."""
    outside = Outside(engine.cluster_of(config), engine.azure_of(config), engine.ledger, engine.pool)
    with context.about(cluster=config.name):
        look = observe(config, outside, engine.clock.now())
    return Run(config, look, planning.plan(look.observed, engine.limits))


def released(engine: Engine, run: Run, digest: str) -> Run:
    """The same look, planned again with what the brake held back let go."""
    look = replace(run.look, observed=replace(run.look.observed, released=digest))
    return replace(run, look=look, plan=planning.plan(look.observed, engine.limits))


def dry_runs(engine: Engine, configs: Sequence[ClusterConfig]) -> list[Run]:
    """Plans of several clusters, observed at the same time."""
    if len(configs) < 2:
        return [dry_run(engine, config) for config in configs]
    # Threads of their own: each waits for the engine's.
    with context.Threads(min(MAX_PLANS, len(configs))) as waiting:
        return list(waiting.map(lambda config: dry_run(engine, config), configs))


def reconcile(
    engine: Engine,
    config: ClusterConfig,
    may_start: Callable[[], bool],
    before_writes: Callable[[], None] = lambda: None,
    progress: Progress = lambda outcome: None,
) -> Run:
    """Observe, plan, apply. Raises OutsideError only where the ledger fails."""
    run = dry_run(engine, config)
    return carry_out(engine, run, may_start, before_writes, progress)


def carry_out(
    engine: Engine,
    run: Run,
    may_start: Callable[[], bool],
    before_writes: Callable[[], None] = lambda: None,
    progress: Progress = lambda outcome: None,
) -> Run:
    """Apply the plan of a dry run, exactly as it is."""
    if engine.ledger is None:
        raise ValueError("writes need a ledger")
    if not run.look.complete or run.config.mode == "plan":
        return run
    if run.plan.writes:
        before_writes()
    azure = engine.azure_of(run.config)
    writer = Writer(azure, engine.ledger, engine.gate, engine.pool, engine.clock, may_start)
    return replace(run, applied=writer.apply(run.plan, run.look.observed, progress))


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
    before = run.look.memory.state.last_run.get("findings")
    known_before = {_key(f) for f in before if isinstance(f, dict)} if isinstance(before, list) else set()
    return [
        f
        for f in (*run.plan.findings, *_untold(run))
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
        "writes": _writes_json(run),
        "held": [write_json(w) for w in plan.held],
        "findings": [finding_json(f) for f in run.findings],
        "failures": _sentences(run.look.failures),
        "comeBack": instant(run.come_back),
        settling.SINCE: instant(run.unsettled_after(wished)),
    }


def _untold(run: Run) -> tuple[Finding, ...]:
    return (*run.fed_back.findings, *trouble(run.config.name, run.publication))


def _refusals(run: Run) -> list[Finding]:
    told = {arm_ids.key(f.pls_id) for f in run.plan.findings if f.severity is Severity.ERROR and f.pls_id}
    return [
        _refusal(outcome)
        for outcome in run.applied.outcomes
        if outcome.result is Result.FAILED and arm_ids.key(outcome.write.pls_id) not in told
    ]


def _refusal(outcome: Outcome) -> Finding:
    """In the words of the next run, which knows it by the row: a refusal that lasts is told once."""
    write, reason = outcome.write, Reason.REJECTED
    match write:
        case PutPls():
            sentence = not_written(title_of(write.pls_id), write.service, str(outcome.error))
            if write.reason is Reason.MOVE and isinstance(outcome.error, Rejected):
                reason = Reason.MOVE_NOT_POSSIBLE
        case PutSubnet():
            title = title_of(write.pls_id, arm_ids.last_name(write.subnet_id))
            sentence = not_written(title, write.service, str(outcome.error))
        case _:
            sentence = f"could not {outcome.sentence}"
    return Finding(reason, Severity.ERROR, sentence, write.service, frontend_of(write), write.pls_id)


def _writes_json(run: Run) -> list[dict[str, Any]]:
    if run.applied.outcomes:
        return [_brief(o) for o in run.applied.outcomes]
    return [{**write_json(w), "result": "planned"} for w in run.plan.writes]


def _brief(outcome: Outcome) -> dict[str, Any]:
    return {k: v for k, v in outcome_json(outcome).items() if k != "changes"}


def _sentences(failures: Iterable[OutsideError]) -> list[str]:
    return sorted({str(failure) for failure in failures})[:20]
