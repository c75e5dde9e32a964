"""What the engine keeps in the storage account: ledgers, leases, history, documents, and the work queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from reconciler.model import Json, Ownership, Reservation, Sharing


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease row of one cluster as read. ``version`` is its ETag, "" where there is no row yet.

    ``stamp`` is the storage service's own time of the last write to the row, None for no row.
    """

    cluster: str
    holder: str = ""
    until: datetime | None = None
    fence: int = 0
    wanted: datetime | None = None
    covered: datetime | None = None
    parked: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    version: str = ""
    stamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """How far a cluster's events are published. ``digest`` is of what the topic has been told.

    ``failures`` in a row, ``trouble`` why, and ``not_before`` when it is tried again.
    """

    digest: str = ""
    failures: int = 0
    not_before: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What is remembered about a cluster besides its rows: identity, last run, findings.

    ``identity`` is the accepted UID of default/kubernetes; ``offered`` another one that answered and
    waits for a person. ``released`` is the digest of held deletes a person let go, until
    ``released_until``. ``poisoned`` counts messages that failed for good, up to ``poisoned_at``; the row of
    cluster "" counts those that name no cluster. ``document`` is the digest of the status document as last written.
    ``denied`` tells since when the cluster refuses to be told results: ``status``, ``annotations``, ``events``.
    ``last_run`` is the run's outcome as JSON-able values, findings included.
    """

    cluster: str
    identity: str = ""
    offered: str = ""
    digest: str = ""
    paused: bool = False
    released: str = ""
    released_until: datetime | None = None
    poisoned: int = 0
    poisoned_at: datetime | None = None
    document: str = ""
    publication: Publication = field(default_factory=Publication)
    denied: dict[str, datetime] = field(default_factory=dict)
    sightings: dict[str, datetime] = field(default_factory=dict)
    last_run: dict[str, Any] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of what happened. ``kind``: write, finding, run, poison, person, event."""

    cluster: str
    at: datetime
    kind: str
    reason: str
    sentence: str
    service: str = ""
    frontend_id: str = ""
    pls_id: str = ""
    run: str = ""
    result: str = ""


class Ledger(Protocol):
    """The ledgers. Writes to the same row twice are the same row; a newer schema is refused.

    ``create_tables`` is called once by the shell before first use and is idempotent.
    """

    def create_tables(self) -> None:
        """Create what is missing."""

    def ownership(self, cluster: str) -> tuple[Ownership, ...]:
        """The ownership rows of a cluster, sorted by PLS id."""

    def put_ownership(self, rows: Iterable[Ownership]) -> None:
        """Insert or replace rows."""

    def forget_ownership(self, cluster: str, pls_ids: Iterable[str]) -> None:
        """Remove rows, and reservations of these ids held by this cluster."""

    def sharing(self, cluster: str) -> tuple[Sharing, ...]:
        """The sharing rows of a cluster, sorted by PLS id and Service."""

    def replace_sharing(self, cluster: str, before: Iterable[Sharing], after: Iterable[Sharing]) -> None:
        """Make the rows ``after`` out of ``before``, touching only what differs."""

    def reservations(self, pls_ids: Iterable[str]) -> dict[str, Reservation]:
        """The reservations of these ids, by lower-case id."""

    def reserve(self, reservation: Reservation) -> None:
        """Reserve a PLS id, or confirm or renew one's own (same cluster and same Service UID or frontend).

        Raises Conflict, naming the holder, where another has it.
        """

    def lease(self, cluster: str) -> Lease:
        """The lease row, read now."""

    def write_lease(self, lease: Lease) -> Lease:
        """Write the row if it still has ``lease.version``. Returns it with its new version and stamp.

        Raises Stale where somebody else wrote first.
        """

    def state(self, cluster: str) -> ClusterState:
        """The state row, or an empty one."""

    def states(self) -> tuple[ClusterState, ...]:
        """The state rows of all clusters, also of those no longer configured."""

    def write_state(self, state: ClusterState) -> ClusterState:
        """Write the row if it still has ``state.version``; raises Stale where it has not."""

    def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        """Append; order within one call is kept."""

    def history(self, cluster: str, limit: int) -> tuple[HistoryEntry, ...]:
        """The newest entries first; of all clusters where ``cluster`` is ""."""

    def prune_history(self, before: datetime, most: int) -> int:
        """Remove at most ``most`` entries older than ``before``; how many there were. May be done by several at once."""


class Documents(Protocol):
    """The status documents, one per cluster: JSON objects of :mod:`reconciler.document`."""

    def read(self, cluster: str) -> Json | None:
        """The document, None where there is none. Raises Rejected for what is no document."""

    def write(self, cluster: str, document: Json) -> None:
        """Insert or replace the document; readers see the old one or the new one, never a part."""


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A message to the worker: a key, never a fact. ``due`` is set on delayed ones.

    ``since`` is when the event behind it happened, for measuring alone: nothing is decided by it.
    """

    cluster: str
    reason: str
    due: datetime | None = None
    since: datetime | None = field(default=None, compare=False)


class Queue(Protocol):
    """The work queue ``reconcile``."""

    def create(self) -> None:
        """Create the queue where it is missing."""

    def send(self, wake_up: WakeUp, delay_seconds: float = 0) -> None:
        """Send, visible after the delay (whole seconds, rounded up; at most 7 days)."""
