"""The documents by which clients learn what is served: /api, /apis, resource lists, /version, OpenAPI v3."""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import Any

from sandbox.kubernetes.resources import ALL_VERBS, RESOURCES, Resource
from sandbox.kubernetes.schema import Field, messages

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
_BY_ROOT = {
    root: tuple(rows)
    for root, rows in groupby(sorted(RESOURCES, key=lambda row: row.root), key=lambda row: row.root)
}


def document(path: str, address: str) -> Json | None:
    """The discovery document at a path (no slashes at its ends), or None."""
    match path:
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
        case "openapi/v3":
            return {"paths": {root: _openapi_link(root) for root in _BY_ROOT}}
    if path.startswith("openapi/v3/"):
        return _openapi(path.removeprefix("openapi/v3/"))
    if path in _BY_ROOT:
        return _resource_list(_BY_ROOT[path])
    groups = {f"apis/{rows[0].group}": rows[0] for rows in _BY_ROOT.values() if rows[0].group}
    if path in groups:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(groups[path])}
    return None


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
        "verbs": list(ALL_VERBS),
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


def _openapi_link(root: str) -> Json:
    digest = hashlib.sha256(repr(_BY_ROOT[root]).encode()).hexdigest()[:32].upper()
    return {"serverRelativeURL": f"/openapi/v3/{root}?hash={digest}"}


def _openapi(root: str) -> Json | None:
    """Paths enough for `kubectl apply` to see that the server validates fields, and our schemas."""
    rows = _BY_ROOT.get(root)
    if rows is None:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": {f"/{root}/{_item_path(row)}": _openapi_item(row) for row in rows},
        "components": {"schemas": _schemas(rows)},
    }


def _item_path(row: Resource) -> str:
    return f"{'namespaces/{namespace}/' if row.namespaced else ''}{row.plural}/{{name}}"


def _openapi_item(row: Resource) -> Json:
    kind = {"group": row.group, "kind": row.kind, "version": row.version}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    answer = {"description": "OK", "content": {"application/json": {"schema": {"$ref": _ref(row.kind)}}}}

    def operation(action: str, with_parameters: bool) -> Json:
        return {
            "operationId": f"{action}{row.kind}",
            "parameters": parameters if with_parameters else [],
            "responses": {"200": answer},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        }

    return {
        "get": operation("get", False),
        "put": operation("put", True),
        "patch": operation("patch", True),
        "delete": operation("delete", False),
    }


def _ref(name: str) -> str:
    return f"#/components/schemas/{_schema_name(name)}"


def _schema_name(name: str) -> str:
    package = "io.k8s.apimachinery.pkg.apis.meta.v1" if name == "ObjectMeta" else "io.k8s.api.core.v1"
    return f"{package}.{name}"


def _schemas(rows: tuple[Resource, ...]) -> Json:
    kinds = {row.kind: row for row in rows}
    names = [name for name in messages() if name not in ("Unknown", "TypeMeta")]
    return {
        _schema_name(name): _schema(name, kinds.get(name))
        for name in [*names, *(kind for kind in kinds if kind not in names)]
    }


def _schema(name: str, row: Resource | None) -> Json:
    known = messages().get(name)
    fields = known.by_name.values() if known else [messages()["Service"].by_name["metadata"]]
    found: Json = {
        "type": "object",
        "properties": {field.name: _property(field) for field in fields},
    }
    if row:
        found["properties"] |= {"kind": {"type": "string"}, "apiVersion": {"type": "string"}}
        found["x-kubernetes-group-version-kind"] = [
            {"group": row.group, "kind": row.kind, "version": row.version}
        ]
    return found


def _property(field: Field) -> Json:
    types: dict[str, Json] = {
        "string": {"type": "string"},
        "int": {"type": "integer", "format": "int32"},
        "bool": {"type": "boolean"},
        "time": {"type": "string", "format": "date-time"},
        "intstr": {"type": "string", "format": "int-or-string"},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "any": {"type": "object"},
    }
    single = types.get(field.type) or {"allOf": [{"$ref": _ref(field.type)}], "default": {}}
    return {"type": "array", "items": single} if field.repeated else single
