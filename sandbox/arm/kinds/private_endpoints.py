"""Private endpoints: connected at once with the right to approve, otherwise as the PLS's lists and people decide."""

from __future__ import annotations

from sandbox.arm.errors import private_link
from sandbox.arm.ids import PLS, PRIVATE_ENDPOINT, parse
from sandbox.arm.kinds import connections, nics, private_links
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, resolve, sent
from sandbox.arm.kinds.nics import Interface
from sandbox.arm.state import Json
from sandbox.arm.world import World

MAX_REQUEST_MESSAGE = 140
_AUTOMATIC = "privateLinkServiceConnections"
_MANUAL = "manualPrivateLinkServiceConnections"


def by_alias(world: World, alias: str) -> Json | None:
    """The PLS with an alias."""
    for pls in world.store.of_type(PLS):
        if pls["properties"]["alias"] == alias.lower():
            return pls
    return None


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    kept = (write.existing or {}).get("properties", {})
    properties = {**generated(world, write), _AUTOMATIC: [], _MANUAL: []}
    properties |= {
        "customNetworkInterfaceName": "",
        "ipConfigurations": [],
        "customDnsConfigs": [],
        "isIPv6EnabledPrivateEndpoint": False,
        **sent(write, _AUTOMATIC, _MANUAL, "networkInterfaces"),
    }
    endpoint = envelope(write, properties)
    where = write.properties.get("subnet")
    subnet = resolve(world, write.id, where, "virtualNetworks/subnets", "properties.subnet")
    properties["subnet"] = {"id": subnet["id"]}
    properties["networkInterfaces"] = kept.get("networkInterfaces", [])
    for side in (_AUTOMATIC, _MANUAL):
        for item in write.properties.get(side) or ():
            properties[side].append(_connection(world, write, endpoint, side, item))
    if len(properties[_AUTOMATIC]) + len(properties[_MANUAL]) != 1:
        raise private_link.PE_CONNECTION_COUNT.error(pe=write.id)
    nic = nics.managed_or_new(world, endpoint, "privateEndpoint")
    nics.addresses_for(world, nic, _interfaces(endpoint))
    return endpoint


def _connection(world: World, write: Write, endpoint: Json, side: str, item: Json) -> Json:
    inner = item.get("properties") or {}
    name = str(item.get("name") or write.target.name)
    message = inner.get("requestMessage") or ""
    if len(message) > MAX_REQUEST_MESSAGE:
        raise private_link.REQUEST_MESSAGE.error(connection=name, count=len(message))
    pls = _service(world, write, str(inner.get("privateLinkServiceId") or ""))
    properties: Json = {
        "provisioningState": "Updating",
        "privateLinkServiceId": inner.get("privateLinkServiceId"),
    }
    if inner.get("groupIds"):
        properties["groupIds"] = inner["groupIds"]
    if message:
        properties["requestMessage"] = message
    properties["privateLinkServiceConnectionState"] = _state(write, endpoint, pls, side, message)
    return {
        "name": name,
        "id": f"{endpoint['id']}/{side}/{name}",
        "etag": endpoint["etag"],
        "properties": properties,
        "type": f"{PRIVATE_ENDPOINT}/{side}",
    }


def _service(world: World, write: Write, wanted: str) -> Json:
    """The PLS that is asked for: by id where the caller has rights, by alias where it is visible."""
    parsed = parse(wanted)
    if parsed is None:
        found = by_alias(world, wanted)
        if found is None:
            raise private_link.BAD_ALIAS.error(alias=wanted)
        if not private_links.visible_to(found, write.target.subscription):
            raise private_link.NOT_VISIBLE.error(pls=wanted, subscription=write.target.subscription)
        return found
    reference, path = {"id": wanted}, "properties.privateLinkServiceId"
    return resolve(world, write.id, reference, "privateLinkServices", path)


def _state(write: Write, endpoint: Json, pls: Json, side: str, message: str) -> Json:
    """What the connection already has, or what it starts with."""
    earlier = connections.of_endpoint(pls, endpoint["id"])
    if earlier is not None:
        return dict(earlier["properties"]["privateLinkServiceConnectionState"])
    if write.existing is not None:
        return connections.state("Disconnected", "")
    if side == _AUTOMATIC or private_links.approves(pls, write.target.subscription):
        return connections.state("Approved", "Auto Approved")
    return connections.state("Pending", message)


def _interfaces(endpoint: Json) -> list[Interface]:
    name = f"privateEndpointIpConfig.{endpoint['properties']['resourceGuid']}"
    return [Interface(name, endpoint["properties"]["subnet"]["id"])]


def _accepted(world: World, endpoint: Json) -> None:
    nics.keep_managed(world, endpoint, "privateEndpoint", _interfaces(endpoint))
    for side in (_AUTOMATIC, _MANUAL):
        for item in endpoint["properties"][side]:
            inner = item["properties"]
            wanted, state = inner["privateLinkServiceId"], inner["privateLinkServiceConnectionState"]
            pls = world.store.find(wanted) if parse(wanted) else by_alias(world, wanted)
            fresh = pls and connections.of_endpoint(pls, endpoint["id"]) is None
            if pls and fresh and state["status"] != "Disconnected":
                connections.open_connection(world, pls, endpoint, state)


def _removed(world: World, endpoint: Json) -> None:
    nics.drop_managed(world, endpoint)
    connections.forget_endpoint(world, endpoint["id"])


KIND = Kind(
    PRIVATE_ENDPOINT,
    _desired,
    write_share=1,
    delete_share=1,
    accepted=_accepted,
    removed=_removed,
    notifies=True,
    patchable=False,
)
