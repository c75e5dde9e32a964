"""Watches: what changed since a version, then every change as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sandbox.kubernetes.errors import ApiError, gone
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.selectors import Predicate
from sandbox.kubernetes.store import Change, Entry, Store, TooOldError, key_of


@dataclass(frozen=True)
class Selection:
    """What a watch is about; an empty namespace means all."""

    resource: Resource
    namespace: str
    selects: Predicate | None

    def event(self, change: Change) -> tuple[str, Entry] | None:
        """The event a watcher sees: leaving the selection is a DELETED, entering it an ADDED."""
        if change.resource != self.resource:
            return None
        now = change.kind != "DELETED" and self.matches(change.entry)
        before = change.previous is not None and self.matches(change.previous)
        match (before, now):
            case (False, True):
                return "ADDED", change.entry
            case (True, True):
                return "MODIFIED", change.entry
            case (True, False):
                return "DELETED", change.entry
        return None

    def matches(self, entry: Entry) -> bool:
        if self.namespace and not entry.key.startswith(key_of(self.namespace, "")):
            return False
        return self.selects is None or self.selects(entry.object)


@dataclass(frozen=True)
class Bookmark:
    """Nothing up to `version` is still to come; `initial` ends the replay that was asked for."""

    version: int
    initial: bool = False


@dataclass(frozen=True)
class WatchOptions:
    """`since` is None or 0 to begin with what exists now. Times in seconds."""

    since: int | None
    seconds: float
    bookmark_every: float | None
    send_initial: bool = False


WatchEvent = tuple[str, Entry] | Bookmark | ApiError


class Watches:
    """All watches of one cluster, so that stopping it ends them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queues: set[asyncio.Queue[Change | None]] = set()

    def close(self) -> None:
        for queue in self._queues:
            queue.put_nowait(None)

    async def events(self, selection: Selection, options: WatchOptions) -> AsyncIterator[WatchEvent]:
        """Events until the time is over or the cluster stops. A version too old ends in an ApiError event."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        stop_listening = self._store.listen(queue.put_nowait)
        self._queues.add(queue)
        try:
            for event in self._first(selection, options):
                yield event
            async for later in self._following(queue, selection, options):
                yield later
        finally:
            stop_listening()
            self._queues.discard(queue)

    def _first(self, selection: Selection, options: WatchOptions) -> list[WatchEvent]:
        if not options.since or options.send_initial:
            found: list[WatchEvent] = [
                ("ADDED", entry)
                for entry in self._store.snapshot(selection.resource).entries
                if selection.matches(entry)
            ]
            if options.send_initial:
                found.append(Bookmark(self._store.version, initial=True))
            return found
        try:
            changes = self._store.changes_since(options.since)
        except TooOldError:
            said = f"too old resource version: {options.since} ({self._store.version})"
            return [gone(said)]
        return [event for change in changes if (event := selection.event(change))]

    async def _following(
        self,
        queue: asyncio.Queue[Change | None],
        selection: Selection,
        options: WatchOptions,
    ) -> AsyncIterator[WatchEvent]:
        clock: Callable[[], float] = asyncio.get_running_loop().time
        end = clock() + options.seconds
        while (left := end - clock()) > 0:
            wait = min(left, options.bookmark_every or left)
            try:
                change = await asyncio.wait_for(queue.get(), wait)
            except TimeoutError:
                if options.bookmark_every:
                    yield Bookmark(self._store.version)
                continue
            if change is None:
                return
            if event := selection.event(change):
                yield event
