"""What is known of AKS, laid over the clusters as configured. Pure.

A cluster that is named is completed from its resource; one that bears a tag is configured because of it, unless it is
named. Of what was never read the reason is told, and nothing is done for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler import aks, arm_ids
from reconciler.aks import ManagedCluster, VirtualNetwork
from reconciler.model import ClusterConfig, ClusterList, Discovery

Networks = Collection[VirtualNetwork] | str
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of AKS. Clusters go by their ids, all keys are in lower case.

    ``clusters`` and ``lists`` (by subscription) are what was read last; ``amiss`` and ``unlisted`` tell what went
    wrong in the last round. ``networks`` go by the place of the nodes; a text tells why they could not be read.
    """

    clusters: Mapping[str, ManagedCluster] = field(default_factory=dict)
    amiss: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Mapping[str, ManagedCluster]] = field(default_factory=dict)
    unlisted: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[Place, Networks] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Configured:
    """The clusters by name, and what is amiss with the configuration as a whole, in sentences."""

    clusters: Mapping[str, ClusterConfig]
    problems: tuple[str, ...] = ()


def concerned(listed: ClusterList) -> bool:
    """Whether AKS has to be asked at all."""
    return bool(listed.discoveries) or any(config.access.aks for config in listed.clusters)


def wanted(listed: ClusterList) -> dict[str, str]:
    """The resource ids that are configured, by lower-case id."""
    return {arm_ids.key(c.access.aks): c.access.aks for c in listed.clusters if c.access.aks}


def subscription(key: str) -> str:
    """The subscription of an id."""
    parsed = arm_ids.parse(key)
    return parsed.subscription if parsed else ""


def place_of(cluster: ManagedCluster) -> Place:
    """Where the cluster's nodes are: subscription and group, in lower case, and the cluster's uid.

    One that is deleted and made anew has its nodes in a group of the same name, and in another network.
    """
    return cluster.subscription.lower(), cluster.node_resource_group.lower(), cluster.uid


def all_of(listed: ClusterList, known: Known) -> Iterator[ClusterConfig]:
    """Those that are named, then those that are found and not named."""
    yield from listed.clusters
    taken, names = set(wanted(listed)), {config.name.lower() for config in listed.clusters}
    for discovery in listed.discoveries:
        clusters = known.lists.get(discovery.subscription.lower(), {}).values()
        for config in aks.discovered(discovery, clusters, taken):
            taken.add(arm_ids.key(config.access.aks))
            if config.name.lower() not in names:
                names.add(config.name.lower())
                yield config


def cluster_of(config: ClusterConfig, known: Known) -> ManagedCluster | None:
    """What is known of a configuration's AKS cluster."""
    key = arm_ids.key(config.access.aks)
    if key in known.clusters or key in known.amiss:
        return known.clusters.get(key)
    return known.lists.get(subscription(key), {}).get(key)


def completed(listed: ClusterList, known: Known) -> Configured:
    """All clusters, completed as far as AKS is known. Pure."""
    clusters: dict[str, ClusterConfig] = {}
    places: dict[tuple[str, ...], str] = {}
    named = {config.name for config in listed.clusters}
    for config in all_of(listed, known):
        whole = _completed(config, known)
        place = tuple(
            part.lower()
            for part in (whole.subscription, whole.load_balancer_resource_group, whole.cluster_name)
        )
        other = places.setdefault(place, whole.name) if all(place) else whole.name
        if other == whole.name:
            clusters[whole.name] = whole
        elif whole.name in named:  # one that was found gives way without a word
            clusters[whole.name] = replace(
                whole, unresolved=f"it would act on the same load balancers as cluster {other}; remove one"
            )
    blind = (d for d in listed.discoveries if d.subscription.lower() not in known.lists)
    return Configured(clusters, tuple(_blind(d, known) for d in blind))


def _completed(config: ClusterConfig, known: Known) -> ClusterConfig:
    key = arm_ids.key(config.access.aks)
    if not key:
        return config
    cluster = cluster_of(config, known)
    if cluster is None:
        why = known.amiss.get(key, "its AKS cluster was not read yet")
        return replace(config, subscription=config.subscription or subscription(key), unresolved=why)
    return aks.resolved(config, cluster, known.networks.get(place_of(cluster), ()))


def _blind(discovery: Discovery, known: Known) -> str:
    why = known.unlisted.get(discovery.subscription.lower(), "they were not listed yet")
    return (
        f"which AKS clusters of the subscription {discovery.subscription} bear the tag {discovery.tag} is unknown "
        f"({why})"
    )


def reasons(listed: ClusterList, known: Known) -> dict[str, str]:
    """All that is amiss, by what it is about."""
    found = completed(listed, known)
    unresolved = {f"cluster {c.name}": c.unresolved for c in found.clusters.values() if c.unresolved}
    stale = {f"AKS cluster {key}": why for key, why in known.amiss.items() if key in known.clusters}
    lists = {f"AKS clusters of {key}": why for key, why in known.unlisted.items() if key in known.lists}
    kept = {about: f"{why}; what was read last stays in force" for about, why in {**stale, **lists}.items()}
    return {**kept, **unresolved, **{f"discover[{i}]": why for i, why in enumerate(found.problems)}}
