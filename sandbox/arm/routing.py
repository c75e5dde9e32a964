"""From a call to its reply: which part of ARM answers which path."""

from __future__ import annotations

import re
from dataclasses import replace

from sandbox.arm import children, fidelity, groups, managed_clusters, permissions, tags, verbs
from sandbox.arm.conditions import require_group
from sandbox.arm.errors import ArmError, gateway, provider
from sandbox.arm.ids import PLS, ResourceId, parse
from sandbox.arm.kinds import (
    load_balancers,
    nics,
    private_endpoints,
    private_link_services,
    private_links,
    public_ips,
    virtual_networks,
)
from sandbox.arm.kinds import managed_clusters as managed_cluster_kind
from sandbox.arm.kinds.base import Kind
from sandbox.arm.operations import Ending
from sandbox.arm.state import Json
from sandbox.arm.world import Call, Reply, World

KINDS: dict[str, Kind] = {
    kind.type.lower(): kind
    for kind in (
        load_balancers.KIND,
        managed_cluster_kind.KIND,
        nics.KIND,
        private_endpoints.KIND,
        private_link_services.KIND,
        public_ips.KIND,
        virtual_networks.KIND,
    )
}
# Any date is taken; these are told to those who ask.
API_VERSIONS = ("2026-03-01", "2025-05-01", "2024-03-01", "2021-08-01")
_API_VERSION = re.compile(r"20\d\d-[01]\d-[0-3]\d(-[a-z]+)?")
_LOCATIONS = ("microsoft.network/locations", "microsoft.containerservice/locations")


def answer(world: World, call: Call) -> Reply:
    """The reply to one authenticated call; ArmError for a refusal."""
    if not call.api_version:
        raise gateway.NO_API_VERSION.error()
    if not _API_VERSION.fullmatch(call.api_version):
        raise gateway.BAD_API_VERSION.error(version=call.api_version, supported=",".join(API_VERSIONS))
    if call.path.lower().rstrip("/") in ("/subscriptions", "/tenants"):
        return _top(world, call)
    call = replace(call, path=world.own_path(call.path))
    target = parse(call.path)
    if target is None:
        raise gateway.NO_VERB.error(method=call.method, path=call.path)
    _require_subscription(world, target)
    if scope := tags.scope_of(call.path):
        return tags.serve(world, call, scope)
    if scope := permissions.scope_of(call.path):
        return permissions.serve(world, call, scope)
    if target.type is None:
        return _below_subscription(world, call, target)
    target = require_group(world, target)
    if (target.type or "").lower() in _LOCATIONS:
        return _location(world, call, target)
    return _resource(world, call, target)


def refused(world: World, call: Call, error: ArmError) -> None:
    """Tell Event Grid of a write or delete that the provider refused."""
    target = parse(call.path)
    if target is None or target.name is None or error.situation.gateway or call.method in ("GET", "HEAD"):
        return
    failed = Call(
        call.method,
        call.path,
        call.query,
        call.headers,
        call.body,
        call.caller,
        call.base_url,
        Ending("Failed"),
    )
    verbs.publish(world, failed, target, world.store.find(str(target)) is not None)


def _top(world: World, call: Call) -> Reply:
    if call.path.lower().startswith("/tenants"):
        tenant = world.options.tenant
        return Reply(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant}]})
    return Reply(200, {"value": groups.subscriptions(world)})


def _require_subscription(world: World, target: ResourceId) -> None:
    if target.subscription.lower() not in (item.lower() for item in world.options.subscriptions):
        raise gateway.NO_SUBSCRIPTION.error(subscription=target.subscription)


def _below_subscription(world: World, call: Call, target: ResourceId) -> Reply:
    rest = [part.lower() for part in target.rest]
    match (call.method, rest):
        case ("GET", []) if target.group is None:
            return Reply(200, groups.subscription(world, target.subscription))
        case (_, []):
            return groups.serve_group(world, call, target)
        case ("GET", ["resourcegroups"]):
            return verbs.page(world, call, world.store.groups(target.subscription))
        case ("GET", ["resources"]):
            return groups.resources(world, call, require_group(world, target))
        case ("GET", ["providers", namespace]):
            return Reply(200, _provider(world, target, namespace))
    raise gateway.NO_VERB.error(method=call.method, path=call.path)


def _provider(world: World, target: ResourceId, namespace: str) -> Json:
    types = [kind.type for kind in KINDS.values() if kind.type.lower().startswith(namespace + "/")]
    return {
        "id": f"/subscriptions/{target.subscription}/providers/{namespace}",
        "namespace": types[0].split("/")[0] if types else namespace,
        "registrationState": "Registered" if types else "NotRegistered",
        "resourceTypes": [
            {
                "resourceType": kind.split("/", 1)[1],
                "locations": [world.options.location],
                "apiVersions": list(API_VERSIONS),
            }
            for kind in types
        ],
    }


def _resource(world: World, call: Call, target: ResourceId) -> Reply:
    namespace = (target.type or "").partition("/")[0]
    kind = KINDS.get((target.type or "").lower())
    if kind is None and not namespace.lower().startswith("microsoft."):
        raise gateway.NO_NAMESPACE.error(namespace=namespace)
    if kind is None:
        raise gateway.NO_TYPE.error(namespace=namespace, version=call.api_version)
    if target.child_type is not None and kind is managed_cluster_kind.KIND:
        return managed_clusters.serve(world, call, target)
    if target.child_type is not None:
        return children.serve(world, call, kind, target)
    match call.method:
        case "GET" if target.name is None:
            return verbs.listing(world, call, kind, target)
        case "GET":
            return verbs.get(world, call, kind, target)
        case "PUT" if target.name and target.group:
            return verbs.put(world, call, kind, target)
        case "PATCH" if target.name and kind.patchable:
            return verbs.patch(world, call, kind, target)
        case "DELETE" if target.name and target.group:
            return verbs.delete(world, call, kind, target)
    raise gateway.NO_VERB.error(method=call.method, path=call.path)


def _location(world: World, call: Call, target: ResourceId) -> Reply:
    match (call.method, (target.child_type or "").lower()):
        case ("GET", "operations" | "operationresults" as noun):
            operation = world.operations.get(target.child or "")
            if operation is None:
                raise provider.NO_OPERATION.error(operation=target.child)
            if noun == "operations":
                return verbs.operation_status(world, operation)
            return verbs.operation_result(world, operation)
        case ("POST", "checkprivatelinkservicevisibility"):
            return _visibility(world, call, target)
        case ("GET", "autoapprovedprivatelinkservices"):
            return _auto_approved(world, call, target)
    raise gateway.NO_VERB.error(method=call.method, path=call.path)


def _visibility(world: World, call: Call, target: ResourceId) -> Reply:
    pls = private_endpoints.by_alias(world, str(call.body.get("privateLinkServiceAlias") or ""))
    visible = pls is not None and private_links.visible_to(pls, target.subscription)
    return Reply(200, {"visible": visible}, guess=fidelity.VISIBILITY_CHECK)


def _auto_approved(world: World, call: Call, target: ResourceId) -> Reply:
    found = [
        {"privateLinkService": pls["id"]}
        for pls in world.store.of_type(PLS)
        if private_links.approves(pls, target.subscription)
    ]
    reply = verbs.page(world, call, found)
    return Reply(reply.status, reply.body, reply.headers, guess=fidelity.AUTO_APPROVED)
