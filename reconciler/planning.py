"""Observed → Plan. Pure: no I/O, no clock. Table S is in :mod:`reconciler.verdicts`; this is table P.

==  ==========================================================  ======================================
P   frontend / PLS                                              action
==  ==========================================================  ======================================
1   Services unknown, load balancers or a needed group unread   nothing; report
2   PLS not ours                                                nothing
3   PLS in transit, or its load balancer not Succeeded          wait; after 30 min ``Stuck``
4   no PLS; the elect's wished id is a PLS of the same owner    update with the new frontend
    whose old frontend is gone or has no tenant but the owner
5   no PLS; the wished id is any other PLS, or wished or        refuse the elect, naming both
    reserved by an earlier claim, here or in another cluster
6   no PLS; elect                                               create
7   no PLS; no elect                                            nothing; forget a row once proven absent
8   ours; no tenants, each known tenant proven gone             delete, connections first
9   ours; frontend gone, without such proof                     two sightings a grace apart and no
                                                                approved connection: delete; else report
10  ours; owner not among the tenants                           restore the tag from the ledger, or keep
11  ours; owner does not ask, or is refused                     keep, change nothing
12  ours; owner asks for another name or resource group         keep, refuse
13  ours; Failed or Canceled, or differs by the peer's rule     update (full PUT), with back-off
14  ours, equal                                                 nothing
==  ==========================================================  ======================================

First row that matches; frontends without a PLS first (a move uses up its PLS). *Ours*: the tag
``k8s-azure-cluster-name`` equals the cluster's name (trimmed, any case) **and** the frontend lies in
this cluster's load balancer resource group; a ledger row stands in for a frontend that is gone, never
for the tag. Rows 8 and 9 are in :mod:`reconciler.collecting`, the guards before a PUT in
:mod:`reconciler.guards`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from reconciler import arm_ids, collecting, guards
from reconciler.claims import Wish
from reconciler.desired import Desired, content_hash, create_body, desired, differences, tag_body, update_body
from reconciler.draft import Draft
from reconciler.model import (
    OWNER_TAG,
    Absent,
    Frontend,
    Json,
    Limits,
    LoadBalancer,
    Observed,
    Ownership,
    PrivateLinkService,
    Service,
    ServiceRef,
    Sharing,
    Subnet,
    Unknown,
)
from reconciler.plan import Change, Plan, PutPls, PutSubnet, Reason, Severity
from reconciler.tenancy import Tenants, by_frontend, seniority
from reconciler.verdicts import Tenant, Verdicts, judge, owns, subnet_id, subnet_of

_T = TypeVar("_T")

IN_TRANSIT = ("Creating", "Updating", "Deleting")
MAX_PLS_PER_LOAD_BALANCER = 8  # Private Link limits, azure-docs includes/private-link-limits.md
NEARLY_FULL = 4
MISNAMED_OWNER_TAG = "kubernetes-owner-service"  # named by the documents, read by nobody


def plan(observed: Observed, limits: Limits) -> Plan:
    """The plan for one cluster. Never raises on what was observed; what is odd becomes a finding."""
    unknown = _unknown_view(observed)
    if unknown:
        return unknown
    draft = Draft(observed, limits)
    world = _World(observed)
    for load_balancer, frontend in world.frontends_without_pls():
        _without_pls(draft, world, load_balancer, frontend)
    for load_balancer, frontend, pls in world.frontends_with_pls():
        if arm_ids.key(pls.id) not in draft.moved:
            _with_pls(draft, world, load_balancer, frontend, pls)
    for pls in world.detached():
        if arm_ids.key(pls.id) not in draft.moved:
            _detached(draft, pls)
    _forget(draft)
    _warn_about_counts(draft, world)
    return draft.finish()


def _unknown_view(observed: Observed) -> Plan | None:
    """P1: an incomplete view of the cluster or of its load balancers stops everything."""
    views = {
        "the Services could not be listed": observed.services,
        "the load balancers could not be listed": observed.load_balancers,
        "the Private Link Services could not be listed": observed.private_link_services,
    }
    draft = Draft(observed, Limits())
    for what, view in views.items():
        if isinstance(view, Unknown):
            draft.find(
                Reason.UNKNOWN_VIEW,
                Severity.ERROR,
                f"Cluster {observed.cluster.name} is left untouched: {what} ({view.reason}).",
            )
    return draft.untouched() if draft.findings else None


class _World:
    """An index over what was observed: frontends, their tenants, and the PLS on each."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.load_balancers: tuple[LoadBalancer, ...] = _known(observed.load_balancers)
        self.services: tuple[Service, ...] = _known(observed.services)
        self.pls: tuple[PrivateLinkService, ...] = _known(observed.private_link_services)
        self.tenants: Tenants = by_frontend(self.services, self.load_balancers, _known(observed.public_ips))
        self.on_frontend = {arm_ids.key(p.frontend_id): p for p in self.pls if p.frontend_id}
        self.by_id = {arm_ids.key(p.id): p for p in self.pls}
        self.rows = {arm_ids.key(row.pls_id): row for row in observed.ownership}
        self.frontends = {
            arm_ids.key(f.id): (lb, f)
            for lb in self.load_balancers
            for f in lb.frontends
            if f.ip_version != "IPv6"
        }

    def ours(self, pls: PrivateLinkService) -> bool:
        return collecting.is_ours(self.observed, pls, self.rows.get(arm_ids.key(pls.id)))

    def on(self, frontend: Frontend) -> tuple[Service, ...]:
        return self.tenants.get(arm_ids.key(frontend.id), ())

    def incumbent(self, frontend: Frontend) -> Ownership | None:
        return next((r for r in self.observed.ownership if arm_ids.same(r.frontend_id, frontend.id)), None)

    def frontends_without_pls(self) -> list[tuple[LoadBalancer, Frontend]]:
        """Those with tenants, the oldest claim first, so that names are reserved in that order."""
        free = [pair for key, pair in self.frontends.items() if key not in self.on_frontend]
        tenanted = [pair for pair in free if self.on(pair[1])]
        return sorted(tenanted, key=lambda pair: (seniority(self.on(pair[1])[0]), pair[1].id))

    def frontends_with_pls(self) -> list[tuple[LoadBalancer, Frontend, PrivateLinkService]]:
        found = [
            (*pair, self.on_frontend[key]) for key, pair in self.frontends.items() if key in self.on_frontend
        ]
        return sorted(found, key=lambda entry: entry[1].id)

    def detached(self) -> list[PrivateLinkService]:
        """Ours, and the frontend is not (or no longer) on any load balancer of the cluster."""
        return sorted(
            (p for p in self.pls if arm_ids.key(p.frontend_id) not in self.frontends and self.ours(p)),
            key=lambda p: p.id,
        )


