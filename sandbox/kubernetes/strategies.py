"""What the API server adds to and refuses in objects of one type, for the types with rules of their own."""

from __future__ import annotations

from typing import Any, Protocol

from sandbox.kubernetes.errors import Cause
from sandbox.kubernetes.resources import EVENTS, NAMESPACES, SERVICES, Resource
from sandbox.kubernetes.service_addresses import Allocations, allocate
from sandbox.kubernetes.service_validation import service_causes
from sandbox.kubernetes.services import with_defaults

Json = dict[str, Any]


class Strategy(Protocol):
    """`old` is None on create; `new` is changed in place by `prepare`."""

    def prepare(self, new: Json, old: Json | None) -> None: ...

    def causes(self, new: Json, old: Json | None) -> list[Cause]: ...

    def stored(self, new: Json | None, old: Json | None) -> None:
        """Told after each change that was kept; `new` is None once the object is gone."""


class Plain:
    """No rules but those of metadata."""

    def prepare(self, new: Json, old: Json | None) -> None:
        pass

    def causes(self, new: Json, old: Json | None) -> list[Cause]:
        return []

    def stored(self, new: Json | None, old: Json | None) -> None:
        pass


class Namespaces(Plain):
    def prepare(self, new: Json, old: Json | None) -> None:
        name = new["metadata"].get("name", "")
        new["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        if old is None:
            new["spec"] = {"finalizers": ["kubernetes"]}
            new["status"] = {"phase": "Active"}
        else:
            new["spec"] = old["spec"]


class Events(Plain):
    def causes(self, new: Json, old: Json | None) -> list[Cause]:
        namespace = new["metadata"]["namespace"]
        involved = new.get("involvedObject", {}).get("namespace", "")
        if involved == namespace or (not involved and namespace in ("default", "kube-system")):
            return []
        return [
            Cause(
                "involvedObject.namespace",
                f'Invalid value: "{involved}": does not match event.namespace',
            )
        ]


class Services:
    """Defaults, cluster IPs and node ports."""

    def __init__(self, allocations: Allocations) -> None:
        self._allocations = allocations

    def prepare(self, new: Json, old: Json | None) -> None:
        with_defaults(new, old)

    def causes(self, new: Json, old: Json | None) -> list[Cause]:
        causes = service_causes(new, old)
        return causes or allocate(new, old, self._allocations)

    def stored(self, new: Json | None, old: Json | None) -> None:
        self._allocations.replace(old, new)


def strategies(allocations: Allocations) -> dict[Resource, Strategy]:
    """The types with rules of their own; all others are Plain."""
    return {NAMESPACES: Namespaces(), EVENTS: Events(), SERVICES: Services(allocations)}
