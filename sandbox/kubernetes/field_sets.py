"""Sets of fields as `managedFields` holds them: paths of an object, their FieldsV1 form, their spelling in messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]
Path = tuple[str, ...]
Fields = frozenset[Path]

# Whether somebody has an item of a keyed list at all.
ITEM = "."
_KEYED: dict[str, tuple[str, ...]] = {
    "metadata.ownerReferences": ("uid",),
    "spec.ports": ("port", "protocol"),
    "status.conditions": ("type",),
}
_SETS = {"metadata.finalizers"}
_WHOLE = {"spec.selector"}
_DEFAULTS = {"protocol": "TCP"}
_NOBODYS = {
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generateName",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
}


def fields_of(document: Json) -> dict[Path, Any]:
    """Every field that can be owned, with its value."""
    metadata = {name: value for name, value in document["metadata"].items() if name not in _NOBODYS}
    owned = {name: value for name, value in {**document, "metadata": metadata}.items() if value}
    return dict(_below(owned, (), ""))


def _below(value: Any, path: Path, where: str) -> Iterable[tuple[Path, Any]]:
    if isinstance(value, dict) and where not in _WHOLE and (value or not path):
        for name, inner in value.items():
            yield from _below(inner, (*path, f"f:{name}"), f"{where}.{name}" if where else name)
    elif isinstance(value, list) and where in _KEYED and all(isinstance(item, dict) for item in value):
        for item in value:
            here = (*path, f"k:{_compact(_key(item, where))}")
            yield (*here, ITEM), True
            yield from _below(item, here, f"{where}[]")
    elif isinstance(value, list) and where in _SETS:
        for item in value:
            yield (*path, f"v:{_compact(item)}"), item
    else:
        yield path, value


def _key(item: Json, where: str) -> Json:
    return {name: item.get(name, _DEFAULTS.get(name)) for name in _KEYED[where]}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encoded(fields: Iterable[Path]) -> Json:
    """FieldsV1: a tree of names."""
    tree: Json = {}
    for path in sorted(fields):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return tree


def decoded(tree: Any, path: Path = ()) -> Fields:
    """The paths of a FieldsV1 tree; what is none of its steps is left out."""
    found: set[Path] = set()
    for step, inner in tree.items() if isinstance(tree, dict) else ():
        here = (*path, step)
        if _known(step):
            found |= decoded(inner, here) if inner else {here}
    return frozenset(found)


def _known(step: str) -> bool:
    kind, _, content = step.partition(":")
    if kind in ("k", "v"):
        try:
            return isinstance(json.loads(content), dict) or kind == "v"
        except ValueError:
            return False
    return step == ITEM or kind == "f"


def shown(path: Path) -> str:
    """As conflicts name a field: `.spec.ports[port=80,protocol="TCP"].targetPort`."""
    return "".join(_step(step) for step in path if step != ITEM)


def _step(step: str) -> str:
    kind, _, content = step.partition(":")
    if kind == "f":
        return f".{content}"
    if kind == "v":
        return f"[={content}]"
    return f"[{','.join(f'{name}={_compact(value)}' for name, value in json.loads(content).items())}]"


def remove(document: Json, path: Path) -> None:
    """Take a field, or an item of a list, out of a document; nothing happens where there is none."""
    *above, last = path[:-1] if path[-1] == ITEM else path
    node: Any = document
    for step in above:
        node = _child(node, step)
    if isinstance(node, dict):
        node.pop(last.removeprefix("f:"), None)
    elif isinstance(node, list):
        node[:] = [item for item in node if not _is(item, last)]


def _child(node: Any, step: str) -> Any:
    if isinstance(node, dict):
        return node.get(step.removeprefix("f:"))
    if isinstance(node, list):
        return next((item for item in node if _is(item, step)), None)
    return None


def _is(item: Any, step: str) -> bool:
    kind, _, content = step.partition(":")
    if kind not in ("k", "v"):
        return False
    wanted = json.loads(content)
    if kind == "v" or not isinstance(item, dict):
        return bool(item == wanted)
    return all(item.get(name, _DEFAULTS.get(name)) == value for name, value in wanted.items())
