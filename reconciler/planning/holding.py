"""Rows P2, P3 and P8 to P14 of the table in :mod:`reconciler.planning`: a PLS that is there."""

from __future__ import annotations

from reconciler import arm_ids
from reconciler.claims import Wish
from reconciler.desired import differences, tag_body, update_body
from reconciler.model import (
    OWNER_TAG,
    Frontend,
    LoadBalancer,
    Observed,
    Ownership,
    PrivateLinkService,
    Subnet,
)
from reconciler.plan import STATE, Change, PutPls, Reason, Severity
from reconciler.planning import collecting, guards, notices, puts, rows, waiting
from reconciler.planning.acquaintance import owner_key, owner_name
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Tenant, Verdicts, judge, owns
from reconciler.planning.world import World


def decide(
    draft: Draft, world: World, load_balancer: LoadBalancer, frontend: Frontend, pls: PrivateLinkService
) -> None:
    """P2, P3, P8 and P10 to P14 for a frontend that has a PLS."""
    ours = world.ours(pls)
    verdicts = judge(draft.observed, frontend.id, world.on(frontend), pls, ours, None)
    draft.findings += verdicts.refusals
    if not ours:
        return
    draft.managed += 1
    row = world.rows.get(arm_ids.key(pls.id))
    draft.record(rows.observed_row(draft.observed, verdicts, pls, row))
    rows.share(draft, verdicts, frontend, pls.id)
    notices.warn(draft, verdicts, frontend, pls.id, pls)
    if not verdicts.tenants:
        collecting.remember_left(draft, pls, frontend)
    if _waits(draft, verdicts, load_balancer, pls, row):
        return
    if not verdicts.tenants:
        _without_tenants(draft, pls, frontend, row)
    elif not any(owns(pls, t.service) for t in verdicts.tenants):
        _without_owner(draft, verdicts, pls, frontend, row)
    elif verdicts.owner is None:
        refused = any(owns(pls, t.service) and t.refusal for t in verdicts.tenants)
        _keep(draft, pls, "its owner is refused" if refused else "its owner no longer asks for it")
    else:
        _owned(draft, verdicts, verdicts.owner, pls, frontend, row)


def _waits(
    draft: Draft,
    verdicts: Verdicts,
    load_balancer: LoadBalancer,
    pls: PrivateLinkService,
    row: Ownership | None,
) -> bool:
    """P3, but without tenants whatever the load balancer's state.

    A delete in the way of its operation is told to come later by Azure itself, and one that Failed would
    keep for good what nobody uses.
    """
    owner = owner_key(pls)
    waits = waiting.in_transit(draft, pls, owner) or (
        bool(verdicts.tenants) and waiting.waits_for(draft, load_balancer, owner, pls)
    )
    if waits and verdicts.owner and isinstance(verdicts.owner.claim.wish, Wish):
        guards.claimed_since(draft, verdicts.owner, row, verdicts.owner.claim.wish.hash)
    return waits


def _without_tenants(
    draft: Draft, pls: PrivateLinkService, frontend: Frontend, row: Ownership | None
) -> None:
    """P8, P9 where the last on the frontend are gone and others left it; else keep and say so."""
    proofs = collecting.proofs_of(draft, pls, frontend)
    last = None if proofs else collecting.proofs_of_last(draft, pls, frontend)
    if not proofs and not last:
        _keep(
            draft,
            pls,
            "no live Service stands on its frontend, but not all who did are proven gone. It follows its owner to "
            "a new frontend, and goes once all of them are deleted; where neither comes, delete it by hand",
        )
    elif guards.deleting(draft, pls, row):
        return
    elif proofs:
        collecting.collect(draft, pls, proofs, Reason.SERVICE_GONE)
    elif last:
        collecting.desert(draft, pls, last)


def _without_owner(
    draft: Draft, verdicts: Verdicts, pls: PrivateLinkService, frontend: Frontend, row: Ownership | None
) -> None:
    """P10: restore the tag from the ledger, let the oldest equal claim succeed, or keep."""
    heirs = [t for t in verdicts.tenants if row and t.service.uid == row.owner.uid]
    if pls.tag(OWNER_TAG) is None and heirs:
        _hand_over(draft, heirs[0], pls, frontend, row, Reason.RESTORE_OWNER)
        return
    if draft.observed.cluster.owner_succession == "oldest":
        equal = [t for t in verdicts.tenants if _same_settings(draft.observed, t, pls, frontend)]
        if equal:
            _hand_over(draft, equal[0], pls, frontend, row, Reason.SUCCESSION)
            return
    owner = owner_name(pls)
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
    if _misplaced(wish, pls):
        return False
    changes = differences(puts.goal_of(observed, tenant, wish, pls.id, frontend), pls)
    return all(change.property == f"tags.{OWNER_TAG}" for change in changes)


