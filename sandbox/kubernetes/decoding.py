"""Bodies → objects: JSON, YAML or protobuf, typed as the API server's Go structs type them.

An unquoted `true` as an annotation is the mistake people really make: it is refused in the server's own words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from sandbox.kubernetes.errors import ApiError, bad_request, unrecognized
from sandbox.kubernetes.protobuf import UnknownKindError, decode_object
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.schema import Field, Message, messages

Json = dict[str, Any]

_GO_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "string"),
    "time": (lambda value: isinstance(value, str), "string"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "int32"),
    "bool": (lambda value: isinstance(value, bool), "bool"),
    "intstr": (
        lambda value: isinstance(value, (int, str)) and not isinstance(value, bool),
        "intstr.IntOrString",
    ),
}


_EMPTY = {"string": "", "time": None}


class _Timeless(yaml.SafeLoader):
    """Timestamps stay text, as in JSON."""


_Timeless.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(body: bytes, media_type: str, kind: str = "") -> Any:
    """A body as plain data: an object of a kind, or a patch. 400 for what does not parse, 415 for other types."""
    try:
        if media_type.endswith("json") or not media_type:
            return json.loads(body)
        if media_type.endswith("yaml"):
            return yaml.load(body, _Timeless)  # noqa: S506 (a SafeLoader)
        if media_type == "application/vnd.kubernetes.protobuf":
            return decode_object(body)
    except UnknownKindError as error:
        raise ApiError(415, str(error)) from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        why = _go_json(error) if isinstance(error, json.JSONDecodeError) else str(error)
        raise (unrecognized(body, kind, why) if kind else bad_request(why)) from error
    accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    raise ApiError(
        415, f"the body of the request was in an unknown format - accepted media types: {accepted}"
    )


def _go_json(error: json.JSONDecodeError) -> str:
    """As Go's parser tells where JSON goes wrong."""
    if not error.doc[error.pos :].strip():
        return "unexpected end of JSON input"
    return f"invalid character '{error.doc[error.pos]}' looking for beginning of value"


def _omitted(value: object, row: Field) -> bool:
    """Go's omitempty: a pointer to false is kept, and so is an empty struct."""
    return value in ("", []) or (row.type == "map" and not value) or (row.type == "int" and not value)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int64"),
    (float, "float64"),
    (str, "string"),
    (list, "slice"),
    (dict, "map"),
)


@dataclass(frozen=True)
class MismatchError(Exception):
    """A value of the wrong type; `field` as `ServiceSpec.spec.ports`, `wanted` a Go type."""

    value: object
    field: str
    wanted: str

    def __str__(self) -> str:
        """As Go's JSON decoder says it."""
        found = next((name for kind, name in _GO_NAMES if isinstance(self.value, kind)), "null")
        return f"json: cannot unmarshal {found} into Go struct field {self.field} of type {self.wanted}"

    def of_patch(self) -> str:
        """As a strategic merge says it, which does not go through JSON."""
        found = next((name for kind, name in _KINDS if isinstance(self.value, kind)), "nil")
        if self.wanted.startswith("[]"):
            return f"cannot restore slice from {found}"
        if self.wanted.startswith("map["):
            return f"cannot restore map from {found}"
        if self.wanted.startswith("v1."):
            return f"cannot restore struct from: {found}"
        return f"unrecognized type: {self.wanted}"


@dataclass
class _Typing:
    unknown: list[str] = field(default_factory=list)

    def message(self, value: Any, message: Message, path: str) -> Json:
        if not isinstance(value, dict):
            raise self._mismatch(value, message.name, path, f"v1.{message.name}")
        typed: Json = {}
        for name, inner in value.items():
            row = message.by_name.get(name)
            where = f"{path}.{name}" if path else str(name)
            if row is None:
                self.unknown.append(where)
            elif inner is not None:
                kept = self._field(inner, row, where, message.name)
                if row.always or not _omitted(kept, row):
                    typed[name] = kept
        empty = {row.name: _EMPTY[row.type] for row in message.by_name.values() if row.always}
        return {**empty, **typed} if empty else typed

    def _field(self, value: Any, row: Field, path: str, owner: str) -> Any:
        if not row.repeated:
            return self._single(value, row, path, owner)
        if not isinstance(value, list):
            raise self._mismatch(value, owner, path, f"[]{row.type}")
        return [
            self._single(item, row, f"{path}[{index}]", owner)
            for index, item in enumerate(value)
            if item is not None
        ]

    def _single(self, value: Any, row: Field, path: str, owner: str) -> Any:
        if row.type == "any":
            return value
        if row.type == "map":
            return self._strings(value, path, owner)
        if row.type not in _CHECKS:
            return self.message(value, messages()[row.type], path)
        fits, go_type = _CHECKS[row.type]
        if not fits(value):
            raise self._mismatch(value, owner, path, go_type)
        return value

    def _strings(self, value: Any, path: str, owner: str) -> dict[str, str]:
        if not isinstance(value, dict):
            raise self._mismatch(value, owner, path, "map[string]string")
        for inner in value.values():
            if inner is not None and not isinstance(inner, str):
                raise self._mismatch(inner, owner, path, "string")
        return {str(name): inner or "" for name, inner in value.items()}

    def _mismatch(self, value: object, owner: str, path: str, go_type: str) -> MismatchError:
        return MismatchError(value, f"{owner}.{path}", go_type)


def typed(document: Any, resource: Resource) -> tuple[Json, list[str]]:
    """A document with only known fields, and the paths of the unknown ones; MismatchError for a wrong type."""
    if not isinstance(document, dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    bare = {name: value for name, value in document.items() if name not in ("kind", "apiVersion")}
    typing = _Typing()
    schema = messages().get(resource.kind)
    if schema:
        bare = typing.message(bare, schema, "")
    else:
        bare["metadata"] = typing.message(bare.get("metadata") or {}, messages()["ObjectMeta"], "metadata")
    return bare, typing.unknown


def check_type(document: Any, resource: Resource) -> None:
    """400 when a body names another kind or version than its path."""
    if not isinstance(document, dict):
        return
    kind = document.get("kind") or resource.kind
    version = document.get("apiVersion") or resource.api_version
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version"
            f" ({resource.api_version})"
        )
    if kind != resource.kind:
        raise bad_request(
            f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}:'
            f" converting (v1.{kind}) to (core.{resource.kind}): unknown conversion"
        )


def strict(unknown: list[str]) -> str:
    """What `fieldValidation=Strict` says of unknown fields."""
    return "strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in unknown)


def cannot_be_handled(resource: Resource, why: object) -> ApiError:
    """400 for a whole object that does not fit its type."""
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'
    )
