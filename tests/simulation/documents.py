"""ARM's documents as the simulation reads them: ids, states, and what refers to what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
NETWORK = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/{}/providers/Microsoft.Network"
TRANSIT = ("Creating", "Updating", "Deleting")
POLICY = "privateLinkServiceNetworkPolicies"
FRONTENDS = "frontendIPConfigurations"
ON = "loadBalancerFrontendIpConfigurations"
CLUSTER_TAG, OWNER_TAG = "k8s-azure-cluster-name", "k8s-azure-owner-service"


def network(group: str) -> str:
    """The id of a resource group's Microsoft.Network part."""
    return NETWORK.format(group)


def frontend_of(pls: Json) -> str:
    """The id of the frontend that a PLS is on, "" for none."""
    used = pls["properties"].get(ON) or []
    return str(used[0]["id"]) if used else ""


def connections_of(pls: Json) -> list[Json]:
    """The private endpoint connections of a PLS."""
    found: list[Json] = pls.get("properties", {}).get("privateEndpointConnections") or []
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


def present(link: Mapping[str, Any]) -> tuple[object, ...]:
    """The settings of a PLS as it is, to be compared with those that are wished for."""
    properties = link["properties"]
    items = [c["properties"] for c in properties["ipConfigurations"]]
    return (
        tuple(i["subnet"]["id"].rsplit("/", 1)[1] for i in items),
        frozenset(i["privateIPAddress"] for i in items if i["privateIPAllocationMethod"] == "Static"),
        bag(properties.get("fqdns") or ()),
        bool(properties.get("enableProxyProtocol")),
        bag((properties.get("visibility") or {}).get("subscriptions") or ()),
        bag((properties.get("autoApproval") or {}).get("subscriptions") or ()),
    )


def bag(values: Any) -> frozenset[tuple[str, int]]:
    """In any order."""
    return frozenset(Counter(values).items())


def tag(document: Mapping[str, Any], name: str) -> str:
    """A tag's value, "" where it is missing."""
    return next((v for k, v in (document.get("tags") or {}).items() if k.lower() == name), "")


def belongs(document: Mapping[str, Any], group: str) -> bool:
    """Whether a PLS is of the cluster with this load balancer group: by its tag and by its place."""
    frontend = frontend_of(dict(document))
    return tag(document, CLUSTER_TAG).strip().lower() == "kubernetes" and group_of(frontend) == group.lower()


def identity(document: Mapping[str, Any]) -> object:
    """What makes a PLS the one that was looked at."""
    return (
        document["properties"].get("resourceGuid"),
        frontend_of(dict(document)).lower(),
        document.get("tags"),
    )


def essence(document: Mapping[str, Any]) -> object:
    """What a PUT replaces."""
    return identity(document), document["properties"]["provisioningState"], present(document)
