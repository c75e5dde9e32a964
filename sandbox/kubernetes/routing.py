"""A request's path and method → the verb and the object it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.kubernetes.errors import no_such_method, no_such_path
from sandbox.kubernetes.registry import Address
from sandbox.kubernetes.resources import RESOURCES, Resource

_BY_PATH = {(row.root, row.plural): row for row in RESOURCES}


@dataclass(frozen=True)
class Target:
    """`verb` is RBAC's word: get, list, watch, create, update, patch, delete, deletecollection."""

    verb: str
    at: Address
    subresource: str


def target(method: str, path: str, query: Mapping[str, str]) -> Target:
    """404 for a path that is not served, 405 for a method it does not take."""
    resource, namespace, name, subresource = _split(path)
    if subresource and not (subresource == "status" and resource.has_status):
        raise no_such_path()
    verb = _verb(method, name, query)
    if subresource and verb not in ("get", "update", "patch"):
        raise no_such_method()
    if verb == "create" and resource.namespaced and not namespace:
        raise no_such_method()
    return Target(verb, Address(resource, namespace, name), subresource)


def _split(path: str) -> tuple[Resource, str, str, str]:
    parts = path.strip("/").split("/")
    depth = 2 if parts[0] == "api" else 3
    root, rest = "/".join(parts[:depth]), parts[depth:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and (root, rest[2]) in _BY_PATH:
        namespace, rest = rest[1], rest[2:]
    resource = _BY_PATH.get((root, rest[0] if rest else ""))
    misplaced = resource is not None and bool(namespace) and not resource.namespaced
    if resource is None or misplaced or len(rest) > 3:
        raise no_such_path()
    name, subresource = (*rest[1:], "", "")[:2]
    if resource.namespaced and name and not namespace:
        raise no_such_path()
    return resource, namespace, name, subresource


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if query.get("watch", "") in ("1", "true"):
            return "watch"
        return "get" if name else "list"
    verbs = {
        ("POST", False): "create",
        ("PUT", True): "update",
        ("PATCH", True): "patch",
        ("DELETE", True): "delete",
        ("DELETE", False): "deletecollection",
    }
    verb = verbs.get((method, bool(name)))
    if verb is None:
        raise no_such_method()
    return verb
