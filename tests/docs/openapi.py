"""docs/reference/openapi.yaml, and whether an answer is one that it describes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.docs.pages import ROOT

Json = dict[str, Any]
FILE = ROOT / "docs" / "reference" / "openapi.yaml"
URI = "urn:openapi"


@cache
def document() -> Json:
    """The file."""
    loaded: Json = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def resolved(part: Json) -> Json:
    """What a ``$ref`` stands for, or the part itself."""
    found = part
    while "$ref" in found:
        target: Any = document()
        for step in found["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        found = target
    return found


def operations() -> dict[str, tuple[str, str, Json]]:
    """By ``operationId``: method in capitals, path, operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }


def amiss(operation: str, status: int, body: Any, mimetype: str = "application/json") -> list[str]:
    """What of an answer the file does not describe: its status, its type, a field too many, too few or wrong."""
    responses = operations()[operation][2]["responses"]
    if str(status) not in responses:
        return [f"{operation}: no status {status}"]
    content = resolved(responses[str(status)]).get("content", {})
    if not content or (status == 401 and not body):  # the platform's own has none
        return [f"{operation} {status}: no body"] if body else []
    if mimetype not in content:
        return [f"{operation} {status}: not {mimetype}"]
    if mimetype != "application/json":
        return []
    escaped = operations()[operation][1].replace("~", "~0").replace("/", "~1")
    place = f"/paths/{escaped}/{operations()[operation][0].lower()}/responses/{status}"
    if "$ref" in responses[str(status)]:
        place = responses[str(status)]["$ref"].removeprefix("#")
    schema = {"$ref": f"{URI}#{place}/content/application~1json/schema"}
    validator = OAS31Validator(schema, registry=_closed())
    return [
        f"{operation} {status}: {error.json_path}: {error.message[:300]}"
        for error in validator.iter_errors(body)
    ]


@cache
def _closed() -> Registry[Any]:
    """The document with every object closed, so that a field nobody told of is found."""
    copy = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for schema in _objects(copy):
        schema.setdefault("additionalProperties", False)
    registry: Registry[Any] = Registry().with_resource(URI, DRAFT202012.create_resource(copy))
    return registry


def _objects(part: Any) -> Iterator[Json]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for item in part.values():
            yield from _objects(item)
    elif isinstance(part, list):
        for item in part:
            yield from _objects(item)