def _known(view: tuple[_T, ...] | Unknown) -> tuple[_T, ...]:
    return () if isinstance(view, Unknown) else view


def _without_pls(draft: Draft, world: _World, load_balancer: LoadBalancer, frontend: Frontend) -> None:
    """P1 and P3 to P7 for a frontend that has no PLS."""
    verdicts = judge(draft.observed, frontend.id, world.on(frontend), None, False, world.incumbent(frontend))
    draft.findings += verdicts.refusals
    elect = verdicts.owner
    if elect is None or not isinstance(elect.claim.wish, Wish):
        return
    wish = elect.claim.wish
    pls_id = _wished_id(draft.observed, frontend, wish)
    goal = _goal(draft.observed, elect, wish, pls_id, frontend)
    row = world.rows.get(arm_ids.key(pls_id))
    if taken := _taken(draft, world, elect, frontend, pls_id):
        draft.find(
            Reason.NAME_TAKEN,
            Severity.ERROR,
            f"Service {elect.service.key} asks for Private Link Service {arm_ids.last_name(pls_id)} on "
            f"frontend {frontend.name}, but {taken}. Choose another azure-pls-name.",
            service=elect.service.key,
            frontend_id=frontend.id,
            pls_id=pls_id,
        )
        return
    draft.wished[arm_ids.key(pls_id)] = elect.service.key
    draft.record(_intent(draft.observed, elect, goal, row))
    _share(draft, verdicts, frontend, pls_id)
    _warn(draft, verdicts, frontend, pls_id)
    if _group_unread(draft, elect, pls_id) or _unread(draft, verdicts, elect, pls_id):
        return
    if _waits_for(draft, load_balancer, elect.service.key):
        return
    if not guards.settled(draft, elect, row, wish.hash):
        return
    seen = world.by_id.get(arm_ids.key(pls_id))
    if seen is not None:
        draft.moved.add(arm_ids.key(pls_id))
        draft.managed += 1
        _move(draft, elect, goal, seen, row)
    elif not guards.backed_off(draft, goal, row, (), elect.service.key):
        _put(draft, elect, goal, create_body(goal), Reason.CREATE, (), created=True)


