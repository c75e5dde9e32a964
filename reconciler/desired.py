"""Desired state of a Private Link Service: built from the claim, compared by the peer's rule, laid over.

The rules are those of cloud-provider-azure (``getExpectedPrivateLinkService``, ``reconcilePLSIpConfigs``,
``reconcilePLSTags`` in ``azure_privatelinkservice.go``): names of IP configurations and dynamic addresses
are never compared, lists are multisets and case-sensitive, tags that are there are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler import arm_ids
from reconciler.claims import Wish
from reconciler.model import (
    CLUSTER_TAG,
    ENDED_BADLY,
    OWNER_TAG,
    ClusterConfig,
    Json,
    NatIp,
    PrivateLinkService,
)
from reconciler.plan import NAT_IPS, STATE, Change

MAX_NAME = 80
READ_ONLY = ("etag", "type", "name", "id")
READ_ONLY_PROPERTIES = (
    "alias",
    "provisioningState",
    "networkInterfaces",
    "privateEndpointConnections",
    "resourceGuid",
)


@dataclass(frozen=True, slots=True)
class Desired:
    """A PLS as it shall be."""

    pls_id: str
    location: str
    tags: Mapping[str, str]
    frontend_id: str
    nat_ips: tuple[NatIp, ...]
    fqdns: tuple[str, ...]
    proxy_protocol: bool
    visibility: tuple[str, ...]
    auto_approval: tuple[str, ...]

    @property
    def name(self) -> str:
        """The PLS's name."""
        return arm_ids.last_name(self.pls_id)


def desired(
    cluster: ClusterConfig, wish: Wish, pls_id: str, frontend_id: str, subnet_id: str, owner: str
) -> Desired:
    """The PLS that ``owner`` (``namespace/name``) wishes for on this frontend."""
    return Desired(
        pls_id=pls_id,
        location=cluster.location,
        tags={**cluster.tags, CLUSTER_TAG: cluster.cluster_name, OWNER_TAG: owner},
        frontend_id=frontend_id,
        nat_ips=_nat_ips(wish, arm_ids.last_name(pls_id), subnet_id),
        fqdns=wish.fqdns,
        proxy_protocol=wish.proxy_protocol,
        visibility=wish.visibility,
        auto_approval=wish.auto_approval,
    )


def _nat_ips(wish: Wish, pls_name: str, subnet_id: str) -> tuple[NatIp, ...]:
    prefix = f"{wish.subnet}-{pls_name}"
    suffixes = [(f"-static-{ip}", ip) for ip in wish.static_ips]
    suffixes += [(f"-dynamic-{i}", "") for i in range(wish.ip_count - len(wish.static_ips))]
    return tuple(
        NatIp(prefix[: MAX_NAME - len(suffix)] + suffix, subnet_id, address, primary=index == 0)
        for index, (suffix, address) in enumerate(suffixes)
    )


