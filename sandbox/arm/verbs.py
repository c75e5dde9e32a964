"""GET, PUT, PATCH and DELETE of top-level resources: status codes, etags, long-running operations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from sandbox.arm import fidelity
from sandbox.arm.conditions import check_if_match, check_tags
from sandbox.arm.errors import gateway, provider
from sandbox.arm.ids import MANAGED_CLUSTER, ResourceId, parse
from sandbox.arm.kinds.base import Kind, Write
from sandbox.arm.operations import Operation
from sandbox.arm.state import Json, stamp
from sandbox.arm.world import Call, Change, Reply, World, operation_headers


def get(world: World, _call: Call, kind: Kind, target: ResourceId) -> Reply:
    """200 with an ETag header, or ResourceNotFound."""
    found = require(world, target)
    return Reply(200, kind.view(world, found), {"ETag": found["etag"]}, guess=kind.guessed(found))


def listing(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    """A resource group's or the subscription's resources of a type."""
    found = world.store.of_type(kind.type, target.subscription, target.group)
    return page(world, call, found, lambda item: kind.view(world, item))


def page(
    world: World, call: Call, items: list[Json], view: Callable[[Json], Json] = lambda item: item
) -> Reply:
    """`{"value": […], "nextLink"?}`: split when a page size is set."""
    size = world.options.page_size or max(len(items), 1)
    start = _start(call.query.get("$skipToken", "0"))
    body: Json = {"value": [view(item) for item in items[start : start + size]]}
    if start + size < len(items):
        query = urlencode({**call.query, "$skipToken": str(start + size)})
        body["nextLink"] = f"{call.base_url}{call.path}?{query}"
    return Reply(200, body)


def _start(token: str) -> int:
    if not token.isdecimal():
        raise provider.BAD_VALUE.error(reason=f"$skipToken {token!r}")
    return int(token)


def put(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    """201 or 200 with the resource, `Updating` unless its type is written at once."""
    existing = world.store.find(str(target))
    check_if_match(call, str(target), existing)
    world.refuse_while_busy(str(target), below=True)
    check_tags(call.body.get("tags"))
    resource = kind.desired(world, Write(target, call.body, existing))
    if existing is not None and unchanged(existing, resource):
        operation = world.begin(call, target, share=0, finish=lambda: publish(world, call, target, True))
        return Reply(200, kind.view(world, existing), operation_headers(world, call, operation))
    stamp(resource, world.etag(), "Updating")
    world.store.save(resource)
    kind.accepted(world, resource)
    operation = world.begin(
        call,
        target,
        share=kind.write_share,
        finish=lambda: _written(world, call, kind, target, existing is not None),
    )
    headers = operation_headers(world, call, operation)
    if kind.notifies:
        headers["Azure-AsyncNotification"] = "Enabled"
    return Reply(200 if existing else 201, kind.view(world, resource), headers)


def patch(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    """Tags only, done at once."""
    found = require(world, target)
    check_if_match(call, str(target), found)
    world.refuse_while_busy(str(target))
    check_tags(call.body.get("tags"))
    if "tags" in call.body:
        found["tags"] = dict(call.body["tags"] or {})
    stamp(found, world.etag(), found["properties"]["provisioningState"])
    publish(world, call, target, True)
    return Reply(200, kind.view(world, found))


def delete(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    """202 with both headers; 204 when there is nothing."""
    existing = world.store.find(str(target))
    if existing is None:
        return Reply(204)
    running = world.operations.running(str(target))
    if running and running.method == "DELETE":
        return Reply(202, None, operation_headers(world, call, running))
    check_if_match(call, str(target), existing)
    world.refuse_while_busy(str(target), below=True)
    kind.refuse_delete(world, existing)
    existing["properties"]["provisioningState"] = "Deleting"
    existing["etag"] = world.etag()
    operation = world.begin(
        call, target, share=kind.delete_share, finish=lambda: _deleted(world, call, kind, target)
    )
    return Reply(202, None, operation_headers(world, call, operation))


def require(world: World, target: ResourceId) -> Json:
    """The resource, or ResourceNotFound in ARM's words."""
    found = world.store.find(str(target.parent))
    if found is None:
        raise gateway.NO_RESOURCE.error(type=target.type, name=target.name, group=target.group)
    return found


def publish(world: World, call: Call, target: ResourceId, existed: bool) -> None:
    """Tell Event Grid how the write, delete or action ended."""
    noun = {"DELETE": "delete", "POST": "action"}.get(call.method, "write")
    world.publish(
        Change(
            str(target),
            f"{target.full_type}/{noun}",
            call.method,
            call.ending.status,
            call.caller,
            f"{call.base_url}{call.path}?api-version={call.api_version}",
            existed,
        )
    )


def unchanged(before: Json, after: Json) -> bool:
    """Whether a PUT changes nothing of a resource in good state."""
    settled: bool = before["properties"].get("provisioningState") == "Succeeded"
    return settled and _plain(before) == _plain(after)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        skipped = ("etag", "provisioningState")
        return {key: _plain(item) for key, item in value.items() if key not in skipped}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _written(world: World, call: Call, kind: Kind, target: ResourceId, existed: bool) -> None:
    resource = world.store.find(str(target))
    if resource is not None:
        stamp(resource, world.etag(), call.ending.provisioning_state)
        if call.ending.status == "Succeeded":
            kind.settled(world, resource)
    publish(world, call, target, existed)


def _deleted(world: World, call: Call, kind: Kind, target: ResourceId) -> None:
    resource = world.store.find(str(target))
    if resource is not None and call.ending.status == "Succeeded":
        world.store.discard(str(target))
        kind.removed(world, resource)
    elif resource is not None:
        resource["properties"]["provisioningState"] = "Failed"
        resource["etag"] = world.etag()
    publish(world, call, target, True)


def operation_status(world: World, operation: Operation) -> Reply:
    """What a GET of an operation answers; AKS tells its name and when it began, too."""
    parsed = parse(operation.resource_id)
    more = {"name": operation.id, "startTime": operation.started.isoformat()}
    shown = more if parsed and parsed.type == MANAGED_CLUSTER else {}
    return Reply(200, {**shown, **operation.body()}, _retry(world, operation))


def operation_result(world: World, operation: Operation) -> Reply:
    """202 while running; then 204 for a DELETE or POST, or 200 with the resource."""
    if operation.status == "InProgress":
        return Reply(202, None, _retry(world, operation), guess=fidelity.OPERATION_RESULT)
    found = world.store.find(operation.resource_id)
    if operation.method in ("DELETE", "POST") or found is None:
        return Reply(204, guess=fidelity.OPERATION_RESULT)
    return Reply(200, copy.deepcopy(found), guess=fidelity.OPERATION_RESULT)


def _retry(world: World, operation: Operation) -> dict[str, str]:
    wait = world.options.retry_after
    return {"Retry-After": str(wait)} if wait and operation.status == "InProgress" else {}
