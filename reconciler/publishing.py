"""Publishes what has come about in a cluster, at least once, under the lease of its run.

Compared is with a record of what events have told so far, beside the status document and apart from it: a topic may
be down for days, and what the record lacks is told then. Publish, write the record, then its digest into the state
row: a run that dies in between is made up for by the next, with events of the same ids. Where the digest says that
there is nothing new, nothing is called. No failure here fails a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler import published
from reconciler.errors import OutsideError, Rejected, RetryLater
from reconciler.fencing import fenced
from reconciler.model import Json
from reconciler.ports import Clock, Documents, Publication, Publisher
from reconciler.publication import put_off
from reconciler.reconcile import Run
from reconciler.transitions import Told, transitions

PATIENCE = timedelta(seconds=20)  # of one run; a slow topic must not cost the lease
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

    def tell(self, run: Run, is_ours: Callable[[], bool], *, at_once: bool = False) -> Run:
        """The run, with how far its events are published. Raises LeaseLost where the lease is no longer ours.

        A topic that failed is left alone for a while, unless it is to be tried ``at_once``.
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
        fence = replace(
            self, publisher=fenced(self.publisher, is_ours), records=fenced(self.records, is_ours)
        )
        return replace(run, publication=fence._try(run, before, after, digest))

    def _try(self, run: Run, before: Publication, after: Told, digest: str) -> Publication:
        name, now = run.config.name, self.clock.now()
        try:
            sent = self._publish(run, after, now)
        except _Failed as failed:
            if not before.failures:
                log.info(
                    "events of cluster %s are not published: %s", name, failed.error
                )  # the finding warns
            return put_off(before, failed.error, failed.where, self.clock.now())
        if before.failures:
            log.info("events of cluster %s are published again: %d", name, sent)
        return Publication(digest)

    def _publish(self, run: Run, after: Told, now: datetime) -> int:
        """How many events there were. Raises _Failed, LeaseLost."""
        name = run.config.name
        told, number = published.told_before(self._record_of(name))
        come_about = transitions(told, after, run.applied.outcomes)
        events = published.events(name, come_about, after, number, now)
        self._send(events, now + PATIENCE)
        try:
            self.records.write(name, published.record(name, after, number + 1))
        except OutsideError as error:
            raise _Failed(RECORD, error) from error
        return len(events)

    def _record_of(self, cluster: str) -> Json | None:
        try:
            return self.records.read(cluster)
        except Rejected as error:
            log.warning("all that is there in cluster %s is told anew: %s", cluster, error)
            return None
        except OutsideError as error:
            raise _Failed(RECORD, error) from error

    def _send(self, events: Iterable[Json], until: datetime) -> None:
        for batch in published.batches(events):
            if self.clock.now() > until:
                raise _Failed(TOPIC, RetryLater("the topic is too slow for the events of one run"))
            try:
                self.publisher.publish(batch)
            except OutsideError as error:
                raise _Failed(TOPIC, error) from error