def _taken(draft: Draft, world: _World, elect: Tenant, frontend: Frontend, pls_id: str) -> str:
    """P5: who has the wished id already; "" where it is free, or the elect's own PLS may move (P4)."""
    key = arm_ids.key(pls_id)
    if key in draft.wished:
        return f"Service {draft.wished[key]}, an earlier claim, asks for the same name"
    reserved = draft.observed.reservations.get(key)
    cluster = draft.observed.cluster.name
    if reserved and not (
        reserved.cluster == cluster
        and (reserved.service_uid == elect.service.uid or arm_ids.same(reserved.frontend_id, frontend.id))
    ):
        return (
            f"the name is reserved for frontend {arm_ids.last_name(reserved.frontend_id)} of cluster "
            f"{reserved.cluster}"
        )
    seen = world.by_id.get(key)
    if seen is None or _may_move(world, elect, seen):
        return ""
    owner = seen.tag(OWNER_TAG) or "nobody"
    return (
        f"{seen.id} exists on frontend {arm_ids.last_name(seen.frontend_id) or 'none'} (owner {owner}) "
        "and is not taken over"
    )


def _may_move(world: _World, elect: Tenant, seen: PrivateLinkService) -> bool:
    if not world.ours(seen) or not owns(seen, elect.service):
        return False
    tenants = world.tenants.get(arm_ids.key(seen.frontend_id), ())
    return all(t.uid == elect.service.uid for t in tenants)


def _move(
    draft: Draft, elect: Tenant, goal: Desired, seen: PrivateLinkService, row: Ownership | None
) -> None:
    """P4: the PLS keeps its id and alias and gets the new frontend."""
    if _in_transit(draft, seen, elect.service.key):
        return
    changes = differences(goal, seen)
    if not guards.backed_off(draft, goal, row, changes, elect.service.key):
        _put(draft, elect, goal, update_body(goal, seen), Reason.MOVE, changes, created=False)


def _with_pls(
    draft: Draft, world: _World, load_balancer: LoadBalancer, frontend: Frontend, pls: PrivateLinkService
) -> None:
    """P2, P3, P8 and P10 to P14 for a frontend that has a PLS."""
    ours = world.ours(pls)
    verdicts = judge(draft.observed, frontend.id, world.on(frontend), pls, ours, None)
    draft.findings += verdicts.refusals
    if not ours:
        return
    draft.managed += 1
    row = world.rows.get(arm_ids.key(pls.id))
    draft.record(_observed_row(draft.observed, verdicts, pls, row))
    _share(draft, verdicts, frontend, pls.id)
    _warn(draft, verdicts, frontend, pls.id, pls)
    if _in_transit(draft, pls, pls.tag(OWNER_TAG) or ""):
        return
    if not verdicts.tenants:
        _without_tenants(draft, pls, frontend, row)
    elif _waits_for(draft, load_balancer, pls.tag(OWNER_TAG) or "", pls):
        return
    elif not any(owns(pls, t.service) for t in verdicts.tenants):
        _without_owner(draft, verdicts, pls, frontend, row)
    elif verdicts.owner is None:
        _keep(draft, pls, "its owner no longer asks for it, or is refused")
    else:
        _owned(draft, verdicts, verdicts.owner, pls, frontend, row)


