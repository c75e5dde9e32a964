"""Rows P8 and P9: which Private Link Services are collected, and on what proof.

Absence from a list never deletes. Every known tenant (owner tag, ledger, sharing ledger, UID prefixes
of the rules on the frontend) is read by name; only 404, another UID, another type or a
deletionTimestamp proves it gone.
"""

from __future__ import annotations

from datetime import timedelta

from reconciler import arm_ids
from reconciler.model import (
    CLUSTER_TAG,
    Frontend,
    Observed,
    Ownership,
    PrivateLinkService,
    Proof,
    ServiceRef,
)
from reconciler.plan import DeleteConnection, DeletePls, Reason, Severity, Write
from reconciler.planning.acquaintance import owner_key
from reconciler.planning.draft import Draft
from reconciler.tenancy import standing_on, uid_prefix

EVERY_ONE = "every Service that used it is gone"


def is_ours(observed: Observed, pls: PrivateLinkService, row: Ownership | None) -> bool:
    """Tag and place: the cluster's name in the tag, the frontend in its load balancer resource group."""
    tag = pls.tag(CLUSTER_TAG)
    if tag is None or tag.strip().lower() != observed.cluster.cluster_name.strip().lower():
        return False
    frontend = arm_ids.parse(pls.frontend_id)
    if frontend is None:
        return row is not None and bool(row.resource_guid) and row.resource_guid == pls.resource_guid
    config = observed.cluster
    return (
        frontend.resource_group.lower() == config.load_balancer_resource_group.lower()
        and frontend.subscription.lower() == config.subscription.lower()
    )


def proofs_of(draft: Draft, pls: PrivateLinkService, frontend: Frontend | None) -> tuple[Proof, ...] | None:
    """The proofs that all known tenants are gone, or None where one is not proven."""
    refs = draft.acquaintance.tenants(pls, frontend)
    return _all_gone(draft, refs) if refs else None


def proofs_of_last(draft: Draft, pls: PrivateLinkService, frontend: Frontend) -> tuple[Proof, ...] | None:
    """The proofs that all are gone who have rules on the frontend, or None.

    Others who are known and still there have left it, as its owner does who turns public.
    """
    refs = draft.acquaintance.tenants(pls, frontend) or ()
    standing = standing_on(frontend) if frontend.rule_names else frozenset()
    last = frozenset(ref for ref in refs if ref.uid and uid_prefix(ref.uid) in standing)
    return _all_gone(draft, last) if last else None


def _all_gone(draft: Draft, refs: frozenset[ServiceRef]) -> tuple[Proof, ...] | None:
    proofs = tuple(draft.observed.proofs.get(ref, Proof.UNKNOWN) for ref in refs)
    return proofs if all(p in (Proof.GONE, Proof.DELETING) for p in proofs) else None


def collect(
    draft: Draft, pls: PrivateLinkService, proofs: tuple[Proof, ...], reason: Reason, why: str = EVERY_ONE
) -> None:
    """Plan the delete: its connections now and the PLS in a later run, or the PLS now."""
    owner = owner_key(pls)
    name = arm_ids.last_name(pls.id)
    last = DeletePls(
        pls.id,
        pls.frontend_id,
        pls.resource_guid,
        owner,
        reason,
        f"delete Private Link Service {name} of {owner or 'nobody'}: {why}",
    )
    first: list[Write] = [
        DeleteConnection(
            c.id,
            pls.id,
            pls.frontend_id,
            pls.resource_guid,
            owner,
            reason,
            f"delete connection {c.name} ({c.status}) of Private Link Service {name}: {why}",
        )
        for c in pls.connections
    ]
    if first:
        draft.delete(pls.id, first, [last], proofs)
    else:
        draft.delete(pls.id, [last], [], proofs)


def gone(pls: PrivateLinkService) -> str:
    """The sighting that says since when its frontend is gone."""
    return f"gone:{arm_ids.key(pls.id)}"


def left(pls: PrivateLinkService) -> str:
    """The sighting that says since when its frontend serves nobody who is there."""
    return f"deserted:{arm_ids.key(pls.id)}"


def remember_left(draft: Draft, pls: PrivateLinkService, frontend: Frontend) -> None:
    """The grace of a PLS that was left is over once, whatever is waited for."""
    if left(pls) in draft.observed.sightings and proofs_of_last(draft, pls, frontend):
        draft.seen_since(left(pls))


def sweep(draft: Draft, pls: PrivateLinkService) -> None:
    """P9: the frontend is gone, nobody is proven gone."""
    what = f"is gone ({pls.frontend_id or 'none named'}), though its Services are not proven gone"
    why = "its frontend is gone, seen twice over the grace period"
    if _over(draft, pls, gone(pls), f"The frontend of Private Link Service {pls.id} {what}"):
        collect(draft, pls, (), Reason.FRONTEND_GONE, why)


def desert(draft: Draft, pls: PrivateLinkService, proofs: tuple[Proof, ...]) -> None:
    """P9: the last on the frontend are proven gone, and others who used it have left it.

    The provider cannot take the frontend away, and so cannot let the last Service go, while the PLS is there.
    """
    what = "serves only Services that are gone; others who used it have left it, and it did not follow them"
    why = (
        "the last Services on its frontend are gone and the others left it, seen twice over the grace period"
    )
    if _over(draft, pls, left(pls), f"The frontend of Private Link Service {pls.id} {what}"):
        collect(draft, pls, proofs, Reason.SERVICE_GONE, why)


def _over(draft: Draft, pls: PrivateLinkService, sighting: str, what: str) -> bool:
    """Whether there were two complete sightings a grace apart, and nobody is connected; else reports it."""
    since = draft.seen_since(sighting)
    due = since + timedelta(seconds=draft.limits.grace_seconds)
    approved = [c.name for c in pls.connections if c.status == "Approved"]
    if draft.observed.now >= due and since < draft.observed.now and not approved:
        return True
    way_out = (
        f"it has approved connections ({', '.join(approved[:3])}); delete them or the Private Link Service "
        "by hand"
        if approved
        else f"it is collected after {due:%Y-%m-%d %H:%M:%S} UTC if that stays so"
    )
    draft.find(
        Reason.ORPHAN,
        Severity.WARNING,
        f"{what}: {way_out}.",
        pls_id=pls.id,
        frontend_id=pls.frontend_id,
    )
    if not approved:
        draft.look_again(due)
    return False
