"""Who owns which field: server-side apply's conflicts, what a later apply takes away, `managedFields`.

Nobody's fields are counted until somebody applies an object on the server's side: until then most objects carry no
`managedFields` here, unlike on a real cluster. What was there before belongs to kubectl's apply on the client's side if
there was one, else to `before-first-apply`, as it does on a real cluster for objects of before its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.field_sets import ITEM, Fields, Path, decoded, encoded, fields_of, remove, shown

Json = dict[str, Any]

APPLY, UPDATE = "Apply", "Update"
BEFORE = "before-first-apply"
CLIENT_SIDE = "kubectl-client-side-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Writer:
    """Who writes, and through which subresource. `force` takes fields from others."""

    manager: str
    subresource: str = ""
    force: bool = False


@dataclass(frozen=True)
class Owner:
    """One row of `managedFields`."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: Fields

    def is_(self, writer: Writer, operation: str) -> bool:
        mine = (writer.manager, operation, writer.subresource)
        return (self.manager, self.operation, self.subresource) == mine

    def __str__(self) -> str:
        """As a conflict names it."""
        through = f' with subresource "{self.subresource}"' if self.subresource else ""
        version = f" using {self.api_version}" if self.operation == UPDATE else ""
        return f'"{self.manager}"{through}{version}'


def user_agent_manager(agent: str) -> str:
    """Who writes without `fieldManager` is known by the name of its program."""
    return agent.partition("/")[0][:128] or "unknown"


def owners_of(document: Json) -> list[Owner]:
    rows = document["metadata"].get("managedFields") or []
    return [
        Owner(
            row.get("manager", ""),
            row.get("operation", UPDATE),
            row.get("apiVersion", "v1"),
            row.get("subresource", ""),
            row.get("time", ""),
            decoded(row.get("fieldsV1") or {}),
        )
        for row in rows
    ]


def apply(old: Json | None, asked: Json, merged: Json, writer: Writer, version: str, now: str) -> Json:
    """What an apply leaves: `merged` without what the writer no longer asks for. 409 for other owners' fields."""
    wanted = fields_of(asked)
    before = fields_of(old) if old else {}
    owners = owners_of(old) if old else []
    if old and not owners:
        owners = [Owner(_unknown(old), UPDATE, version, "", now, frozenset(before))]
    mine = [owner for owner in owners if owner.is_(writer, APPLY)]
    others = [owner for owner in owners if owner not in mine]
    changed = {path for path, value in wanted.items() if path[-1] != ITEM and before.get(path) != value}
    clashes = [(owner, path) for owner in others for path in sorted(changed & owner.fields)]
    if clashes and not writer.force:
        raise _conflict(clashes)
    others = [replace(owner, fields=owner.fields - changed) for owner in others]
    _take_away(merged, (path for owner in mine for path in owner.fields), frozenset(wanted), others)
    fields = frozenset(wanted)
    kept = mine[0].time if mine and mine[0].fields == fields else now
    own = Owner(writer.manager, APPLY, version, writer.subresource, kept, fields)
    return _with_owners(merged, [own, *others])


def _unknown(document: Json) -> str:
    """Who had the fields that nobody counted."""
    annotations = document["metadata"].get("annotations") or {}
    return CLIENT_SIDE if LAST_APPLIED in annotations else BEFORE


def updated(old: Json, new: Json, writer: Writer, version: str, now: str) -> Json:
    """The same of any other write: what it changes is the writer's, what it takes away is nobody's."""
    rows, sent = old["metadata"].get("managedFields"), new["metadata"].get("managedFields")
    if not rows or sent in ([], [{}]):
        return _with_rows(new, [])
    before, after = fields_of(old), fields_of(new)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    if not changed and len(before) == len(after):
        return _with_rows(new, rows)
    owners = owners_of(old)
    mine = next((owner.fields for owner in owners if owner.is_(writer, UPDATE)), frozenset())
    others = [
        replace(owner, fields=(owner.fields - changed) & frozenset(after))
        for owner in owners
        if not owner.is_(writer, UPDATE)
    ]
    own = Owner(writer.manager, UPDATE, version, writer.subresource, now, (mine | changed) & frozenset(after))
    return _with_owners(new, [*others, own])


def _take_away(document: Json, had: Iterable[Path], wanted: Fields, others: list[Owner]) -> None:
    """A field that its only owner no longer asks for goes; an item of a list when nobody has a part in it."""
    held = wanted.union(*(owner.fields for owner in others))
    # Items first: without its key's fields an item is no longer found.
    for path in sorted(had, key=lambda path: path[-1] != ITEM):
        item = path[:-1] if path[-1] == ITEM else None
        still = any(other[: len(item)] == item for other in held) if item else path in held
        if not still:
            remove(document, path)


def _with_owners(document: Json, owners: list[Owner]) -> Json:
    rows = [
        {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": owner.api_version,
            "time": owner.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encoded(owner.fields),
            **({"subresource": owner.subresource} if owner.subresource else {}),
        }
        for owner in sorted(owners, key=lambda owner: (owner.operation, owner.time, owner.manager))
        if owner.fields
    ]
    return _with_rows(document, rows)


def _with_rows(document: Json, rows: list[Json]) -> Json:
    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return {**document, "metadata": metadata | ({"managedFields": rows} if rows else {})}


def _conflict(clashes: list[tuple[Owner, Path]]) -> ApiError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": shown(path)}
        for owner, path in clashes
    ]
    if len(clashes) == 1:
        ((owner, path),) = clashes
        said = f"Apply failed with 1 conflict: conflict with {owner}: {shown(path)}"
        return ApiError(409, said, details={"causes": causes})
    lines: list[str] = []
    for name in sorted({str(owner) for owner, _ in clashes}):
        lines.append(f"conflicts with {name}:")
        lines += [f"- {shown(path)}" for owner, path in clashes if str(owner) == name]
    said = f"Apply failed with {len(clashes)} conflicts: " + "\n".join(lines)
    return ApiError(409, said, details={"causes": causes})
