"""One table: every read checks the schema, and every write is under an ETag; batches within the service's limits.

The service has no write that looks at a row first. So each write reads what it is about to replace or
remove, refuses a row of a newer schema, and names the ETag it saw: what a newer version of this program
wrote is never overwritten unread, whoever is faster.
"""

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
from reconciler.adapters.table_operations import Delete, Upsert, batches, step_of
from reconciler.adapters.table_rows import SCHEMA, Entity, check_schema, entity_of, plain, whole
from reconciler.errors import Conflict, NotFound, OutcomeUnknown, OutsideError, RetryLater, Stale

_PAGE = 1000
_ATTEMPTS = 5
_FEW = 4  # rows to read one by one; more are one query of their range
_MARKER = ("|schema", "schema")  # of the table as a whole; no cluster's key looks like it
_TABLE_MISSING = "TableNotFound"
_ETAG_TIME = re.compile(r"datetime'([^']+)'")


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
        self._known = False
        self._client = account.tables.get_table_client(name)

    def create(self) -> None:
        """Create the table where it is missing, and mark it with our schema. Raises Rejected where it is newer."""
        marker = self._marker()
        if marker is None:
            with translated(f"creating the table {self.name}"):
                self._account.tables.create_table_if_not_exists(self.name)
        self._known = True
        if marker is None or whole(marker, "schema") < SCHEMA:
            self.write([Upsert(entity_of(*_MARKER))])

    def _marker(self) -> TableEntity | None:
        try:
            return self._get(*_MARKER)
        except NotFound:
            return None

    def _check_table(self) -> None:
        """Once: whoever reads without creating is refused by the table's marker, too.

        A newer version may keep its rows under keys that we would not find, and nothing looks like nothing.
        """
        if not self._known:
            self._marker()
            self._known = True

    # Reading

    def get(self, partition: str, row: str) -> TableEntity | None:
        """One row, or None."""
        self._check_table()
        return self._get(partition, row)

    def _get(self, partition: str, row: str) -> TableEntity | None:
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

    def pages(self, partition: str, page: int, above: str = "") -> Iterator[TableEntity]:
        """The rows of a partition, those with greater keys than ``above``, read in pages as they are asked for."""
        query = "PartitionKey eq @partition and RowKey gt @above"
        size = max(1, min(page, _PAGE))
        return map(self._checked, self._query(query, {"partition": partition, "above": above}, size))

    def everything(self) -> list[TableEntity]:
        """All rows but the table's marker."""
        found = (self._checked(entity) for entity in self._query("", {}, _PAGE))
        return [entity for entity in found if (entity["PartitionKey"], entity["RowKey"]) != _MARKER]

    def _query(self, query: str, parameters: dict[str, Any], page: int) -> Iterator[TableEntity]:
        self._check_table()
        try:
            with translated(f"reading the table {self.name}"):
                yield from self._client.query_entities(query, parameters=parameters, results_per_page=page)
        except NotFound:
            if not self._missing_is_empty:
                raise

    def _checked(self, entity: TableEntity) -> TableEntity:
        if not {"PartitionKey", "RowKey"} <= entity.keys():  # another answered: no row that is empty
            raise OutcomeUnknown(f"reading the table {self.name}: what was sent is no row")
        check_schema(self.name, entity)
        return entity

    # Writing

    def write(self, operations: Iterable[Upsert | Delete]) -> None:
        """Carry the operations out, in batches by partition. Of several on one row the last counts.

        Raises Rejected, and leaves a batch undone, where one of its rows has a newer schema.
        """
        partitions: dict[str, list[Upsert | Delete]] = {}
        for operation in {operation.key: operation for operation in operations}.values():
            partitions.setdefault(operation.key[0], []).append(operation)
        for partition, together in partitions.items():
            for batch in batches(together):
                self._write_batch(partition, batch)

    def _write_batch(self, partition: str, batch: Sequence[Upsert | Delete]) -> None:
        """Again where a row changed since it was read, or where the answer was lost: these writes may repeat."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(Stale, Conflict, OutcomeUnknown):
                self._write_once(partition, batch)
                return
        self._write_once(partition, batch)

    def _write_once(self, partition: str, batch: Sequence[Upsert | Delete]) -> None:
        present = self._present(partition, [operation.key[1] for operation in batch])
        steps = [step for o in batch if (step := step_of(o, present.get(o.key[1])))]
        if not steps:
            return
        try:
            with translated(f"writing the table {self.name}"):
                self._client.submit_transaction(steps)
        except NotFound as error:
            if error.code == _TABLE_MISSING:
                raise
            raise Stale(str(error), code=error.code) from error  # a row went since it was read

    def _present(self, partition: str, keys: Sequence[str]) -> dict[str, TableEntity]:
        """Which of these rows are there, by key."""
        if len(keys) <= _FEW:
            found = [entity for key in keys if (entity := self.get(partition, key))]
        else:
            query = "PartitionKey eq @partition and RowKey ge @first and RowKey le @last"
            place = {"partition": partition, "first": min(keys), "last": max(keys)}
            wanted = set(keys)
            found = [self._checked(e) for e in self._query(query, place, _PAGE) if e["RowKey"] in wanted]
        return {entity["RowKey"]: entity for entity in found}

    def append(self, entities: Iterable[Entity]) -> None:
        """Insert rows whose keys nobody else can have: a row that is there already is our own lost answer's.

        Ours or the SDK's, which sends again what it thinks was never sent: a TLS connection that broke, for one.
        """
        partitions: dict[str, list[Entity]] = {}
        for entity in entities:
            partitions.setdefault(entity["PartitionKey"], []).append(entity)
        for batch in (b for together in partitions.values() for b in batches(together)):
            with suppress(Conflict):
                try:
                    self._append_once(batch)
                except OutcomeUnknown:
                    self._append_once(batch)

    def _append_once(self, batch: Sequence[Entity]) -> None:
        self._check_table()
        with translated(f"writing the table {self.name}"):
            self._client.submit_transaction([("create", entity) for entity in batch])

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
