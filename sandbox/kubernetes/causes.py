"""The kinds of causes a 422 lists, worded as the API server words them; values are printed as Go prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sandbox.kubernetes.errors import Cause


def required(field: str, why: str = "") -> Cause:
    return Cause(field, f"Required value: {why}" if why else "Required value", "FieldValueRequired")


def invalid(field: str, value: object, why: str) -> Cause:
    return Cause(field, f"Invalid value: {go(value)}: {why}")


def unsupported(field: str, value: object, supported: Iterable[str]) -> Cause:
    listed = ", ".join(go(item) for item in supported)
    return Cause(
        field, f"Unsupported value: {go(value)}: supported values: {listed}", "FieldValueNotSupported"
    )


def forbidden(field: str, why: str) -> Cause:
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def duplicate(field: str, shown: str) -> Cause:
    """`shown` is the value as it is printed."""
    return Cause(field, f"Duplicate value: {shown}", "FieldValueDuplicate")


def go(value: Any, element: str = "string") -> str:
    """A value as `%#v` prints it: `"text"`, `80`, `[]string{"a", "b"}`; nothing is the text `"null"`."""
    match value:
        case None:
            return '"null"'
        case bool() | int():
            return str(value).lower()
        case list():
            return f"[]{element}{{{', '.join(go(item) for item in value)}}}"
    return json.dumps(str(value), ensure_ascii=False)
