"""Network interfaces: one's own, and those that a PLS or private endpoint keeps for its addresses."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.arm import addresses, fidelity
from sandbox.arm.addresses import Wish
from sandbox.arm.errors import provider
from sandbox.arm.ids import NIC
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, resolve, sent
from sandbox.arm.state import Json
from sandbox.arm.world import World

_OWNERS = ("privateLinkService", "privateEndpoint")


@dataclass(frozen=True)
class Interface:
    """One address a managed NIC is to hold: configuration name, subnet id, static address or None."""

    name: str
    subnet: str
    static: str | None = None


def owner_of(nic: Json) -> str | None:
    """The id of the PLS or private endpoint that keeps this NIC."""
    for key in _OWNERS:
        if key in nic["properties"]:
            return str(nic["properties"][key]["id"])
    return None


def keep_managed(world: World, owner: Json, kind: str, wanted: list[Interface]) -> None:
    """Create or update the NIC of a PLS or private endpoint and note it in the owner's networkInterfaces."""
    nic = _managed(world, owner, kind)
    nic["properties"]["ipConfigurations"] = [
        _configuration(nic, item, address)
        for item, address in zip(wanted, addresses_for(world, nic, wanted), strict=True)
    ]
    nic["etag"] = world.etag()
    world.store.save(nic)
    owner["properties"]["networkInterfaces"] = [{"id": nic["id"]}]


def addresses_for(world: World, nic: Json, wanted: list[Interface]) -> list[str]:
    """An address for each configuration; a dynamic one keeps what it had."""
    had = {item["name"].lower(): item["properties"] for item in nic["properties"]["ipConfigurations"]}
    given: dict[str, str] = {}
    for subnet_id in {item.subnet.lower(): item.subnet for item in wanted}.values():
        here = [item for item in wanted if item.subnet.lower() == subnet_id.lower()]
        wishes = [
            Wish(
                f"{nic['id']}/ipConfigurations/{item.name}",
                item.static,
                had.get(item.name.lower(), {}).get("privateIPAddress"),
            )
            for item in here
        ]
        subnet = world.store.find(subnet_id) or {}
        found = addresses.assign(world.store, subnet, wishes, nic["id"])
        given.update(zip((item.name for item in here), found, strict=True))
    return [given[item.name] for item in wanted]


def drop_managed(world: World, owner: Json) -> None:
    """Remove the NIC of a PLS or private endpoint that is gone."""
    for reference in owner["properties"].get("networkInterfaces") or ():
        world.store.discard(reference["id"])


def managed_or_new(world: World, owner: Json, kind: str) -> Json:
    """The owner's NIC, or an empty one that is not stored yet."""
    return _managed(world, owner, kind)


def _managed(world: World, owner: Json, kind: str) -> Json:
    for reference in owner["properties"].get("networkInterfaces") or ():
        if found := world.store.find(reference["id"]):
            return found
    name = f"{owner['name']}.nic.{world.guid()}"
    group = owner["id"].split("/providers/", 1)[0]
    return {
        "name": name,
        "id": f"{group}/providers/{NIC}/{name}",
        "etag": world.etag(),
        "type": NIC,
        "location": owner["location"],
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": world.guid(),
            "ipConfigurations": [],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "enableAcceleratedNetworking": False,
            "enableIPForwarding": False,
            kind: {"id": owner["id"]},
            "nicType": "Standard",
        },
    }


def _configuration(nic: Json, item: Interface, address: str) -> Json:
    return {
        "name": item.name,
        "id": f"{nic['id']}/ipConfigurations/{item.name}",
        "etag": nic["etag"],
        "type": f"{NIC}/ipConfigurations",
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Static" if item.static else "Dynamic",
            "subnet": {"id": item.subnet},
            "primary": True,
            "privateIPAddressVersion": "IPv4",
        },
    }


def _refuse_managed(_world: World, nic: Json) -> None:
    if owner := owner_of(nic):
        raise provider.NIC_MANAGED.error(id=nic["id"], owner=owner)


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    if write.existing:
        _refuse_managed(world, write.existing)
    properties = {**generated(world, write), **sent(write, "ipConfigurations", *_OWNERS)}
    properties["ipConfigurations"] = []
    nic = envelope(write, properties)
    wanted, before = [], write.existing or nic
    for item in write.properties.get("ipConfigurations") or ():
        inner = item.get("properties") or {}
        path = "properties.ipConfigurations[0].properties.subnet"
        subnet = resolve(world, write.id, inner.get("subnet"), "virtualNetworks/subnets", path)
        static = inner.get("privateIPAllocationMethod") == "Static"
        wanted.append(
            Interface(item["name"], subnet["id"], inner.get("privateIPAddress") if static else None)
        )
    found = addresses_for(world, before, wanted)
    properties["ipConfigurations"] = [
        _configuration(nic, item, address) for item, address in zip(wanted, found, strict=True)
    ]
    return nic


KIND = Kind(
    NIC,
    _desired,
    write_share=0,
    delete_share=1 / 3,
    refuse_delete=_refuse_managed,
    guessed=lambda nic: fidelity.MANAGED_NIC if owner_of(nic) else None,
)
