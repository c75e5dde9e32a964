"""Load balancers: frontends get their addresses here, and stay while a PLS needs them."""

from __future__ import annotations

from sandbox.arm import addresses
from sandbox.arm.addresses import Wish
from sandbox.arm.errors import private_link, provider
from sandbox.arm.ids import LOAD_BALANCER, same
from sandbox.arm.kinds import private_links
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, resolve, sent
from sandbox.arm.state import Json, children, references
from sandbox.arm.world import World

COLLECTIONS = (
    "frontendIPConfigurations",
    "backendAddressPools",
    "loadBalancingRules",
    "probes",
    "inboundNatRules",
    "outboundRules",
    "inboundNatPools",
)
_RULES = ("loadBalancingRules", "inboundNatRules", "outboundRules", "inboundNatPools")


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    properties = {**generated(world, write), **sent(write, *COLLECTIONS)}
    sku = {"name": "Basic", "tier": "Regional", **(write.body.get("sku") or {})}
    balancer = envelope(write, properties, sku=sku)
    for collection in COLLECTIONS:
        asked = write.properties.get(collection) or []
        properties[collection] = [_child(balancer, collection, item) for item in asked]
    _check_removed_frontends(world, write, balancer)
    for frontend in properties["frontendIPConfigurations"]:
        _settle_frontend(world, balancer, frontend)
    _assign_addresses(world, write, balancer)
    _link_rules(balancer)
    return balancer


def _child(balancer: Json, collection: str, item: Json) -> Json:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise provider.BAD_VALUE.error(reason=f"an item of '{collection}' has no name")
    child: Json = {
        "name": name,
        "id": f"{balancer['id']}/{collection}/{name}",
        "etag": balancer["etag"],
        "type": f"{LOAD_BALANCER}/{collection}",
        "properties": {**(item.get("properties") or {}), "provisioningState": "Succeeded"},
    }
    if "zones" in item:
        child["zones"] = item["zones"]
    return child


def _check_removed_frontends(world: World, write: Write, balancer: Json) -> None:
    staying = {item["id"].lower() for item in children(balancer, "frontendIPConfigurations")}
    for frontend in children(write.existing or balancer, "frontendIPConfigurations"):
        pls = private_links.on_frontend(world, frontend["id"])
        if pls is not None and frontend["id"].lower() not in staying:
            raise private_link.FRONTEND_IN_USE.error(frontend=frontend["id"], pls=pls["id"])


def _settle_frontend(world: World, balancer: Json, frontend: Json) -> None:
    properties = frontend["properties"]
    properties.setdefault("privateIPAllocationMethod", "Dynamic")
    if public := properties.get("publicIPAddress"):
        found = resolve(world, frontend["id"], public, "publicIPAddresses", "publicIPAddress")
        _check_public_ip(world, balancer, frontend, found)
        properties["publicIPAddress"] = {"id": found["id"]}
    elif subnet := properties.get("subnet"):
        found = resolve(world, frontend["id"], subnet, "virtualNetworks/subnets", "subnet")
        properties["subnet"] = {"id": found["id"]}
        properties.setdefault("privateIPAddressVersion", "IPv4")


def _check_public_ip(world: World, balancer: Json, frontend: Json, public_ip: Json) -> None:
    others = [item for item in world.store.of_type(LOAD_BALANCER) if not same(item["id"], balancer["id"])]
    for other in (*others, balancer):
        for user in children(other, "frontendIPConfigurations"):
            used = (user["properties"].get("publicIPAddress") or {}).get("id", "")
            if same(used, public_ip["id"]) and not same(user["id"], frontend["id"]):
                raise provider.PUBLIC_IP_TAKEN.error(
                    user=frontend["id"], id=public_ip["id"], other=user["id"]
                )


def _assign_addresses(world: World, write: Write, balancer: Json) -> None:
    before = {
        item["id"].lower(): item["properties"].get("privateIPAddress")
        for item in children(write.existing or {"properties": {}}, "frontendIPConfigurations")
    }
    by_subnet: dict[str, list[Json]] = {}
    for frontend in children(balancer, "frontendIPConfigurations"):
        subnet = frontend["properties"].get("subnet")
        # Subnets are IPv4 here: an IPv6 frontend exists, without an address.
        if subnet and frontend["properties"].get("privateIPAddressVersion") != "IPv6":
            by_subnet.setdefault(subnet["id"], []).append(frontend)
    for subnet_id, members in by_subnet.items():
        wishes = [_wish(item, before.get(item["id"].lower())) for item in members]
        subnet = world.store.find(subnet_id) or {}
        for item, address in zip(
            members, addresses.assign(world.store, subnet, wishes, balancer["id"]), strict=True
        ):
            item["properties"]["privateIPAddress"] = address


def _wish(frontend: Json, previous: str | None) -> Wish:
    properties = frontend["properties"]
    static = properties["privateIPAllocationMethod"] == "Static"
    return Wish(frontend["id"], properties.get("privateIPAddress") if static else None, previous)


def _link_rules(balancer: Json) -> None:
    """Check the frontends that rules name, and show each rule on its frontend."""
    frontends = {item["id"].lower(): item for item in children(balancer, "frontendIPConfigurations")}
    for frontend in frontends.values():
        for collection in _RULES:
            frontend["properties"].pop(collection, None)
    for collection in _RULES:
        for rule in children(balancer, collection):
            properties = rule["properties"]
            single = properties.get("frontendIPConfiguration")
            asked = [single] if single else properties.get("frontendIPConfigurations")
            for wanted in references(asked):
                if wanted.lower() not in frontends:
                    raise provider.BAD_REFERENCE.error(missing=wanted, resource=rule["id"])
                shown = frontends[wanted.lower()]["properties"].setdefault(collection, [])
                shown.append({"id": rule["id"]})


def _refuse_delete(world: World, balancer: Json) -> None:
    for pls in private_links.on_load_balancer(world, balancer["id"]):
        raise private_link.LB_HAS_PLS.error(lb=balancer["id"], pls=pls["id"])


KIND = Kind(LOAD_BALANCER, _desired, write_share=0, delete_share=1 / 3, refuse_delete=_refuse_delete)
