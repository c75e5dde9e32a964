"""Answers of ARM and Kubernetes (JSON) → the nouns. Pure, and tolerant: an odd field is not an odd list.

Whatever comes over the wire is untrusted: missing keys, nulls and wrong types read as absent. What has
no id or name cannot be spoken of and is dropped.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler import arm_ids
from reconciler.model import (
    CONDITION,
    Condition,
    Connection,
    Frontend,
    LoadBalancer,
    NatIp,
    PrivateLinkService,
    PublicIp,
    Service,
    Subnet,
)

AZURE_RESERVED_ADDRESSES = 5  # of every subnet: .0 to .3 and the last
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MAPPINGS = (dict, Mapping)  # asking for dict first is three times faster


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, _MAPPINGS) else {}


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, _MAPPINGS)) if isinstance(value, list) else iter(())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _strings(value: Any) -> dict[str, str]:
    return {k: v for k, v in _map(value).items() if isinstance(k, str) and isinstance(v, str)}


def _properties(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(item.get("properties"))


def _time(value: Any) -> datetime:
    try:
        read = datetime.fromisoformat(_text(value).replace("Z", "+00:00"))
    except ValueError:
        return _LONG_AGO
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def service(item: Mapping[str, Any]) -> Service | None:
    """A Service of the core/v1 API; None where it has no name, namespace or UID."""
    metadata, spec = _map(item.get("metadata")), _map(item.get("spec"))
    namespace, name, uid = (_text(metadata.get(k)) for k in ("namespace", "name", "uid"))
    if not (namespace and name and uid):
        return None
    return Service(
        namespace=namespace,
        name=name,
        uid=uid,
        created=_time(metadata.get("creationTimestamp")),
        annotations=_strings(metadata.get("annotations")),
        type=_text(spec.get("type")) or "ClusterIP",
        load_balancer_class=_text(spec.get("loadBalancerClass")),
        deleting=bool(metadata.get("deletionTimestamp")),
        load_balancer_ip=_text(spec.get("loadBalancerIP")),
        ip_families=_texts(spec.get("ipFamilies")) or ("IPv4",),
        external_traffic_policy=_text(spec.get("externalTrafficPolicy")),
        resource_version=_text(metadata.get("resourceVersion")),
        condition=_condition(item.get("status")),
    )


def _condition(status: Any) -> Condition | None:
    """Ours; others' are none of our business, and ten thousand of them are not kept."""
    for item in _maps(_map(status).get("conditions")):
        if item.get("type") == CONDITION:
            names = ("status", "reason", "message", "lastTransitionTime")
            return Condition(*(_text(item.get(name)) for name in names))
    return None


def load_balancer(item: Mapping[str, Any]) -> LoadBalancer | None:
    """A load balancer; rules are found from both sides, since either list may be the fuller one."""
    identifier = _text(item.get("id"))
    if arm_ids.parse(identifier) is None:
        return None
    properties = _properties(item)
    rules: dict[str, list[str]] = {}
    for rule in _maps(properties.get("loadBalancingRules")):
        frontend_id = _text(_map(_properties(rule).get("frontendIPConfiguration")).get("id"))
        rules.setdefault(arm_ids.key(frontend_id), []).append(_text(rule.get("name")))
    frontends = (
        _frontend(entry, identifier, rules) for entry in _maps(properties.get("frontendIPConfigurations"))
    )
    return LoadBalancer(
        id=identifier,
        name=_text(item.get("name")) or arm_ids.last_name(identifier),
        provisioning_state=_text(properties.get("provisioningState")) or "Succeeded",
        frontends=tuple(f for f in frontends if f),
        sku=_text(_map(item.get("sku")).get("name")),
        edge_zone=_text(_map(item.get("extendedLocation")).get("name")),
    )


def _frontend(
    item: Mapping[str, Any], load_balancer_id: str, rules: Mapping[str, list[str]]
) -> Frontend | None:
    identifier, properties = _text(item.get("id")), _properties(item)
    if not identifier:
        return None
    named = [arm_ids.last_name(_text(r.get("id"))) for r in _maps(properties.get("loadBalancingRules"))]
    names = dict.fromkeys((*named, *rules.get(arm_ids.key(identifier), ())))
    name, rule_names = _text(item.get("name")) or arm_ids.last_name(identifier), tuple(filter(None, names))
    return Frontend(
        id=identifier,
        name=name,
        load_balancer_id=load_balancer_id,
        rule_names=rule_names,
        private_ip=_text(properties.get("privateIPAddress")),
        subnet_id=_text(_map(properties.get("subnet")).get("id")),
        public_ip_id=_text(_map(properties.get("publicIPAddress")).get("id")),
        ip_version=_ip_version(properties, (name, *rule_names)),
    )


def _ip_version(properties: Mapping[str, Any], names: Iterable[str]) -> str:
    """A frontend's own word, or its names' where it has none or is public.

    The provider sets the version of internal frontends only. A public one is told by the suffix that it
    gives to whatever serves the IPv6 side of a dual-stack Service (``getResourceByIPFamily``).
    """
    told = _text(properties.get("privateIPAddressVersion"))
    public = bool(properties.get("publicIPAddress"))
    if told and not (public and told == "IPv4"):
        return told
    return "IPv6" if any(name.lower().endswith("-ipv6") for name in names) else "IPv4"


