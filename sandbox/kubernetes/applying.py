"""Server-side apply: what is asked for, merged into what is, with its fields' owners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.kubernetes.bodies import typed_patch
from sandbox.kubernetes.decoding import check_type, typed
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.ownership import Writer, apply, user_agent_manager
from sandbox.kubernetes.patches import APPLY_PATCH
from sandbox.kubernetes.registry import Address

Json = dict[str, Any]


def writer(query: Mapping[str, str], headers: Mapping[str, str], subresource: str) -> Writer:
    """Who sends a request, by its `fieldManager` or the name of its program."""
    manager = query.get("fieldManager") or user_agent_manager(headers.get("User-Agent", ""))
    return Writer(manager, subresource, query.get("force") in ("1", "true"))


def check_apply(body: Any, at: Address, query: Mapping[str, str]) -> None:
    """400 for an object of another type, 422 without a manager."""
    check_type(body, at.resource)
    if not query.get("fieldManager"):
        said = "fieldManager: Required value: is required for apply patch"
        raise ApiError(422, f'PatchOptions.meta.k8s.io "" is invalid: {said}')


def applied(
    old: Json | None, body: Json, at: Address, query: Mapping[str, str], by: Writer, now: str
) -> tuple[Json, list[str]]:
    """The object that an apply makes of `old` (None: it is new), and warnings. 409 for fields of others."""
    base = old or {"metadata": {"name": at.name}}
    merged, warnings = typed_patch(base, body, at, APPLY_PATCH, query)
    merged.setdefault("metadata", {})
    asked, _ = typed(body, at.resource)
    if by.subresource:
        asked = {name: value for name, value in asked.items() if name in ("metadata", by.subresource)}
    else:
        asked.pop("status", None)
    asked.setdefault("metadata", {})
    return apply(old, asked, merged, by, at.resource.api_version, now), warnings
