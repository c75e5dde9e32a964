"""Small builders of what a plan sees: a cluster of Services, their frontends, and Private Link Services.

Everything has a default that makes sense together, so that a test names only what it is about.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from reconciler import arm_ids, reading
from reconciler.annotations import LB_DISABLE_FLOATING_IP, LB_INTERNAL
from reconciler.lines import Line
from reconciler.model import (
    CLUSTER_TAG,
    OWNER_TAG,
    STANDARD_PREFIX,
    ClusterConfig,
    Frontend,
    Limits,
    LoadBalancer,
    Observed,
    Ownership,
    PrivateLinkService,
    Service,
    ServiceRef,
    Subnet,
)
from reconciler.plan import Finding, Plan, PutPls, PutSubnet, Reason, Write, target, verb
from reconciler.planning import needs, plan
from reconciler.planning.world import World
from reconciler.tenancy import uid_prefix

T = TypeVar("T")

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "MC_prod"
INTERNAL, EXTERNAL = "kubernetes-internal", "kubernetes"
VNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/virtualNetworks/aks-vnet"
CONFIG = ClusterConfig(
    name="prod",
    cluster_name="kubernetes",
    subscription=SUBSCRIPTION,
    location="eastus",
    load_balancer_resource_group=GROUP,
    pls_resource_group=GROUP,
    vnet_resource_group=GROUP,
    vnet_name="aks-vnet",
    default_subnet="default",
    mode="sync",
    in_tree="absent",
)
LIMITS = Limits()


def after(**time: float) -> datetime:
    """A moment after ``NOW``; the arguments are those of ``timedelta``."""
    return NOW + timedelta(**time)


def network_id(kind: str, name: str, group: str = GROUP, subscription: str = SUBSCRIPTION) -> str:
    """The id of a resource of Microsoft.Network."""
    return f"{arm_ids.group_id(subscription, group)}/providers/Microsoft.Network/{kind}/{name}"


def pls_id(name: str, group: str = GROUP) -> str:
    """The id of a Private Link Service."""
    return network_id("privateLinkServices", name, group)


def service(
    name: str = "web",
    *,
    namespace: str = "shop",
    asks: bool = True,
    internal: bool = True,
    age_days: float = 10,
    annotations: Mapping[str, str] | None = None,
    prefix: str = STANDARD_PREFIX,
    settings: Mapping[str, str] | None = None,
    **rest: Any,
) -> Service:
    """A live Service; ``settings`` are azure-pls annotations without their prefix."""
    kind = {LB_INTERNAL: "true"} if internal else {LB_DISABLE_FLOATING_IP: "true"}
    wanted = {"create": "true"} if asks else {}
    own = {prefix + key: value for key, value in {**wanted, **(settings or {})}.items()}
    return Service(
        namespace=namespace,
        name=name,
        uid=rest.pop("uid", str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{name}"))),
        created=rest.pop("created", NOW - timedelta(days=age_days)),
        annotations={**kind, **own, **(annotations or {})},
        **rest,
    )


def frontend(*services: Service, lb: str = INTERNAL, group: str = GROUP, **rest: Any) -> Frontend:
    """The frontend of the first Service, with a rule for each of them."""
    name = rest.pop("name", uid_prefix(services[0].uid) if services else "f")
    lb_id = network_id("loadBalancers", lb, group)
    if lb == EXTERNAL:
        rest.setdefault("public_ip_id", network_id("publicIPAddresses", f"ip-{name}", group))
    return Frontend(
        id=f"{lb_id}/frontendIPConfigurations/{name}",
        name=name,
        load_balancer_id=lb_id,
        rule_names=tuple(f"{uid_prefix(s.uid)}-TCP-80" for s in services),
        **rest,
    )


def load_balancers(frontends: Iterable[Frontend], state: str = "Succeeded") -> tuple[LoadBalancer, ...]:
    """The load balancers that these frontends are on."""
    found: dict[str, list[Frontend]] = {}
    for entry in frontends:
        found.setdefault(entry.load_balancer_id, []).append(entry)
    return tuple(
        LoadBalancer(lb_id, arm_ids.last_name(lb_id), state, tuple(on)) for lb_id, on in found.items()
    )


def subnet_id(name: str) -> str:
    """The id of a subnet of the cluster's virtual network."""
    return f"{VNET}/subnets/{name}"


def subnet(name: str = "default", policy: str = "Disabled", **rest: Any) -> Subnet:
    """A subnet; its JSON has a foreign property that must survive a write."""
    raw = {
        "id": subnet_id(name),
        "name": name,
        "properties": {"addressPrefix": "10.224.0.0/16", "privateLinkServiceNetworkPolicies": policy},
    }
    return Subnet(subnet_id(name), name, policy, etag='W/"1"', raw=raw, **rest)


def subnets(*given: Subnet) -> dict[str, Subnet]:
    """Subnets as an observation holds them."""
    return {arm_ids.key(s.id): s for s in given}


