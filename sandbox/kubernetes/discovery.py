"""The documents by which clients learn what is served: /api, /apis, resource lists, /version."""

from __future__ import annotations

from typing import Any

from sandbox.kubernetes.resources import RESOURCES, REVIEWS, Resource, by_root

Json = dict[str, Any]

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.4",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2025-04-22T16:03:24Z",
    "goVersion": "go1.23.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_BY_ROOT = by_root(RESOURCES + REVIEWS)
HEALTH = ("healthz", "livez", "readyz")
_CHECKS = ("ping", "log", "etcd", "informer-sync", "shutdown")


def document(path: str, address: str) -> Json | None:
    """The discovery document at a path (no slashes at its ends), or None."""
    match path:
        case "":
            return {"paths": _paths()}
        case "version":
            return VERSION
        case "api":
            return _core_versions(address)
        case "apis":
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(rows[0]) for rows in _BY_ROOT.values() if rows[0].group],
            }
    if path in _BY_ROOT:
        return _resource_list(_BY_ROOT[path])
    groups = {f"apis/{rows[0].group}": rows[0] for rows in _BY_ROOT.values() if rows[0].group}
    if path in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(groups[path])}
    return None


def health(name: str, *, verbose: bool) -> str:
    """What a health check answers: all is well here."""
    checks = "".join(f"[+]{check} ok\n" for check in _CHECKS)
    return f"{checks}{name} check passed\n" if verbose else "ok"


def _paths() -> list[str]:
    groups = {root.rpartition("/")[0] for root in _BY_ROOT}
    documents = ("openapi/v2", "openapi/v3", "version")
    return sorted(f"/{path}" for path in {*_BY_ROOT, *groups, "apis", *documents, *HEALTH})


def _core_versions(address: str) -> Json:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group(row: Resource) -> Json:
    version = {"groupVersion": row.api_version, "version": row.version}
    return {"name": row.group, "versions": [version], "preferredVersion": version}


def _resource_list(rows: tuple[Resource, ...]) -> Json:
    listed = []
    for row in rows:
        listed.append(_listed(row))
        if row.has_status:
            listed.append(_listed_status(row))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": rows[0].api_version,
        "resources": listed,
    }


def _listed(row: Resource) -> Json:
    found: Json = {
        "name": row.plural,
        "singularName": row.kind.lower(),
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        found["shortNames"] = list(row.short_names)
    if row.categories:
        found["categories"] = list(row.categories)
    return found


def _listed_status(row: Resource) -> Json:
    return {
        "name": f"{row.plural}/status",
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": ["get", "patch", "update"],
    }