def _without_tenants(
    draft: Draft, pls: PrivateLinkService, frontend: Frontend, row: Ownership | None
) -> None:
    """P8, or the frontend of a Service that is somewhere else now: keep and say so."""
    proofs = collecting.proofs_of(draft.observed, pls, frontend)
    if proofs is None:
        _keep(draft, pls, "no live Service stands on its frontend, but not all who did are proven gone")
    elif row and row.attempts and row.not_before and row.not_before > draft.observed.now:
        _delete_failed(draft, pls, row, row.not_before)
    else:
        collecting.collect(draft, pls, proofs, Reason.SERVICE_GONE)


def _delete_failed(draft: Draft, pls: PrivateLinkService, row: Ownership, due: datetime) -> None:
    draft.find(
        Reason.FAILED,
        Severity.ERROR,
        f"Private Link Service {pls.id} could not be deleted ({row.last_error}); it is tried again after "
        f"{due:%H:%M:%S} UTC.",
        pls_id=pls.id,
        frontend_id=pls.frontend_id,
    )
    draft.look_again(due)


def _without_owner(
    draft: Draft, verdicts: Verdicts, pls: PrivateLinkService, frontend: Frontend, row: Ownership | None
) -> None:
    """P10: restore the tag from the ledger, let the oldest equal claim succeed, or keep."""
    heirs = [t for t in verdicts.tenants if row and t.service.uid == row.owner.uid]
    if pls.tag(OWNER_TAG) is None and heirs:
        _hand_over(draft, heirs[0], pls, frontend, Reason.RESTORE_OWNER)
        return
    if draft.observed.cluster.owner_succession == "oldest":
        equal = [t for t in verdicts.tenants if _same_settings(draft.observed, t, pls, frontend)]
        if equal:
            _hand_over(draft, equal[0], pls, frontend, Reason.SUCCESSION)
            return
    owner = pls.tag(OWNER_TAG)
    draft.find(
        Reason.OWNER_MISSING,
        Severity.WARNING,
        f"Private Link Service {pls.id} is kept as it is: its owner {owner or '(no tag)'} is not among the "
        f"Services on frontend {frontend.name} ({', '.join(t.service.key for t in verdicts.tenants)}). Set "
        f"the tag {OWNER_TAG} to one of them to hand it over.",
        pls_id=pls.id,
        frontend_id=frontend.id,
    )


def _same_settings(observed: Observed, tenant: Tenant, pls: PrivateLinkService, frontend: Frontend) -> bool:
    wish = tenant.claim.wish
    if not tenant.claim.asks or tenant.claim.ineligible or not isinstance(wish, Wish):
        return False
    changes = differences(_goal(observed, tenant, wish, pls.id, frontend), pls)
    return all(change.property == f"tags.{OWNER_TAG}" for change in changes)


def _hand_over(
    draft: Draft, tenant: Tenant, pls: PrivateLinkService, frontend: Frontend, reason: Reason
) -> None:
    key = tenant.service.key
    before = pls.tag(OWNER_TAG)
    draft.writes.append(
        PutPls(
            pls.id,
            tag_body(pls, {OWNER_TAG: key}),
            f"owner:{key}",
            False,
            frontend.id,
            (),
            key,
            reason,
            f"set the owner of Private Link Service {pls.name} to {key} (was {before or 'missing'})",
            (Change(f"tags.{OWNER_TAG}", before, key),),
        )
    )


def _keep(draft: Draft, pls: PrivateLinkService, why: str) -> None:
    draft.find(
        Reason.KEPT,
        Severity.INFO,
        f"Private Link Service {pls.id} is kept as it is: {why}.",
        pls_id=pls.id,
        frontend_id=pls.frontend_id,
        service=pls.tag(OWNER_TAG) or "",
    )


