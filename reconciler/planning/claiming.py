"""Rows P3 to P7 of the table in :mod:`reconciler.planning`: a frontend that has no PLS."""

from __future__ import annotations

from dataclasses import replace

from reconciler import arm_ids
from reconciler.annotations import NAME
from reconciler.claims import Wish
from reconciler.desired import Desired, create_body, differences, update_body
from reconciler.model import (
    Absent,
    Frontend,
    LoadBalancer,
    Ownership,
    PrivateLinkService,
    Unknown,
)
from reconciler.plan import Finding, Reason, Severity
from reconciler.planning import guards, needs, notices, puts, rows, waiting
from reconciler.planning.acquaintance import owner_name
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Tenant, Verdicts, judge, owns
from reconciler.planning.world import World
from reconciler.tenancy import seniority

BASIC = "basic"  # the load balancer SKU that Private Link does not support
BEYOND = Unknown(
    f"the role cannot list the subscription, and only {needs.MAX_GROUPS} resource groups are looked into"
)


def decide_all(draft: Draft, world: World) -> None:
    """P1 and P3 to P7 for the frontends that have no PLS, the earliest claim first: names go in that order."""
    judged = [
        (load_balancer, frontend, _verdicts(draft, world, frontend))
        for load_balancer, frontend in world.frontends_without_pls()
    ]
    for load_balancer, frontend, verdicts in sorted(judged, key=lambda entry: _turn(*entry[1:])):
        draft.findings += verdicts.refusals
        if verdicts.owner and isinstance(verdicts.owner.claim.wish, Wish):
            said = len(draft.findings)
            _claim(draft, world, load_balancer, frontend, verdicts, verdicts.owner, verdicts.owner.claim.wish)
            _tell_sharers(draft, verdicts, verdicts.owner, frontend, draft.findings[said:])


def _tell_sharers(
    draft: Draft, verdicts: Verdicts, elect: Tenant, frontend: Frontend, said: list[Finding]
) -> None:
    """Who would share what the elect cannot have hears why, too."""
    owner = elect.service.key
    telling = (f for f in said if f.severity is Severity.ERROR or f.reason is Reason.KEPT)
    reason = next((f for f in telling if f.service == owner), None)
    if reason is None:
        return
    for sharer in (t.service.key for t in verdicts.tenants if t.role == "shares"):
        lead = f"Service {sharer} is to share the Private Link Service of {owner} on frontend {frontend.name}"
        sentence = f"{lead}, which has none: {reason.sentence}"
        draft.findings.append(replace(reason, sentence=sentence, service=sharer))


def _verdicts(draft: Draft, world: World, frontend: Frontend) -> Verdicts:
    return judge(draft.observed, frontend.id, world.on(frontend), None, False, world.incumbent(frontend))


def _turn(frontend: Frontend, verdicts: Verdicts) -> tuple[bool, tuple[str, str, str], str]:
    """The age of the claim decides, not that of a neighbour on the frontend."""
    elect = verdicts.owner
    return elect is None, seniority(elect.service) if elect else ("", "", ""), frontend.id


def _claim(
    draft: Draft,
    world: World,
    load_balancer: LoadBalancer,
    frontend: Frontend,
    verdicts: Verdicts,
    elect: Tenant,
    wish: Wish,
) -> None:
    if load_balancer.sku.lower() == BASIC:
        _refuse_basic(draft, load_balancer, frontend, elect)
        return
    pls_id = needs.wished_id(draft.observed.cluster, frontend, wish)
    if not _gets_name(draft, world, elect, frontend, pls_id):
        return
    goal = puts.goal_of(draft.observed, elect, wish, pls_id, frontend)
    row = _noted(draft, world, verdicts, elect, goal, frontend)
    guards.claimed_since(draft, elect, row, wish.hash)
    if _unread(draft, world, frontend, verdicts, elect, pls_id):
        return
    if waiting.waits_for(draft, load_balancer, elect.service.key):
        return
    if not guards.settled(draft, elect, row, wish.hash):
        return
    if seen := world.by_id.get(arm_ids.key(pls_id)):
        _move(draft, elect, goal, seen, row)
    elif not guards.backed_off(draft, guards.target_of(goal), row, (), elect.service.key):
        body = create_body(goal, load_balancer.edge_zone)
        puts.put(draft, elect, goal, body, Reason.CREATE, (), created=True)


