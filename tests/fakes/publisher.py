"""The port ``Publisher`` in memory: keeps batches as JSON holds them, and refuses what a topic would."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reconciler.errors import OutsideError, Rejected
from reconciler.model import Json

LARGEST = 1024 * 1024
_REQUIRED = ("id", "source", "specversion", "type")


class MemoryPublisher:
    """``batches`` are what it got. ``fail`` is raised by the next calls; with ``takes`` it keeps the events all the same."""

    def __init__(self) -> None:
        self.batches: list[list[Json]] = []
        self.calls = 0
        self.fail: OutsideError | None = None
        self.takes = False

    def publish(self, events: Sequence[Json]) -> None:
        self.calls += 1
        text = json.dumps(list(events))
        if self.fail and not self.takes:
            raise self.fail
        if len(text) > LARGEST:
            raise Rejected(f"the request has {len(text)} bytes")
        if any(not event.get(name) for event in events for name in _REQUIRED):
            raise Rejected("an event lacks something")
        self.batches.append(json.loads(text))
        if self.fail:
            raise self.fail

    @property
    def events(self) -> list[Json]:
        """All of them, in their order."""
        return [event for batch in self.batches for event in batch]
