"""Subscriptions, resource groups and the list of everything in them."""

from __future__ import annotations

import re

from sandbox.arm import fidelity
from sandbox.arm.conditions import check_tags
from sandbox.arm.errors import gateway
from sandbox.arm.ids import RESOURCE_GROUP, ResourceId
from sandbox.arm.state import Json
from sandbox.arm.verbs import page, publish
from sandbox.arm.world import Call, Reply, World


def subscriptions(world: World) -> list[Json]:
    """Every subscription, as `az login` reads them."""
    return [subscription(world, item) for item in world.options.subscriptions]


def subscription(world: World, subscription_id: str) -> Json:
    """One subscription."""
    own = subscription_id == world.options.subscription
    return {
        "id": f"/subscriptions/{subscription_id}",
        "subscriptionId": subscription_id,
        "tenantId": world.options.tenant,
        "displayName": "Sandbox" if own else f"Sandbox consumer {subscription_id[-4:]}",
        "state": "Enabled",
        "subscriptionPolicies": {"spendingLimit": "Off"},
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


def make_group(subscription_id: str, name: str, location: str, body: Json | None = None) -> Json:
    """A resource group."""
    group: Json = {
        "id": str(ResourceId(subscription_id, name)),
        "name": name,
        "type": RESOURCE_GROUP,
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    }
    for key in ("tags", "managedBy"):
        if body and body.get(key) is not None:
            group[key] = body[key]
    return group


def serve_group(world: World, call: Call, target: ResourceId) -> Reply:
    """GET, HEAD, PUT, PATCH and DELETE of a resource group."""
    name = target.group or ""
    found = world.store.group(target.subscription, name)
    if call.method == "PUT":
        return _put(world, call, target, found)
    if found is None:
        raise gateway.NO_GROUP.error(group=name)
    match call.method:
        case "GET":
            return Reply(200, found)
        case "HEAD":
            return Reply(204)
        case "PATCH":
            check_tags(call.body.get("tags"))
            found["tags"] = dict(call.body.get("tags") or {})
            return Reply(200, found)
        case "DELETE":
            world.store.discard_group(found["id"])
            publish(world, call, target, True)
            return Reply(200, guess=fidelity.GROUP_DELETE)
    raise gateway.NO_VERB.error(method=call.method, path=call.path)


def resources(world: World, call: Call, target: ResourceId) -> Reply:
    """All of a subscription or group, by `resourceType`, `resourceGroup`, `name`, `tagName`, `tagValue` `eq '…'`."""
    wanted = {
        key.lower(): value.lower()
        for key, value in re.findall(r"(\w+) eq '([^']*)'", call.query.get("$filter", ""))
    }
    group = target.group or wanted.get("resourcegroup")
    prefix = str(ResourceId(target.subscription, group)).lower() + "/"
    shown = ("id", "name", "type", "location", "tags")
    found: list[Json] = [
        {key: value for key, value in item.items() if key in shown}
        for item in world.store.all()
        if item["id"].lower().startswith(prefix)
        and item["type"].lower() == wanted.get("resourcetype", item["type"].lower())
        and item["name"].lower() == wanted.get("name", item["name"].lower())
        and _tagged(item, wanted)
    ]
    return page(world, call, found)


def _tagged(item: Json, wanted: dict[str, str]) -> bool:
    if "tagname" not in wanted:
        return True
    tags = {key.lower(): value.lower() for key, value in (item.get("tags") or {}).items()}
    value = tags.get(wanted["tagname"])
    return value is not None and value == wanted.get("tagvalue", value)


def _put(world: World, call: Call, target: ResourceId, found: Json | None) -> Reply:
    location = str(call.body.get("location") or (found or {}).get("location") or "")
    if not location:
        raise gateway.NO_LOCATION.error()
    check_tags(call.body.get("tags"))
    name = found["name"] if found else str(target.group)
    group = make_group(target.subscription, name, location.replace(" ", "").lower(), call.body)
    world.store.save_group(group)
    publish(world, call, target, found is not None)
    return Reply(200 if found else 201, group)
