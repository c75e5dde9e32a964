"""The worker: what a message of the queue ``reconcile`` leads to. The protocol is :mod:`reconciler.wakeups`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler import context, poison, wakeups
from reconciler.errors import OutsideError, Stale
from reconciler.fencing import LeaseLost, fenced
from reconciler.keeping import keep
from reconciler.measures import age, wait_of, watched
from reconciler.model import ClusterConfig
from reconciler.ports import Documents, HistoryEntry, Lease, Ledger, Queue, WakeUp
from reconciler.publishing import Publishing
from reconciler.reconcile import Engine, Run, reconcile
from reconciler.recording import record, update_state
from reconciler.retention import Retention
from reconciler.telemetry import LEASE_WAITS, POISON, QUEUE_AGE, trigger
from reconciler.wakeups import PERSON, PROBE, Arrival, Busy, Drop, Ended, Park, Take
from reconciler.writing_back import WritingBack

# Gets the engine to use, the fence (whether another write may start) and what to call before the first write.
Work = Callable[[Engine, Callable[[], bool], Callable[[], None]], Run]
WriteDown = Callable[[Ledger, Documents | None, Run, Callable[[], bool]], Run]
TRIES = 10
log = logging.getLogger("reconciler")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a message: a sentence for the log, and the run where there was one."""

    sentence: str
    run: Run | None = None
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Worker:
    """Serves wake-ups. ``configs`` gives the clusters as configured now; ``new_id`` a fresh run id."""

    engine: Engine
    ledger: Ledger
    queue: Queue
    configs: Callable[[], Mapping[str, ClusterConfig]]
    new_id: Callable[[], str]
    lease_seconds: int = 120
    retention: Retention | None = None
    documents: Documents | None = None
    publishing: Publishing | None = None

    def handle(self, wake_up: WakeUp, inserted: datetime) -> Done:
        """Serve one message. Raises OutsideError where the ledger or the queue fails: let it be retried."""
        config = self.configs().get(wake_up.cluster)
        if config is None:
            return Done(f"cluster {wake_up.cluster} is not configured (any more): nothing is done")
        state = self.ledger.state(config.name)
        if state.paused:
            return Done(f"cluster {config.name} is paused: nothing is done")
        arrival = Arrival(wake_up, inserted)
        self._tell_age(arrival)
        try:
            with context.about(cluster=config.name):
                taken = self.take(arrival, config, state.digest)
        except Stale as lost:
            # Not raised: what is raised five times is poison, and others being quicker is no failure.
            # Told all the same: a service that refuses every write looks like this, too.
            log.warning("%s", lost)
            self.queue.send(wake_up, 1)
            return Done(f"{lost}: its message is sent again")
        if isinstance(taken, Done):
            return taken
        wished = wake_up.since or inserted
        return self.run(config, wake_up.reason, taken, lambda e, *fence: reconcile(e, config, *fence), wished)

    def take(self, arrival: Arrival, config: ClusterConfig, digest: str) -> Lease | Done:
        """The lease, or why there is nothing to do."""
        holder, lasts = self.new_id(), timedelta(seconds=self.lease_seconds)
        for _ in range(TRIES):
            now, found = self.engine.clock.now(), self.ledger.lease(config.name)
            decision = wakeups.arrive(arrival, found, now, holder, lasts)
            if isinstance(decision, Take) and self._is_idle_probe(arrival, found, config, digest):
                return Done(f"cluster {config.name}: no Service changed")
            for message in decision.messages:
                parked = isinstance(decision, Park)
                self.send(replace(message, since=arrival.wake_up.since) if parked else message, now)
            if isinstance(decision, Drop):
                return self._waits(arrival, found, now, decision.why)
            try:
                written = self.ledger.write_lease(decision.lease)
            except Stale:
                continue
            match decision:
                case Take():
                    return written
                case Busy():
                    return self._waits(arrival, found, now, "a run is under way; it looks again afterwards")
                case Park():
                    until = f"{decision.due:%H:%M:%S} UTC"
                    return self._waits(arrival, found, now, f"backs off or rests until {until}")
        raise Stale(f"the lease of cluster {config.name} changed {TRIES} times while it was being taken")

    def _waits(self, arrival: Arrival, found: Lease, now: datetime, words: str) -> Done:
        """A message that does not lead to a run, or not yet."""
        cluster = arrival.wake_up.cluster
        if wait := wait_of(arrival, found, now):
            self.engine.telemetry.tell(LEASE_WAITS, 1, cluster=cluster, wait=wait)
        return Done(f"cluster {cluster}: {words}")

    def _tell_age(self, arrival: Arrival) -> None:
        waited, why = age(arrival, self.engine.clock.now()), trigger(arrival.wake_up.reason)
        self.engine.telemetry.tell(QUEUE_AGE, waited, cluster=arrival.wake_up.cluster, trigger=why)

    def _is_idle_probe(self, arrival: Arrival, found: Lease, config: ClusterConfig, digest: str) -> bool:
        """A holder that died left work behind, and messages that trusted it to look again."""
        return arrival.wake_up.reason == PROBE and not found.holder and not self._changed(config, digest)

    def _changed(self, config: ClusterConfig, digest: str) -> bool:
        """Whether any LoadBalancer Service differs from the last look; a cluster that fails is looked at."""
        try:
            return self.engine.cluster_of(config).digest() != digest
        except OutsideError:
            return True

    def renew(self, taken: Lease) -> Lease:
        """A lease as long as a fresh one, for the writes. The old one, ended, where somebody else took over.

        The guard for its end is sent first: should this process die, it wakes the cluster.
        """
        now, lasts = self.engine.clock.now(), timedelta(seconds=self.lease_seconds)
        self.send(wakeups.guard(replace(taken, until=now + lasts)), now)
        for _ in range(TRIES):
            renewed = wakeups.renew(taken, self.ledger.lease(taken.cluster), now, lasts)
            if renewed is None:
                return replace(taken, until=now)
            try:
                return self.ledger.write_lease(renewed)
            except Stale:
                continue
        return taken

    def send(self, wake_up: WakeUp, now: datetime) -> None:
        """Send; a message that is due later becomes visible then."""
        delay = (wake_up.due - now).total_seconds() if wake_up.due else 0.0
        self.queue.send(wake_up, max(0.0, delay))

    def send_all(self, wake_ups: Iterable[WakeUp], now: datetime) -> None:
        """Side by side: one after another, thousands of clusters take longer than the timer's interval."""
        list(self.engine.pool.map(lambda wake_up: self.send(wake_up, now), wake_ups))

    def run(
        self, config: ClusterConfig, reason: str, taken: Lease, work: Work, wished: datetime | None = None
    ) -> Done:
        """Do the work under the lease, write down what came of it, release.

        ``wished`` is when what has led to the run happened, as far as it is known.
        """
        engine, run_id = self.engine, self.new_id()

        def write_down(
            ledger: Ledger, documents: Documents | None, run: Run, may_start: Callable[[], bool]
        ) -> Run:
            back = WritingBack(engine, run, may_start, person=reason == PERSON)
            back.tell()
            told = replace(run, fed_back=back.done())
            kept = keep(
                documents, told, always=reason == PERSON, tell=back.tell_events if back.tells_events else None
            )
            told = replace(run, fed_back=back.done())
            record(ledger, told, run_id, reason, engine.clock.now(), wished, kept)
            return told

        with watched(engine.telemetry, engine.clock, config.name, reason, run_id, wished) as ended:
            run = self._run(taken, work, write_down, person=reason == PERSON)
            ended(run)
        if run is None:
            # Who took it began to look after this message came.
            return Done(f"cluster {config.name}: the run outlasted its lease, and another has taken over")
        return Done(_sentence(run), run, run_id)

    def _run(self, taken: Lease, work: Work, write_down: WriteDown, *, person: bool) -> Run | None:
        """None where another has taken over."""
        hold = Hold(self, taken)
        ledger = fenced(self.ledger, hold.is_ours)
        documents = fenced(self.documents, hold.is_ours) if self.documents else None
        try:
            run = work(replace(self.engine, ledger=ledger), hold.may_write, hold.before_writes)
            if self.publishing:
                run = self.publishing.tell(run, hold.is_ours, hold.may_write, at_once=person)
            run = write_down(ledger, documents, run, hold.may_write)
        except LeaseLost:
            return None
        except BaseException:
            hold.end()
            self._give_up(taken)
            raise
        self._release(taken, self._ended(run, taken))
        return run

    def _ended(self, run: Run, taken: Lease) -> Ended:
        now = self.engine.clock.now()
        if run.look.complete:
            return Ended(True, run.come_back, run.applied.back_off)
        pause = wakeups.back_off(taken.failures, run.asked_wait)
        return Ended(False, None, now + timedelta(seconds=pause))

    def _release(self, taken: Lease, ended: Ended) -> None:
        """Send first, then release; again when somebody noted a wish meanwhile."""
        for _ in range(TRIES):
            now = self.engine.clock.now()
            release = wakeups.release(taken, self.ledger.lease(taken.cluster), ended, now)
            if release is None:
                return
            for message in release.messages:
                self.send(message, now)
            try:
                self.ledger.write_lease(release.lease)
                return
            except Stale:
                continue

    def _give_up(self, taken: Lease) -> None:
        """A run that broke: release, so that the next message need not wait for the lease to end.

        Where that fails too, the guard message wakes the cluster after the lease.
        """
        now = self.engine.clock.now()
        pause = timedelta(seconds=wakeups.back_off(taken.failures, None))
        try:
            self._release(taken, Ended(False, None, now + pause))
        except OutsideError:
            self.send(wakeups.guard(taken), now)

    def poison(self, cluster: str, words: str) -> None:
        """Record a message that failed for good, for history and status; "" where it names no cluster of ours.

        Raises OutsideError where the history cannot be written; then nothing was.
        """
        sentence = f"a message of the queue failed for good and was set aside: {words[:1000]}"
        now = self.engine.clock.now()
        self.ledger.add_history([HistoryEntry(cluster, now, "poison", "Poison", sentence)])
        self.engine.telemetry.tell(POISON, 1, cluster=cluster)
        try:
            update_state(self.ledger, cluster, lambda state: poison.counted(state, now))
        except OutsideError as error:
            # Not raised: the message would come again, and be told in the history once more.
            log.warning(
                "status does not show a poison message of cluster %s: %s", cluster or "unknown", error
            )


