"""``apply``: under the same lease as the functions, observe anew, show the plan, carry out that very value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler import arm_ids, wakeups, wiring
from reconciler.api import RELEASE_FOR, not_offered
from reconciler.bookkeeping import Outcome, Result
from reconciler.cli import codes
from reconciler.cli.screen import Screen, Steps
from reconciler.cli.session import Session, mistake
from reconciler.errors import OutsideError, Rejected, RetryLater
from reconciler.lines import line
from reconciler.model import ClusterConfig
from reconciler.plan import DeletePls, PutPls
from reconciler.ports import ClusterState, Lease, WakeUp
from reconciler.reconcile import Engine, Run, carry_out, dry_run, released
from reconciler.recording import decide, report_of
from reconciler.rendering import VERSION, outcome_text, plan_json, plan_lines
from reconciler.settling import settled
from reconciler.wakeups import Arrival
from reconciler.worker import Done, Worker

POLL_SECONDS = 1.0
RESULTS = {Result.ACCEPTED: "ok", Result.FAILED: "error"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a person wants it applied. ``timeout`` in seconds; the texts are "" where not given."""

    expect: str = ""
    force: str = ""
    accept_identity: str = ""
    no_wait: bool = False
    timeout: int = 900


def apply_plans(session: Session, wanted: Wanted) -> int:
    """Apply cluster by cluster; returns the worst code."""
    screen, configs = session.screen, session.configs
    if len(configs) > 1 and (wanted.expect or wanted.force or wanted.accept_identity):
        raise mistake("--expect, --force and --accept-identity are about one cluster: add --cluster NAME")
    worker = wiring.app(session.settings, session.out).worker
    with screen.progress("applying", len(configs)) as steps:
        rounds = [Rounds(worker, config, wanted, screen) for config in configs]
        results = [_guarded(each, steps) for each in rounds]
    if screen.json:
        screen.document({"version": VERSION, "runs": [each.report for each in rounds]})
    return codes.worst([*results, *session.not_all])


def _guarded(rounds: Rounds, steps: Steps) -> int:
    """One cluster's failure must not keep the others waiting."""
    name = rounds.config.name
    steps.say(f"applying {name}")
    try:
        return rounds.apply()
    except OutsideError as error:
        rounds.screen.complain(f"Error: cluster {name}: {error}")
        told = {"code": error.code, "message": str(error)}
        rounds.report = {**(rounds.report or {"cluster": name}), "error": told}
        return codes.ERROR
    finally:
        steps.done()


