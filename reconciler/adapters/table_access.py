"""One table: reads that check the schema, batches within the service's limits, writes under an ETag."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from azure.core import MatchConditions
from azure.data.tables import TableEntity, UpdateMode

from reconciler.adapters.storage import StorageAccount, translated
from reconciler.adapters.table_rows import check_schema, plain
from reconciler.errors import Conflict, NotFound, OutcomeUnknown, OutsideError, RetryLater, Stale

Entity = Mapping[str, Any]

_BATCH = 100
_PAGE = 1000
_TABLE_MISSING = "TableNotFound"
_ETAG_TIME = re.compile(r"datetime'([^']+)'")


@dataclass(frozen=True, slots=True)
class Upsert:
    """Insert or replace an entity."""

    entity: Entity

    @property
    def key(self) -> tuple[str, str]:
        """Partition and row."""
        return self.entity["PartitionKey"], self.entity["RowKey"]


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row, or find it gone."""

    partition: str
    row: str

    @property
    def key(self) -> tuple[str, str]:
        """Partition and row."""
        return self.partition, self.row


@dataclass(frozen=True, slots=True)
class Written:
    """A guarded write: the row's new ETag, and the service's time of the write (None where it told none)."""

    version: str
    stamp: datetime | None


class Table:
    """A table of the ledgers; ``name`` as it is called in the account.

    ``missing_is_empty``: a table that nobody has created yet reads as one without rows.
    """

    def __init__(self, account: StorageAccount, name: str, missing_is_empty: bool = False) -> None:
        self.name = name
        self._account = account
        self._missing_is_empty = missing_is_empty
        self._client = account.tables.get_table_client(name)

    def create(self) -> None:
        """Create the table where it is missing."""
        with translated(f"creating the table {self.name}"):
            self._account.tables.create_table_if_not_exists(self.name)

    # Reading

    def get(self, partition: str, row: str) -> TableEntity | None:
        """One row, or None."""
        try:
            with translated(f"reading the table {self.name}"):
                entity = self._client.get_entity(partition, row)
        except NotFound as error:
            if error.code == _TABLE_MISSING and not self._missing_is_empty:
                raise
            return None
        return self._checked(entity)

    def partition(self, partition: str, only: Collection[str] | None = None) -> list[TableEntity]:
        """The rows of a partition, sorted by key; ``only`` those keys, where given."""
        found = self._query("PartitionKey eq @partition", {"partition": partition}, _PAGE)
        return [self._checked(e) for e in found if only is None or e["RowKey"] in only]

    def pages(self, partition: str, page: int) -> Iterator[TableEntity]:
        """The rows of a partition, read in pages as they are asked for."""
        size = max(1, min(page, _PAGE))
        found = self._query("PartitionKey eq @partition", {"partition": partition}, size)
        return map(self._checked, found)

    def everything(self) -> list[TableEntity]:
        """All rows."""
        return [self._checked(entity) for entity in self._query("", {}, _PAGE)]

    def _query(self, query: str, parameters: dict[str, Any], page: int) -> Iterator[TableEntity]:
        try:
            with translated(f"reading the table {self.name}"):
                yield from self._client.query_entities(query, parameters=parameters, results_per_page=page)
        except NotFound:
            if not self._missing_is_empty:
                raise

    def _checked(self, entity: TableEntity) -> TableEntity:
        check_schema(self.name, entity)
        return entity

    # Writing

    def write(self, operations: Iterable[Upsert | Delete]) -> None:
        """Carry the operations out, in batches by partition. Of several on one row the last counts."""
        partitions: dict[str, list[Upsert | Delete]] = {}
        for operation in {operation.key: operation for operation in operations}.values():
            partitions.setdefault(operation.key[0], []).append(operation)
        for batch in (b for together in partitions.values() for b in _batches(together)):
            self._write_batch(batch)

    def _write_batch(self, batch: Sequence[Upsert | Delete]) -> None:
        try:
            self._submit(batch)
        except NotFound as error:
            if error.code == _TABLE_MISSING or not any(isinstance(o, Delete) for o in batch):
                raise
            # One row to delete is gone already, which fails the whole transaction: one by one then.
            self._write_one_by_one(batch)

    def _submit(self, batch: Sequence[Upsert | Delete]) -> None:
        """Once more where the answer was lost, which the SDK does not do for a POST: these writes may repeat."""
        with suppress(OutcomeUnknown):
            self._submit_once(batch)
            return
        self._submit_once(batch)

    def _submit_once(self, batch: Sequence[Upsert | Delete]) -> None:
        with translated(f"writing the table {self.name}"):
            self._client.submit_transaction([_in_transaction(operation) for operation in batch])

    def _write_one_by_one(self, batch: Sequence[Upsert | Delete]) -> None:
        with translated(f"writing the table {self.name}"):
            for operation in batch:
                match operation:
                    case Upsert(entity):
                        self._client.upsert_entity(entity, mode=UpdateMode.REPLACE)
                    case Delete(partition, row):
                        self._client.delete_entity(partition, row)

    def insert(self, entity: Entity) -> None:
        """Insert a row. Raises Conflict where there is one."""
        with translated(f"writing the table {self.name}"):
            self._client.create_entity(entity)

    def replace(self, entity: Entity, version: str) -> None:
        """Replace a row that still has this ETag. Raises Stale where it has not, or is gone."""
        self._replace(entity, version)

    def delete_if_unchanged(self, entity: TableEntity) -> None:
        """Delete a row that still is as it was read. Raises Stale where it is not."""
        with translated(f"writing the table {self.name}"):
            self._client.delete_entity(
                entity, etag=entity.metadata["etag"], match_condition=MatchConditions.IfNotModified
            )

    def write_guarded(self, entity: Entity, version: str) -> Written:
        """Insert a row ("" for the version), or replace it if it still has this version; else Stale.

        Sent once: a repetition by the SDK would meet its own first attempt and look like a lost race.
        """
        try:
            answer = self._replace(entity, version, retry_total=0) if version else self._insert_once(entity)
        except RetryLater:
            landed = self._landed(entity)
            if landed is None:
                raise
            return landed
        return self._written(entity, str(answer["etag"]))

    def _insert_once(self, entity: Entity) -> Mapping[str, Any]:
        try:
            with translated(f"writing the table {self.name}"):
                return self._client.create_entity(entity, retry_total=0)
        except Conflict as error:
            raise Stale(str(error), code=error.code) from error

    def _replace(self, entity: Entity, version: str, **options: Any) -> Mapping[str, Any]:
        try:
            with translated(f"writing the table {self.name}"):
                return self._client.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=version,
                    match_condition=MatchConditions.IfNotModified,
                    **options,
                )
        except NotFound as error:
            if error.code == _TABLE_MISSING:
                raise
            raise Stale(str(error), code=error.code) from error

    def _landed(self, entity: Entity) -> Written | None:
        """What became of a write without an answer: done if the row holds exactly what was sent."""
        try:
            found = self.get(entity["PartitionKey"], entity["RowKey"])
        except OutsideError:
            return None
        if found is None or dict(found) != dict(entity):
            return None
        return Written(found.metadata["etag"] or "", plain(found.metadata["timestamp"]))

    def _written(self, entity: Entity, etag: str) -> Written:
        """A write's time is in its ETag; where a service words that otherwise, the row is read for it."""
        said = _ETAG_TIME.search(unquote(etag))
        if said:
            return Written(etag, plain(datetime.fromisoformat(said[1])))
        found = self.get(entity["PartitionKey"], entity["RowKey"])
        # Another's write in between has another time: none then, which covers no message.
        unchanged = found is not None and found.metadata["etag"] == etag
        return Written(etag, plain(found.metadata["timestamp"]) if found and unchanged else None)


def _batches(operations: Sequence[Upsert | Delete]) -> Iterator[Sequence[Upsert | Delete]]:
    return (operations[at : at + _BATCH] for at in range(0, len(operations), _BATCH))


def _in_transaction(operation: Upsert | Delete) -> Any:
    match operation:
        case Upsert(entity):
            return "upsert", entity, {"mode": UpdateMode.REPLACE}
        case Delete(partition, row):
            return "delete", {"PartitionKey": partition, "RowKey": row}
