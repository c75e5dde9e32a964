"""Private link services: what ARM checks in a PUT, the alias, the NIC with the NAT addresses, connections."""

from __future__ import annotations

import re
from typing import Any

from sandbox.arm.errors import private_link, provider
from sandbox.arm.ids import PLS, same, top_level
from sandbox.arm.kinds import nics
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, resolve, sent
from sandbox.arm.kinds.nics import Interface
from sandbox.arm.kinds.private_links import (
    FRONTENDS,
    frontends,
    listed,
    on_frontend,
    on_load_balancer,
    subnets,
)
from sandbox.arm.operations import Operation
from sandbox.arm.state import Json, children
from sandbox.arm.world import World

MAX_PER_LOAD_BALANCER = 8
MAX_IP_CONFIGURATIONS = 8
MIN_DIRECT_IP_CONFIGURATIONS = 3
MAX_SUBSCRIPTIONS = 100
_READ_ONLY = ("alias", "networkInterfaces", "privateEndpointConnections")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    kept = (write.existing or {}).get("properties", {})
    properties = {**generated(world, write), **sent(write, *_READ_ONLY)}
    pls = envelope(write, properties)
    properties.setdefault("fqdns", [])
    properties.setdefault("enableProxyProtocol", False)
    alias = f"{pls['name']}.{world.guid()}.{pls['location']}.azure.privatelinkservice".lower()
    properties["alias"] = kept.get("alias") or alias
    properties["privateEndpointConnections"] = kept.get("privateEndpointConnections", [])
    properties["networkInterfaces"] = kept.get("networkInterfaces", [])
    properties[FRONTENDS] = _frontends(world, write, pls)
    properties["ipConfigurations"] = _ip_configurations(world, write, pls)
    for where in ("visibility", "autoApproval"):
        _check_subscriptions(pls, where)
    if world.options.strict_auto_approval:
        _check_auto_approval(pls)
    _check_contention(world, pls)
    return pls


def _frontends(world: World, write: Write, pls: Json) -> list[Json]:
    asked = write.properties.get(FRONTENDS) or []
    if not asked and write.properties.get("destinationIPAddress"):
        return []
    for index, item in enumerate(asked):
        path = f"properties.{FRONTENDS}[{index}]"
        resolve(world, write.id, item, "loadBalancers/frontendIPConfigurations", path)
    if len(asked) != 1:
        raise private_link.FRONTEND_COUNT.error(pls=write.id, count=len(asked))
    frontend = world.store.find(asked[0]["id"]) or {}
    load_balancer = world.store.find(top_level(frontend["id"])) or {}
    _check_load_balancer(world, write, pls, load_balancer)
    _check_frontend(world, write, frontend)
    return [{"id": frontend["id"]}]


def _check_load_balancer(world: World, write: Write, pls: Json, load_balancer: Json) -> None:
    sku = load_balancer.get("sku", {}).get("name", "Basic")
    if sku != "Standard":
        raise private_link.BASIC_LB.error(pls=write.id, lb=load_balancer["id"], sku=sku)
    if load_balancer["location"] != pls["location"]:
        raise provider.BAD_REFERENCE.error(missing=load_balancer["id"], resource=write.id)
    others = [
        item for item in on_load_balancer(world, load_balancer["id"]) if not same(item["id"], pls["id"])
    ]
    if len(others) >= MAX_PER_LOAD_BALANCER:
        raise private_link.PLS_PER_LB.error(lb=load_balancer["id"], limit=MAX_PER_LOAD_BALANCER)


def _check_frontend(world: World, write: Write, frontend: Json) -> None:
    other = on_frontend(world, frontend["id"])
    if other is not None and not same(other["id"], write.id):
        raise private_link.FRONTEND_HAS_PLS.error(frontend=frontend["id"], other=other["id"])
    if _is_ipv6(world, frontend):
        raise private_link.FRONTEND_IPV6.error(pls=write.id, where=frontend["id"])
    if frontend["properties"].get("inboundNatRules"):
        raise private_link.FRONTEND_NAT_RULES.error(frontend=frontend["id"])


def _is_ipv6(world: World, frontend: Json) -> bool:
    properties = frontend["properties"]
    public = world.store.find((properties.get("publicIPAddress") or {}).get("id", "")) or {"properties": {}}
    versions = (properties.get("privateIPAddressVersion"), public["properties"].get("publicIPAddressVersion"))
    return "IPv6" in versions


def _ip_configurations(world: World, write: Write, pls: Json) -> list[Json]:
    asked = write.properties.get("ipConfigurations") or []
    low = MIN_DIRECT_IP_CONFIGURATIONS if write.properties.get("destinationIPAddress") else 1
    if not low <= len(asked) <= MAX_IP_CONFIGURATIONS:
        raise private_link.IP_CONFIG_COUNT.error(pls=write.id, low=low, count=len(asked))
    found = [_ip_configuration(world, write, pls, index, item) for index, item in enumerate(asked)]
    if len({item["name"].lower() for item in found}) != len(found):
        raise private_link.IP_CONFIG_SHAPE.error(pls=write.id, reason="names are not unique")
    primaries = [item for item in found if item["properties"]["primary"]]
    if len(primaries) > 1:
        raise private_link.IP_CONFIG_SHAPE.error(pls=write.id, reason="more than one is primary")
    if not primaries:
        found[0]["properties"]["primary"] = True
    _check_addresses(world, pls, found)
    return found


