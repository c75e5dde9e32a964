"""An OpenAPI 2 document in protobuf, the only form in which kubectl takes it: gnostic's messages, those fields that we have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

Json = dict[str, Any]


def encoded(document: Json) -> bytes:
    """A Document of gnostic's OpenAPIv2.proto, without paths."""
    info = document["info"]
    return b"".join(
        (
            _text(1, document["swagger"]),
            _bytes(2, _text(1, info["title"]) + _text(2, info["version"])),
            _bytes(8, b""),
            _bytes(9, _named(document["definitions"].items(), _schema)),
        )
    )


def _schema(schema: Json) -> bytes:
    return b"".join(_FIELDS[name](value) for name, value in schema.items() if name in _FIELDS) + b"".join(
        _bytes(31, _text(1, name) + _bytes(2, _text(2, json.dumps(value))))
        for name, value in schema.items()
        if name.startswith("x-")
    )


def _named(items: Iterable[tuple[str, Json]], encode: Callable[[Json], bytes]) -> bytes:
    """gnostic's maps: a list of pairs, each a name and a value."""
    return b"".join(_bytes(1, _text(1, name) + _bytes(2, encode(value))) for name, value in items)


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(number, value) for value in values)


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


_FIELDS: dict[str, Callable[[Any], bytes]] = {
    "$ref": lambda value: _text(1, value),
    "format": lambda value: _text(2, value),
    "description": lambda value: _text(4, value),
    "required": lambda value: _texts(19, value),
    "additionalProperties": lambda value: _bytes(21, _bytes(1, _schema(value))),
    "type": lambda value: _bytes(22, _text(1, value)),
    "items": lambda value: _bytes(23, _bytes(1, _schema(value))),
    "properties": lambda value: _bytes(25, _named(value.items(), _schema)),
}
