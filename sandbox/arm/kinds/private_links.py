"""Questions about private link services: who uses a frontend, a load balancer, a subnet; who sees and connects."""

from __future__ import annotations

from typing import Any

from sandbox.arm.ids import PLS, same, top_level
from sandbox.arm.state import Json, references
from sandbox.arm.world import World

FRONTENDS = "loadBalancerFrontendIpConfigurations"


def on_frontend(world: World, frontend_id: str) -> Json | None:
    """The PLS that references a frontend."""
    for pls in world.store.of_type(PLS):
        if any(same(found, frontend_id) for found in frontends(pls)):
            return pls
    return None


def on_load_balancer(world: World, load_balancer_id: str) -> list[Json]:
    """The PLSs that reference frontends of a load balancer."""
    wanted = load_balancer_id.lower()
    return [
        pls
        for pls in world.store.of_type(PLS)
        if any(top_level(frontend) == wanted for frontend in frontends(pls))
    ]


def in_subnet(world: World, subnet_id: str) -> list[Json]:
    """The PLSs with a NAT configuration in a subnet."""
    return [pls for pls in world.store.of_type(PLS) if any(same(subnet_id, item) for item in subnets(pls))]


def frontends(pls: Json) -> list[str]:
    """The ids of a PLS's frontends."""
    return references(pls["properties"].get(FRONTENDS))


def subnets(pls: Json) -> list[str]:
    """The ids of the subnets that a PLS takes its NAT addresses from."""
    return [item["properties"]["subnet"]["id"] for item in pls["properties"]["ipConfigurations"]]


def visible_to(pls: Json, subscription: str) -> bool:
    """Whether a subscription may ask for a connection by alias."""
    seeing = listed(pls["properties"].get("visibility"))
    own = pls["id"].split("/")[2].lower()
    return "*" in seeing or subscription.lower() in (*seeing, own)


def approves(pls: Json, subscription: str) -> bool:
    """Whether connections from a subscription are approved without asking."""
    approved = listed(pls["properties"].get("autoApproval"))
    return visible_to(pls, subscription) and ("*" in approved or subscription.lower() in approved)


def listed(value: Any) -> list[str]:
    """The subscriptions of a visibility or autoApproval, lower-cased."""
    return [str(item).lower() for item in (value or {}).get("subscriptions") or ()]
