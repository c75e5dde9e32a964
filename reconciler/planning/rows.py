"""The ledger rows as they shall be after a plan: rebuilt from what was seen, tags before memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from reconciler import arm_ids
from reconciler.desired import Desired
from reconciler.model import (
    OWNER_TAG,
    PLANNED,
    Frontend,
    Observed,
    Ownership,
    PrivateLinkService,
    Sharing,
)
from reconciler.planning.acquaintance import tagged_owner
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Tenant, Verdicts, owns
from reconciler.planning.world import World


def share(draft: Draft, verdicts: Verdicts, frontend: Frontend, pls_id: str) -> None:
    """Who uses the PLS. While nobody does, those who did are remembered: their absence must be proven."""
    if not verdicts.tenants:
        draft.sharing += draft.acquaintance.sharing(pls_id)
    draft.sharing += [
        Sharing(draft.observed.cluster.name, pls_id, frontend.id, t.service.ref, t.role)
        for t in verdicts.tenants
    ]


def intent(observed: Observed, elect: Tenant, goal: Desired, row: Ownership | None) -> Ownership:
    """The row of a PLS to be. On another frontend its claim is a new one: the in-tree controller moves it, too."""
    base = row or Ownership(observed.cluster.name, goal.pls_id, goal.frontend_id, elect.service.ref)
    if arm_ids.key(base.pls_id) in observed.absent_pls:
        base = _without_pls(base)
    stays = arm_ids.same(base.frontend_id, goal.frontend_id)
    return replace(
        base,
        frontend_id=goal.frontend_id,
        owner=elect.service.ref,
        claim_hash=base.claim_hash if stays else "",
        state=base.state or PLANNED,
    )


def _without_pls(row: Ownership) -> Ownership:
    """The row of a PLS that is gone: nothing of what it was but the alias, by which the next one is told apart."""
    return replace(row, resource_guid="", state="", nat_ips=(), connections={})


def observed_row(
    observed: Observed, verdicts: Verdicts | None, pls: PrivateLinkService, row: Ownership | None
) -> Ownership:
    """The row rebuilt from what was seen; what only the ledger knows is kept."""
    holder = (
        next((t.service.ref for t in verdicts.tenants if owns(pls, t.service)), None) if verdicts else None
    )
    tagged = tagged_owner(pls)
    before = row.owner if row and (row.owner.key == tagged.key or pls.tag(OWNER_TAG) is None) else None
    base = row or Ownership(observed.cluster.name, pls.id, pls.frontend_id, tagged)
    return replace(
        base,
        frontend_id=pls.frontend_id or base.frontend_id,
        owner=holder or before or tagged,
        resource_guid=pls.resource_guid,
        alias=pls.alias,
        state=pls.provisioning_state,
        nat_ips=_nat_ips(observed, pls, base),
        connections=dict(sorted(Counter(c.status for c in pls.connections).items())),
    )


def _nat_ips(observed: Observed, pls: PrivateLinkService, row: Ownership) -> tuple[str, ...]:
    """The addresses as read, as remembered while their number and the static ones still fit, or the static."""
    seen = observed.nat_addresses.get(arm_ids.key(pls.id))
    if seen is not None:
        return seen
    static = tuple(ip.address for ip in pls.nat_ips if ip.static)
    remembered = len(row.nat_ips) == len(pls.nat_ips) and set(static) <= set(row.nat_ips)
    return row.nat_ips if remembered else static


def forget(draft: Draft, world: World) -> None:
    """P7: a row goes once a GET of its id proved the PLS absent, or once another one, not ours, has its name.

    Until then it stays, and while nobody can tell who stands there, so do those who did.
    """
    for row in draft.observed.ownership:
        key = arm_ids.key(row.pls_id)
        if key in draft.ownership:
            continue
        if key in draft.observed.absent_pls or _is_anothers(row, world):
            draft.forget.append(row.pls_id)
            continue
        draft.record(row)
        if key not in world.by_id or world.hides_tenants(world.by_id[key]):
            draft.sharing += draft.acquaintance.sharing(row.pls_id)


def _is_anothers(row: Ownership, world: World) -> bool:
    """Whether the PLS of this name is not ours, and not the one that the row tells of either: that is gone for good."""
    seen = world.by_id.get(arm_ids.key(row.pls_id))
    if seen is None or world.ours(seen):
        return False
    return not row.resource_guid or (bool(seen.resource_guid) and seen.resource_guid != row.resource_guid)
