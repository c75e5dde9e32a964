"""What is there at the start: the documents' resource groups, their networks and an AKS cluster."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sandbox.arm.groups import make_group
from sandbox.arm.ids import MANAGED_CLUSTER, VIRTUAL_NETWORK, ResourceId
from sandbox.arm.kinds import managed_clusters, virtual_networks
from sandbox.arm.kinds.base import Kind, Write
from sandbox.arm.options import ArmOptions
from sandbox.arm.state import Json, stamp
from sandbox.arm.world import World

CLUSTER_NETWORK = {"default": "10.224.0.0/16", "pls-subnet": "10.225.0.0/24"}
MANAGED_NETWORK = {"aks-subnet": "10.224.0.0/16"}
CONSUMER_NETWORK = {"pe-subnet": "10.1.0.0/24"}
GROUP = "myResourceGroup"
DOCUMENTS_CLUSTER = "myAKSCluster"


@dataclass(frozen=True)
class ClusterNetwork:
    """Where a cluster's nodes are: `subnet` is theirs."""

    name: str
    subnet: str
    managed: bool


def node_group(cluster: str) -> str:
    """The node resource group of a cluster of the sandbox."""
    return f"MC_{cluster}"


def aks_id(options: ArmOptions, cluster: str) -> str:
    """The id of a cluster's AKS resource."""
    return str(ResourceId(options.subscription, GROUP, MANAGED_CLUSTER, cluster))


def network(options: ArmOptions, cluster: str) -> ClusterNetwork:
    """A cluster's virtual network in its node resource group; with a number in its name when AKS made it."""
    if cluster not in options.managed_networks:
        return ClusterNetwork("aks-vnet", "default", managed=False)
    number = int(hashlib.sha256(cluster.encode()).hexdigest(), 16) % 100_000_000
    return ClusterNetwork(f"aks-vnet-{number:08}", "aks-subnet", managed=True)


def build(world: World) -> None:
    """Fill an empty world."""
    options = world.options
    for cluster in (*options.clusters, *options.other_clusters):
        add_cluster_group(world, cluster)
    _group(world, GROUP)
    for cluster in options.clusters:
        _add(world, managed_clusters.KIND, GROUP, MANAGED_CLUSTER, cluster, _aks(options, cluster))
    if options.clusters and DOCUMENTS_CLUSTER.lower() not in map(str.lower, options.clusters):
        world.aliases[aks_id(options, DOCUMENTS_CLUSTER).lower()] = aks_id(options, options.clusters[0])
    _group(world, "myOtherResourceGroup")
    _network(world, "myOtherResourceGroup", "myOtherVNET", "10.1.0.0/16", CONSUMER_NETWORK)


def add_cluster_group(world: World, cluster: str) -> None:
    """A cluster's node resource group with its virtual network."""
    _group(world, node_group(cluster))
    found = network(world.options, cluster)
    subnets = MANAGED_NETWORK if found.managed else CLUSTER_NETWORK
    _network(world, node_group(cluster), found.name, "10.224.0.0/12", subnets)


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


def _aks(options: ArmOptions, cluster: str) -> Json:
    used = network(options, cluster)
    vnet = ResourceId(options.subscription, node_group(cluster), VIRTUAL_NETWORK, used.name)
    subnet = None if used.managed else f"{vnet}/subnets/{used.subnet}"
    return {
        "nodeResourceGroup": node_group(cluster),
        "agentPoolProfiles": [managed_clusters.agent_pool(subnet)],
        "aadProfile": managed_clusters.entra_profile(options.tenant),
    }
