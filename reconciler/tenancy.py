"""Service → frontend: which Services stand on which frontend IP configuration.

A Service is tenant of a frontend whose name, or one of whose rules' names, starts with the form that
cloud-provider-azure makes of its UID, and whose kind (private or public) is the one it asks for. Only
where there is none do the addresses it names decide (the Services that share another's frontend).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler import arm_ids
from reconciler.claims import LB_IPV4, PIP_NAME, is_internal, trim
from reconciler.model import Frontend, LoadBalancer, PublicIp, Service

_UID_PREFIX = re.compile(r"a[0-9a-z]{31}(?=-|$)")
Tenants = Mapping[str, tuple[Service, ...]]


def uid_prefix(uid: str) -> str:
    """``DefaultLoadBalancerName``: ``a`` + UID without dashes, cut to 32 characters."""
    return ("a" + uid.replace("-", ""))[:32].lower()


def prefixes_on(frontend: Frontend) -> frozenset[str]:
    """The UID forms that a frontend's own name and the names of its rules begin with."""
    return _prefixes((frontend.name, *frontend.rule_names))


def standing_on(frontend: Frontend) -> frozenset[str]:
    """The UID forms of those that a frontend serves now, by its rules.

    Its own name is that of whoever came first, who may have left it to sharers long ago and be forgotten;
    it counts only where there are no rules.
    """
    return _prefixes(frontend.rule_names) or _prefixes((frontend.name,))


def _prefixes(names: Iterable[str]) -> frozenset[str]:
    found = (_UID_PREFIX.match(name.lower()) for name in names)
    return frozenset(match.group() for match in found if match)


def by_frontend(
    services: Iterable[Service],
    load_balancers: Iterable[LoadBalancer],
    public_ips: Iterable[PublicIp],
) -> Tenants:
    """The live tenants of each frontend, by lower-case frontend id, oldest first.

    A Service may stand on several load balancers at once, and IPv6 frontends have no tenants here:
    a Private Link Service cannot serve them.
    """
    frontends = _eligible(load_balancers)
    by_prefix = _index(frontends)
    addresses = {arm_ids.key(ip.id): ip for ip in public_ips}
    tenants: dict[str, list[Service]] = {arm_ids.key(f.id): [] for f in frontends}
    for service in sorted(filter(lambda s: s.live, services), key=seniority):
        standing = [
            f for f in by_prefix.get(uid_prefix(service.uid), ()) if f.internal == is_internal(service)
        ]
        for frontend in standing or _by_address(service, frontends, addresses):
            tenants[arm_ids.key(frontend.id)].append(service)
    return {key: tuple(found) for key, found in tenants.items()}


def seniority(service: Service) -> tuple[str, str, str]:
    """Sorts the oldest claim first: creation, then namespace and name."""
    return (service.created.isoformat(), service.namespace, service.name)


def needs_public_ips(services: Iterable[Service], load_balancers: Iterable[LoadBalancer]) -> bool:
    """Whether some live public Service can only be placed by the address of a public IP resource."""
    by_prefix = _index(f for f in _eligible(load_balancers) if not f.internal)
    return any(
        service.live
        and not is_internal(service)
        and (_wished_address(service) or service.annotations.get(PIP_NAME))
        and uid_prefix(service.uid) not in by_prefix
        for service in services
    )


def _eligible(load_balancers: Iterable[LoadBalancer]) -> list[Frontend]:
    return [f for lb in load_balancers for f in lb.frontends if f.ip_version != "IPv6"]


def _index(frontends: Iterable[Frontend]) -> dict[str, list[Frontend]]:
    index: dict[str, list[Frontend]] = {}
    for frontend in frontends:
        for prefix in prefixes_on(frontend):
            index.setdefault(prefix, []).append(frontend)
    return index


def _wished_address(service: Service) -> str:
    return trim(service.annotations.get(LB_IPV4, "")) or trim(service.load_balancer_ip)


def _by_address(
    service: Service, frontends: list[Frontend], public_ips: Mapping[str, PublicIp]
) -> list[Frontend]:
    address = _wished_address(service)
    if is_internal(service):
        return [f for f in frontends if address and f.internal and f.private_ip == address]
    name = trim(service.annotations.get(PIP_NAME, "")).lower()
    return [
        f
        for f in frontends
        if (ip := public_ips.get(arm_ids.key(f.public_ip_id)))
        and ((address and ip.address == address) or (name and ip.name.lower() == name))
    ]
