"""Publishes what has come about in a cluster, at least once, under the lease of its run.

Compared is with a record of what events have told so far, beside the status document and apart from it: a topic may
be down for days, and what the record lacks is told then. Publish, write the record, then its digest into the state
row: a run that dies in between is made up for by the next, with events of the same ids. Where the digest says that
there is nothing new, nothing is called. No failure here fails a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reconciler import published
from reconciler.errors import OutsideError, Rejected
from reconciler.fencing import fenced
from reconciler.model import Json
from reconciler.ports import Clock, Documents, Publication, Publisher
from reconciler.publication import put_off
from reconciler.reconcile import Run
from reconciler.transitions import Told, transitions

PATIENCE = timedelta(seconds=20)  # of one run with a slow topic; the next one goes on
NEXT = timedelta(seconds=5)
TOPIC, RECORD = "the topic", "the storage of what was published"
log = logging.getLogger("reconciler")


class _Failed(Exception):
    """A try that failed, and where."""

    def __init__(self, where: str, error: OutsideError) -> None:
        super().__init__(where)
        self.where, self.error = where, error


@dataclass(frozen=True, slots=True)
class Publishing:
    """Publishes to one topic; ``records`` holds what each cluster's events have told so far."""

    publisher: Publisher
    records: Documents
    clock: Clock

    def tell(
        self, run: Run, is_ours: Callable[[], bool], may_start: Callable[[], bool], *, at_once: bool = False
    ) -> Run:
        """The run, with how far its events are published. Raises LeaseLost where the lease is no longer ours.

        ``may_start`` is the fence. A topic that failed is left alone for a while, unless it is to be tried ``at_once``.
        """
        if run.config.mode == "plan":
            return run
        before = run.look.memory.state.publication
        if not run.look.complete:
            return replace(run, publication=before)
        after = published.told_now(run.tellings, run.rows)
        digest = published.told_digest(after)
        if digest == before.digest:
            return replace(run, publication=Publication(digest))
        if before.not_before and self.clock.now() < before.not_before and not at_once:
            return replace(run, publication=before)
        ours = replace(self, publisher=fenced(self.publisher, is_ours), records=fenced(self.records, is_ours))
        return replace(run, publication=ours._try(run, before, after, may_start))

    def _try(self, run: Run, before: Publication, after: Told, may_start: Callable[[], bool]) -> Publication:
        name = run.config.name
        try:
            done = self._publish(run, before, after, may_start)
        except _Failed as failed:
            if not before.failures:  # the finding warns; here is what was answered
                log.info("events of cluster %s are not published: %s", name, failed.error)
            return put_off(before, failed.error, failed.where, self.clock.now())
        if before.failures:
            log.info("events of cluster %s are published again", name)
        return done

    def _publish(
        self, run: Run, before: Publication, after: Told, may_start: Callable[[], bool]
    ) -> Publication:
        """Events first, then the record of what was told. Raises _Failed, LeaseLost."""
        name, now = run.config.name, self.clock.now()
        told, number = published.told_before(self._record_of(name))
        come_about = transitions(told, after, run.applied.outcomes)
        events = published.events(name, come_about, after, number, now)
        unsent = self._send(events, lambda: may_start() and self.clock.now() <= now + PATIENCE)
        again = self.clock.now() + NEXT if unsent else None
        if unsent and len(unsent) == len(events):
            return Publication(before.digest, not_before=again)
        reached = published.reached(told, after, unsent)
        try:
            self.records.write(name, published.record(name, reached, number + 1))
        except OutsideError as error:
            raise _Failed(RECORD, error) from error
        return Publication(published.told_digest(reached), not_before=again)

    def _record_of(self, cluster: str) -> Json | None:
        try:
            return self.records.read(cluster)
        except Rejected as error:
            log.warning("all that is there in cluster %s is told anew: %s", cluster, error)
            return None
        except OutsideError as error:
            raise _Failed(RECORD, error) from error

    def _send(self, events: Sequence[Json], goes_on: Callable[[], bool]) -> Sequence[Json]:
        """Batch after batch while there is time; those that were not tried."""
        sent = 0
        for batch in published.batches(events):
            if not goes_on():
                break
            try:
                self.publisher.publish(batch)
            except OutsideError as error:
                raise _Failed(TOPIC, error) from error
            sent += len(batch)
        return events[sent:]