@dataclass(slots=True)
class Hold:
    """The lease of one run. Looking may have taken most of it, so that it is renewed before the first write."""

    worker: Worker
    lease: Lease

    def may_write(self) -> bool:
        """The fence."""
        return wakeups.may_write(self.lease, self.worker.engine.clock.now())

    def is_ours(self) -> bool:
        """Whether nobody has taken over. The row is read only when the lease has run out."""
        if wakeups.held(self.lease, self.worker.engine.clock.now()):
            return True
        current = self.worker.ledger.lease(self.lease.cluster)
        return wakeups.is_same_hold(self.lease, current)

    def before_writes(self) -> None:
        """Renew the lease."""
        self.lease = self.worker.renew(self.lease)

    def end(self) -> None:
        """Let no write start any more: threads of a run that broke go on, though its lease is about to be released."""
        self.lease = replace(self.lease, until=self.worker.engine.clock.now())


def _sentence(run: Run) -> str:
    if not run.look.complete:
        reasons = "; ".join(f.sentence for f in run.plan.findings)
        return f"cluster {run.config.name}: {reasons}"
    results = [o.result.value for o in run.applied.outcomes]
    counts = ", ".join(f"{results.count(r)} {r}" for r in sorted(set(results))) or "nothing to write"
    return f"cluster {run.config.name}: {counts}; {len(run.plan.findings)} findings"
