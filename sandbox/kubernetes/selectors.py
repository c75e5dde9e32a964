"""Label and field selectors: text → predicate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.kubernetes.errors import bad_request
from sandbox.kubernetes.resources import Resource

Json = dict[str, Any]
Predicate = Callable[[Json], bool]

_SET_BASED = re.compile(r"^([^\s=!]+)\s+(in|notin)\s*\(([^)]*)\)$")
_EQUALITY = re.compile(r"^([^\s=!]+)\s*(!=|==|=)\s*(\S*)$")
_EXISTS = re.compile(r"^(!?)\s*([^\s=!,()]+)$")
_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")


def selector(resource: Resource, labels: str, fields: str) -> Predicate | None:
    """Both selectors as one predicate, or None when there is nothing to select."""
    tests = [_label_test(part) for part in _parts(labels)]
    tests += [_field_test(resource, part, fields) for part in _parts(fields)]
    return (lambda item: all(test(item) for test in tests)) if tests else None


def _parts(text: str) -> Iterable[str]:
    return (part.strip() for part in _OUTSIDE_PARENTHESES.split(text) if part.strip())


def _labels(item: Json) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def _label_test(text: str) -> Predicate:
    if found := _SET_BASED.match(text):
        name, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda item: _labels(item).get(name) in values
        return lambda item: _labels(item).get(name) not in values
    if found := _EQUALITY.match(text):
        name, operator, value = found.groups()
        return lambda item: (_labels(item).get(name) == value) is (operator != "!=")
    if found := _EXISTS.match(text):
        negated, name = found.groups()
        return lambda item: (name in _labels(item)) is not bool(negated)
    found_text = text.split()[1] if len(text.split()) > 1 else ""
    expected = "in, notin, =, ==, !=, gt, lt" if found_text else "!, identifier"
    raise bad_request(f"unable to parse requirement: found '{found_text or text}', expected: {expected}")


def _field_test(resource: Resource, text: str, fields: str) -> Predicate:
    found = re.match(r"^([^=!]+)(!=|==|=)(.*)$", text)
    if found is None:
        raise bad_request(f"invalid selector: '{fields}'; can't understand '{text}'")
    path, operator, wanted = found.groups()
    known = ("metadata.name", *resource.fields)
    if resource.namespaced:
        known += ("metadata.namespace",)
    if path not in known:
        raise bad_request(f"field label not supported: {path}")
    keys = ("source.component" if path == "source" else path).split(".")
    return lambda item: (_at(item, keys) == wanted) is (operator != "!=")


def _at(item: Json, keys: list[str]) -> str:
    value: Any = item
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)
