"""The shell around the core: observe, plan, apply. What is written down of it is in :mod:`reconciler.recording`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler import arm_ids, context, planning, settling
from reconciler.apply import Applied, Progress, Writer
from reconciler.bookkeeping import Outcome, Result
from reconciler.errors import Rejected, RetryLater
from reconciler.feedback import FedBack
from reconciler.gate import Gate
from reconciler.model import ClusterConfig, Limits, Ownership, Sharing, WriteBack
from reconciler.observe import Look, Outside, observe
from reconciler.plan import (
    DeleteConnection,
    DeletePls,
    Finding,
    Plan,
    PutPls,
    PutSubnet,
    Reason,
    Severity,
    deleted_of,
    frontend_of,
    not_deleted,
    not_written,
    title_of,
)
from reconciler.ports import Azure, Clock, Cluster, Ledger, Publication
from reconciler.publication import trouble
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
        return (*self.plan.findings, *_refusals(self), *self.untold)

    @property
    def untold(self) -> tuple[Finding, ...]:
        """What the cluster, or the topic, refuses to be told."""
        return (*self.fed_back.findings, *trouble(self.config.name, self.publication))

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


def _refusals(run: Run) -> list[Finding]:
    told = {arm_ids.key(f.pls_id) for f in run.plan.findings if f.severity is Severity.ERROR and f.pls_id}
    refused = (o for o in run.applied.outcomes if o.result is Result.FAILED)
    found = (_refusal(outcome) for outcome in refused if arm_ids.key(outcome.write.pls_id) not in told)
    return list(dict.fromkeys(found))  # connections are many, and refused in the same words


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
        case DeletePls() | DeleteConnection():
            what = deleted_of(write.pls_id, isinstance(write, DeleteConnection))
            reason, sentence = Reason.FAILED, not_deleted(what, str(outcome.error))
    return Finding(reason, Severity.ERROR, sentence, write.service, frontend_of(write), write.pls_id)
