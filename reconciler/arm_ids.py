"""ARM resource ids: built in one place, compared without regard to case (ARM's own rule)."""

from __future__ import annotations

from dataclasses import dataclass

NETWORK = "Microsoft.Network"


def key(resource_id: str) -> str:
    """The form in which two ids of one resource are equal: lower case, no slash at the end."""
    return resource_id.strip().rstrip("/").lower()


def same(left: str, right: str) -> bool:
    """Whether two ids name the same resource."""
    return key(left) == key(right)


@dataclass(frozen=True, slots=True)
class ResourceId:
    """A parsed id. ``kind`` is the type without its provider, e.g. ``privateLinkServices``;
    ``rest`` are the segments below the resource, e.g. ``("subnets", "default")``."""

    subscription: str
    resource_group: str
    provider: str
    kind: str
    name: str
    rest: tuple[str, ...] = ()


def parse(resource_id: str) -> ResourceId | None:
    """The parts of a resource id inside a resource group, or None where it is no such id."""
    parts = resource_id.strip().strip("/").split("/")
    if len(parts) < 8 or not all(parts):
        return None
    fixed = (parts[0].lower(), parts[2].lower(), parts[4].lower())
    if fixed != ("subscriptions", "resourcegroups", "providers"):
        return None
    return ResourceId(parts[1], parts[3], parts[5], parts[6], parts[7], tuple(parts[8:]))


def group_id(subscription: str, resource_group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{resource_group}"


def _network_id(subscription: str, resource_group: str, kind: str, name: str) -> str:
    return f"{group_id(subscription, resource_group)}/providers/{NETWORK}/{kind}/{name}"


def private_link_service(subscription: str, resource_group: str, name: str) -> str:
    """The id of a Private Link Service."""
    return _network_id(subscription, resource_group, "privateLinkServices", name)


def is_private_link_service(resource_id: str) -> bool:
    """Whether an id is that of a Private Link Service itself."""
    parsed = parse(resource_id)
    if parsed is None or parsed.rest:
        return False
    return (parsed.provider.lower(), parsed.kind.lower()) == ("microsoft.network", "privatelinkservices")


def subnet(subscription: str, resource_group: str, vnet: str, name: str) -> str:
    """The id of a subnet."""
    return f"{_network_id(subscription, resource_group, 'virtualNetworks', vnet)}/subnets/{name}"


def is_subnet(resource_id: str) -> bool:
    """Whether an id is that of a subnet itself."""
    parsed = parse(resource_id)
    if parsed is None or len(parsed.rest) != 2:
        return False
    kinds = (parsed.provider.lower(), parsed.kind.lower(), parsed.rest[0].lower())
    return kinds == ("microsoft.network", "virtualnetworks", "subnets")


def load_balancer_of(frontend_id: str) -> str:
    """The id of the load balancer (or other parent) a sub-resource id belongs to; "" where none."""
    parsed = parse(frontend_id)
    if parsed is None:
        return ""
    return _network_id(parsed.subscription, parsed.resource_group, parsed.kind, parsed.name)


def last_name(resource_id: str) -> str:
    """The last segment: the resource's own name."""
    return resource_id.rstrip("/").rsplit("/", 1)[-1]
