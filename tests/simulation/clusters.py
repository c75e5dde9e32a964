"""The two clusters of the simulation, as they are configured, and the names in them."""

from __future__ import annotations

from reconciler.model import ClusterConfig, InTree

GROUPS = {"prod": "MC_prod", "dev": "MC_dev"}
SHARED_GROUP = "shared"
SERVICES = ("web", "api", "pay", "log", "bus")
SUBNETS = ("default", "pls-subnet")


def configured(name: str, in_tree: InTree) -> ClusterConfig:
    """The two clusters are both called kubernetes, and differ in their resource group alone, as on AKS."""
    group = GROUPS[name]
    return ClusterConfig(
        name=name,
        cluster_name="kubernetes",
        subscription="00000000-0000-0000-0000-000000000001",
        location="eastus",
        load_balancer_resource_group=group,
        pls_resource_group=group,
        vnet_resource_group=group,
        vnet_name="aks-vnet",
        default_subnet="default",
        mode="sync",
        in_tree=in_tree,
    )