def _hand_over(
    draft: Draft,
    tenant: Tenant,
    pls: PrivateLinkService,
    frontend: Frontend,
    row: Ownership | None,
    reason: Reason,
) -> None:
    key = tenant.service.key
    before = pls.tag(OWNER_TAG)
    changes = (Change(f"tags.{OWNER_TAG}", before, key),)
    target = guards.Target(pls.id, frontend.id, f"owner:{key}")
    if guards.backed_off(draft, target, row, changes, key):
        return
    write = PutPls(
        pls_id=pls.id,
        body=tag_body(pls, {OWNER_TAG: key}),
        content_hash=target.content,
        claim_hash="",
        created=False,
        frontend_id=frontend.id,
        subnet_ids=(),
        service=key,
        reason=reason,
        sentence=f"set the owner of Private Link Service {pls.name} to {key} (was {owner_name(pls) or 'missing'})",
        changes=changes,
    )
    subnet_id = pls.nat_ips[0].subnet_id if pls.nat_ips else ""
    if isinstance(draft.observed.subnets.get(arm_ids.key(subnet_id)), Subnet):
        puts.when_ready(draft, write, subnet_id)
    else:  # no claim names it, so that it was not read
        draft.writes.append(write)


def _keep(draft: Draft, pls: PrivateLinkService, why: str) -> None:
    draft.find(
        Reason.KEPT,
        Severity.INFO,
        f"Private Link Service {pls.id} is kept as it is: {why}.",
        pls_id=pls.id,
        frontend_id=pls.frontend_id,
        service=owner_key(pls),
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
    if puts.subnet_unread(draft, verdicts, owner, pls.id):
        return
    goal = puts.goal_of(draft.observed, owner, wish, pls.id, frontend)
    changes = differences(goal, pls)
    if not changes:
        draft.record(guards.satisfied(draft.ownership[arm_ids.key(pls.id)], wish.hash, draft.observed.now))
        return
    drift = row is not None and row.claim_hash == wish.hash
    failed = changes[0].property == STATE
    if not failed and not guards.settled(draft, owner, row, wish.hash):
        return
    if not guards.backed_off(draft, guards.target_of(goal), row, changes, owner.service.key):
        reason = Reason.RETRY if failed else Reason.REPAIR if drift else Reason.UPDATE
        puts.put(draft, owner, goal, update_body(goal, pls), reason, changes, created=False)


def _renamed(draft: Draft, owner: Tenant, wish: Wish, pls: PrivateLinkService) -> bool:
    """P12: a PLS can neither be renamed nor moved to another resource group."""
    misplaced = _misplaced(wish, pls)
    if misplaced is None:
        return False
    reason, what = misplaced
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


def _misplaced(wish: Wish, pls: PrivateLinkService) -> tuple[Reason, str] | None:
    """What a claim asks for that only another PLS could be."""
    if wish.name is not None and wish.name.lower() != pls.name.lower():
        return Reason.CANNOT_RENAME, f"the name {wish.name}"
    if wish.resource_group and wish.resource_group.lower() != pls.resource_group.lower():
        return Reason.CANNOT_MOVE_GROUP, f"resource group {wish.resource_group}"
    return None


def decide_detached(draft: Draft, world: World, pls: PrivateLinkService) -> None:
    """P3, P8, P9 for a PLS of ours whose frontend is gone."""
    draft.managed += 1
    row = world.rows.get(arm_ids.key(pls.id))
    draft.record(rows.observed_row(draft.observed, None, pls, row))
    draft.sharing += draft.acquaintance.sharing(pls.id)
    if collecting.gone(pls) in draft.observed.sightings:  # its grace is over once, whatever is waited for
        draft.seen_since(collecting.gone(pls))
    if waiting.in_transit(draft, pls, owner_key(pls)):
        return
    if guards.deleting(draft, pls, row):
        return
    proofs = collecting.proofs_of(draft, pls, None)
    if proofs is not None:
        collecting.collect(draft, pls, proofs, Reason.SERVICE_GONE)
    else:
        collecting.sweep(draft, pls)