def _owned(
    draft: Draft,
    verdicts: Verdicts,
    owner: Tenant,
    pls: PrivateLinkService,
    frontend: Frontend,
    row: Ownership | None,
) -> None:
    """P12 to P14: the owner's wish decides."""
    wish = owner.claim.wish
    if not isinstance(wish, Wish) or _renamed(draft, owner, wish, pls):
        return
    if _unread(draft, verdicts, owner, pls.id):
        return
    goal = _goal(draft.observed, owner, wish, pls.id, frontend)
    changes = differences(goal, pls)
    if not changes:
        draft.record(guards.satisfied(draft.ownership[arm_ids.key(pls.id)], wish.hash, draft.observed.now))
        return
    drift = row is not None and row.claim_hash == wish.hash
    failed = changes[0].property == "provisioningState"
    if not failed and not guards.settled(draft, owner, row, wish.hash):
        return
    if not guards.backed_off(draft, goal, row, changes, owner.service.key):
        reason = Reason.RETRY if failed else Reason.REPAIR if drift else Reason.UPDATE
        _put(draft, owner, goal, update_body(goal, pls), reason, changes, created=False)


def _renamed(draft: Draft, owner: Tenant, wish: Wish, pls: PrivateLinkService) -> bool:
    """P12: a PLS can neither be renamed nor moved to another resource group."""
    if wish.name is not None and wish.name.lower() != pls.name.lower():
        reason, what = Reason.CANNOT_RENAME, f"the name {wish.name}"
    elif wish.resource_group and wish.resource_group.lower() != pls.resource_group.lower():
        reason, what = Reason.CANNOT_MOVE_GROUP, f"resource group {wish.resource_group}"
    else:
        return False
    draft.find(
        reason,
        Severity.ERROR,
        f"Service {owner.service.key} asks for {what}, but its Private Link Service is {pls.id}, and a Private "
        "Link Service cannot be renamed or moved. Put the annotation back, or delete the Service and create "
        "it anew (its alias and connections are lost then).",
        service=owner.service.key,
        frontend_id=pls.frontend_id,
        pls_id=pls.id,
    )
    return True


def _detached(draft: Draft, pls: PrivateLinkService) -> None:
    """P3, P8, P9 for a PLS of ours whose frontend is gone."""
    draft.managed += 1
    row = next((r for r in draft.observed.ownership if arm_ids.same(r.pls_id, pls.id)), None)
    draft.record(_observed_row(draft.observed, None, pls, row))
    draft.sharing += [s for s in draft.observed.sharing if arm_ids.same(s.pls_id, pls.id)]
    if _in_transit(draft, pls, pls.tag(OWNER_TAG) or ""):
        return
    if row and row.attempts and row.not_before and row.not_before > draft.observed.now:
        _delete_failed(draft, pls, row, row.not_before)
        return
    proofs = collecting.proofs_of(draft.observed, pls, None)
    if proofs is not None:
        collecting.collect(draft, pls, proofs, Reason.SERVICE_GONE)
    else:
        collecting.sweep(draft, pls)


def _in_transit(draft: Draft, pls: PrivateLinkService, service: str) -> bool:
    """P3 for the PLS itself."""
    if pls.provisioning_state not in IN_TRANSIT:
        return False
    _wait(
        draft,
        f"Private Link Service {pls.id} is {pls.provisioning_state}",
        arm_ids.key(pls.id),
        service,
        pls.id,
    )
    return True


def _waits_for(
    draft: Draft, load_balancer: LoadBalancer, service: str, pls: PrivateLinkService | None = None
) -> bool:
    """P3 for the load balancer."""
    state = load_balancer.provisioning_state
    if state == "Succeeded":
        return False
    _wait(
        draft,
        f"Load balancer {load_balancer.id} is {state}",
        arm_ids.key(load_balancer.id),
        service,
        pls.id if pls else "",
    )
    return True


def _wait(draft: Draft, what: str, key: str, service: str, pls_id: str) -> None:
    since = draft.seen_since(f"wait:{key}")
    waited = (draft.observed.now - since).total_seconds()
    if waited >= draft.limits.stuck_seconds:
        sentence = f"{what} for {waited / 60:.0f} minutes. Look at its last operation in Azure."
        draft.find(Reason.STUCK, Severity.ERROR, sentence, service=service, pls_id=pls_id)
    else:
        draft.find(Reason.WAITING, Severity.INFO, f"{what}; waiting.", service=service, pls_id=pls_id)
    draft.look_again(draft.observed.now + timedelta(seconds=min(300.0, max(2.0, waited / 2))))


