"""Tells Services what became of them: writes what :mod:`reconciler.feedback` finds, under the fence of a run.

Nothing of it fails the run: what could not be told still differs at the next one. What the cluster's role refuses is
left alone for a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from reconciler import feedback, reading
from reconciler.errors import Denied, NotFound, OutsideError, Rejected, Stale
from reconciler.feedback import ANNOTATIONS, EVENTS, STATUS, AnnotationsPatch, ConditionPatch, FedBack
from reconciler.model import Service, WriteBack, known
from reconciler.reconcile import Engine, Run
from reconciler.transitions import Told, told_now, transitions

MOST_PATCHES, MOST_EVENTS = 500, 200  # of one run: it must not outlive its lease
AT_ONCE = 16
TRY_AGAIN = timedelta(days=1)
FORBIDDEN = "Forbidden"
log = logging.getLogger("reconciler")
T = TypeVar("T")


class WritingBack:
    """The telling of one run. ``may_start`` is the fence; ``person`` says that somebody asked for the run."""

    def __init__(self, engine: Engine, run: Run, may_start: Callable[[], bool], *, person: bool) -> None:
        self._engine, self._run, self._may_start = engine, run, may_start
        self._services = known(run.look.observed.services)
        self._cluster = engine.cluster_of(run.config)
        self._denied = {} if person else self._still_denied()
        self._versions: dict[str, str] = {}
        self._left, self._stopped = 0, not run.look.complete or run.config.mode == "plan"

    @property
    def _mode(self) -> WriteBack:
        return self._run.config.write_back or self._engine.write_back

    @property
    def tells_events(self) -> bool:
        """Whether it is worth while to find out what has come about."""
        return not self._stopped and self._may(EVENTS)

    def tell(self) -> None:
        """Conditions, and annotations where they are wished for."""
        tellings, now = self._run.tellings, self._now()
        if self._may(STATUS):
            self._write(
                STATUS, feedback.condition_patches(self._services, tellings, now), self._set_condition
            )
        if self._may(ANNOTATIONS):
            prefix = self._run.config.pls_prefix
            self._write(
                ANNOTATIONS,
                feedback.annotation_patches(self._services, tellings, prefix),
                self._set_annotations,
            )

    def tell_events(self, before: Told | None) -> None:
        """Events of what has come about since ``before``."""
        if not self.tells_events:
            return
        after = told_now(self._run.tellings, self._run.rows)
        come_about = transitions(before, after, self._run.applied.outcomes)
        found = feedback.events(come_about, self._services, self._now())
        self._write(EVENTS, found[:MOST_EVENTS], self._cluster.record_event)

    def done(self) -> FedBack:
        """What became of it."""
        versions = ((s.uid, self._versions.get(s.uid, s.resource_version)) for s in self._services)
        return FedBack(
            digest=reading.digest(versions) if self._versions else "",
            denied=dict(self._denied),
            findings=feedback.refusals(self._run.config.name, self._denied),
            left=self._left,
        )

    def _now(self) -> datetime:
        return self._engine.clock.now()

    def _may(self, kind: str) -> bool:
        """Whether it is wished for, and not refused lately."""
        return kind in _kinds(self._mode) and kind not in self._denied

    def _still_denied(self) -> dict[str, datetime]:
        denied, since = self._run.look.memory.state.denied, self._now() - TRY_AGAIN
        return {kind: at for kind, at in denied.items() if at > since and kind in _kinds(self._mode)}

    def _set_condition(self, patch: ConditionPatch) -> None:
        found = self._cluster.patch_status(patch.service.ref, patch.condition)
        self._note(patch.service, found)

    def _set_annotations(self, patch: AnnotationsPatch) -> None:
        found = self._cluster.patch_annotations(patch.service.ref, patch.annotations)
        self._note(patch.service, found)

    def _note(self, seen: Service, found: Service) -> None:
        """The version that our own patch made, so that the probe does not take it for somebody's change.

        Where somebody did change the Service since it was seen, the probe shall find that.
        """
        if feedback.same_but_told(seen, found, self._run.config.pls_prefix):
            self._versions[seen.uid] = found.resource_version
        else:
            self._versions.pop(seen.uid, None)

    def _write(self, kind: str, items: Sequence[T], write: Callable[[T], None]) -> None:
        """Write them side by side. The first goes alone: where it is refused by the role, so are the others."""
        begun = 0
        for batch in _batches(items[:MOST_PATCHES]):
            if self._stopped or not self._may_start():
                break
            errors = list(self._engine.pool.map(partial(self._one, write), batch))
            begun += len(batch)
            if any(isinstance(e, Denied) and e.code == FORBIDDEN for e in errors):
                self._denied[kind] = self._now()
                return
            self._tell_trouble(errors)
        if kind != EVENTS and not self._stopped:
            self._left += len(items) - begun

    def _one(self, write: Callable[[T], None], item: T) -> OutsideError | None:
        try:
            if self._may_start():
                write(item)
        except OutsideError as error:
            return error
        return None

    def _tell_trouble(self, errors: Iterable[OutsideError | None]) -> None:
        """Gone: the next run sees it. Changed or refused: that Service's own affair. Anything else: not now."""
        failed = [error for error in errors if error and not isinstance(error, NotFound)]
        self._stopped = any(not isinstance(error, Rejected | Stale) for error in failed)
        if failed:
            name = self._run.config.name
            log.warning("cluster %s: results are not told to all Services: %s", name, failed[0])


def _kinds(mode: WriteBack) -> tuple[str, ...]:
    """What each way of telling writes."""
    match mode:
        case "off":
            return ()
        case "status":
            return (STATUS, EVENTS)
        case "annotations":
            return (STATUS, EVENTS, ANNOTATIONS)


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start, end in ((0, 1), *((at, at + AT_ONCE) for at in range(1, len(items), AT_ONCE))):
        if items[start:end]:
            yield items[start:end]
