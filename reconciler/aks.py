"""What an AKS cluster's resource tells: where its Services' load balancers and networks are, and why it cannot be read.

Pure. A configuration that names an AKS cluster is completed from the resource; what it names itself stays. What
cannot be told leaves it ``unresolved``, in words that say what to do: nothing is done for such a cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler import arm_ids
from reconciler.errors import Denied, OutsideError
from reconciler.model import ClusterConfig, Discovery, Json

PROVIDER, KIND = "Microsoft.ContainerService", "managedClusters"
USER_ROLE = "Azure Kubernetes Service Cluster User Role"
MANAGED_SUBNET = "aks-subnet"  # AKS's own, where nobody brought a network
LONGEST_NAME = 63  # of a cluster's configuration


@dataclass(frozen=True, slots=True)
class ManagedCluster:
    """An AKS cluster. ``subnets`` are ids, the system pools' first, none in a network that AKS made.

    ``state`` and ``power`` as ARM says them; ``entra``: AKS's own integration with Microsoft Entra is on. ``uid`` tells
    it from another one that is made under the same id later.
    """

    id: str
    name: str
    location: str
    node_resource_group: str
    subnets: tuple[str, ...] = ()
    state: str = "Succeeded"
    power: str = "Running"
    entra: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    uid: str = ""

    @property
    def subscription(self) -> str:
        """The subscription's id."""
        return self.id.split("/")[2]


@dataclass(frozen=True, slots=True)
class VirtualNetwork:
    """A virtual network and the names of its subnets."""

    id: str
    subnets: tuple[str, ...] = ()


def managed_cluster(item: Json) -> ManagedCluster | None:
    """An AKS cluster as ARM answered it; None where it has no id."""
    resource_id, properties = _text(item.get("id")), _map(item.get("properties"))
    parsed = arm_ids.parse(resource_id)
    if parsed is None or parsed.rest or parsed.kind.lower() != KIND.lower():
        return None
    return ManagedCluster(
        id=f"/{resource_id.strip().strip('/')}",
        name=parsed.name,
        location=_text(item.get("location")).replace(" ", "").lower(),
        node_resource_group=_text(properties.get("nodeResourceGroup")),
        subnets=_subnets(properties.get("agentPoolProfiles")),
        state=_text(properties.get("provisioningState")),
        power=_text(_map(properties.get("powerState")).get("code")),
        entra=_entra(_map(properties.get("aadProfile"))),
        tags={k: v for k, v in _map(item.get("tags")).items() if isinstance(v, str)},
        uid=_text(properties.get("resourceUID")) or _text(_map(item.get("systemData")).get("createdAt")),
    )


def virtual_network(item: Json) -> VirtualNetwork | None:
    """A virtual network as ARM answered it; None where it has no id."""
    resource_id, subnets = _text(item.get("id")), _map(item.get("properties")).get("subnets")
    if arm_ids.parse(resource_id) is None:
        return None
    names = (_text(_map(subnet).get("name")) for subnet in (subnets if isinstance(subnets, list) else ()))
    return VirtualNetwork(f"/{resource_id.strip().strip('/')}", tuple(name for name in names if name))


def _subnets(pools: Any) -> tuple[str, ...]:
    """System pools first: those of users come and go, and may be in subnets of their own."""
    found = [pool for pool in pools if isinstance(pool, Mapping)] if isinstance(pools, list) else []
    found.sort(key=lambda pool: _text(pool.get("mode")).lower() != "system")
    return tuple(dict.fromkeys(s for pool in found if (s := _text(pool.get("vnetSubnetID")))))


def _entra(profile: Mapping[str, Any]) -> bool:
    """The older integration has a server application of its own, which takes no token for AKS's."""
    return profile.get("managed") is True or (bool(profile) and not profile.get("serverAppID"))


def obstacle(cluster: ManagedCluster) -> str:
    """Why the cluster's API cannot be read now, or ever as it is; "" where nothing is known to be in the way."""
    where = arm_ids.parse(cluster.id)
    group = where.resource_group if where else ""
    arguments = f"--subscription {cluster.subscription} -g {group} -n {cluster.name}"
    state, power = cluster.state.lower(), cluster.power.lower()
    if state in ("creating", "deleting", "starting", "stopping"):
        doing = {"creating": "created", "deleting": "deleted", "starting": "started", "stopping": "stopped"}
        return f"the AKS cluster {cluster.name} is being {doing[state]}, so its Services are unknown"
    if power == "stopped":
        return (
            f"the AKS cluster {cluster.name} is stopped, so its Services are unknown, not gone; "
            f"to go on: az aks start {arguments}"
        )
    if not cluster.entra:
        return (
            f"the AKS cluster {cluster.name} has no Microsoft Entra integration, so that our identity cannot sign in "
            "(what AKS gives out instead is an administrator's certificate, which is not used). Either switch it on: "
            f"az aks update {arguments} --enable-aad --enable-azure-rbac; or reach the cluster by a kubeconfig of "
            "your own: api: {type: kubeconfig, secret: NAME}"
        )
    return ""


def needs_networks(config: ClusterConfig, cluster: ManagedCluster) -> bool:
    """Whether the networks of the node resource group must be read: AKS made them, and not all is configured.

    Not while they are made, or go: they would be half of it, or those of the cluster before.
    """
    configured = bool(config.vnet_name and config.default_subnet)
    return not (cluster.subnets or configured or cluster.state.lower() in ("creating", "deleting"))


