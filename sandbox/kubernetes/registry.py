"""Create, update, delete as the API server does them: system fields, preconditions, finalizers, namespaces."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.errors import (
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    modified,
    not_found,
)
from sandbox.kubernetes.objects import (
    deleting,
    finalizers,
    keep_system_fields,
    main_of,
    new_finalizers,
    status_of,
)
from sandbox.kubernetes.ownership import Writer, updated
from sandbox.kubernetes.resources import NAMESPACES, Resource
from sandbox.kubernetes.store import Entry, Store, encode, key_of
from sandbox.kubernetes.strategies import Plain, Strategy
from sandbox.kubernetes.validation import metadata_causes

Json = dict[str, Any]

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
PERMANENT_NAMESPACES = ("default", "kube-system", "kube-public")


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Address:
    """Where an object lives; namespace is empty for cluster-scoped types, name for collections."""

    resource: Resource
    namespace: str
    name: str

    @property
    def key(self) -> str:
        return key_of(self.namespace, self.name)


class Registry:
    """The rules of writing over a store. Everything raises ApiError as the real server answers."""

    def __init__(
        self,
        store: Store,
        strategies: dict[Resource, Strategy],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._strategies = strategies
        self._clock = clock
        self._plain = Plain()

    def read(self, at: Address) -> Entry:
        entry = self._store.get(at.resource, at.key)
        if entry is None:
            raise not_found(at.resource, at.name)
        return entry

    def create(self, resource: Resource, namespace: str, document: Json, *, dry_run: bool = False) -> Entry:
        metadata = document.setdefault("metadata", {})
        self._check_namespace(resource, namespace, metadata)
        self._system_fields(metadata, resource, namespace)
        strategy = self._strategy(resource)
        at = Address(resource, namespace, metadata.get("name", ""))
        self._check(at, document, None, strategy)
        if self._store.get(resource, at.key):
            raise already_exists(resource, at.name)
        return self._write(at, document, None, dry_run=dry_run)

    def update(
        self,
        at: Address,
        change: Callable[[Json], Json],
        *,
        status: bool = False,
        dry_run: bool = False,
        uid_conflicts: bool = False,
        writer: Writer | None = None,
    ) -> Entry:
        """Store what `change` makes of a copy. Nothing is written when nothing changed.

        `uid_conflicts`: another uid in the body is a failed precondition (PUT), not an invalid field (PATCH).
        `writer` gets the fields that change; without one `change` said who owns what.
        """
        entry = self.read(at)
        old = entry.object
        new = change(entry.copy())
        self._check_identity(at, new, old, uid_conflicts=uid_conflicts)
        document = status_of(new, old, entry) if status else main_of(new, old)
        keep_system_fields(document["metadata"], old["metadata"])
        self._check(at, document, old, self._strategy(at.resource))
        if writer:
            document = updated(old, document, writer, at.resource.api_version, timestamp(self._clock()))
        if document == old:
            return entry
        if deleting(document) and not finalizers(document) and not dry_run:
            return self._remove(at, document)
        return self._write(at, document, old, dry_run=dry_run)

    def delete(self, at: Address, options: Json, *, dry_run: bool = False) -> Entry | None:
        """Delete an object: the object that waits for its finalizers, or None when it is gone."""
        entry = self.read(at)
        self._check_preconditions(at, entry.object, options.get("preconditions") or {})
        if at.resource == NAMESPACES and at.name in PERMANENT_NAMESPACES:
            raise forbidden(at.resource, at.name, "this namespace may not be deleted")
        if dry_run:
            return None
        if not finalizers(entry.object):
            self._remove(at, entry.copy())
            return None
        if not deleting(entry.object):
            entry = self._mark_deleted(at, entry)
        if at.resource == NAMESPACES:
            self._empty_namespace(at.name)
        return self._store.get(at.resource, at.key)

    def put_raw(self, at: Address, document: Json) -> Entry:
        """Store a document as it is, past every rule (the sandbox's back door)."""
        old = self._store.get(at.resource, at.key)
        document.setdefault("metadata", {}).setdefault("name", at.name)
        if at.resource.namespaced:
            document["metadata"].setdefault("namespace", at.namespace)
        return self._write(at, document, old.object if old else None, dry_run=False)

    def remove_raw(self, at: Address) -> Entry:
        """Take an object out at once, whatever its finalizers (the sandbox's back door)."""
        return self._remove(at, self.read(at).copy())

    def _strategy(self, resource: Resource) -> Strategy:
        return self._strategies.get(resource, self._plain)

    def _check(self, at: Address, new: Json, old: Json | None, strategy: Strategy) -> None:
        strategy.prepare(new, old)
        causes = metadata_causes(at.resource, new["metadata"])
        causes += strategy.causes(new, old)
        if old and deleting(old):
            causes += new_finalizers(new, old)
        if causes:
            raise invalid(at.resource, at.name, causes)

    def _write(self, at: Address, document: Json, old: Json | None, *, dry_run: bool) -> Entry:
        if dry_run:
            return Entry(at.key, document, encode(document))
        entry = self._store.put(at.resource, at.key, document)
        self._strategy(at.resource).stored(document, old)
        return entry

    def _remove(self, at: Address, document: Json) -> Entry:
        entry = self._store.remove(at.resource, at.key, document)
        self._strategy(at.resource).stored(None, document)
        if at.namespace:
            self._finish_namespace(at.namespace)
        return entry

    def _system_fields(self, metadata: Json, resource: Resource, namespace: str) -> None:
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(random.choices(SUFFIX_LETTERS, k=5))
            metadata["name"] = metadata["generateName"][:58] + suffix
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"):
            metadata.pop(name, None)
        if metadata.pop("resourceVersion", ""):
            raise bad_request("resourceVersion should not be set on objects to be created")
        metadata["uid"] = new_uid()
        metadata["creationTimestamp"] = timestamp(self._clock())
        if resource.namespaced:
            metadata["namespace"] = namespace

    def _check_namespace(self, resource: Resource, namespace: str, metadata: Json) -> None:
        if not resource.namespaced:
            metadata.pop("namespace", None)
            return
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request(OTHER_NAMESPACE)
        home = self._store.get(NAMESPACES, key_of("", namespace))
        if home is None:
            raise not_found(NAMESPACES, namespace)
        if deleting(home.object):
            raise forbidden(
                resource,
                metadata.get("name", ""),
                f"unable to create new content in namespace {namespace} because it is being terminated",
            )

    def _check_identity(self, at: Address, new: Json, old: Json, *, uid_conflicts: bool) -> None:
        ours, theirs = new.setdefault("metadata", {}), old["metadata"]
        if ours.get("name", at.name) != at.name:
            raise bad_request(
                f"the name of the object ({ours['name']}) does not match the name on the URL ({at.name})"
            )
        if ours.get("namespace", at.namespace) != at.namespace:
            raise bad_request(OTHER_NAMESPACE)
        if ours.get("uid", theirs.get("uid")) != theirs.get("uid"):
            if uid_conflicts:
                self._check_preconditions(at, old, {"uid": ours["uid"]})
            said = f'Invalid value: "{ours["uid"]}": field is immutable'
            raise invalid(at.resource, at.name, [Cause("metadata.uid", said)])
        if ours.get("resourceVersion", theirs["resourceVersion"]) != theirs["resourceVersion"]:
            raise modified(at.resource, at.name)

    def _check_preconditions(self, at: Address, stored: Json, wanted: Json) -> None:
        for name, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            found = stored["metadata"].get(name)
            if wanted.get(name, found) != found:
                raise conflict(
                    at.resource,
                    at.name,
                    f"Precondition failed: {label} in precondition: {wanted[name]},"
                    f" {label} in object meta: {found}",
                )

    def _mark_deleted(self, at: Address, entry: Entry) -> Entry:
        document = entry.copy()
        document["metadata"]["deletionTimestamp"] = timestamp(self._clock())
        if at.resource == NAMESPACES:
            document["status"] = {"phase": "Terminating"}
        else:
            document["metadata"]["deletionGracePeriodSeconds"] = 0
        return self._write(at, document, entry.object, dry_run=False)

    def _empty_namespace(self, namespace: str) -> None:
        for resource in self._store.resources():
            if not resource.namespaced:
                continue
            for entry in self._store.snapshot(resource).entries:
                if entry.object["metadata"].get("namespace") == namespace:
                    self.delete(Address(resource, namespace, entry.object["metadata"]["name"]), {})
        self._finish_namespace(namespace)

    def _finish_namespace(self, namespace: str) -> None:
        """A terminating namespace goes with the last object in it."""
        at = Address(NAMESPACES, "", namespace)
        entry = self._store.get(NAMESPACES, at.key)
        if entry is None or not deleting(entry.object):
            return
        held = (
            item.object["metadata"].get("namespace") == namespace
            for resource in self._store.resources()
            if resource.namespaced
            for item in self._store.snapshot(resource).entries
        )
        if not any(held) and not entry.object["metadata"].get("finalizers"):
            self._remove(at, entry.copy())
