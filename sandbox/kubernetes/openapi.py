"""The OpenAPI documents: version 3 by group, version 2 as one, in JSON and (version 2) protobuf.

kubectl reads version 3 to explain fields, to learn that the server validates them and how to merge lists; and version 2 where
the server cannot be asked: it validates a file of `kind: List` by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.kubernetes.discovery import VERSION
from sandbox.kubernetes.openapi_protobuf import encoded
from sandbox.kubernetes.openapi_types import Property, Type, types
from sandbox.kubernetes.patches import PATCH_TYPES
from sandbox.kubernetes.resources import Resource, by_root
from sandbox.kubernetes.store import encode

Json = dict[str, Any]

JSON = "application/json"
# kubectl asks for `v2@v1.0`; what is answered has a point there, or Go's parser of media types refuses it.
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_INFO = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
_QUERY = ("dryRun", "fieldManager", "fieldValidation")


@dataclass(frozen=True)
class Document:
    """`digest` is that of the body, as it stands in the index and in the ETag."""

    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return hashlib.sha512(self.body).hexdigest().upper()


def wants_protobuf(accept: str) -> bool:
    return V2_PROTOBUF in accept.replace("@", ".")


@cache
def document(path: str, protobuf: bool) -> Document | None:
    """What is at a path (no slashes at its ends), or None. Slow the first time."""
    match path.split("/", 2):
        case ["openapi", "v2"] if protobuf:
            return Document(encoded(_version_2()), V2_PROTOBUF)
        case ["openapi", "v2"]:
            return Document(encode(_version_2()), JSON)
        case ["openapi", "v3"]:
            return Document(encode({"paths": {root: _link(root) for root in by_root()}}), JSON)
        case ["openapi", "v3", root] if root in by_root():
            return Document(encode(_version_3(root)), JSON)
    return None


def _link(root: str) -> Json:
    found = document(f"openapi/v3/{root}", False)
    return {"serverRelativeURL": f"/openapi/v3/{root}?hash={found.digest if found else ''}"}


def _version_3(root: str) -> Json:
    rows = by_root()[root]
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": {f"/{root}/{_item_path(row)}": _operations(row) for row in rows},
        "components": {"schemas": {type_.name: _schema(type_, 3) for type_ in _needed(rows)}},
    }


def _version_2() -> Json:
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": {},
        "definitions": {type_.name: _schema(type_, 2) for type_ in types().values()},
    }


def _needed(rows: tuple[Resource, ...]) -> Iterator[Type]:
    """The types of some resource types and all below them."""
    todo = [type_.name for type_ in types().values() if type_.resource in rows]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or name not in types():
            continue
        seen.add(name)
        yield types()[name]
        todo += [row.type for row in types()[name].properties]


def _item_path(row: Resource) -> str:
    return f"{'namespaces/{namespace}/' if row.namespaced else ''}{row.plural}/{{name}}"


def _operations(row: Resource) -> Json:
    kind = next(type_.name for type_ in types().values() if type_.resource == row)
    whole = {"schema": {"$ref": f"#/components/schemas/{kind}"}}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in _QUERY
    ]
    answers = {"200": {"description": "OK", "content": {JSON: whole}}}

    def operation(action: str, *content: str) -> Json:
        about: Json = {
            "operationId": f"{action}{row.kind}",
            "responses": answers,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _kind(row),
        }
        taken = {"requestBody": {"content": dict.fromkeys(content, whole)}, "parameters": parameters}
        return about | taken if content else about

    return {
        "get": operation("get"),
        "put": operation("put", "*/*"),
        "patch": operation("patch", *PATCH_TYPES),
        "delete": operation("delete"),
    }


def _kind(row: Resource) -> Json:
    return {"group": row.group, "kind": row.kind, "version": row.version}


def _schema(type_: Type, version: int) -> Json:
    if not type_.properties:
        return {"description": type_.description, **_scalar(type_.format, version)}
    found: Json = {
        "description": type_.description,
        "type": "object",
        "properties": {row.name: _property(row, version) for row in type_.properties},
    }
    if required := [row.name for row in type_.properties if row.required]:
        found["required"] = required
    if type_.resource:
        found["x-kubernetes-group-version-kind"] = [_kind(type_.resource)]
    return found


def _scalar(format_: str, version: int) -> Json:
    if not format_:
        return {"type": "object"}
    if version == 3 and format_ == "int-or-string":
        return {"format": format_, "oneOf": [{"type": "integer"}, {"type": "string"}]}
    return {"format": format_, "type": "string"}


def _property(row: Property, version: int) -> Json:
    shaped = {"": _single, "list": _list, "map": _map}[row.container](row.type, version)
    found = {"description": row.description, **shaped}
    if row.strategy:
        found["x-kubernetes-patch-strategy"] = row.strategy
    if row.merge_key:
        found["x-kubernetes-patch-merge-key"] = row.merge_key
        found["x-kubernetes-list-type"] = "map"
        found["x-kubernetes-list-map-keys"] = [row.merge_key]
    return found


def _list(name: str, version: int) -> Json:
    return {"type": "array", "items": _single(name, version)}


def _map(name: str, version: int) -> Json:
    return {"type": "object", "additionalProperties": _single(name, version)}


def _single(name: str, version: int) -> Json:
    if name == "bytes":
        return {"type": "string", "format": "byte"}
    if name not in types():
        return {"type": name}
    if version == 2:
        return {"$ref": f"#/definitions/{name}"}
    reference = {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
    return reference | ({"default": {}} if types()[name].properties else {})
