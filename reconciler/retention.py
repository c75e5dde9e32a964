"""How long the history is kept: what is older goes, a little at a time, beside the full pass and outside any run."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.errors import OutsideError
from reconciler.ports import Ledger

log = logging.getLogger("reconciler")
# A few dozen transactions at most: the timer's function ends within seconds, and 288 ticks a day remove a quarter
# of a million lines.
MOST_LINES = 1000
PAUSE = timedelta(days=1)


@dataclass(slots=True)
class Retention:
    """Prunes the history once a day in each process that lives that long.

    Nothing is shared between instances: two that prune at once remove the same lines, and one that looks in vain
    reads a single empty page.
    """

    ledger: Ledger
    keep: timedelta
    _next: datetime | None = field(default=None, init=False)

    def tick(self, now: datetime) -> None:
        """Remove some lines where it is time; again at the next tick while there are more. A failure is logged."""
        if self._next and now < self._next:
            return
        try:
            removed = self.ledger.prune_history(now - self.keep, MOST_LINES)
        except OutsideError as error:
            log.warning("the history was not pruned: %s", error)
            return
        if removed:
            log.info("%d lines of history older than %d days were removed", removed, self.keep.days)
        if removed < MOST_LINES:
            self._next = now + PAUSE