def _gets_name(draft: Draft, world: World, elect: Tenant, frontend: Frontend, pls_id: str) -> bool:
    """Whether the elect may have a PLS of this id on this frontend; if not, it is told why (P5)."""
    seen = world.by_id.get(arm_ids.key(pls_id))
    if seen is not None and world.hides_tenants(seen):
        return False  # as is reported for all public frontends
    if _elsewhere(draft, world, elect, frontend, pls_id):
        return False
    taken = _taken(draft, world, elect, frontend, pls_id)
    if taken and _is_freed_now(draft, pls_id):
        waiting.for_name(draft, elect.service.key, pls_id)
    elif taken:
        _refuse(draft, elect, frontend, pls_id, taken)
    return not taken


def _noted(
    draft: Draft, world: World, verdicts: Verdicts, elect: Tenant, goal: Desired, frontend: Frontend
) -> Ownership | None:
    """The row of the PLS, with the claim noted in it; None where there was none before."""
    key = arm_ids.key(goal.pls_id)
    draft.wished[key] = elect.service.key
    if key in world.by_id:  # used up by the move, also while that waits: nobody collects it meanwhile
        draft.moved.add(key)
        draft.managed += 1
    row = world.rows.get(key)
    intent = rows.intent(draft.observed, elect, goal, row)
    draft.record(intent)
    rows.share(draft, verdicts, frontend, goal.pls_id)
    notices.warn(draft, verdicts, frontend, goal.pls_id)
    return intent if row else None


def _unread(
    draft: Draft, world: World, frontend: Frontend, verdicts: Verdicts, elect: Tenant, pls_id: str
) -> bool:
    """P1: whether the group of the PLS, that of the one before it, or the NAT subnet could not be read."""
    before = world.incumbent(frontend)
    if before and isinstance(_group(draft, world, before.pls_id), Unknown):  # a missing one holds nothing
        return _group_unread(draft, world, elect, before.pls_id)
    return _group_unread(draft, world, elect, pls_id) or puts.subnet_unread(draft, verdicts, elect, pls_id)


def _elsewhere(draft: Draft, world: World, elect: Tenant, frontend: Frontend, pls_id: str) -> bool:
    """Whether the elect has this PLS on another of its frontends, to stay there.

    A Service on two frontends of one kind, as while it moves between load balancers, has one PLS: that
    moves once. Back and forth would be two contents in turn, which no guard against repeats can see.
    """
    key, here = arm_ids.key(pls_id), f"left:{arm_ids.key(frontend.id)}"
    seen = world.by_id.get(key)
    both = bool(seen and world.tenants.get(arm_ids.key(seen.frontend_id)) and _may_move(world, elect, seen))
    if draft.wished.get(key) != elect.service.key and not (both and here in draft.observed.sightings):
        if both and seen:
            draft.seen_since(f"left:{arm_ids.key(seen.frontend_id)}")
        return False
    draft.seen_since(here)
    draft.find(
        Reason.KEPT,
        Severity.INFO,
        f"Frontend {frontend.name} on {arm_ids.last_name(frontend.load_balancer_id)} gets no Private Link "
        f"Service: {pls_id} of Service {elect.service.key} is on another frontend of that Service.",
        service=elect.service.key,
        frontend_id=frontend.id,
        pls_id=pls_id,
    )
    return True


def _refuse_basic(draft: Draft, load_balancer: LoadBalancer, frontend: Frontend, elect: Tenant) -> None:
    draft.find(
        Reason.NOT_ELIGIBLE,
        Severity.ERROR,
        f"Service {elect.service.key} gets no Private Link Service: load balancer {load_balancer.name} has the "
        "SKU Basic, and Private Link needs Standard.",
        service=elect.service.key,
        frontend_id=frontend.id,
    )


