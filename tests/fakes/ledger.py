"""The port ``Ledger`` in memory, as strict as the tables: versions, schema of values, stamps that only rise."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler import arm_ids
from reconciler.errors import Conflict, Stale
from reconciler.model import Ownership, Reservation, Sharing
from reconciler.ports import ClusterState, HistoryEntry, Lease


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryLedger:
    """``now`` is the storage service's clock. Safe to be shared by threads."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._last = datetime.min.replace(tzinfo=UTC)
        self._versions = 0
        self._ownership: dict[tuple[str, str], Ownership] = {}
        self._reservations: dict[str, Reservation] = {}
        self._sharing: dict[tuple[str, str, str], Sharing] = {}
        self._leases: dict[str, Lease] = {}
        self._states: dict[str, ClusterState] = {}
        self._history: list[HistoryEntry] = []

    def create_tables(self) -> None:
        """Nothing to create."""

    def ownership(self, cluster: str) -> tuple[Ownership, ...]:
        with self._lock:
            found = [row for (of, _), row in self._ownership.items() if of == cluster]
        return tuple(sorted(found, key=lambda row: row.pls_id))

    def put_ownership(self, rows: Iterable[Ownership]) -> None:
        with self._lock:
            for row in rows:
                self._ownership[row.cluster, arm_ids.key(row.pls_id)] = row

    def forget_ownership(self, cluster: str, pls_ids: Iterable[str]) -> None:
        with self._lock:
            for key in map(arm_ids.key, pls_ids):
                self._ownership.pop((cluster, key), None)
                held = self._reservations.get(key)
                if held and held.cluster == cluster:
                    del self._reservations[key]

    def sharing(self, cluster: str) -> tuple[Sharing, ...]:
        with self._lock:
            found = [row for (of, _, _), row in self._sharing.items() if of == cluster]
        return tuple(sorted(found, key=lambda row: (row.pls_id, row.service.key)))

    def replace_sharing(self, cluster: str, before: Iterable[Sharing], after: Iterable[Sharing]) -> None:
        old = {_place(cluster, row): row for row in before}
        new = {_place(cluster, row): row for row in after}
        with self._lock:
            for place in old.keys() - new.keys():
                self._sharing.pop(place, None)
            self._sharing.update({place: row for place, row in new.items() if old.get(place) != row})

    def reservations(self, pls_ids: Iterable[str]) -> dict[str, Reservation]:
        with self._lock:
            keys = [arm_ids.key(pls_id) for pls_id in pls_ids]
            return {key: self._reservations[key] for key in keys if key in self._reservations}

    def reserve(self, reservation: Reservation) -> None:
        key = arm_ids.key(reservation.pls_id)
        with self._lock:
            held = self._reservations.get(key)
            if held and not _own(held, reservation):
                raise Conflict(f"{key} is reserved by cluster {held.cluster} for frontend {held.frontend_id}")
            self._reservations[key] = replace(reservation, pls_id=key)

    def lease(self, cluster: str) -> Lease:
        with self._lock:
            return self._leases.get(cluster, Lease(cluster))

    def write_lease(self, lease: Lease) -> Lease:
        with self._lock:
            self._check(lease.version, self.lease(lease.cluster).version)
            written = replace(lease, version=self._version(), stamp=self._stamp())
            self._leases[lease.cluster] = written
            return written

    def state(self, cluster: str) -> ClusterState:
        with self._lock:
            return _apart(self._states.get(cluster, ClusterState(cluster)))

    def states(self) -> tuple[ClusterState, ...]:
        with self._lock:
            return tuple(_apart(self._states[cluster]) for cluster in sorted(self._states))

    def write_state(self, state: ClusterState) -> ClusterState:
        with self._lock:
            self._check(state.version, self.state(state.cluster).version)
            written = replace(_apart(state), version=self._version())
            self._states[state.cluster] = written
            return replace(state, version=written.version)

    def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        with self._lock:
            self._history.extend(entries)

    def history(self, cluster: str, limit: int) -> tuple[HistoryEntry, ...]:
        with self._lock:
            found = [entry for entry in self._history[::-1] if cluster in ("", entry.cluster)]
        # Sorting is stable: of equal times the one added later stays first.
        return tuple(sorted(found, key=lambda entry: entry.at, reverse=True)[:limit])

    def prune_history(self, before: datetime, most: int) -> int:
        with self._lock:
            old = [entry for entry in self._history if entry.at < before][:most]
            self._history = [entry for entry in self._history if entry not in old]
        return len(old)

    def _check(self, asked: str, present: str) -> None:
        if asked != present:
            raise Stale("somebody else wrote first")

    def _version(self) -> str:
        self._versions += 1
        return f"v{self._versions}"

    def _stamp(self) -> datetime:
        self._last = max(self._now(), self._last + timedelta(microseconds=1))
        return self._last


def _place(cluster: str, row: Sharing) -> tuple[str, str, str]:
    return cluster, arm_ids.key(row.pls_id), row.service.key


def _own(held: Reservation, asked: Reservation) -> bool:
    same_service = held.service_uid != "" and held.service_uid == asked.service_uid
    same_frontend = held.frontend_id != "" and arm_ids.same(held.frontend_id, asked.frontend_id)
    return held.cluster == asked.cluster and (same_service or same_frontend)


def _apart(state: ClusterState) -> ClusterState:
    """A copy that shares nothing, and holds only what JSON holds."""
    last_run: dict[str, Any] = json.loads(json.dumps(state.last_run))
    return replace(state, sightings=dict(state.sightings), last_run=last_run)
