"""Reads JSON that somebody may have edited: what has another shape than expected is as if it were not there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model import Json


def mapping(value: Json, name: str) -> Mapping[str, Any]:
    """An object of an object."""
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def texts(value: Json, name: str) -> tuple[str, ...]:
    """A list of an object, each item as a text."""
    found = value.get(name)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def objects(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of an object, as far as its items are objects."""
    found = value.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