def _refuse(draft: Draft, elect: Tenant, frontend: Frontend, pls_id: str, taken: str) -> None:
    draft.find(
        Reason.NAME_TAKEN,
        Severity.ERROR,
        f"Service {elect.service.key} asks for Private Link Service {arm_ids.last_name(pls_id)} on "
        f"frontend {frontend.name}, but {taken}. Choose another {draft.observed.cluster.pls_prefix}{NAME}.",
        service=elect.service.key,
        frontend_id=frontend.id,
        pls_id=pls_id,
    )


def _taken(draft: Draft, world: World, elect: Tenant, frontend: Frontend, pls_id: str) -> str:
    """P5: who has the wished id already; "" where it is free, or the elect's own PLS may move (P4)."""
    key = arm_ids.key(pls_id)
    if key in draft.wished:
        return f"Service {draft.wished[key]}, an earlier claim, asks for the same name"
    seen = world.by_id.get(key)
    if seen is not None and _may_move(world, elect, seen):
        return ""
    reserved = draft.observed.reservations.get(key)
    cluster = draft.observed.cluster.name
    if reserved and not (
        reserved.cluster == cluster
        and (reserved.service_uid == elect.service.uid or arm_ids.same(reserved.frontend_id, frontend.id))
    ):
        holder = f" (Service {owner_name(seen)})" if seen and owner_name(seen) else ""
        return (
            f"the name is reserved for frontend {arm_ids.last_name(reserved.frontend_id)} of cluster "
            f"{reserved.cluster}{holder}"
        )
    if seen is None:
        return ""
    owner = owner_name(seen) or "nobody"
    return (
        f"{seen.id} exists on frontend {arm_ids.last_name(seen.frontend_id) or 'none'} (owner {owner}) "
        "and is not taken over"
    )


def _is_freed_now(draft: Draft, pls_id: str) -> bool:
    """Whether the name is reserved for a PLS of ours that is proven gone: that ends with its row, in this very run."""
    key = arm_ids.key(pls_id)
    reserved = draft.observed.reservations.get(key)
    ours = reserved is not None and reserved.cluster == draft.observed.cluster.name
    return ours and key in draft.observed.absent_pls and key not in draft.wished


def _may_move(world: World, elect: Tenant, seen: PrivateLinkService) -> bool:
    if not world.ours(seen) or not owns(seen, elect.service):
        return False
    tenants = world.tenants.get(arm_ids.key(seen.frontend_id), ())
    return all(t.uid == elect.service.uid for t in tenants)


def _move(
    draft: Draft, elect: Tenant, goal: Desired, seen: PrivateLinkService, row: Ownership | None
) -> None:
    """P4: the PLS keeps its id and alias and gets the new frontend."""
    if waiting.in_transit(draft, seen, elect.service.key):
        return
    changes = differences(goal, seen)
    if not guards.backed_off(draft, guards.target_of(goal), row, changes, elect.service.key):
        puts.put(draft, elect, goal, update_body(goal, seen), Reason.MOVE, changes, created=False)


def _group(draft: Draft, world: World, pls_id: str) -> Absent | Unknown | None:
    """How the group of a PLS was seen where groups are looked into one by one; None where all is well."""
    parsed, groups, key = arm_ids.parse(pls_id), draft.observed.groups, arm_ids.key(pls_id)
    if parsed is None or not groups:
        return None
    by_id = key in world.by_id or key in draft.observed.absent_pls
    return groups.get(parsed.resource_group.lower(), None if by_id else BEYOND)


def _group_unread(draft: Draft, world: World, elect: Tenant, pls_id: str) -> bool:
    """P1: the group of the PLS must have been read; a missing one refuses."""
    view, parsed = _group(draft, world, pls_id), arm_ids.parse(pls_id)
    if view is None or parsed is None:
        return False
    why = (
        f"could not be read ({view.reason})"
        if isinstance(view, Unknown)
        else "does not exist; create it, or name another"
    )
    draft.find(
        Reason.UNKNOWN_VIEW if isinstance(view, Unknown) else Reason.INVALID_SETTINGS,
        Severity.ERROR,
        f"Service {elect.service.key} gets no Private Link Service: resource group {parsed.resource_group} "
        f"{why}.",
        service=elect.service.key,
        pls_id=pls_id,
    )
    return True
