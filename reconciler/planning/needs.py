"""What must be read besides the lists before a plan: subnets, groups, reservations, rows to confirm. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler import arm_ids
from reconciler.annotations import asks
from reconciler.claims import Wish, read_claim
from reconciler.model import (
    ClusterConfig,
    Frontend,
    Observed,
    Ownership,
    PrivateLinkService,
    Service,
    ServiceRef,
    Unknown,
    known,
)
from reconciler.plan import SUBNET
from reconciler.planning.acquaintance import Acquaintance
from reconciler.planning.collecting import is_ours
from reconciler.planning.verdicts import subnet_id
from reconciler.planning.world import World
from reconciler.tenancy import by_frontend

MAX_GROUPS = 20


def wished_id(config: ClusterConfig, frontend: Frontend, wish: Wish) -> str:
    """The id of the PLS that a claim asks for on a frontend without one (``getPrivateLinkServiceName``)."""
    name = wish.name if wish.name is not None else f"pls-{frontend.name}"
    group = wish.resource_group or config.pls_resource_group
    return arm_ids.private_link_service(config.subscription, group, name)


def wishes(config: ClusterConfig, services: tuple[Service, ...]) -> tuple[tuple[Service, Wish], ...]:
    """What the live Services that ask, and whose settings can be read, wish for."""
    asking = (s for s in services if s.live and asks(s, config.pls_prefix))
    claims = [(s, read_claim(s, config.pls_prefix, config.default_subnet)) for s in asking]
    return tuple((s, c.wish) for s, c in claims if isinstance(c.wish, Wish))


def subnets(config: ClusterConfig, services: tuple[Service, ...]) -> tuple[str, ...]:
    """The ids of the NAT subnets that claims name, each once."""
    ids = {subnet_id(config, wish) for _, wish in wishes(config, services)}
    return tuple(sorted({arm_ids.key(i): i for i in sorted(ids)}.values()))


def groups(
    config: ClusterConfig, services: tuple[Service, ...], ownership: tuple[Ownership, ...]
) -> tuple[str, ...]:
    """The resource groups where PLSs may be, for a role that cannot list the subscription; at most 20.

    The configured one first, then those of the ledger, then the annotated ones.
    """
    ledger = [parsed.resource_group for r in ownership if (parsed := arm_ids.parse(r.pls_id))]
    annotated = [wish.resource_group for _, wish in wishes(config, services) if wish.resource_group]
    every = [config.pls_resource_group, *sorted(ledger), *sorted(annotated)]
    unique: dict[str, str] = {}
    for group in every:
        unique.setdefault(group.lower(), group)
    return tuple(unique.values())[:MAX_GROUPS]


def reservations(world: World) -> tuple[str, ...]:
    """The ids that tenants of frontends without a PLS wish for: who has reserved them must be known."""
    config = world.observed.cluster
    wished = {service.uid: wish for service, wish in wishes(config, world.services)}
    return tuple(
        sorted(
            {
                arm_ids.key(wished_id(config, frontend, wished[tenant.uid]))
                for _, frontend in world.frontends_without_pls()
                for tenant in world.on(frontend)
                if tenant.uid in wished
            }
        )
    )


def proofs(world: World) -> frozenset[ServiceRef]:
    """The Services to read by name: the known tenants of our PLSs without live tenants."""
    observed = world.observed
    views = (observed.services, observed.load_balancers, observed.private_link_services)
    if any(isinstance(view, Unknown) for view in views):
        return frozenset()
    frontends = {arm_ids.key(f.id): f for lb in world.load_balancers for f in lb.frontends}
    deserted = [p for p in world.pls if not world.tenants.get(arm_ids.key(p.frontend_id)) and world.ours(p)]
    acquaintance = Acquaintance(observed)
    known_tenants = (acquaintance.tenants(p, frontends.get(arm_ids.key(p.frontend_id))) for p in deserted)
    return frozenset(ref for refs in known_tenants for ref in refs or ())


def unconfirmed(observed: Observed) -> tuple[str, ...]:
    """The ids of ledger rows whose PLS was not listed: to be read by id before the rows may go.

    One that ARM refused to create, or that was not begun, is not asked for in each run while its owner
    still stands there and wishes for it.
    """
    if isinstance(observed.private_link_services, Unknown):
        return ()
    listed = {arm_ids.key(p.id) for p in observed.private_link_services}
    unlisted = {key: row for row in observed.ownership if (key := arm_ids.key(row.pls_id)) not in listed}
    vain = {key: row for key, row in unlisted.items() if _never_accepted(row) and _looked_into(observed, row)}
    awaited = vain.keys() & _current_wishes(observed, vain.values()) if vain else frozenset()
    return tuple(row.pls_id for key, row in unlisted.items() if key not in awaited)


def _never_accepted(row: Ownership) -> bool:
    begun = row.written_hash and not row.written_hash.startswith(SUBNET)
    return not row.resource_guid and (row.attempts > 0 or not begun)


def _looked_into(observed: Observed, row: Ownership) -> bool:
    """Whether a list would have told of the PLS."""
    parsed = arm_ids.parse(row.pls_id)
    return not observed.groups or bool(parsed and parsed.resource_group.lower() in observed.groups)


def _current_wishes(observed: Observed, rows: Iterable[Ownership]) -> frozenset[str]:
    """The ids (lower case) of rows whose owner stands on the row's frontend and wishes for just this PLS."""
    config, services, balancers = observed.cluster, known(observed.services), known(observed.load_balancers)
    wished = {service.uid: wish for service, wish in wishes(config, services)}
    standing = by_frontend(services, balancers, known(observed.public_ips))
    frontends = {arm_ids.key(f.id): f for lb in balancers for f in lb.frontends}
    return frozenset(
        arm_ids.key(wished_id(config, frontends[key], wished[uid]))
        for row in rows
        if (key := arm_ids.key(row.frontend_id)) in frontends
        and (uid := row.owner.uid) in wished
        and any(tenant.uid == uid for tenant in standing.get(key, ()))
    )


def interfaces(observed: Observed) -> tuple[tuple[str, str], ...]:
    """(PLS id, network interface id) of our PLSs whose dynamic addresses the ledger does not know yet."""
    rows = {arm_ids.key(row.pls_id): row for row in observed.ownership}
    return tuple(
        (pls.id, pls.network_interfaces[0])
        for pls in known(observed.private_link_services)
        if _addresses_missing(pls, rows.get(arm_ids.key(pls.id)))
        and is_ours(observed, pls, rows.get(arm_ids.key(pls.id)))
    )


def _addresses_missing(pls: PrivateLinkService, row: Ownership | None) -> bool:
    dynamic = any(not ip.static for ip in pls.nat_ips)
    readable = pls.provisioning_state == "Succeeded" and bool(pls.network_interfaces)
    return readable and dynamic and (row is None or len(row.nat_ips) != len(pls.nat_ips))