def _wished_id(observed: Observed, frontend: Frontend, wish: Wish) -> str:
    config = observed.cluster
    name = wish.name if wish.name is not None else f"pls-{frontend.name}"
    group = wish.resource_group or config.pls_resource_group
    return arm_ids.private_link_service(config.subscription, group, name)


def _goal(observed: Observed, owner: Tenant, wish: Wish, pls_id: str, frontend: Frontend) -> Desired:
    config = observed.cluster
    return desired(config, wish, pls_id, frontend.id, subnet_id(config, wish), owner.service.key)


def _put(
    draft: Draft,
    owner: Tenant,
    goal: Desired,
    body: Json,
    reason: Reason,
    changes: tuple[Change, ...],
    *,
    created: bool,
) -> None:
    """The PUT, or first what its subnet needs."""
    key = owner.service.key
    subnet = draft.observed.subnets.get(arm_ids.key(goal.nat_ips[0].subnet_id))
    write = PutPls(
        goal.pls_id,
        body,
        content_hash(goal),
        created,
        goal.frontend_id,
        tuple(sorted({ip.subnet_id for ip in goal.nat_ips})),
        key,
        reason,
        _sentence(goal, reason, key, changes),
        changes,
    )
    if isinstance(subnet, Subnet) and guards.subnet_ready(draft, subnet, key, goal.pls_id):
        draft.writes.append(write)
    elif any(
        isinstance(w, PutSubnet) and arm_ids.same(w.subnet_id, goal.nat_ips[0].subnet_id)
        for w in draft.writes
    ):
        draft.after.append(write)


def _sentence(goal: Desired, reason: Reason, service: str, changes: tuple[Change, ...]) -> str:
    frontend = arm_ids.last_name(goal.frontend_id)
    what = ", ".join(change.property for change in changes)
    return {
        Reason.CREATE: f"create Private Link Service {goal.name} for Service {service} on frontend {frontend}",
        Reason.MOVE: f"move Private Link Service {goal.name} of Service {service} to frontend {frontend}",
        Reason.RETRY: f"write Private Link Service {goal.name} of Service {service} again: it failed",
        Reason.REPAIR: f"repair Private Link Service {goal.name} of Service {service}: {what}",
        Reason.UPDATE: f"update Private Link Service {goal.name} of Service {service}: {what}",
    }[reason]


def _unread(draft: Draft, verdicts: Verdicts, owner: Tenant, pls_id: str) -> bool:
    """P1: the NAT subnet could not be read."""
    if not verdicts.unread:
        return False
    draft.find(
        Reason.UNKNOWN_VIEW,
        Severity.ERROR,
        f"Service {owner.service.key} waits: its NAT subnet could not be read ({verdicts.unread}).",
        service=owner.service.key,
        pls_id=pls_id,
    )
    return True


def _group_unread(draft: Draft, elect: Tenant, pls_id: str) -> bool:
    """P1: a resource group that was looked into on its own must have been read; a missing one refuses."""
    parsed = arm_ids.parse(pls_id)
    view = draft.observed.groups.get(parsed.resource_group.lower()) if parsed else None
    if view is None:
        return False
    missing = isinstance(view, Absent)
    group = parsed.resource_group if parsed else ""
    draft.find(
        Reason.INVALID_SETTINGS if missing else Reason.UNKNOWN_VIEW,
        Severity.ERROR,
        f"Service {elect.service.key} gets no Private Link Service: resource group {group} "
        + (
            "does not exist."
            if missing
            else f"could not be read ({view.reason if isinstance(view, Unknown) else ''})."
        ),
        service=elect.service.key,
        pls_id=pls_id,
    )
    return True


def _share(draft: Draft, verdicts: Verdicts, frontend: Frontend, pls_id: str) -> None:
    draft.sharing += [
        Sharing(draft.observed.cluster.name, pls_id, frontend.id, t.service.ref, t.role)
        for t in verdicts.tenants
    ]