def _ip_configuration(world: World, write: Write, pls: Json, index: int, item: Json) -> Json:
    inner = item.get("properties") or {}
    name = item.get("name") or f"ipConfiguration-{index}"
    where = f"properties.ipConfigurations[{index}].properties.subnet"
    subnet = resolve(world, write.id, inner.get("subnet"), "virtualNetworks/subnets", where)
    _check_subnet(world, write, pls, subnet)
    version = inner.get("privateIPAddressVersion") or "IPv4"
    if version != "IPv4":
        raise private_link.FRONTEND_IPV6.error(pls=write.id, where=f"IP configuration {name}")
    method = inner.get("privateIPAllocationMethod") or "Dynamic"
    properties: Json = {"provisioningState": "Updating"}
    if method == "Static":
        properties["privateIPAddress"] = inner.get("privateIPAddress")
    properties["privateIPAllocationMethod"] = method
    properties["subnet"] = {"id": subnet["id"]}
    properties["primary"] = bool(inner.get("primary", False))
    properties["privateIPAddressVersion"] = version
    return {
        "name": name,
        "id": f"{pls['id']}/ipConfigurations/{name}",
        "etag": pls["etag"],
        "type": f"{PLS}/ipConfigurations",
        "properties": properties,
    }


def _check_subnet(world: World, write: Write, pls: Json, subnet: Json) -> None:
    if subnet["properties"].get("privateLinkServiceNetworkPolicies") != "Disabled":
        raise private_link.POLICIES_ENABLED.error(pls=write.id, subnet=subnet["id"])
    network = world.store.find(top_level(subnet["id"])) or {}
    if network.get("location") != pls["location"]:
        raise provider.BAD_REFERENCE.error(missing=subnet["id"], resource=write.id)


def _interfaces(configurations: list[Json]) -> list[Interface]:
    return [
        Interface(item["name"], inner["subnet"]["id"], inner.get("privateIPAddress"))
        for item in configurations
        for inner in (item["properties"],)
    ]


def _check_addresses(world: World, pls: Json, configurations: list[Json]) -> None:
    """Refuse what the subnet cannot give. Nothing is taken yet: a refused PUT leaves no trace."""
    nic = nics.managed_or_new(world, pls, "privateLinkService")
    dynamic = {
        item["properties"]["privateIPAddress"]: item["id"]
        for item in children(nic, "ipConfigurations")
        if item["properties"]["privateIPAllocationMethod"] == "Dynamic"
    }
    for item in configurations:
        address = item["properties"].get("privateIPAddress")
        if address in dynamic:
            raise provider.IP_IN_USE.error(address=address, holder=dynamic[address])
    nics.addresses_for(world, nic, _interfaces(configurations))


def _check_subscriptions(pls: Json, where: str) -> None:
    value = pls["properties"].get(where)
    if value is None:
        return
    listed = (value if isinstance(value, dict) else {}).get("subscriptions")
    if not isinstance(listed, list):
        raise provider.BAD_VALUE.error(reason=f"'{where}.subscriptions' is not a list")
    if len(listed) > MAX_SUBSCRIPTIONS:
        raise private_link.SUBSCRIPTION_COUNT.error(pls=pls["id"], where=where, count=len(listed))
    for item in listed:
        if item != "*" and not _is_guid(item):
            raise private_link.BAD_SUBSCRIPTION.error(pls=pls["id"], where=where, value=item)


def _check_auto_approval(pls: Json) -> None:
    visible = listed(pls["properties"].get("visibility"))
    approved = listed(pls["properties"].get("autoApproval"))
    if "*" not in visible and not set(approved) <= set(visible):
        raise private_link.AUTO_APPROVAL.error(pls=pls["id"])


def _check_contention(world: World, pls: Json) -> None:
    serial = world.options.contention == "parent"
    limit = 1 if serial else world.options.pls_writes_per_network
    if limit is None:
        return
    running = _written_now(world)
    for operation, other in running if serial else ():
        if _balancers(pls) & _balancers(other):
            raise provider.BUSY.error(uri=operation.uri)
    for network in _networks(pls):
        if sum(network in _networks(other) for _, other in running) >= limit:
            wait = {"Retry-After": str(world.options.retry_after or 1)}
            raise private_link.NETWORK_BUSY.error(headers=wait, pls=pls["id"], network=network)


def _written_now(world: World) -> list[tuple[Operation, Json]]:
    """The PLSs that an operation runs on."""
    found = ((o, world.store.find(o.resource_id)) for o in world.operations.under_way())
    return [(operation, item) for operation, item in found if item and same(item["type"], PLS)]


def _balancers(pls: Json) -> set[str]:
    return {top_level(frontend).lower() for frontend in frontends(pls)}


def _networks(pls: Json) -> set[str]:
    return {top_level(subnet).lower() for subnet in subnets(pls)}


def _is_guid(value: Any) -> bool:
    return isinstance(value, str) and _GUID.fullmatch(value) is not None


def _accepted(world: World, pls: Json) -> None:
    wanted = _interfaces(pls["properties"]["ipConfigurations"])
    nics.keep_managed(world, pls, "privateLinkService", wanted)


def _bump_dependents(world: World, pls: Json) -> None:
    for subnet in {item.lower() for item in subnets(pls)}:
        world.bump(subnet)
    for frontend in frontends(pls):
        world.bump(top_level(frontend))


def _refuse_delete(world: World, pls: Json) -> None:
    count = len(pls["properties"]["privateEndpointConnections"])
    if count:
        plural = "" if count == 1 else "s"
        raise private_link.PLS_HAS_CONNECTIONS.error(pls=pls["id"], count=count, plural=plural)
    _check_contention(world, pls)


def _removed(world: World, pls: Json) -> None:
    nics.drop_managed(world, pls)
    _bump_dependents(world, pls)


KIND = Kind(
    PLS,
    _desired,
    write_share=1,
    delete_share=1,
    accepted=_accepted,
    settled=_bump_dependents,
    refuse_delete=_refuse_delete,
    removed=_removed,
    notifies=True,
    patchable=False,
)
