"""ARM's documents as the simulation reads them: ids, states, and what refers to what."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NETWORK = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/{}/providers/Microsoft.Network"
TRANSIT = ("Creating", "Updating", "Deleting")
POLICY = "privateLinkServiceNetworkPolicies"
FRONTENDS = "frontendIPConfigurations"
ON = "loadBalancerFrontendIpConfigurations"


def network(group: str) -> str:
    """The id of a resource group's Microsoft.Network part."""
    return NETWORK.format(group)


def frontend_of(pls: Json) -> str:
    """The id of the frontend that a PLS is on, "" for none."""
    used = pls["properties"].get(ON) or []
    return str(used[0]["id"]) if used else ""


def connections_of(pls: Json) -> list[Json]:
    """The private endpoint connections of a PLS."""
    found: list[Json] = pls["properties"].get("privateEndpointConnections") or []
    return found


def group_of(resource_id: str) -> str:
    """The resource group of an id, in lower case."""
    parts = resource_id.lower().split("/")
    return parts[4] if len(parts) > 4 else ""


def static_addresses(pls: Json) -> set[tuple[str, str]]:
    """The static NAT addresses of a PLS, or of a body for one: lower-case subnet id and address."""
    items = [c["properties"] for c in pls["properties"]["ipConfigurations"]]
    return {
        (i["subnet"]["id"].lower(), i["privateIPAddress"])
        for i in items
        if i["privateIPAllocationMethod"] == "Static"
    }
