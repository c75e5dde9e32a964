"""Observe: one look at a cluster and its Azure side, Azure first and the Services after it.

The order matters: a frontend seen here belongs to a Service that was there when the frontend was seen,
so a list of Services read afterwards knows it. Whatever could not be read to its end is
:class:`reconciler.model.Unknown`, never empty; the failures are kept, so that the caller can back off.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from reconciler import arm_ids, evidence, reading
from reconciler.errors import Denied, NotFound, OutsideError
from reconciler.model import (
    Absent,
    ClusterConfig,
    LoadBalancer,
    Observed,
    Ownership,
    PrivateLinkService,
    PublicIp,
    Service,
    Sharing,
    Unknown,
    known,
)
from reconciler.planning import needs
from reconciler.planning.world import World
from reconciler.ports import Azure, Cluster, ClusterState, Ledger
from reconciler.side_by_side import Reader
from reconciler.tenancy import needs_public_ips

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
GROUP_MISSING = "ResourceGroupNotFound"


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside of one run: the cluster, Azure, the ledger (None for a plan without storage), threads."""

    cluster: Cluster
    azure: Azure
    ledger: Ledger | None
    pool: Executor


@dataclass(frozen=True, slots=True)
class Memory:
    """What the ledger says about a cluster."""

    state: ClusterState
    ownership: tuple[Ownership, ...] = ()
    sharing: tuple[Sharing, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """An observation and what goes with it.

    ``identity`` is the UID that the cluster answered with ("" where it did not); ``digest`` is over the
    Services, "" where they are unknown; ``failures`` is everything that could not be read.
    """

    observed: Observed
    memory: Memory
    identity: str = ""
    digest: str = ""
    failures: tuple[OutsideError, ...] = ()

    @property
    def complete(self) -> bool:
        """The views on which everything else rests were read."""
        seen = self.observed
        return not any(
            isinstance(view, Unknown)
            for view in (seen.services, seen.load_balancers, seen.private_link_services)
        )


def observe(config: ClusterConfig, outside: Outside, now: datetime) -> Look:
    """One look. Raises OutsideError only where the ledger cannot be read: nothing is done without it."""
    if config.unresolved:
        return _unresolved(config, outside, now)
    reader = Reader(outside.pool)
    load_balancers = reader.start(partial(_load_balancers, config, outside.azure))
    whole = reader.start(partial(_whole_subscription, config, outside.azure))
    memory = outside.pool.submit(_remember, outside.ledger, config.name).result()
    observed = replace(_begun(config, memory, outside, now), load_balancers=load_balancers.result())
    listed = whole.result()
    services, identity = _services(config, outside, reader, memory.state)
    observed = replace(observed, services=services)
    if listed is None:
        observed = _group_by_group(observed, outside.azure, reader)
    else:
        observed = replace(observed, private_link_services=listed)
    if not isinstance(services, Unknown):
        observed = _details(observed, services, outside, reader)
        observed = _evidence(observed, outside, reader, identity)
    return Look(observed, memory, identity, _digest(services), tuple(reader.failures))


def _unresolved(config: ClusterConfig, outside: Outside, now: datetime) -> Look:
    """Where the cluster is, or whether it answers, is not known: no call is made, and every view is unknown."""
    memory, unknown = _remember(outside.ledger, config.name), Unknown(config.unresolved)
    seen = _begun(config, memory, outside, now)
    return Look(
        replace(seen, services=unknown, load_balancers=unknown, private_link_services=unknown), memory
    )


def _begun(config: ClusterConfig, memory: Memory, outside: Outside, now: datetime) -> Observed:
    """What is known before anything is read."""
    return Observed(
        cluster=config,
        now=now,
        ownership=memory.ownership,
        sharing=memory.sharing,
        # One of the future was never seen: it counts from now.
        sightings={key: min(at, now) for key, at in memory.state.sightings.items()},
        released=_released(memory.state, now),
        remembers=outside.ledger is not None,
    )


def _load_balancers(config: ClusterConfig, azure: Azure) -> tuple[LoadBalancer, ...]:
    return azure.list_load_balancers(config.subscription, config.load_balancer_resource_group)


def _whole_subscription(config: ClusterConfig, azure: Azure) -> tuple[PrivateLinkService, ...] | None:
    """The subscription's list, None where the role allows only resource groups."""
    try:
        return azure.list_private_link_services(config.subscription)
    except Denied:
        return None


def _remember(ledger: Ledger | None, cluster: str) -> Memory:
    if ledger is None:
        return Memory(ClusterState(cluster))
    return Memory(ledger.state(cluster), ledger.ownership(cluster), ledger.sharing(cluster))


def _released(state: ClusterState, now: datetime) -> str:
    return state.released if state.released_until and now < state.released_until else ""


def _digest(services: tuple[Service, ...] | Unknown) -> str:
    if isinstance(services, Unknown):
        return ""
    return reading.digest((s.uid, s.resource_version) for s in services)


def _services(
    config: ClusterConfig, outside: Outside, reader: Reader, state: ClusterState
) -> tuple[tuple[Service, ...] | Unknown, str]:
    """The Services, provided that the cluster is the one that answered first, and its identity."""
    asked = reader.start(outside.cluster.identity)
    listed = reader.start(outside.cluster.list_services)
    identity, services = asked.result(), listed.result()
    if isinstance(identity, Unknown):
        return identity, ""
    if state.identity and identity != state.identity:
        return Unknown(
            f"another cluster answers under the address of {config.name}: the UID of default/kubernetes is "
            f"{identity}, it was {state.identity}. If the cluster was rebuilt, or that Service deleted, accept it: "
            f"POST /api/release with cluster={config.name} and identity={identity}, or apply --accept-identity {identity}"
        ), identity
    return services, identity


def _group_by_group(observed: Observed, azure: Azure, reader: Reader) -> Observed:
    """Private Link Services of the groups that are configured, in the ledger, or annotated."""
    config = observed.cluster
    services = known(observed.services)

    def read(group: str) -> tuple[PrivateLinkService, ...] | Absent:
        try:
            return azure.list_private_link_services_in(config.subscription, group)
        except NotFound as error:
            return Absent.GROUP_NOT_FOUND if error.code == GROUP_MISSING else Absent.NOT_FOUND

    views = reader.each(needs.groups(config, services, observed.ownership), read)
    found = [pls for view in views.values() if isinstance(view, tuple) for pls in view]
    groups = {name.lower(): None if isinstance(v, tuple) else v for name, v in views.items()}
    return replace(observed, private_link_services=tuple(found), groups=groups)


def _details(observed: Observed, services: tuple[Service, ...], outside: Outside, reader: Reader) -> Observed:
    """Subnets that claims name, public IP addresses where they place a Service, rows without a listed PLS."""
    azure = outside.azure
    observed = replace(observed, public_ips=_public_ips(observed, services, azure, reader))
    subnets = reader.each(needs.subnets(observed.cluster, services), partial(_or_absent, azure.get_subnet))
    get = partial(_or_absent, azure.get_private_link_service)
    confirmed = reader.each(needs.unconfirmed(observed), get)
    unlisted = tuple(p for p in confirmed.values() if isinstance(p, PrivateLinkService))
    listed = observed.private_link_services
    return replace(
        observed,
        subnets={arm_ids.key(name): subnet for name, subnet in subnets.items()},
        private_link_services=listed if isinstance(listed, Unknown) else (*listed, *unlisted),
        absent_pls=frozenset(arm_ids.key(i) for i, p in confirmed.items() if isinstance(p, Absent)),
    )


def _or_absent(get: Callable[[str], T], resource_id: str) -> T | Absent:
    try:
        return get(resource_id)
    except NotFound:
        return Absent.NOT_FOUND


def _public_ips(
    observed: Observed, services: tuple[Service, ...], azure: Azure, reader: Reader
) -> tuple[PublicIp, ...] | Unknown:
    """The public IP addresses of the groups that frontends point to, only where a Service needs them."""
    load_balancers = known(observed.load_balancers)
    if not needs_public_ips(services, load_balancers):
        return ()
    addresses = {f.public_ip_id for lb in load_balancers for f in lb.frontends if f.public_ip_id}
    places = {
        (p.subscription.lower(), p.resource_group.lower()) for i in addresses if (p := arm_ids.parse(i))
    }
    views = reader.each(sorted(places), lambda place: azure.list_public_ips(*place))
    unread = next((view for view in views.values() if isinstance(view, Unknown)), None)
    return unread or tuple(ip for view in views.values() if isinstance(view, tuple) for ip in view)


def _evidence(observed: Observed, outside: Outside, reader: Reader, identity: str) -> Observed:
    """Who is proven gone, who has reserved the wished names, and addresses only interfaces tell."""
    world = World(observed)
    wished = needs.reservations(world)
    return replace(
        observed,
        proofs=evidence.proofs(needs.proofs(world), outside.cluster, reader, identity),
        reservations=outside.ledger.reservations(wished) if outside.ledger and wished else {},
        nat_addresses=evidence.nat_addresses(needs.interfaces(observed), outside.azure, reader),
    )
