"""Kubernetes' protobuf bodies, read only: `kubectl create namespace` and Go clients send them; answers stay JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.schema import Field, Message, messages

Json = dict[str, Any]
MAGIC = b"k8s\x00"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class UnknownKindError(Exception):
    """Protobuf of a kind whose fields are not numbered in `schema`."""


def decode_object(body: bytes) -> Json:
    """The object inside the envelope; ValueError for what is not protobuf, UnknownKindError for other kinds."""
    if not body.startswith(MAGIC):
        raise ValueError("no protobuf envelope")
    envelope = _message(body[len(MAGIC) :], messages()["Unknown"])
    type_meta = envelope.get("typeMeta", {})
    schema = messages().get(type_meta.get("kind", ""))
    if schema is None:
        raise UnknownKindError(
            f"the sandbox reads no protobuf of kind {type_meta.get('kind')}: send JSON or YAML"
        )
    return {**type_meta, **_message(envelope.get("raw", b""), schema)}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("truncated protobuf")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7


def _wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
                continue
            case 2:
                size, at = _varint(data, at)
            case 1:
                size = 8
            case 5:
                size = 4
            case other:
                raise ValueError(f"wire type {other}")
        if at + size > len(data):
            raise ValueError("truncated protobuf")
        yield tag >> 3, data[at : at + size]
        at += size


def _message(data: bytes, schema: Message) -> Json:
    found: Json = {}
    for number, raw in _wire(data):
        row = schema.by_number.get(number)
        if row is None or row.type == "any":
            continue
        if row.type == "map":
            name, value = _pair(_as_bytes(raw))
            found.setdefault(row.name, {})[name] = value
        elif row.repeated:
            found.setdefault(row.name, []).append(_value(raw, row))
        else:
            found[row.name] = _value(raw, row)
    return {name: value for name, value in found.items() if value not in ("", None, {})}


def _value(raw: int | bytes, row: Field) -> Any:
    match row.type:
        case "int":
            value = int(raw) if isinstance(raw, int) else 0
            return value - (1 << 64) if value >> 63 else value
        case "bool":
            return bool(raw)
        case "string":
            return _as_bytes(raw).decode()
        case "bytes":
            return _as_bytes(raw)
        case "time":
            return _time(_as_bytes(raw))
        case "intstr":
            return _int_or_string(_as_bytes(raw))
    return _message(_as_bytes(raw), messages()[row.type])


def _as_bytes(raw: int | bytes) -> bytes:
    if isinstance(raw, int):
        raise ValueError("a number where bytes were expected")
    return raw


def _pair(data: bytes) -> tuple[str, str]:
    parts = {number: _as_bytes(raw).decode() for number, raw in _wire(data)}
    return parts.get(1, ""), parts.get(2, "")


def _time(data: bytes) -> str | None:
    parts = {number: raw for number, raw in _wire(data) if isinstance(raw, int)}
    if not parts.get(1):
        return None  # Go's zero time
    return datetime.fromtimestamp(parts[1], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _int_or_string(data: bytes) -> int | str:
    parts = dict(_wire(data))
    if parts.get(1):
        return _as_bytes(parts.get(3, b"")).decode()
    number = parts.get(2, 0)
    return number if isinstance(number, int) else 0