def _intent(observed: Observed, elect: Tenant, goal: Desired, row: Ownership | None) -> Ownership:
    base = row or Ownership(observed.cluster.name, goal.pls_id, goal.frontend_id, elect.service.ref)
    return replace(base, frontend_id=goal.frontend_id, owner=elect.service.ref, state=base.state or "Planned")


def _observed_row(
    observed: Observed, verdicts: Verdicts | None, pls: PrivateLinkService, row: Ownership | None
) -> Ownership:
    """The row rebuilt from what was seen; what only the ledger knows is kept."""
    holder = (
        next((t.service.ref for t in verdicts.tenants if owns(pls, t.service)), None) if verdicts else None
    )
    namespace, _, name = (pls.tag(OWNER_TAG) or "").partition("/")
    tagged = ServiceRef(namespace.strip(), name.strip())
    before = row.owner if row and (row.owner.key == tagged.key or pls.tag(OWNER_TAG) is None) else None
    base = row or Ownership(observed.cluster.name, pls.id, pls.frontend_id, tagged)
    return replace(
        base,
        frontend_id=pls.frontend_id or base.frontend_id,
        owner=holder or before or tagged,
        resource_guid=pls.resource_guid,
        alias=pls.alias,
        state=pls.provisioning_state,
        nat_ips=tuple(ip.address for ip in pls.nat_ips if ip.static),
        connections=dict(sorted(Counter(c.status for c in pls.connections).items())),
    )


def _forget(draft: Draft) -> None:
    """P7: a row goes once a GET of its id proved the PLS absent; until then it stays."""
    for row in draft.observed.ownership:
        key = arm_ids.key(row.pls_id)
        if key in draft.ownership:
            continue
        if key in draft.observed.absent_pls:
            draft.forget.append(row.pls_id)
        else:
            draft.record(row)


def unconfirmed(observed: Observed) -> tuple[str, ...]:
    """The ids of ledger rows whose PLS was not listed: to be read by id before the rows may go."""
    if isinstance(observed.private_link_services, Unknown):
        return ()
    listed = {arm_ids.key(p.id) for p in observed.private_link_services}
    return tuple(r.pls_id for r in observed.ownership if arm_ids.key(r.pls_id) not in listed)


def _warn(
    draft: Draft,
    verdicts: Verdicts,
    frontend: Frontend,
    pls_id: str,
    pls: PrivateLinkService | None = None,
) -> None:
    sentences = list(verdicts.owner.claim.warnings) if verdicts.owner else []
    if verdicts.owner and isinstance(verdicts.owner.claim.wish, Wish):
        subnet = subnet_of(draft.observed, verdicts.owner.claim.wish)
        if isinstance(subnet, Subnet) and subnet.free is not None and subnet.free < NEARLY_FULL:
            sentences.append(f"NAT subnet {subnet.name} is nearly full: {subnet.free} addresses are free")
    if pls and pls.tag(MISNAMED_OWNER_TAG) is not None:
        sentences.append(f"the tag {MISNAMED_OWNER_TAG} has no effect; the owner's tag is {OWNER_TAG}")
    service = verdicts.owner.service.key if verdicts.owner else ""
    for sentence in sentences:
        text = f"Service {service}: {sentence}." if service else f"{pls_id}: {sentence}."
        draft.find(
            Reason.WARNING, Severity.WARNING, text, service=service, frontend_id=frontend.id, pls_id=pls_id
        )


def _warn_about_counts(draft: Draft, world: _World) -> None:
    counts = Counter(arm_ids.load_balancer_of(p.frontend_id) for p in world.pls if p.frontend_id)
    for load_balancer in world.load_balancers:
        count = counts[arm_ids.load_balancer_of(f"{load_balancer.id}/frontendIPConfigurations/x")]
        if count > MAX_PLS_PER_LOAD_BALANCER:
            draft.find(
                Reason.WARNING,
                Severity.WARNING,
                f"Load balancer {load_balancer.name} has {count} Private Link Services; Azure documents a "
                f"limit of {MAX_PLS_PER_LOAD_BALANCER}.",
            )
