"""Stored objects as the rules of writing see them: what each path may change, what deletion waits for."""

from __future__ import annotations

import copy
from typing import Any

from sandbox.kubernetes.errors import Cause
from sandbox.kubernetes.store import Entry

Json = dict[str, Any]

STATUS_METADATA = ("annotations", "labels", "finalizers", "ownerReferences", "managedFields")


def deleting(document: Json) -> bool:
    return "deletionTimestamp" in document["metadata"]


def finalizers(document: Json) -> list[str]:
    """A namespace's own finalizer stands for its contents."""
    spec = document.get("spec")
    contents = spec.get("finalizers", []) if isinstance(spec, dict) else []
    return [*document["metadata"].get("finalizers", []), *contents]


def new_finalizers(new: Json, old: Json) -> list[Cause]:
    added = set(new["metadata"].get("finalizers", [])) - set(old["metadata"].get("finalizers", []))
    if not added:
        return []
    listed = ", ".join(f'"{name}"' for name in sorted(added))
    said = (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new"
        f" finalizers []string{{{listed}}}"
    )
    return [Cause("metadata.finalizers", said, "FieldValueForbidden")]


def main_of(new: Json, old: Json) -> Json:
    """The main path never writes status."""
    document = {name: value for name, value in new.items() if name != "status"}
    return document | {"status": copy.deepcopy(old["status"])} if "status" in old else document


def status_of(new: Json, old: Json, entry: Entry) -> Json:
    """The status path writes status and, as the real one does, some metadata."""
    document = entry.copy()
    document["status"] = new.get("status", {})
    for name in STATUS_METADATA:
        document["metadata"].pop(name, None)
        if name in new["metadata"]:
            document["metadata"][name] = new["metadata"][name]
    return document


def keep_system_fields(metadata: Json, old: Json) -> None:
    for name in (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ):
        metadata.pop(name, None)
        if name in old:
            metadata[name] = old[name]