@dataclass(slots=True)
class Rounds:
    """The runs that ``apply`` takes for one cluster. ``report`` is what JSON output tells of them."""

    worker: Worker
    config: ClusterConfig
    wanted: Wanted
    screen: Screen
    report: dict[str, Any] | None = None
    written: set[str] = field(default_factory=set)
    failed: bool = False
    unexpected: bool = False

    def apply(self) -> int:
        """Run until everything has settled. Raises OutsideError where the ledger fails."""
        self._permit()
        deadline = self._now() + timedelta(seconds=self.wanted.timeout)
        first = True
        while True:
            run = self._round(first, deadline)
            if self.unexpected:
                return codes.UNEXPECTED
            if (
                self.wanted.no_wait
                or not run.look.complete
                or self.config.mode == "plan"
                or settled(run.plan)
            ):
                self._tell_end(run)
                return self._code(run)
            due = self._next_look(run)
            if due > deadline:
                self.talk(
                    f"{self.config.name}: not settled after {self.wanted.timeout} s; it goes on without you"
                )
                return codes.WRITES
            self._wait(due)
            first = False

    def talk(self, text: str, kind: str = "") -> None:
        """A sentence on the way."""
        self.screen.tell([line(kind, text)])

    def _wait(self, due: datetime) -> None:
        with self.screen.progress(f"{self.config.name}: waiting for Azure, next look at {due:%H:%M:%S} UTC"):
            time.sleep(max(0.1, (due - self._now()).total_seconds()))

    def _now(self) -> datetime:
        return self.worker.engine.clock.now()

    def _next_look(self, run: Run) -> datetime:
        """When the run wants to come back; at once after a refusal, which the next plan shows as settled."""
        soon = self._now() + timedelta(seconds=POLL_SECONDS)
        refused = any(outcome.result is Result.FAILED for outcome in run.applied.outcomes)
        return soon if refused or run.come_back is None else run.come_back

    def _tell_end(self, run: Run) -> None:
        """What became of the Private Link Services that were written."""
        rows = {arm_ids.key(row.pls_id): row for row in run.plan.ownership}
        for key in sorted(self.written):
            row = rows.get(key)
            state = f"{row.state}, alias {row.alias}" if row and row.alias else row.state if row else "gone"
            self.talk(f"  {arm_ids.last_name(row.pls_id if row else key)}: {state}")

    def _permit(self) -> None:
        """What the person allows: another identity. Raises Rejected for one not offered, or where paused."""
        state = self.worker.ledger.state(self.config.name)
        if state.paused:
            raise Rejected("it is paused; resume it first (plsctl resume)", code="Paused")
        if uid := self.wanted.accept_identity:
            if uid != state.offered:
                raise Rejected(f"it offers {not_offered(state, uid)}", code="OtherIdentity")
            self._decide(lambda s: replace(s, identity=uid, offered=""), f"the identity {uid} was accepted")

    def _release(self, run: Run, digest: str) -> Run:
        """Let go what is held: the same look, planned again. What was shown as held is all that is added."""
        until = self._now() + RELEASE_FOR
        self._decide(
            lambda s: replace(s, released=digest, released_until=until),
            f"the held deletes {digest} were released",
        )
        run = released(self.worker.engine, run, digest)
        self.talk(f"{self.config.name}: {digest} is released; this is carried out:")
        self.screen.tell(plan_lines(run.plan, self.config.mode))
        return run

    def _decide(self, change: Callable[[ClusterState], ClusterState], sentence: str) -> None:
        decide(self.worker.ledger, self.config.name, self._now(), change, sentence)

    def _round(self, first: bool, deadline: datetime) -> Run:
        taken = self._lease(deadline)
        done = self.worker.run(self.config, wakeups.PERSON, taken, lambda *given: self._work(first, *given))
        if done.run is None:
            raise RetryLater(done.sentence)
        self._remember(done, done.run, first)
        return done.run

    def _lease(self, deadline: datetime) -> Lease:
        """The lease, waited for while somebody else has it."""
        told = False
        while True:
            now = self._now()
            taken = self.worker.take(Arrival(WakeUp(self.config.name, wakeups.PERSON), now), self.config, "")
            if not isinstance(taken, Done):
                return taken
            if now >= deadline:
                raise RetryLater(f"{taken.sentence}; it did not end in time")
            if not told:
                self.talk(f"{self.config.name}: another run is under way, waiting for it")
                told = True
            time.sleep(POLL_SECONDS)

    def _work(
        self, first: bool, engine: Engine, may_start: Callable[[], bool], before: Callable[[], None]
    ) -> Run:
        run = dry_run(engine, self.config)
        if first or not run.plan.empty:
            self.screen.tell(plan_lines(run.plan, self.config.mode))
        if first and self._differs(run):
            self.unexpected = True
            return run
        if first and self.wanted.force:
            run = self._release(run, self.wanted.force)
        return carry_out(engine, run, may_start, before, self._progress)

    def _differs(self, run: Run) -> bool:
        expected = self.wanted.expect
        if expected and run.plan.digest != expected:
            self.talk(
                f"{self.config.name}: expected {expected}, the plan is {run.plan.digest}; nothing is written"
            )
            return True
        if self.wanted.force and self.wanted.force != run.plan.held_digest:
            held = run.plan.held_digest or "nothing"
            self.talk(f"{self.config.name}: held back is {held}, not {self.wanted.force}; nothing is written")
            return True
        return False

    def _progress(self, outcome: Outcome) -> None:
        if isinstance(outcome.write, PutPls | DeletePls) and outcome.result is Result.ACCEPTED:
            self.written.add(arm_ids.key(outcome.write.pls_id))
        self.failed = self.failed or outcome.result is Result.FAILED
        self.talk(outcome_text(outcome), RESULTS.get(outcome.result, "warning"))

    def _remember(self, done: Done, run: Run, first: bool) -> None:
        report = report_of(run, done.run_id, wakeups.PERSON, self._now())
        if first or self.report is None:
            self.report = {"plan": plan_json(run.plan, self.config.mode), **report}
        else:
            writes = [*self.report["writes"], *report["writes"]]
            self.report = {"plan": self.report["plan"], **report, "writes": writes}

    def _code(self, run: Run) -> int:
        if self.failed or not run.look.complete:
            return codes.ERROR
        if run.plan.held or run.plan.after or (self.config.mode == "plan" and run.plan.writes):
            return codes.WRITES
        if any(outcome.result is not Result.ACCEPTED for outcome in run.applied.outcomes):
            return codes.WRITES
        return codes.FINDINGS if run.plan.findings else codes.DONE
