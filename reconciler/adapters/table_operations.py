"""What is to be done to rows, and how it is said in a transaction that overwrites nothing unseen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.data.tables import TableEntity, UpdateMode

from reconciler.adapters.table_rows import Entity

T = TypeVar("T")

_MOST = 100  # operations of a transaction


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


def batches(operations: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at once as a transaction takes."""
    return (operations[at : at + _MOST] for at in range(0, len(operations), _MOST))


def step_of(operation: Upsert | Delete, present: TableEntity | None) -> Any:
    """A step of a transaction that holds only while the row is as it was read; None where there is nothing to do."""
    unchanged: dict[str, Any] = {}
    if present is not None:
        unchanged = {"etag": present.metadata["etag"], "match_condition": MatchConditions.IfNotModified}
    match operation:
        case Upsert(entity) if present is None:
            return "create", entity
        case Upsert(entity):
            return "update", entity, {"mode": UpdateMode.REPLACE, **unchanged}
        case Delete(partition, row):
            return ("delete", {"PartitionKey": partition, "RowKey": row}, unchanged) if present else None
