"""An index over one observation: frontends, their tenants, and the PLS on each."""

from __future__ import annotations

from reconciler import arm_ids
from reconciler.annotations import asks
from reconciler.model import (
    Frontend,
    LoadBalancer,
    Observed,
    Ownership,
    PrivateLinkService,
    Service,
    Unknown,
    known,
)
from reconciler.planning.collecting import is_ours
from reconciler.tenancy import Tenants, by_frontend


class World:
    """An index over what was observed: frontends, their tenants, and the PLS on each."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.load_balancers: tuple[LoadBalancer, ...] = known(observed.load_balancers)
        self.services: tuple[Service, ...] = known(observed.services)
        self.by_id = {arm_ids.key(p.id): p for p in known(observed.private_link_services)}
        # Each once: one that is written while its list is paged may be on two pages of it.
        self.pls: tuple[PrivateLinkService, ...] = tuple(self.by_id.values())
        self.tenants: Tenants = by_frontend(self.services, self.load_balancers, known(observed.public_ips))
        self.on_frontend = {arm_ids.key(p.frontend_id): p for p in self.pls if p.frontend_id}
        self.rows = {arm_ids.key(row.pls_id): row for row in observed.ownership}
        self.incumbents = {arm_ids.key(row.frontend_id): row for row in reversed(observed.ownership)}
        self.standing = {arm_ids.key(f.id): (lb, f) for lb in self.load_balancers for f in lb.frontends}
        self.frontends = {
            key: (lb, f)
            for key, (lb, f) in self.standing.items()
            if f.ip_version != "IPv6" and not self._is_unread(f)
        }

    def ours(self, pls: PrivateLinkService) -> bool:
        return is_ours(self.observed, pls, self.rows.get(arm_ids.key(pls.id)))

    def on(self, frontend: Frontend) -> tuple[Service, ...]:
        return self.tenants.get(arm_ids.key(frontend.id), ())

    def incumbent(self, frontend: Frontend) -> Ownership | None:
        return self.incumbents.get(arm_ids.key(frontend.id))

    def _is_unread(self, frontend: Frontend) -> bool:
        return not frontend.internal and isinstance(self.observed.public_ips, Unknown)

    def hides_tenants(self, pls: PrivateLinkService) -> bool:
        """Whether it cannot be told who stands on its frontend: the public IP addresses could not be read."""
        _, frontend = self.standing.get(arm_ids.key(pls.frontend_id), (None, None))
        return frontend is not None and self._is_unread(frontend)

    def frontends_without_pls(self) -> list[tuple[LoadBalancer, Frontend]]:
        """Those with a tenant that asks for one."""
        prefix = self.observed.cluster.pls_prefix
        return [
            pair
            for key, pair in self.frontends.items()
            if key not in self.on_frontend and any(asks(s, prefix) for s in self.tenants.get(key, ()))
        ]

    def frontends_with_pls(self) -> list[tuple[LoadBalancer, Frontend, PrivateLinkService]]:
        found = [
            (*pair, self.on_frontend[key]) for key, pair in self.frontends.items() if key in self.on_frontend
        ]
        return sorted(found, key=lambda entry: entry[1].id)

    def detached(self) -> list[PrivateLinkService]:
        """Ours, and the frontend is not (or no longer) on any load balancer of the cluster."""
        return sorted(
            (p for p in self.pls if arm_ids.key(p.frontend_id) not in self.standing and self.ours(p)),
            key=lambda p: p.id,
        )
