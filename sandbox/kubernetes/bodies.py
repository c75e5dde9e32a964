"""What clients send → objects of their type, with warnings or refusals for what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kubernetes.decoding import MismatchError, cannot_be_handled, check_type, strict, typed
from sandbox.kubernetes.errors import invalid_patch, not_declared
from sandbox.kubernetes.patches import APPLY_PATCH, STRATEGIC_PATCH, patched, shown_map
from sandbox.kubernetes.registry import Address
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.store import encode

Json = dict[str, Any]


def typed_body(body: Any, resource: Resource, query: Mapping[str, str]) -> tuple[Json, list[str]]:
    """A body in the type's shape and the warnings about what was dropped from it."""
    check_type(body, resource)
    try:
        document, unknown = typed(body, resource)
    except MismatchError as error:
        raise cannot_be_handled(resource, error) from error
    if unknown and query.get("fieldValidation") == "Strict":
        raise cannot_be_handled(resource, strict(unknown))
    return document, _warnings(unknown, query)


def typed_patch(
    old: Json, patch: Any, at: Address, media_type: str, query: Mapping[str, str]
) -> tuple[Json, list[str]]:
    """The same of a patched object. What does not fit is told by the patch: there is no object yet."""
    resource, merged = at.resource, patched(old, patch, media_type)
    by_map = media_type == STRATEGIC_PATCH

    def shown() -> str:
        kind = {"kind": resource.kind, "apiVersion": resource.api_version}
        return shown_map(patch) if by_map else encode(kind | merged).decode()

    try:
        document, unknown = typed(merged, resource)
    except MismatchError as error:
        raise invalid_patch(shown(), error.of_patch() if by_map else str(error)) from error
    if unknown and media_type == APPLY_PATCH:
        raise not_declared(resource, at.namespace, at.name, unknown)
    if unknown and query.get("fieldValidation") == "Strict":
        raise invalid_patch(shown(), strict(unknown))
    return document, _warnings(unknown, query)


def _warnings(unknown: list[str], query: Mapping[str, str]) -> list[str]:
    wanted = (query.get("fieldValidation") or "Warn") == "Warn"
    return [f'unknown field "{path}"' for path in unknown if wanted]
