"""The four patches of the API: merge, strategic merge, JSON, and apply (its owners: `ownership`)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import jsonpatch
import jsonpointer

from sandbox.kubernetes.errors import ApiError, bad_request

Json = dict[str, Any]
Keys = Mapping[str, tuple[str, ...]]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)

# Lists that strategic merge joins by a key; all others are replaced.
_KEYS: Keys = {
    "metadata.ownerReferences": ("uid",),
    "spec.ports": ("port",),
    "status.conditions": ("type",),
}
_APPLY_KEYS: Keys = {**_KEYS, "spec.ports": ("port", "protocol")}
_SETS = {"metadata.finalizers", "spec.finalizers"}
_DEFAULTS = {"protocol": "TCP"}


def patched(original: Json, patch: Any, media_type: str) -> Json:
    """A patched copy. 400 for a patch that is not one, 422 for one that does not apply."""
    document = copy.deepcopy(original)
    if media_type == JSON_PATCH:
        return _json_patch(document, patch)
    if not isinstance(patch, dict):
        found = "array" if isinstance(patch, list) else "string"
        raise bad_request(f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")
    if media_type == MERGE_PATCH:
        return merge(document, patch)
    if media_type == STRATEGIC_PATCH:
        return _strategic(document, patch, "", _KEYS)
    if media_type == APPLY_PATCH:
        return _strategic(document, patch, "", _APPLY_KEYS)
    raise ApiError(
        415,
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(PATCH_TYPES),
    )


def shown_map(value: Any) -> str:
    """A patch as Go prints a map: `map[metadata:map[labels:map[a:b]]]`."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{shown_map(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(shown_map(item) for item in value)}]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
    return str(value)


def merge(target: Json, patch: Json) -> Json:
    """RFC 7386."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            inner = target.get(name)
            target[name] = merge(inner if isinstance(inner, dict) else {}, value)
        else:
            target[name] = value
    return target


def _json_patch(document: Json, patch: Any) -> Json:
    if not isinstance(patch, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    refused = ApiError(422, "the server rejected our request due to an error in our request")
    broken = (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException)
    try:
        result = jsonpatch.apply_patch(document, patch)
    except (*broken, TypeError, KeyError, AttributeError) as error:
        raise refused from error
    if not isinstance(result, dict):
        raise refused
    return result


def _strategic(target: Json, patch: Json, path: str, keys: Keys) -> Json:
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    before = {name: list(value) for name, value in target.items() if isinstance(value, list)}
    for name, value in patch.items():
        _strategic_field(target, name, value, path, keys)
    for name, order in patch.items():
        directive, _, field = name.partition("/")
        if directive == "$setElementOrder" and isinstance(target.get(field), list):
            identity = _identity(keys.get(f"{path}.{field}" if path else field, ()))
            target[field] = _in_order(target[field], order, before.get(field, []), identity)
    if "$retainKeys" in patch:
        return {name: target[name] for name in target if name in patch["$retainKeys"]}
    return target


def _strategic_field(target: Json, name: str, value: Any, path: str, keys: Keys) -> None:
    if name.startswith("$deleteFromPrimitiveList/"):
        field = name.split("/", 1)[1]
        target[field] = [item for item in target.get(field) or [] if item not in value]
        return
    if name.startswith("$"):
        return
    where = f"{path}.{name}" if path else name
    if value is None:
        target.pop(name, None)
    elif isinstance(value, dict):
        inner = target.get(name)
        target[name] = _strategic(inner if isinstance(inner, dict) else {}, value, where, keys)
    elif isinstance(value, list) and where in keys:
        target[name] = _merged_list(target.get(name) or [], _objects(value), where, keys)
    elif isinstance(value, list) and where in _SETS:
        present = target.get(name) or []
        target[name] = present + [item for item in value if item not in present]
    else:
        target[name] = value


def _objects(items: list[Any]) -> list[Json]:
    """The items of a keyed list; 400 if one is not an object."""
    if not all(isinstance(item, dict) for item in items):
        raise bad_request(f"expected objects in the list, found {json.dumps(items)[:200]}")
    return items


def _identity(keys: tuple[str, ...]) -> Callable[[Any], str]:
    """By what an item of a list is known: its keys, or itself where it has none."""

    def identity(item: Any) -> str:
        found = [item.get(key, _DEFAULTS.get(key)) for key in keys] if keys else item
        return json.dumps(found, sort_keys=True)  # a key's value may be anything: it is judged later

    return identity


def _in_order(
    items: list[Any], order: list[Any], before: list[Any], identity: Callable[[Any], Any]
) -> list[Any]:
    """As the patch orders its items; the others come before those of them that they were before."""
    wanted = [identity(item) for item in order]
    place = {identity(item): index for index, item in enumerate(before)}
    known = sorted(
        (item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item))
    )
    found = []
    for item in (item for item in items if identity(item) not in wanted):
        while known and place.get(identity(known[0]), -1) < place.get(identity(item), -1):
            found.append(known.pop(0))
        found.append(item)
    return found + known


def _merged_list(present: list[Json], items: list[Json], path: str, keys: Keys) -> list[Json]:
    if any(item.get("$patch") == "replace" for item in items):
        return [item for item in items if "$patch" not in item]

    identity = _identity(keys[path])
    merged = {identity(item): item for item in present}
    for item in items:
        if item.get("$patch") == "delete":
            merged.pop(identity(item), None)
        else:
            base = merged.get(identity(item), {})
            merged[identity(item)] = _strategic(base, item, f"{path}[]", keys)
    return list(merged.values())
