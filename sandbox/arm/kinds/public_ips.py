"""Public IP addresses: the address appears when provisioning is done."""

from __future__ import annotations

from sandbox.arm.errors import provider
from sandbox.arm.ids import LOAD_BALANCER, PUBLIC_IP, same
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, sent
from sandbox.arm.state import Json, children
from sandbox.arm.world import World


def user_of(world: World, public_ip: Json) -> str | None:
    """The id of the frontend that uses a public IP."""
    for balancer in world.store.of_type(LOAD_BALANCER):
        for frontend in children(balancer, "frontendIPConfigurations"):
            used = (frontend["properties"].get("publicIPAddress") or {}).get("id", "")
            if same(used, public_ip["id"]):
                return str(frontend["id"])
    return None


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    kept = (write.existing or {}).get("properties", {})
    properties = {
        **generated(world, write),
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Dynamic",
        "idleTimeoutInMinutes": 4,
        "ipTags": [],
        **sent(write, "ipAddress", "ipConfiguration"),
    }
    if "ipAddress" in kept:
        properties["ipAddress"] = kept["ipAddress"]
    sku = {"name": "Standard", "tier": "Regional", **(write.body.get("sku") or {})}
    return envelope(write, properties, sku=sku)


def _settled(world: World, public_ip: Json) -> None:
    properties = public_ip["properties"]
    if "ipAddress" not in properties:
        properties["ipAddress"] = world.next_public_ip(properties["publicIPAddressVersion"])


def _refuse_delete(world: World, public_ip: Json) -> None:
    if user := user_of(world, public_ip):
        raise provider.PUBLIC_IP_IN_USE.error(id=public_ip["id"], user=user)


def _view(world: World, public_ip: Json) -> Json:
    user = user_of(world, public_ip)
    if user is None:
        return public_ip
    return {**public_ip, "properties": {**public_ip["properties"], "ipConfiguration": {"id": user}}}


KIND = Kind(
    PUBLIC_IP,
    _desired,
    write_share=1 / 3,
    delete_share=1 / 3,
    settled=_settled,
    refuse_delete=_refuse_delete,
    view=_view,
)
