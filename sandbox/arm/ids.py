"""ARM ids and paths: parsed without regard to case, written back in ARM's own casing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

NETWORK = "Microsoft.Network"
PLS = f"{NETWORK}/privateLinkServices"
LOAD_BALANCER = f"{NETWORK}/loadBalancers"
VIRTUAL_NETWORK = f"{NETWORK}/virtualNetworks"
PUBLIC_IP = f"{NETWORK}/publicIPAddresses"
NIC = f"{NETWORK}/networkInterfaces"
PRIVATE_ENDPOINT = f"{NETWORK}/privateEndpoints"
MANAGED_CLUSTER = "Microsoft.ContainerService/managedClusters"
RESOURCE_GROUP = "Microsoft.Resources/resourceGroups"
RESOURCE_GROUP_ACTION = "Microsoft.Resources/subscriptions/resourceGroups"

TYPES = {
    kind.lower(): kind
    for kind in (PLS, LOAD_BALANCER, VIRTUAL_NETWORK, PUBLIC_IP, NIC, PRIVATE_ENDPOINT, MANAGED_CLUSTER)
}

CHILDREN = {
    name.lower(): name
    for name in (
        "frontendIPConfigurations",
        "backendAddressPools",
        "loadBalancingRules",
        "probes",
        "inboundNatRules",
        "inboundNatPools",
        "outboundRules",
        "subnets",
        "ipConfigurations",
        "privateEndpointConnections",
        "privateLinkServiceConnections",
        "manualPrivateLinkServiceConnections",
    )
}


@dataclass(frozen=True)
class ResourceId:
    """A path below /subscriptions/{s}. `name` is absent on lists, `child` on top-level resources."""

    subscription: str
    group: str | None = None
    type: str | None = None
    name: str | None = None
    child_type: str | None = None
    child: str | None = None
    rest: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The id lower-cased: what ids compare by."""
        return str(self).lower()

    @property
    def namespace(self) -> str:
        """The resource provider."""
        return (self.type or NETWORK).partition("/")[0]

    @property
    def parent(self) -> ResourceId:
        """The top-level resource that a child belongs to."""
        return replace(self, child_type=None, child=None, rest=())

    @property
    def full_type(self) -> str:
        """`Microsoft.Network/virtualNetworks/subnets`: the type as actions spell it."""
        return "/".join(part for part in (self.type or RESOURCE_GROUP_ACTION, self.child_type) if part)

    def __str__(self) -> str:
        text = f"/subscriptions/{self.subscription}"
        if self.group:
            text += f"/resourceGroups/{self.group}"
        if self.type:
            text += f"/providers/{self.type}"
        for part in (self.name, self.child_type, self.child, *self.rest):
            text += f"/{part}" if part else ""
        return text


@lru_cache(maxsize=65_536)  # a large world asks for the same ids all the time
def parse(path: str) -> ResourceId | None:
    """Read a path or id; None when it is not one of a subscription's, or names no known shape."""
    parts = [part for part in path.split("/") if part]
    lower = [part.lower() for part in parts]
    if len(parts) < 2 or lower[0] != "subscriptions":
        return None
    found = ResourceId(parts[1])
    rest, lower = parts[2:], lower[2:]
    if lower[:1] == ["resourcegroups"] and len(rest) > 1:
        found = replace(found, group=rest[1])
        rest, lower = rest[2:], lower[2:]
    if not rest:
        return found
    if lower[0] != "providers" or len(rest) < 3:
        return replace(found, rest=tuple(rest))
    return _below_provider(found, rest[1:])


def _below_provider(found: ResourceId, parts: list[str]) -> ResourceId:
    namespaced = f"{parts[0]}/{parts[1]}"
    found = replace(found, type=TYPES.get(namespaced.lower(), namespaced))
    names = parts[2:]
    if len(names) > 1:
        found = replace(found, child_type=CHILDREN.get(names[1].lower(), names[1]))
    return replace(
        found,
        name=names[0] if names else None,
        child=names[2] if len(names) > 2 else None,
        rest=tuple(names[3:]),
    )


def same(left: str, right: str) -> bool:
    """Whether two ids name the same thing."""
    return left.rstrip("/").lower() == right.rstrip("/").lower()


@lru_cache(maxsize=65_536)
def top_level(resource_id: str) -> str:
    """The id of the top-level resource that `resource_id` lies in, lower-cased."""
    parsed = parse(resource_id)
    return parsed.parent.key if parsed else resource_id.lower()
