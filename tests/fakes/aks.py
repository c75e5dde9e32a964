"""AKS in memory (the port ``Aks``): managed clusters and virtual networks as ARM would answer them."""

from __future__ import annotations

from typing import Any

from reconciler import aks, arm_ids
from reconciler.aks import ManagedCluster, VirtualNetwork
from reconciler.errors import NotFound
from reconciler.model import ApiAccess, ClusterConfig, Endpoint, Json
from tests import builders
from tests.fakes import Failures


def resource_id(name: str = "aks1", group: str = "apps", subscription: str = builders.SUBSCRIPTION) -> str:
    """The id of an AKS cluster."""
    return (
        f"{arm_ids.group_id(subscription, group)}/providers/Microsoft.ContainerService/managedClusters/{name}"
    )


def cluster(name: str = "aks1", *, tags: dict[str, str] | None = None, **properties: Any) -> dict[str, Any]:
    """An AKS cluster with Entra integration, running in a network that AKS made; a property None is left out."""
    full = {
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "nodeResourceGroup": f"MC_apps_{name}_eastus",
        "agentPoolProfiles": [{"name": "nodepool1", "mode": "System"}],
        "aadProfile": {"managed": True, "enableAzureRBAC": True},
        **properties,
    }
    return {
        "id": resource_id(name),
        "name": name,
        "type": "Microsoft.ContainerService/managedClusters",
        "location": "eastus",
        "tags": tags or {},
        "properties": {key: value for key, value in full.items() if value is not None},
    }


def network(group: str = "MC_apps_aks1_eastus", name: str = "aks-vnet-1", *subnets: str) -> dict[str, Any]:
    """A virtual network, by default with the one subnet that AKS makes."""
    return {
        "id": builders.network_id("virtualNetworks", name, group),
        "properties": {"subnets": [{"name": subnet} for subnet in subnets or ("aks-subnet",)]},
    }


def bare(aks_id: str, name: str = "prod") -> ClusterConfig:
    """A configuration that leaves all places to the AKS resource."""
    return ClusterConfig(
        name=name,
        cluster_name="kubernetes",
        subscription="",
        location="",
        load_balancer_resource_group="",
        pls_resource_group="",
        vnet_resource_group="",
        vnet_name="",
        default_subnet="",
        mode="sync",
        access=ApiAccess(aks=aks_id),
    )


class FakeAks(Failures):
    """Resources as ARM would answer them, by id in any casing."""

    def __init__(self, *resources: Json) -> None:
        super().__init__()
        self.resources: dict[str, Json] = {}
        for resource in resources:
            self.store(resource)

    def store(self, resource: Json) -> None:
        """Put a resource as it is."""
        self.resources[arm_ids.key(resource["id"])] = resource

    def remove(self, resource_id: str) -> None:
        """Take a resource out."""
        del self.resources[arm_ids.key(resource_id)]

    def managed_clusters(self, subscription: str) -> tuple[ManagedCluster, ...]:
        """All of a subscription."""
        self.called("managed_clusters", subscription)
        begin = f"/subscriptions/{subscription}/".lower()
        found = (aks.managed_cluster(r) for key, r in self.resources.items() if key.startswith(begin))
        return tuple(c for c in found if c)

    def managed_cluster(self, resource_id: str) -> ManagedCluster:
        """One by id."""
        self.called("managed_cluster", resource_id)
        found = aks.managed_cluster(self.resources.get(arm_ids.key(resource_id), {}))
        if found is None:
            raise NotFound(f"Azure answered 404 ResourceNotFound, reading {resource_id}")
        return found

    def virtual_networks(self, subscription: str, resource_group: str) -> tuple[VirtualNetwork, ...]:
        """Those of a group."""
        self.called("virtual_networks", resource_group)
        begin = f"{arm_ids.group_id(subscription, resource_group)}/providers/microsoft.network/".lower()
        found = (aks.virtual_network(r) for key, r in self.resources.items() if key.startswith(begin))
        return tuple(n for n in found if n)

    def endpoint(self, resource_id: str) -> Endpoint:
        """An address that nobody answers at."""
        self.called("endpoint", resource_id)
        return Endpoint("https://127.0.0.1:1", "")
