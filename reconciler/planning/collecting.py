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
)
from reconciler.plan import DeleteConnection, DeletePls, Reason, Severity, Write
from reconciler.planning.acquaintance import owner_name
from reconciler.planning.draft import Draft


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
    if not refs:
        return None
    proofs = tuple(draft.observed.proofs.get(ref, Proof.UNKNOWN) for ref in refs)
    return proofs if all(p in (Proof.GONE, Proof.DELETING) for p in proofs) else None


def collect(draft: Draft, pls: PrivateLinkService, proofs: tuple[Proof, ...], reason: Reason) -> None:
    """Plan the delete: its connections now and the PLS in a later run, or the PLS now."""
    owner = owner_name(pls)
    why = {
        Reason.SERVICE_GONE: "every Service that used it is gone",
        Reason.FRONTEND_GONE: "its frontend is gone, seen twice over the grace period",
    }[reason]
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


def sweep(draft: Draft, pls: PrivateLinkService) -> None:
    """P9: the frontend is gone, nobody is proven gone: two complete sightings a grace apart, or report."""
    since = draft.seen_since(gone(pls))
    due = since + timedelta(seconds=draft.limits.grace_seconds)
    approved = [c.name for c in pls.connections if c.status == "Approved"]
    if draft.observed.now >= due and since < draft.observed.now and not approved:
        collect(draft, pls, (), Reason.FRONTEND_GONE)
        return
    way_out = (
        f"it has approved connections ({', '.join(approved[:3])}); delete them or the Private Link Service "
        "by hand"
        if approved
        else f"it is collected after {due:%Y-%m-%d %H:%M:%S} UTC if that stays so"
    )
    draft.find(
        Reason.ORPHAN,
        Severity.WARNING,
        f"The frontend of Private Link Service {pls.id} is gone ({pls.frontend_id or 'none named'}), though "
        f"its Services are not proven gone: {way_out}.",
        pls_id=pls.id,
        frontend_id=pls.frontend_id,
    )
    if not approved:
        draft.look_again(due)