def content_hash(goal: Desired) -> str:
    """Equal for equal content: what the hot-loop guard compares."""
    content = [
        goal.location.lower(),
        sorted((k.lower(), v) for k, v in goal.tags.items()),
        arm_ids.key(goal.frontend_id),
        [[ip.address, arm_ids.key(ip.subnet_id), ip.primary] for ip in goal.nat_ips],
        sorted(goal.fqdns),
        goal.proxy_protocol,
        sorted(goal.visibility),
        sorted(goal.auto_approval),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def differences(goal: Desired, seen: PrivateLinkService) -> tuple[Change, ...]:
    """The properties in which the PLS differs from its desired state by the peer's rule."""
    changes = []
    if seen.provisioning_state in ENDED_BADLY:
        changes.append(Change(STATE, seen.provisioning_state, "Succeeded"))
    if not arm_ids.same(goal.frontend_id, seen.frontend_id):
        changes.append(Change("frontend", seen.frontend_id, goal.frontend_id))
    if _nat_ips_differ(goal.nat_ips, seen.nat_ips):
        changes.append(Change(NAT_IPS, _brief(seen.nat_ips), _brief(goal.nat_ips)))
    for name, before, after in (
        ("fqdns", seen.fqdns, goal.fqdns),
        ("visibility", seen.visibility, goal.visibility),
        ("autoApproval", seen.auto_approval, goal.auto_approval),
    ):
        if Counter(before) != Counter(after):
            changes.append(Change(name, list(before), list(after)))
    if seen.proxy_protocol != goal.proxy_protocol:
        changes.append(Change("enableProxyProtocol", seen.proxy_protocol, goal.proxy_protocol))
    changes += [Change(f"tags.{name}", seen.tag(name), value) for name, value in _tags_to_set(goal, seen)]
    return tuple(changes)


def _tags_to_set(goal: Desired, seen: PrivateLinkService) -> list[tuple[str, str]]:
    """Cluster and owner are set only where missing (so an edited owner tag stands); ours are kept up.

    Values compare without regard to case, as the peer's do: a policy that spells them its own way is no drift.
    """
    fixed = (CLUSTER_TAG, OWNER_TAG)
    return [
        (name, value)
        for name, value in goal.tags.items()
        if (tag := seen.tag(name)) is None or (name not in fixed and tag.lower() != value.lower())
    ]


def _nat_ips_differ(goal: tuple[NatIp, ...], seen: tuple[NatIp, ...]) -> bool:
    if len(goal) != len(seen):
        return True
    if {arm_ids.key(ip.subnet_id) for ip in goal} != {arm_ids.key(ip.subnet_id) for ip in seen}:
        return True
    if {ip.address for ip in goal if ip.static} != {ip.address for ip in seen if ip.static}:
        return True
    return _primary(goal) != _primary(seen)


def _primary(nat_ips: tuple[NatIp, ...]) -> str | None:
    """The address of the primary: "" for a dynamic one, None where there is no primary."""
    return next((ip.address for ip in nat_ips if ip.primary), None)


def _brief(nat_ips: tuple[NatIp, ...]) -> list[str]:
    return [f"{ip.address or 'dynamic'} in {arm_ids.last_name(ip.subnet_id)}" for ip in nat_ips]


def first_settings(body: Json) -> tuple[Change, ...]:
    """What a new PLS will be, by its PUT body: the properties that say something, as :func:`differences` calls them."""
    properties, nowhere = body["properties"], PrivateLinkService("", "", "")
    nat_ips = tuple(_nat_ip(c) for c in properties[NAT_IPS])
    goal = Desired(
        pls_id="",
        location=body["location"],
        tags=body["tags"],
        frontend_id=properties["loadBalancerFrontendIpConfigurations"][0]["id"],
        nat_ips=nat_ips,
        fqdns=tuple(properties["fqdns"]),
        proxy_protocol=properties["enableProxyProtocol"],
        visibility=tuple(properties["visibility"]["subscriptions"]),
        auto_approval=tuple(properties["autoApproval"]["subscriptions"]),
    )
    return differences(goal, nowhere)


def _nat_ip(configuration: Json) -> NatIp:
    properties = configuration["properties"]
    return NatIp(
        configuration["name"],
        properties["subnet"]["id"],
        properties.get("privateIPAddress", ""),
        properties["primary"],
    )


def create_body(goal: Desired, edge_zone: str = "") -> Json:
    """The PUT body of a new PLS, as the peer sends it. It stands in the edge zone of its load balancer, if in any."""
    zone = {"extendedLocation": {"name": edge_zone, "type": "EdgeZone"}} if edge_zone else {}
    return {
        "location": goal.location,
        **zone,
        "tags": dict(goal.tags),
        "properties": {
            "loadBalancerFrontendIpConfigurations": [{"id": goal.frontend_id}],
            **_properties(goal),
        },
    }


def update_body(goal: Desired, seen: PrivateLinkService) -> Json:
    """The observed JSON minus its read-only fields, the desired fields laid over.

    Foreign tags and properties nobody here knows survive; IP configurations are replaced as a whole,
    and only when they differ, since their names are never compared.
    """
    body = tag_body(seen, dict(_tags_to_set(goal, seen)))
    laid_over = _properties(goal)
    if not _nat_ips_differ(goal.nat_ips, seen.nat_ips):
        del laid_over[NAT_IPS]
    if not arm_ids.same(goal.frontend_id, seen.frontend_id):
        laid_over["loadBalancerFrontendIpConfigurations"] = [{"id": goal.frontend_id}]
    return {
        **body,
        "location": seen.location or goal.location,
        "properties": {**body["properties"], **laid_over},
    }


def tag_body(seen: PrivateLinkService, tags: Mapping[str, str]) -> Json:
    """The observed JSON minus its read-only fields, with these tags set."""
    body = {k: v for k, v in seen.raw.items() if k not in READ_ONLY}
    properties = dict(seen.raw.get("properties") or {})
    body["properties"] = {k: v for k, v in properties.items() if k not in READ_ONLY_PROPERTIES}
    body["tags"] = _merged_tags(seen, tags)
    return body


def _merged_tags(seen: PrivateLinkService, tags: Mapping[str, str]) -> dict[str, str]:
    replaced = {name.lower() for name in tags}
    return {**{k: v for k, v in seen.tags.items() if k.lower() not in replaced}, **tags}


def _properties(goal: Desired) -> dict[str, Any]:
    return {
        NAT_IPS: [_ip_configuration(ip) for ip in goal.nat_ips],
        "fqdns": list(goal.fqdns),
        "enableProxyProtocol": goal.proxy_protocol,
        "visibility": {"subscriptions": list(goal.visibility)},
        "autoApproval": {"subscriptions": list(goal.auto_approval)},
    }


def _ip_configuration(nat_ip: NatIp) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "privateIPAllocationMethod": "Static" if nat_ip.static else "Dynamic",
        "privateIPAddressVersion": nat_ip.version,
        "primary": nat_ip.primary,
        "subnet": {"id": nat_ip.subnet_id},
    }
    if nat_ip.static:
        properties["privateIPAddress"] = nat_ip.address
    return {"name": nat_ip.name, "properties": properties}
