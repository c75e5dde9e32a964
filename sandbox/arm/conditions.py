"""What every write is checked for before its resource type looks at it: etags, tags, resource group."""

from __future__ import annotations

from typing import Any

from sandbox.arm.errors import gateway, provider
from sandbox.arm.ids import ResourceId
from sandbox.arm.state import Json
from sandbox.arm.world import Call, World

MAX_TAGS = 50
MAX_TAG_NAME = 512
MAX_TAG_VALUE = 256
_FORBIDDEN_IN_TAG_NAMES = set("<>%&\\?/")


def require_group(world: World, target: ResourceId) -> ResourceId:
    """The target with its group in the casing it was created with, or ResourceGroupNotFound."""
    if target.group is None:
        return target
    group = world.store.group(target.subscription, target.group)
    if group is None:
        raise gateway.NO_GROUP.error(group=target.group)
    return ResourceId(
        target.subscription,
        group["name"],
        target.type,
        target.name,
        target.child_type,
        target.child,
        target.rest,
    )


def check_if_match(call: Call, resource_id: str, existing: Json | None) -> None:
    """412 when `If-Match` names another etag than the resource's."""
    asked = call.headers.get("If-Match", "").strip()
    if asked in ("", "*"):
        return
    wanted = asked if asked.startswith('W/"') else 'W/"{}"'.format(asked.strip('"'))
    current = existing["etag"] if existing else None
    if wanted != current:
        text = (
            f"Etag provided in if-match header {wanted} does not match etag {current} of resource "
            f"{existing['id'] if existing else resource_id} in NRP data store."
        )
        details = [{"code": "PreconditionFailedEtagMismatch", "message": text}]
        raise provider.ETAG_MISMATCH.error(details=details)


def check_tags(tags: Any) -> None:
    """Refuse tags beyond ARM's limits."""
    if tags is None:
        return
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise gateway.BAD_BODY.error(reason="tags: not a map of strings")
    if len(tags) > MAX_TAGS:
        raise gateway.TOO_MANY_TAGS.error(count=len(tags), limit=MAX_TAGS)
    if forbidden := [name for name in tags if _FORBIDDEN_IN_TAG_NAMES & set(name)]:
        raise gateway.TAG_CHARACTERS.error(names=",".join(forbidden))
    for name, value in tags.items():
        if len(name) > MAX_TAG_NAME:
            raise gateway.TAG_NAME_LENGTH.error(name=name, limit=MAX_TAG_NAME)
        if len(value) > MAX_TAG_VALUE:
            raise gateway.TAG_VALUE_LENGTH.error(value=value, limit=MAX_TAG_VALUE)