def pls_json(
    name: str, on: str, owner: str | None, *, group: str = GROUP, subnet_name: str = "default", **rest: Any
) -> dict[str, Any]:
    """What ARM answers about a Private Link Service with one dynamic NAT IP on the frontend ``on``."""
    tags = {CLUSTER_TAG: "kubernetes", **({OWNER_TAG: owner} if owner else {})}
    tags = {k: v for k, v in {**tags, **rest.pop("tags", {})}.items() if v is not None}
    nat_ip = {
        "privateIPAllocationMethod": "Dynamic",
        "privateIPAddressVersion": "IPv4",
        "primary": True,
        "subnet": {"id": subnet_id(subnet_name)},
    }
    return {
        "id": pls_id(name, group),
        "name": name,
        "type": "Microsoft.Network/privateLinkServices",
        "etag": 'W/"7"',
        "location": "eastus",
        "tags": tags,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": f"guid-{name}",
            "alias": f"{name}.abc.eastus.azure.privatelinkservice",
            "loadBalancerFrontendIpConfigurations": [{"id": on}] if on else [],
            "ipConfigurations": [{"name": "anything", "properties": nat_ip}],
            "fqdns": [],
            "enableProxyProtocol": False,
            "visibility": {"subscriptions": []},
            "autoApproval": {"subscriptions": []},
            "privateEndpointConnections": [],
            **rest,
        },
    }


def pls(
    on: Frontend | str, owner: Service | str | None, name: str = "", *, group: str = GROUP, **rest: Any
) -> PrivateLinkService:
    """A Private Link Service on a frontend; ``rest`` are its ``tags`` or JSON properties."""
    at = on if isinstance(on, str) else on.id
    named = name or f"pls-{arm_ids.last_name(at)}"
    key = owner.key if isinstance(owner, Service) else owner
    read = reading.private_link_service(pls_json(named, at, key, group=group, **rest))
    assert read is not None
    return read


def connection(
    of: str, name: str = "pe-1", status: str = "Approved", *, group: str = GROUP
) -> dict[str, Any]:
    """A private endpoint connection, as a property of a Private Link Service's JSON."""
    return {
        "id": f"{pls_id(of, group)}/privateEndpointConnections/{name}",
        "name": name,
        "properties": {
            "privateLinkServiceConnectionState": {"status": status},
            "privateEndpoint": {"id": network_id("privateEndpoints", name, "consumer")},
        },
    }


def row(of: PrivateLinkService | str, owner: Service | ServiceRef, on: str = "", **rest: Any) -> Ownership:
    """The ledger's row of a Private Link Service (or of the id of one that is not there)."""
    ref = owner.ref if isinstance(owner, Service) else owner
    if isinstance(of, PrivateLinkService):
        return Ownership("prod", of.id, on or of.frontend_id, ref, of.resource_guid, **rest)
    return Ownership("prod", of, on, ref, **rest)


def observe(
    *services: Service,
    frontends: Iterable[Frontend] | None = None,
    links: Iterable[PrivateLinkService] = (),
    **rest: Any,
) -> Observed:
    """One look. Unless ``frontends`` are given, each Service has one of its own on the internal balancer."""
    fronts = [frontend(s) for s in services] if frontends is None else frontends
    seen = Observed(
        cluster=CONFIG,
        now=NOW,
        services=services,
        load_balancers=load_balancers(fronts),
        private_link_services=tuple(links),
        subnets=subnets(subnet("default"), subnet("pls-subnet")),
    )
    return replace(seen, **rest)


def decide(*services: Service, limits: Limits = LIMITS, **rest: Any) -> Plan:
    """The plan for :func:`observe` of the same arguments."""
    return plan(observe(*services, **rest), limits)


def configured(**changes: Any) -> ClusterConfig:
    """The cluster with other settings."""
    return replace(CONFIG, **changes)


def reasons(of: Plan) -> list[Reason]:
    """The reasons of the findings."""
    return [f.reason for f in of.findings]


def found(of: Plan, reason: Reason) -> Finding:
    """The one finding with this reason."""
    matching = [f for f in of.findings if f.reason is reason]
    assert len(matching) == 1, f"{reason}: {len(matching)} of {of.findings}"
    return matching[0]


def deeds(writes: Iterable[Write]) -> list[tuple[str, str]]:
    """What writes do: verb and the target's name."""
    return [(verb(w), arm_ids.last_name(target(w))) for w in writes]


def the(kind: type[T], of: Plan) -> T:
    """The only write of a plan, which is of this kind."""
    (write,) = of.writes
    assert isinstance(write, kind)
    return write


def put_of(of: Plan) -> PutPls:
    """The only write of a plan: the PUT of a Private Link Service."""
    return the(PutPls, of)


def subnet_put_of(of: Plan) -> PutSubnet:
    """The only write of a plan: the PUT of a subnet."""
    return the(PutSubnet, of)


def needed_proofs(seen: Observed) -> frozenset[ServiceRef]:
    """The Services that a look reads by name before the plan."""
    return needs.proofs(World(seen))


def text_of(lines: Iterable[Line]) -> str:
    """The bare words of lines for people."""
    return "\n".join(each.text for each in lines)
