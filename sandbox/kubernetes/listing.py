"""Lists: selection and pages. Every page of one list shows the world at one version."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes.errors import bad_request, gone, too_new
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.selectors import selector
from sandbox.kubernetes.store import Entry, Snapshot, Store, TooOldError, key_of

Json = dict[str, Any]

TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105
INCONSISTENT = -1
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a"
    " new list without the continue parameter, or use the continue token in this response to retrieve"
    " the remainder of the results. Continuing with the provided token results in an inconsistent"
    " list - objects that were created, modified, or deleted between the time the first chunk was"
    " returned and now may show up in the list."
)


@dataclass(frozen=True)
class Page:
    """`metadata` is the list's: resourceVersion and, if there is more, continue and remainingItemCount."""

    entries: list[Entry]
    metadata: Json


def list_page(store: Store, resource: Resource, namespace: str, query: Mapping[str, str]) -> Page:
    """One page as `limit`, `continue` and the selectors ask. 400 for a bad token, 410 for an old one."""
    selects = selector(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    prefix = key_of(namespace, "") if namespace or not resource.namespaced else ""
    snapshot, start = _start(store, resource, prefix, query)
    limit = _number(query, "limit")
    page: list[Entry] = []
    more = False
    for entry in snapshot.after(start):
        if not entry.key.startswith(prefix):
            break
        if selects is None or selects(entry.object):
            if limit and len(page) == limit:
                more = True
                break
            page.append(entry)
    metadata: Json = {"resourceVersion": str(snapshot.version)}
    if more:
        store.keep(resource, snapshot)
        metadata["continue"] = _token(snapshot.version, page[-1].key)
        if selects is None:
            metadata["remainingItemCount"] = _remaining(snapshot, page[-1].key, prefix)
    return Page(page, metadata)


def _remaining(snapshot: Snapshot, key: str, prefix: str) -> int:
    return sum(1 for entry in snapshot.after(key) if entry.key.startswith(prefix))


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "") or "0"
    if not text.isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _start(store: Store, resource: Resource, prefix: str, query: Mapping[str, str]) -> tuple[Snapshot, str]:
    token = query.get("continue", "")
    if not token:
        return _at_version(store, resource, query), prefix
    version, key = _parsed(token)
    if not key.startswith(prefix):
        raise bad_request(f'invalid continue token: continue key is not valid: "{key}"')
    if version == INCONSISTENT:
        return store.snapshot(resource), key
    try:
        return store.at(resource, version), key
    except TooOldError:
        raise gone(EXPIRED, _token(INCONSISTENT, key)) from None


def _at_version(store: Store, resource: Resource, query: Mapping[str, str]) -> Snapshot:
    """What is, or with `resourceVersionMatch=Exact` what was."""
    version = _number(query, "resourceVersion")
    if version > store.version:
        raise too_new(version, store.version)
    if query.get("resourceVersionMatch") != "Exact" or version == store.version:
        return store.snapshot(resource)
    try:
        return store.at(resource, version)
    except TooOldError:
        raise gone("The resourceVersion for the provided list is too old.") from None


def _token(version: int, key: str) -> str:
    token = json.dumps({"v": TOKEN_VERSION, "rv": version, "start": f"{key}\0"})
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _parsed(token: str) -> tuple[int, str]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(content["rv"]), str(content["start"]).removesuffix("\0")
    except (ValueError, KeyError, TypeError) as error:
        why = "illegal base64 data at input byte 0" if isinstance(error, binascii.Error) else "not our JSON"
        raise bad_request(f"invalid continue token: continue key is not valid: {why}") from error
