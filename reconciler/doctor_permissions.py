"""Which actions of Azure's roles are needed where, and which of them are not granted. Pure.

The actions are those of infra/roles.json; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from reconciler import arm_ids
from reconciler.aks import KIND, USER_ROLE
from reconciler.doctor import Diagnosis
from reconciler.model import ClusterConfig, Service, SubnetPolicy
from reconciler.planning import needs as planned

Place = Literal["links", "balancers", "subnet", "aks"]

_NETWORK = "Microsoft.Network"
READ: dict[Place, tuple[str, ...]] = {
    "links": (f"{_NETWORK}/privateLinkServices/read", f"{_NETWORK}/networkInterfaces/read"),
    "balancers": (f"{_NETWORK}/loadBalancers/read", f"{_NETWORK}/publicIPAddresses/read"),
    "subnet": (f"{_NETWORK}/virtualNetworks/subnets/read",),
    "aks": (
        "Microsoft.ContainerService/managedClusters/read",
        "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
    ),
}
WRITE: dict[Place, tuple[str, ...]] = {
    "links": (
        f"{_NETWORK}/privateLinkServices/write",
        f"{_NETWORK}/privateLinkServices/delete",
        f"{_NETWORK}/privateLinkServices/privateEndpointConnections/delete",
    ),
    "balancers": (
        f"{_NETWORK}/loadBalancers/loadBalancingRules/read",
        f"{_NETWORK}/loadBalancers/frontendIPConfigurations/join/action",
    ),
    "subnet": (f"{_NETWORK}/virtualNetworks/subnets/join/action",),
}
SUBNET_POLICY_WRITE = (f"{_NETWORK}/virtualNetworks/subnets/write",)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one role gives at a scope: patterns with ``*``."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """Actions that a cluster needs at a scope."""

    scope: str
    actions: tuple[str, ...]


def needs(config: ClusterConfig, policy: SubnetPolicy) -> Iterator[Need]:
    """What one cluster needs, by scope. Mode plan only reads."""
    places: dict[Place, str] = {
        "links": arm_ids.group_id(config.subscription, config.pls_resource_group),
        "balancers": arm_ids.group_id(config.subscription, config.load_balancer_resource_group),
        "subnet": arm_ids.subnet(
            config.network_subscription, config.vnet_resource_group, config.vnet_name, config.default_subnet
        ),
    }
    if config.access.aks:
        places["aks"] = config.access.aks
    for place, scope in places.items():
        yield _need(config, policy, place, scope)


def further_needs(
    config: ClusterConfig, policy: SubnetPolicy, services: tuple[Service, ...]
) -> tuple[Need, ...]:
    """What a cluster needs where its Services ask for other groups and subnets than the configured ones."""
    groups = (arm_ids.group_id(config.subscription, g) for g in planned.groups(config, services, ()))
    links = (_need(config, policy, "links", group) for group in groups)
    subnets = (_need(config, policy, "subnet", subnet) for subnet in planned.subnets(config, services))
    usual = {arm_ids.key(need.scope) for need in needs(config, policy)}
    return tuple(need for need in (*links, *subnets) if arm_ids.key(need.scope) not in usual)


def _need(config: ClusterConfig, policy: SubnetPolicy, place: Place, scope: str) -> Need:
    if config.mode == "plan":
        return Need(scope, READ[place])
    written = SUBNET_POLICY_WRITE if place == "subnet" and policy == "disable" else ()
    return Need(scope, (*READ[place], *WRITE.get(place, ()), *written))


def permitted(grants: Iterable[Grant], need: Need) -> Diagnosis:
    """Whether all of a need is granted."""
    lacking, where = missing(grants, need.actions), place_of(need.scope)
    if lacking:
        names = ", ".join(action.removeprefix("Microsoft.Network/") for action in lacking)
        return Diagnosis("permissions", where, "failed", f"not granted: {names}", remedy(need.scope))
    return Diagnosis("permissions", where, "ok", f"all {len(need.actions)} needed actions are granted")


def place_of(scope: str) -> str:
    """A scope as people say it."""
    parts = scope.strip("/").split("/")
    within = "/".join(parts[6:])
    return f"resource group {parts[3]}" + (f", {within}" if within else "")


def missing(grants: Iterable[Grant], actions: Iterable[str]) -> tuple[str, ...]:
    """The actions that no grant gives. One role's ``notActions`` take nothing from another's ``actions``."""
    every = tuple(grants)
    return tuple(action for action in actions if not any(_gives(grant, action) for grant in every))


def _gives(grant: Grant, action: str) -> bool:
    return _any(grant.actions, action) and not _any(grant.not_actions, action)


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(_compiled(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)


def remedy(scope: str) -> str:
    """How to see, and to give, what is missing at a scope."""
    role = USER_ROLE if f"/{KIND}/".lower() in f"{scope}/".lower() else "Network Contributor"
    return (
        "give the identity the project's roles (infra/roles.json; azd provision), or: "
        f"az role assignment create --assignee OBJECT_ID --role '{role}' --scope {scope}"
    )
