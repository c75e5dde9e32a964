"""`Microsoft.Resources/tags/default`: tags of any resource, the way `az tag update` writes them."""

from __future__ import annotations

from sandbox.arm import fidelity
from sandbox.arm.conditions import check_tags
from sandbox.arm.errors import gateway
from sandbox.arm.ids import ResourceId, parse
from sandbox.arm.state import Json
from sandbox.arm.world import Call, Change, Reply, World

_SUFFIX = "/providers/microsoft.resources/tags/default"


def scope_of(path: str) -> str | None:
    """The id whose tags a path is about."""
    trimmed = path.rstrip("/")
    return trimmed[: -len(_SUFFIX)] if trimmed.lower().endswith(_SUFFIX) else None


def serve(world: World, call: Call, scope: str) -> Reply:
    """GET, PUT (replace), PATCH (Merge, Replace, Delete) and DELETE of a scope's tags."""
    target = parse(scope)
    found = _scope(world, scope, target)
    if call.method == "GET":
        return Reply(200, _shown(found))
    tags = _changed(call, found.get("tags") or {})
    check_tags(tags)
    found["tags"] = tags
    if "etag" in found:
        found["etag"] = world.etag()
    _publish(world, call, found)
    return Reply(200, None if call.method == "DELETE" else _shown(found), guess=fidelity.TAGS)


def _scope(world: World, scope: str, target: ResourceId | None) -> Json:
    if target is None or target.group is None:
        raise gateway.NO_GROUP.error(group=scope)
    found = world.store.find(scope) if target.name else world.store.group(target.subscription, target.group)
    if found is None:
        raise gateway.NO_RESOURCE.error(type=target.type, name=target.name, group=target.group)
    return found


def _changed(call: Call, before: dict[str, str]) -> dict[str, str]:
    sent = (call.body.get("properties") or {}).get("tags") or {}
    match (call.method, str(call.body.get("operation", "")).lower()):
        case ("PUT", _) | ("PATCH", "replace"):
            return dict(sent)
        case ("PATCH", "merge"):
            return {**before, **sent}
        case ("PATCH", "delete"):
            return {key: value for key, value in before.items() if key not in sent}
        case ("DELETE", _):
            return {}
    raise gateway.NO_VERB.error(method=call.method, path=call.path)


def _shown(found: Json) -> Json:
    return {
        "id": f"{found['id']}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": found.get("tags") or {}},
    }


def _publish(world: World, call: Call, found: Json) -> None:
    noun = "delete" if call.method == "DELETE" else "write"
    world.publish(
        Change(
            f"{found['id']}/providers/Microsoft.Resources/tags/default",
            f"Microsoft.Resources/tags/{noun}",
            call.method,
            "Succeeded",
            call.caller,
            f"{call.base_url}{call.path}?api-version={call.api_version}",
            True,
        )
    )
