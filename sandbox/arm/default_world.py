"""What is there at the start: the documents' resource groups, their networks and an AKS cluster."""

from __future__ import annotations

from typing import Any

from sandbox.arm.groups import make_group
from sandbox.arm.ids import MANAGED_CLUSTER, VIRTUAL_NETWORK, ResourceId
from sandbox.arm.kinds import managed_clusters, virtual_networks
from sandbox.arm.kinds.base import Kind, Write
from sandbox.arm.state import Json, stamp
from sandbox.arm.world import World

CLUSTER_NETWORK = {"default": "10.224.0.0/16", "pls-subnet": "10.225.0.0/24"}
CONSUMER_NETWORK = {"pe-subnet": "10.1.0.0/24"}


def node_group(cluster: str) -> str:
    """The node resource group of a cluster of the sandbox."""
    return f"MC_{cluster}"


def build(world: World) -> None:
    """Fill an empty world."""
    for cluster in world.options.clusters:
        add_cluster_group(world, cluster)
    _group(world, "myResourceGroup")
    first = node_group(world.options.clusters[0]) if world.options.clusters else "MC_none"
    _add(world, managed_clusters.KIND, "myResourceGroup", MANAGED_CLUSTER, "myAKSCluster", _aks(first))
    _group(world, "myOtherResourceGroup")
    _network(world, "myOtherResourceGroup", "myOtherVNET", "10.1.0.0/16", CONSUMER_NETWORK)


def add_cluster_group(world: World, cluster: str) -> None:
    """A cluster's node resource group with its virtual network."""
    _group(world, node_group(cluster))
    _network(world, node_group(cluster), "aks-vnet", "10.224.0.0/12", CLUSTER_NETWORK)


def _group(world: World, name: str) -> None:
    world.store.save_group(make_group(world.options.subscription, name, world.options.location))


def _network(world: World, group: str, name: str, space: str, subnets: dict[str, str]) -> None:
    properties: Json = {
        "addressSpace": {"addressPrefixes": [space]},
        "subnets": [
            {"name": subnet, "properties": {"addressPrefix": prefix}} for subnet, prefix in subnets.items()
        ],
    }
    _add(world, virtual_networks.KIND, group, VIRTUAL_NETWORK, name, properties)


def _add(world: World, kind: Kind, group: str, of_type: str, name: str, properties: Json) -> None:
    target = ResourceId(world.options.subscription, group, of_type, name)
    body: dict[str, Any] = {"location": world.options.location, "properties": properties}
    resource = kind.desired(world, Write(target, body, None))
    stamp(resource, world.etag(), "Succeeded")
    world.store.save(resource)


def _aks(node_resource_group: str) -> Json:
    return {
        "nodeResourceGroup": node_resource_group,
        "kubernetesVersion": "1.36",
        "currentKubernetesVersion": "1.36.1",
        "dnsPrefix": "myakscluster",
        "fqdn": "localhost",
        "enableRBAC": True,
        "powerState": {"code": "Running"},
        "networkProfile": {"networkPlugin": "azure", "loadBalancerSku": "standard"},
    }
