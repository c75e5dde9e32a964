"""Virtual networks and their subnets; a subnet that something has an address in cannot go."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from sandbox.arm import addresses
from sandbox.arm.errors import private_link, provider
from sandbox.arm.ids import VIRTUAL_NETWORK
from sandbox.arm.kinds import private_links
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, sent
from sandbox.arm.state import Json, child_of, children
from sandbox.arm.world import World

_SUBNET_DEFAULTS = {
    "delegations": [],
    "privateEndpointNetworkPolicies": "Disabled",
    "privateLinkServiceNetworkPolicies": "Enabled",
}


def desired_subnet(world: World, network: Json, name: str, body: Json) -> Json:
    """One subnet of a network from the body of its PUT, or a refusal."""
    properties = {
        key: value
        for key, value in (body.get("properties") or {}).items()
        if value is not None and key not in ("ipConfigurations", "privateEndpoints")
    }
    existing = child_of(network, "subnets", name)
    subnet: Json = {
        "name": existing["name"] if existing else name,
        "id": existing["id"] if existing else f"{network['id']}/subnets/{name}",
        "etag": network["etag"],
        "properties": {**_SUBNET_DEFAULTS, **properties, "provisioningState": "Updating"},
        "type": f"{VIRTUAL_NETWORK}/subnets",
    }
    _check_prefix(world, network, subnet)
    if existing is not None:
        _check_change(world, existing, subnet)
    return subnet


def users(world: World, subnet_id: str) -> list[str]:
    """The ids of the IP configurations with an address in a subnet."""
    return list(addresses.held(world.store, subnet_id).values())


def refuse_subnet_delete(world: World, subnet: Json) -> None:
    """Refuse while anything has an address in the subnet."""
    if found := users(world, subnet["id"]):
        raise provider.SUBNET_IN_USE.error(name=subnet["name"], users=", ".join(found))


def view_subnet(world: World, subnet: Json) -> Json:
    """A subnet with what uses it; ARM leaves the list out when nothing does."""
    shown = copy.deepcopy(subnet)
    if found := users(world, subnet["id"]):
        shown["properties"]["ipConfigurations"] = [{"id": item} for item in found]
    return shown


def _check_prefix(world: World, network: Json, subnet: Json) -> None:
    prefix = addresses.prefix_of(subnet)
    space = (network["properties"].get("addressSpace") or {}).get("addressPrefixes") or []
    if not any(prefix.subnet_of(_network(text)) for text in space):
        raise provider.SUBNET_RANGE.error(name=subnet["name"], vnet=network["name"])
    for other in children(network, "subnets"):
        if other["id"].lower() != subnet["id"].lower() and prefix.overlaps(addresses.prefix_of(other)):
            raise provider.SUBNET_OVERLAP.error(name=subnet["name"], vnet=network["name"])


def _check_change(world: World, existing: Json, subnet: Json) -> None:
    enabled = subnet["properties"]["privateLinkServiceNetworkPolicies"] != "Disabled"
    if enabled and private_links.in_subnet(world, subnet["id"]):
        raise private_link.POLICIES_IN_USE.error(subnet=subnet["id"])
    prefix = addresses.prefix_of(subnet)
    if any(address not in prefix for address in addresses.held(world.store, subnet["id"])):
        raise provider.PREFIX_IN_USE.error(prefix=addresses.prefix_of(existing), name=subnet["name"])


def _network(text: Any) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except (ValueError, TypeError) as error:
        raise provider.BAD_VALUE.error(reason=f"address prefix {text!r}") from error


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    before = write.existing or {"properties": {"subnets": []}}
    properties = {
        "virtualNetworkPeerings": [],
        "enableDdosProtection": False,
        "privateEndpointVNetPolicies": "Disabled",
        **generated(world, write),
        **sent(write, "subnets"),
    }
    network = envelope(write, properties)
    if "subnets" not in write.properties:
        properties["subnets"] = before["properties"]["subnets"]
        return network
    asked = write.properties["subnets"] or []
    names = {str(item.get("name", "")).lower() for item in asked}
    properties["subnets"] = [item for item in children(before, "subnets") if item["name"].lower() in names]
    properties["subnets"] = _subnets(world, network, asked)
    for subnet in children(before, "subnets"):
        if subnet["name"].lower() not in names:
            refuse_subnet_delete(world, subnet)
    return network


def _subnets(world: World, network: Json, asked: list[Json]) -> list[Json]:
    found: list[Json] = []
    for item in asked:
        beside = {
            **network,
            "properties": {**network["properties"], "subnets": _others(network, found, item)},
        }
        found.append(desired_subnet(world, beside, str(item.get("name")), item))
    return found


def _others(network: Json, found: list[Json], item: Json) -> list[Json]:
    """The subnets to compare with: those read so far, and this one as it was."""
    earlier = child_of(network, "subnets", str(item.get("name")))
    return [*found, *([earlier] if earlier else [])]


def _refuse_delete(world: World, network: Json) -> None:
    for subnet in children(network, "subnets"):
        refuse_subnet_delete(world, subnet)


def _view(world: World, network: Json) -> Json:
    subnets = [view_subnet(world, item) for item in children(network, "subnets")]
    return {**network, "properties": {**network["properties"], "subnets": subnets}}


KIND = Kind(
    VIRTUAL_NETWORK,
    _desired,
    write_share=1 / 3,
    delete_share=1 / 3,
    refuse_delete=_refuse_delete,
    view=_view,
    notifies=True,
)
