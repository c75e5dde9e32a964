"""The ledgers in Azure Table Storage.

Tables: ``ownership`` (a partition per cluster; reservations in partitions of their own), ``sharing``,
``history``, ``leases`` and ``clusters``. The ledgers are caches: a row that somebody deleted or broke is
read as absent and written anew by the next run, from the tags of the PLS and from the load balancer;
what is lost is only memory of the past (counts, times), which delays and never deletes. Leases and cluster
states are written under their ETag: who wrote second reads again. Each table has a marker with the version
of its schema; a newer one refuses the table, a newer row whatever needs that row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from azure.data.tables import TableEntity

from reconciler import arm_ids
from reconciler.adapters import table_keys as keys
from reconciler.adapters import table_rows as rows
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.table_access import Table
from reconciler.adapters.table_operations import Delete, Upsert
from reconciler.adapters.table_state import ROW as STATE_ROW
from reconciler.adapters.table_state import from_state, to_state
from reconciler.errors import Conflict, Stale
from reconciler.model import Ownership, Reservation, Sharing
from reconciler.ports import ClusterState, HistoryEntry, Lease

_ATTEMPTS = 4
_FEW = 4  # rows to read one by one: a query reads all of a resource group, a page of a thousand at a time
_LEASE_ROW = "lease"


class TableLedger:
    """The port ``Ledger``. ``prefix`` stands before the tables' names, for several in one account.

    ``missing_is_empty`` is for those who only read, perhaps before anything ever ran; whoever writes wants
    to be told of a table that is missing.
    """

    def __init__(self, account: StorageAccount, prefix: str = "", missing_is_empty: bool = False) -> None:
        self._ownership = Table(account, f"{prefix}ownership", missing_is_empty)
        self._sharing = Table(account, f"{prefix}sharing", missing_is_empty)
        self._history = Table(account, f"{prefix}history", missing_is_empty)
        self._leases = Table(account, f"{prefix}leases", missing_is_empty)
        self._clusters = Table(account, f"{prefix}clusters", missing_is_empty)
        self._history_keys = keys.HistoryKeys()

    def create_tables(self) -> None:
        """Create what is missing."""
        for table in (self._ownership, self._sharing, self._history, self._leases, self._clusters):
            table.create()

    # Ownership and reservations

    def ownership(self, cluster: str) -> tuple[Ownership, ...]:
        """The ownership rows of a cluster, sorted by PLS id."""
        found = (rows.to_ownership(cluster, e) for e in self._ownership.partition(keys.cluster_key(cluster)))
        return tuple(sorted(filter(None, found), key=lambda row: row.pls_id))

    def put_ownership(self, rows_: Iterable[Ownership]) -> None:
        """Insert or replace rows."""
        self._ownership.write(Upsert(rows.from_ownership(row)) for row in rows_)

    def forget_ownership(self, cluster: str, pls_ids: Iterable[str]) -> None:
        """Remove rows, and before them the reservations of these ids held by this cluster.

        In this order: whoever dies between the two finds the row again, and with it what is left to do.
        """
        ids = list(pls_ids)
        for entity in self._reserved(ids):
            held = rows.to_reservation(entity)
            if held and held.cluster == cluster:
                with suppress(Stale):  # no longer what was read, hence no longer known to be ours
                    self._ownership.delete_if_unchanged(entity)
        partition = keys.cluster_key(cluster)
        self._ownership.write(Delete(partition, keys.pls_key(pls_id)) for pls_id in ids)

    def reservations(self, pls_ids: Iterable[str]) -> dict[str, Reservation]:
        """The reservations of these ids, by lower-case id."""
        held = filter(None, map(rows.to_reservation, self._reserved(pls_ids)))
        return {reservation.pls_id: reservation for reservation in held}

    def reserve(self, reservation: Reservation) -> None:
        """Reserve a PLS id, or confirm or renew one's own. Raises Conflict where another has it.

        The insert decides: of two clusters that ask at once, one gets the row.
        """
        entity = rows.from_reservation(reservation)
        for _ in range(_ATTEMPTS):
            with suppress(Conflict):
                self._ownership.insert(entity)
                return
            found = self._ownership.get(entity["PartitionKey"], entity["RowKey"])
            if found is None:
                continue  # given up since
            held = rows.to_reservation(found)
            if held and not may_renew(held, reservation):
                raise Conflict(reserved_sentence(held), code="Reserved")
            if held == replace(reservation, pls_id=arm_ids.key(reservation.pls_id)):
                return
            with suppress(Stale):
                self._ownership.replace(entity, found.metadata["etag"] or "")
                return
        raise Stale(f"the reservation of {reservation.pls_id} keeps changing")

    def _reserved(self, pls_ids: Iterable[str]) -> list[TableEntity]:
        """The reservation rows of these ids: a few one by one, many by a query of each resource group."""
        wanted = {(keys.reservation_partition(pls_id), keys.pls_key(pls_id)) for pls_id in pls_ids}
        if len(wanted) <= _FEW:
            return list(filter(None, (self._ownership.get(*place) for place in sorted(wanted))))
        found: list[TableEntity] = []
        for partition in sorted({partition for partition, _ in wanted}):
            rows_wanted = {row for in_partition, row in wanted if in_partition == partition}
            found += self._ownership.partition(partition, only=rows_wanted)
        return found

    # Sharing

    def sharing(self, cluster: str) -> tuple[Sharing, ...]:
        """The sharing rows of a cluster, sorted by PLS id and Service."""
        found = (rows.to_sharing(cluster, e) for e in self._sharing.partition(keys.cluster_key(cluster)))
        return tuple(sorted(filter(None, found), key=lambda row: (row.pls_id, row.service.key)))

    def replace_sharing(self, cluster: str, before: Iterable[Sharing], after: Iterable[Sharing]) -> None:
        """Make the rows ``after`` out of ``before``, touching only what differs."""
        partition = keys.cluster_key(cluster)
        old = {keys.sharing_key(row.pls_id, row.service): row for row in before}
        new = {keys.sharing_key(row.pls_id, row.service): row for row in after}
        changed = [row for key, row in new.items() if old.get(key) != row]
        gone = [Delete(partition, key) for key in old if key not in new]
        self._sharing.write([*(Upsert(rows.from_sharing(row)) for row in changed), *gone])

    # Leases

    def lease(self, cluster: str) -> Lease:
        """The lease row, read now."""
        found = self._leases.get(keys.cluster_key(cluster), _LEASE_ROW)
        if found is None:
            return Lease(cluster)
        stamp = rows.plain(found.metadata["timestamp"])
        return rows.to_lease(cluster, found, found.metadata["etag"] or "", stamp)

    def write_lease(self, lease: Lease) -> Lease:
        """Write the row if it still has ``lease.version``; raises Stale where it has not.

        Where the answer was lost, the row is read again: if it holds what was to be written, it was.
        """
        written = self._leases.write_guarded(rows.from_lease(lease, _LEASE_ROW), lease.version)
        return replace(lease, version=written.version, stamp=written.stamp)

    # Cluster states

    def state(self, cluster: str) -> ClusterState:
        """The state row, or an empty one."""
        found = self._clusters.get(keys.cluster_key(cluster), STATE_ROW)
        return to_state(cluster, found, found.metadata["etag"] or "") if found else ClusterState(cluster)

    def states(self) -> tuple[ClusterState, ...]:
        """The state rows of all clusters, also of those no longer configured, sorted by name."""
        found = [e for e in self._clusters.everything() if e["RowKey"] == STATE_ROW]
        states = (to_state(_cluster_of(e), e, e.metadata["etag"] or "") for e in found)
        return tuple(sorted(states, key=lambda state: state.cluster))

    def write_state(self, state: ClusterState) -> ClusterState:
        """Write the row if it still has ``state.version``; raises Stale where it has not."""
        written = self._clusters.write_guarded(from_state(state), state.version)
        return replace(state, version=written.version)

    # History

    def add_history(self, entries: Sequence[HistoryEntry]) -> None:
        """Append; a later entry of one call counts as newer. Long texts are cut.

        Everybody's lines come first: pruning finds the cluster's own by them.
        """
        lines = [(entry, self._history_keys.next(entry.at)) for entry in entries]
        everywhere = [(keys.ALL_CLUSTERS, entry, row) for entry, row in lines]
        own = [(keys.cluster_key(entry.cluster), entry, row) for entry, row in lines if entry.cluster]
        self._history.append(
            rows.from_history(partition, row, entry) for partition, entry, row in everywhere + own
        )

    def prune_history(self, before: datetime, most: int) -> int:
        """Remove at most ``most`` lines older than ``before``; how many were found.

        Whoever dies in between, or prunes at the same time, costs nothing: the cluster's own lines go before
        those by which they are found, and a line that is gone is gone.
        """
        above = keys.history_key_at(before - timedelta(microseconds=1))
        older = self._history.pages(keys.ALL_CLUSTERS, most, above)
        found = list(islice(older, most))
        own = {
            (keys.cluster_key(cluster), e["RowKey"]) for e in found if (cluster := rows.words(e, "cluster"))
        }
        self._history.write(Delete(*place) for place in sorted(own))
        self._history.write(Delete(keys.ALL_CLUSTERS, entity["RowKey"]) for entity in found)
        return len(found)

    def history(self, cluster: str, limit: int) -> tuple[HistoryEntry, ...]:
        """The newest entries first; of all clusters where ``cluster`` is ""."""
        partition = keys.cluster_key(cluster) if cluster else keys.ALL_CLUSTERS
        lines = filter(None, map(rows.to_history, self._history.pages(partition, limit)))
        return tuple(islice(lines, limit))


def may_renew(held: Reservation, asked: Reservation) -> bool:
    """Whether a reservation is the asker's own: same cluster, and same Service or same frontend."""
    if held.cluster != asked.cluster:
        return False
    same_service = bool(held.service_uid) and held.service_uid == asked.service_uid
    same_frontend = bool(held.frontend_id) and arm_ids.same(held.frontend_id, asked.frontend_id)
    return same_service or same_frontend


def reserved_sentence(held: Reservation) -> str:
    """Who has a PLS id."""
    return (
        f"{held.pls_id} is reserved by cluster {held.cluster} for frontend {held.frontend_id or '(none)'} "
        f"and the Service with UID {held.service_uid or '(unknown)'}"
    )


def _cluster_of(entity: TableEntity) -> str:
    """The name as written, or its key where that was edited away."""
    name = rows.words(entity, "cluster")
    return name if keys.cluster_key(name) == entity["PartitionKey"] else str(entity["PartitionKey"])
