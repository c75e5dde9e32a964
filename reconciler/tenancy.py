"""Service → frontend: which Services stand on which frontend IP configuration.

A Service is tenant of a frontend whose name, or one of whose rules' names, starts with the form that
cloud-provider-azure makes of its UID, and whose kind (private or public) is the one it asks for. Only
where there is none do the addresses it names decide (the Services that share another's frontend); not while
that serves none but Services that are gone: it goes with them, and the address comes on another frontend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler import arm_ids
from reconciler.annotations import LB_IPV4, PIP_NAME, is_internal, trim
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
    living = sorted(filter(lambda s: s.live, services), key=seniority)
    forms = frozenset(uid_prefix(service.uid) for service in living)
    places = _Places(_eligible(load_balancers), public_ips, forms)
    tenants: dict[str, list[Service]] = {key: [] for key in places.keys}
    for service in living:
        for place in places.of(service):
            tenants[places.keys[place]].append(service)
    return {key: tuple(found) for key, found in tenants.items()}


class _Places:
    """Frontends by what places a Service on them. A place is a frontend's position in the list.

    Each is looked up, not searched for: thousands of Services may share thousands of frontends.
    """

    def __init__(
        self, frontends: list[Frontend], public_ips: Iterable[PublicIp], living: frozenset[str]
    ) -> None:
        self.keys = [arm_ids.key(frontend.id) for frontend in frontends]
        self._frontends = frontends
        self._by_prefix = _index((at, prefixes_on(f)) for at, f in enumerate(frontends))
        joined = [(at, f) for at, f in enumerate(frontends) if _to_be_joined(f, living)]
        self._by_private_ip = _index((at, (f.private_ip,)) for at, f in joined if f.internal)
        addresses = {arm_ids.key(ip.id): ip for ip in public_ips}
        public = [(at, addresses.get(arm_ids.key(f.public_ip_id))) for at, f in joined]
        self._by_public_ip = _index((at, (ip.address,)) for at, ip in public if ip)
        self._by_public_name = _index((at, (ip.name.lower(),)) for at, ip in public if ip)

    def of(self, service: Service) -> Iterable[int]:
        """The places of a Service: by its UID and kind, else by the addresses it names."""
        internal = is_internal(service)
        named = self._by_prefix.get(uid_prefix(service.uid), ())
        return [at for at in named if self._frontends[at].internal == internal] or self._by_address(
            service, internal
        )

    def _by_address(self, service: Service, internal: bool) -> Iterable[int]:
        address = _wished_address(service)
        if internal:
            return self._by_private_ip.get(address, ()) if address else ()
        name = trim(service.annotations.get(PIP_NAME, "")).lower()
        by_address = self._by_public_ip.get(address, ()) if address else ()
        by_name = self._by_public_name.get(name, ()) if name else ()
        return sorted({*by_address, *by_name})


def _to_be_joined(frontend: Frontend, living: frozenset[str]) -> bool:
    standing = standing_on(frontend)
    return not standing or not standing.isdisjoint(living)


def seniority(service: Service) -> tuple[str, str, str]:
    """Sorts the oldest claim first: creation, then namespace and name."""
    return (service.created.isoformat(), service.namespace, service.name)


def needs_public_ips(services: Iterable[Service], load_balancers: Iterable[LoadBalancer]) -> bool:
    """Whether some live public Service can only be placed by the address of a public IP resource."""
    standing = {prefix for f in _eligible(load_balancers) if not f.internal for prefix in prefixes_on(f)}
    return any(
        service.live
        and not is_internal(service)
        and (_wished_address(service) or service.annotations.get(PIP_NAME))
        and uid_prefix(service.uid) not in standing
        for service in services
    )


def _eligible(load_balancers: Iterable[LoadBalancer]) -> list[Frontend]:
    return [f for lb in load_balancers for f in lb.frontends if f.ip_version != "IPv6"]


def _index(entries: Iterable[tuple[int, Iterable[str]]]) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for place, names in entries:
        for name in names:
            index.setdefault(name, []).append(place)
    return index


def _wished_address(service: Service) -> str:
    return trim(service.annotations.get(LB_IPV4, "")) or trim(service.load_balancer_ip)
