"""What a resource type is to the verbs: a handful of functions over the world."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.arm.errors import gateway, provider
from sandbox.arm.fidelity import Guess
from sandbox.arm.ids import ResourceId, parse, same
from sandbox.arm.state import Json
from sandbox.arm.world import World

_NAME = re.compile(r"[a-zA-Z\d]|[a-zA-Z\d][a-zA-Z\d\-_.]{0,78}[a-zA-Z\d_]")
_GENERATED = ("provisioningState", "resourceGuid")


@dataclass(frozen=True)
class Write:
    """One PUT: where to, what, and what is there already."""

    target: ResourceId
    body: Json
    existing: Json | None

    @property
    def id(self) -> str:
        """The resource's id, in ARM's casing."""
        return str(self.target)

    @property
    def properties(self) -> Json:
        """The body's properties."""
        properties = self.body.get("properties") or {}
        if not isinstance(properties, dict):
            raise provider.BAD_VALUE.error(reason="'properties' is not an object")
        return properties


def _nothing(_world: World, _resource: Json) -> None:
    return None


def _nothing_guessed(_resource: Json) -> Guess | None:
    return None


def _as_stored(_world: World, resource: Json) -> Json:
    return resource


@dataclass(frozen=True)
class Kind:
    """A resource type. `write_share`, `delete_share`: the part of the provisioning time that these take.

    desired: body → resource, or a refusal. accepted: what an accepted PUT entails at once. settled: what its
    success entails. refuse_delete: raises while others hold it. removed: what its end entails.
    view: the resource as a GET shows it. guessed: what about that is a guess.
    """

    type: str
    desired: Callable[[World, Write], Json]
    write_share: float
    delete_share: float
    accepted: Callable[[World, Json], None] = _nothing
    settled: Callable[[World, Json], None] = _nothing
    refuse_delete: Callable[[World, Json], None] = _nothing
    removed: Callable[[World, Json], None] = _nothing
    view: Callable[[World, Json], Json] = _as_stored
    notifies: bool = False
    patchable: bool = True
    guessed: Callable[[Json], Guess | None] = _nothing_guessed


def envelope(write: Write, properties: Json, **more: Any) -> Json:
    """The resource around its properties, in the order of keys that ARM writes."""
    existing = write.existing or {}
    resource: Json = {
        "name": existing.get("name", write.target.name),
        "id": existing.get("id", write.id),
        "etag": existing.get("etag", ""),
        "type": write.target.type,
        "location": _location(write),
    }
    if write.body.get("tags") is not None:
        resource["tags"] = dict(write.body["tags"])
    for key in ("extendedLocation", "zones"):
        if key in write.body:
            resource[key] = write.body[key]
    resource.update(more)
    resource["properties"] = properties
    return resource


def check_name(target: ResourceId) -> None:
    """Refuse a name outside 1-80 letters, digits, `-`, `_`, `.`."""
    if not _NAME.fullmatch(target.name or ""):
        raise provider.BAD_NAME.error(name=target.name)


def generated(world: World, write: Write) -> Json:
    """The generated properties: kept from the existing resource, or made."""
    kept = (write.existing or {}).get("properties", {})
    return {
        "provisioningState": kept.get("provisioningState", "Updating"),
        "resourceGuid": kept.get("resourceGuid") or world.guid(),
    }


def sent(write: Write, *read_only: str) -> Json:
    """The body's properties without the read-only and the absent ones; unknown ones are kept."""
    dropped = {key.lower() for key in (*_GENERATED, *read_only)}
    return {
        key: value
        for key, value in write.properties.items()
        if key.lower() not in dropped and value is not None
    }


def resolve(world: World, by: str, reference: Any, expected: str, path: str) -> Json:
    """The resource that `{"id": …}` names: refused when of the wrong type, absent, or not provisioned."""
    wanted = reference.get("id") if isinstance(reference, dict) else None
    parsed = parse(wanted) if isinstance(wanted, str) else None
    if parsed is None or parsed.full_type.lower() != f"microsoft.network/{expected}".lower():
        raise provider.WRONG_TYPE.error(id=wanted, expected=expected, path=path)
    found = world.store.find(str(wanted))
    if found is None:
        raise provider.BAD_REFERENCE.error(missing=wanted, resource=by)
    for used in (found, world.store.find(str(parsed.parent)) or found):
        _require_provisioned(used, by)
    return found


def _require_provisioned(used: Json, by: str) -> None:
    state = used["properties"].get("provisioningState", "Succeeded")
    if state != "Succeeded" and not same(used["id"], by):
        parsed = parse(used["id"])
        noun = (parsed.full_type if parsed else "").rsplit("/", 1)[-1]
        operation = f"Put{noun[:1].upper()}{noun[1:].removesuffix('s')}Operation"
        raise provider.NOT_PROVISIONED.error(used=used["id"], by=by, state=state, operation=operation)


def _location(write: Write) -> str:
    location = write.body.get("location") or ""
    if not isinstance(location, str) or not location:
        raise gateway.NO_LOCATION.error()
    wanted = location.replace(" ", "").lower()
    current = (write.existing or {}).get("location", wanted)
    if current != wanted:
        raise gateway.OTHER_LOCATION.error(
            name=write.target.name, location=current, group=write.target.group, other=wanted
        )
    return wanted