def is_told(cluster: ManagedCluster, networks: Collection[VirtualNetwork] | str) -> bool:
    """Whether these networks tell the nodes' subnet. While AKS makes a cluster, its network is not there yet."""
    try:
        return bool(_managed_subnet(cluster, networks))
    except _UnclearError:
        return False


def resolved(
    config: ClusterConfig, cluster: ManagedCluster, networks: Collection[VirtualNetwork] | str = ()
) -> ClusterConfig:
    """The configuration, completed from the resource. ``networks`` are those of the node resource group where they
    are needed, or why they could not be read."""
    group = config.load_balancer_resource_group or cluster.node_resource_group
    placed = replace(
        config,
        subscription=config.subscription or cluster.subscription,
        location=config.location or cluster.location,
        load_balancer_resource_group=group,
        pls_resource_group=config.pls_resource_group or group,
    )
    try:
        placed, why = _in_network(placed, _subnet(config, cluster, networks)), ""
    except _UnclearError as unclear:
        why = f"{unclear}; configure vnet and defaultSubnet"
    if not group:
        why = f"the AKS cluster {cluster.name} names no node resource group; configure loadBalancerResourceGroup"
    return replace(placed, unresolved=obstacle(cluster) or why)


class _UnclearError(Exception):
    """Why the virtual network or its subnet cannot be told."""


def _subnet(
    config: ClusterConfig, cluster: ManagedCluster, networks: Collection[VirtualNetwork] | str
) -> arm_ids.ResourceId | None:
    """The subnet of the nodes; None where all is configured."""
    if config.vnet_name and config.default_subnet:
        return None
    subnet = cluster.subnets[0] if cluster.subnets else _managed_subnet(cluster, networks)
    parsed = arm_ids.parse(subnet)
    if parsed is None or len(parsed.rest) != 2:
        raise _UnclearError(f"the AKS cluster {cluster.name} names no subnet that can be understood")
    return parsed


def _managed_subnet(cluster: ManagedCluster, networks: Collection[VirtualNetwork] | str) -> str:
    """The id of the nodes' subnet in the network that AKS made."""
    if isinstance(networks, str):
        raise _UnclearError(f"the network that AKS made for {cluster.name} could not be read ({networks})")
    if len(networks) != 1:
        raise _UnclearError(
            f"the resource group {cluster.node_resource_group} must hold one virtual network, it holds "
            f"{_listed(arm_ids.last_name(network.id) for network in networks)}"
        )
    (network,) = networks
    likely = [name for name in network.subnets if name == MANAGED_SUBNET] or network.subnets
    if len(likely) != 1:
        raise _UnclearError(
            f"the nodes' subnet in {arm_ids.last_name(network.id)} cannot be told from {_listed(network.subnets)}"
        )
    return f"{network.id}/subnets/{likely[0]}"


def _in_network(config: ClusterConfig, subnet: arm_ids.ResourceId | None) -> ClusterConfig:
    """With the subnet's network, and with the subnet, each unless it is configured."""
    if subnet is None:
        return config
    if not config.vnet_name:
        elsewhere = subnet.subscription.lower() != config.subscription.lower()
        config = replace(
            config,
            vnet_subscription=subnet.subscription if elsewhere else "",
            vnet_resource_group=subnet.resource_group,
            vnet_name=subnet.name,
        )
    if config.default_subnet:
        return config
    ours = (config.network_subscription, config.vnet_resource_group, config.vnet_name)
    theirs = (subnet.subscription, subnet.resource_group, subnet.name)
    if [part.lower() for part in ours] != [part.lower() for part in theirs]:
        raise _UnclearError(f"the nodes are in the network {subnet.name}, not in {config.vnet_name}")
    return replace(config, default_subnet=subnet.rest[1])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def refusal(resource_id: str, error: OutsideError) -> str:
    """Why a cluster, or its server's address, could not be read; with the role where one is missing."""
    if not is_role_missing(error):
        return str(error)
    return f"{error}. Give our identity the role {USER_ROLE} on {resource_id}"


def unlisted(subscription: str, error: OutsideError) -> str:
    """Why the clusters of a subscription could not be listed; with what to grant where a role is missing."""
    if not is_role_missing(error):
        return str(error)
    return f"{error}. Give our identity {PROVIDER}/{KIND}/read on the subscription {subscription}"


def is_role_missing(error: OutsideError) -> bool:
    """ARM's own 403, not that nobody is signed in."""
    return isinstance(error, Denied) and error.code.endswith("AuthorizationFailed")


def matches(discovery: Discovery, cluster: ManagedCluster) -> bool:
    """Whether the cluster bears the tag; names of tags compare without regard to case, as ARM's do."""
    values = [value for name, value in cluster.tags.items() if name.lower() == discovery.tag.lower()]
    return bool(values) and discovery.value in (None, values[0])


def discovered(
    discovery: Discovery, clusters: Iterable[ManagedCluster], taken: Collection[str]
) -> tuple[ClusterConfig, ...]:
    """A configuration for each cluster that bears the tag and is not ``taken`` (ids in lower case)."""
    return tuple(
        replace(
            discovery.defaults,
            name=name_of(cluster),
            access=replace(discovery.defaults.access, aks=cluster.id),
        )
        for cluster in clusters
        if matches(discovery, cluster) and arm_ids.key(cluster.id) not in taken
    )


def name_of(cluster: ManagedCluster) -> str:
    """What a discovered cluster is called: names of AKS clusters repeat, their ids do not."""
    digest = hashlib.sha256(arm_ids.key(cluster.id).encode()).hexdigest()[:8]
    return f"{cluster.name[: LONGEST_NAME - 9]}-{digest}"


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
