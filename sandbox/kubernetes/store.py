"""Versioned objects in memory: one counter for all changes, consistent snapshots, and a history to watch.

Stored objects are never changed in place: a snapshot shares them, and so does the history. Each keeps its encoded JSON,
so that a list of ten thousand is a join of bytes. Stored objects carry no kind and apiVersion, as in a list's items.
"""

from __future__ import annotations

import bisect
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sandbox.kubernetes.resources import Resource

Json = dict[str, Any]
SNAPSHOTS_KEPT = 64


class TooOldError(Exception):
    """The version asked for is no longer held."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object at one version; `body` is its JSON."""

    key: str
    object: Json
    body: bytes

    def copy(self) -> Json:
        """A copy that may be changed."""
        copied: Json = json.loads(self.body)
        return copied


@dataclass(frozen=True, slots=True)
class Change:
    """`previous` is None for ADDED; for DELETED `entry` is the object as it went."""

    version: int
    resource: Resource
    kind: str
    entry: Entry
    previous: Entry | None


@dataclass(frozen=True)
class Snapshot:
    """All objects of one resource type at one version, by key."""

    version: int
    keys: list[str]
    entries: list[Entry]

    def after(self, key: str) -> Iterator[Entry]:
        return islice(self.entries, bisect.bisect_right(self.keys, key), None)


@dataclass
class _Table:
    entries: dict[str, Entry] = field(default_factory=dict)
    current: Snapshot | None = None


def key_of(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


def encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


class Store:
    """Not thread-safe: it belongs to the event loop of its server."""

    def __init__(self, history: int) -> None:
        self.version = 0
        self._tables: dict[Resource, _Table] = {}
        self._history: deque[Change] = deque(maxlen=history)
        self._snapshots: OrderedDict[tuple[Resource, int], Snapshot] = OrderedDict()
        self._listeners: set[Callable[[Change], None]] = set()

    def get(self, resource: Resource, key: str) -> Entry | None:
        return self._table(resource).entries.get(key)

    def put(self, resource: Resource, key: str, document: Json) -> Entry:
        """Store a document, which gets the next version."""
        previous = self.get(resource, key)
        entry = self._stamped(key, document)
        self._table(resource).entries[key] = entry
        self._record(resource, "MODIFIED" if previous else "ADDED", entry, previous)
        return entry

    def remove(self, resource: Resource, key: str, last: Json | None = None) -> Entry:
        """Take an object out, in its last form if that differs; KeyError if there is none."""
        previous = self._table(resource).entries.pop(key)
        entry = self._stamped(key, last or previous.copy())
        self._record(resource, "DELETED", entry, previous)
        return entry

    def snapshot(self, resource: Resource) -> Snapshot:
        table = self._table(resource)
        if table.current is None:
            keys = sorted(table.entries)
            table.current = Snapshot(self.version, keys, [table.entries[key] for key in keys])
        elif table.current.version != self.version:
            # Another type changed since: the same objects, seen at a later version.
            table.current = Snapshot(self.version, table.current.keys, table.current.entries)
        return table.current

    def keep(self, resource: Resource, snapshot: Snapshot) -> None:
        """Hold a snapshot for the pages to come."""
        self._snapshots[resource, snapshot.version] = snapshot
        while len(self._snapshots) > SNAPSHOTS_KEPT:
            self._snapshots.popitem(last=False)

    def at(self, resource: Resource, version: int) -> Snapshot:
        """A kept snapshot, or TooOldError."""
        snapshot = self._snapshots.get((resource, version))
        if snapshot is None:
            raise TooOldError
        return snapshot

    def changes_since(self, version: int) -> list[Change]:
        """Changes after a version, oldest first; TooOldError where the history does not reach."""
        missed = self.version - version
        if missed > len(self._history):
            raise TooOldError
        return list(islice(self._history, len(self._history) - missed, None)) if missed > 0 else []

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on each change until the returned function is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def compact(self) -> None:
        """Forget history and snapshots: every older version is too old from now on."""
        self._history.clear()
        self._snapshots.clear()

    def resources(self) -> list[Resource]:
        return list(self._tables)

    def _table(self, resource: Resource) -> _Table:
        return self._tables.setdefault(resource, _Table())

    def _stamped(self, key: str, document: Json) -> Entry:
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        return Entry(key, document, encode(document))

    def _record(self, resource: Resource, kind: str, entry: Entry, previous: Entry | None) -> None:
        self._table(resource).current = None
        change = Change(self.version, resource, kind, entry, previous)
        self._history.append(change)
        for listener in tuple(self._listeners):
            listener(change)