def private_link_service(item: Mapping[str, Any]) -> PrivateLinkService | None:
    """A Private Link Service; None where its id is that of anything else: what is read here gets deleted."""
    identifier, properties = _text(item.get("id")), _properties(item)
    parsed = arm_ids.parse(identifier)
    if parsed is None or not arm_ids.is_private_link_service(identifier):
        return None
    frontends = [_text(f.get("id")) for f in _maps(properties.get("loadBalancerFrontendIpConfigurations"))]
    connections = (_connection(c, identifier) for c in _maps(properties.get("privateEndpointConnections")))
    return PrivateLinkService(
        id=identifier,
        name=parsed.name,
        resource_group=parsed.resource_group,
        location=_text(item.get("location")),
        tags=_strings(item.get("tags")),
        provisioning_state=_text(properties.get("provisioningState")) or "Succeeded",
        resource_guid=_text(properties.get("resourceGuid")),
        alias=_text(properties.get("alias")),
        frontend_id=next(iter(frontends), ""),
        nat_ips=tuple(_nat_ip(c) for c in _maps(properties.get("ipConfigurations"))),
        fqdns=_texts(properties.get("fqdns")),
        proxy_protocol=properties.get("enableProxyProtocol") is True,
        visibility=_texts(_map(properties.get("visibility")).get("subscriptions")),
        auto_approval=_texts(_map(properties.get("autoApproval")).get("subscriptions")),
        connections=tuple(c for c in connections if c),
        network_interfaces=tuple(
            _text(n.get("id")) for n in _maps(properties.get("networkInterfaces")) if _text(n.get("id"))
        ),
        raw=item,
    )


def _nat_ip(item: Mapping[str, Any]) -> NatIp:
    properties = _properties(item)
    static = _text(properties.get("privateIPAllocationMethod")).lower() == "static"
    return NatIp(
        name=_text(item.get("name")),
        subnet_id=_text(_map(properties.get("subnet")).get("id")),
        address=_text(properties.get("privateIPAddress")) if static else "",
        primary=properties.get("primary") is True,
        version=_text(properties.get("privateIPAddressVersion")) or "IPv4",
    )


def _connection(item: Mapping[str, Any], pls_id: str) -> Connection | None:
    """A private endpoint connection; None where its id does not lie directly below the PLS's."""
    identifier, properties = _text(item.get("id")), _properties(item)
    parent, _, name = arm_ids.key(identifier).rpartition("/privateendpointconnections/")
    if parent != arm_ids.key(pls_id) or not name or "/" in name:
        return None
    state = _map(properties.get("privateLinkServiceConnectionState"))
    return Connection(
        id=identifier,
        name=_text(item.get("name")) or arm_ids.last_name(identifier),
        status=_text(state.get("status")) or "Unknown",
        endpoint_id=_text(_map(properties.get("privateEndpoint")).get("id")),
    )


def subnet(item: Mapping[str, Any]) -> Subnet | None:
    """A subnet, with an estimate of its free addresses from its IPv4 prefixes and what sits in it.

    None where it has no properties, or its id is that of anything else: it is written back as it was read.
    """
    identifier, properties = _text(item.get("id")), _properties(item)
    if not arm_ids.is_subnet(identifier) or not isinstance(item.get("properties"), Mapping):
        return None
    return Subnet(
        id=identifier,
        name=_text(item.get("name")) or arm_ids.last_name(identifier),
        # Azure's default where the property is missing (facts: subnet GET defaults).
        policy=_text(properties.get("privateLinkServiceNetworkPolicies")) or "Enabled",
        provisioning_state=_text(properties.get("provisioningState")) or "Succeeded",
        etag=_text(item.get("etag")),
        free=_free_addresses(properties),
        raw=item,
    )


def _free_addresses(properties: Mapping[str, Any]) -> int | None:
    prefixes = (_text(properties.get("addressPrefix")), *_texts(properties.get("addressPrefixes")))
    size = 0
    for prefix in {p for p in prefixes if p}:
        try:
            network = ipaddress.ip_network(prefix, strict=False)
        except ValueError:
            return None
        if network.version == 4:
            size += max(0, network.num_addresses - AZURE_RESERVED_ADDRESSES)
    used = sum(1 for _ in _maps(properties.get("ipConfigurations")))
    return max(0, size - used) if size else None


def public_ip(item: Mapping[str, Any]) -> PublicIp | None:
    """A public IP address resource."""
    identifier = _text(item.get("id"))
    if arm_ids.parse(identifier) is None:
        return None
    name = _text(item.get("name")) or arm_ids.last_name(identifier)
    return PublicIp(identifier, name, _text(_properties(item).get("ipAddress")))


def digest(versions: Iterable[tuple[str, str]]) -> str:
    """A hash over (uid, resourceVersion) pairs, in any order: tells whether any Service changed."""
    lines = "\n".join(sorted(f"{uid} {version}" for uid, version in versions))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()[:32]
