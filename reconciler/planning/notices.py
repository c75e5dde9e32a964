"""Warnings: what is accepted but will surprise somebody."""

from __future__ import annotations

from collections import Counter

from reconciler import arm_ids
from reconciler.annotations import LB_INTERNAL_SUBNET, asks, is_internal, trim
from reconciler.claims import Wish, read_claim
from reconciler.model import OWNER_TAG, Frontend, PrivateLinkService, Service, Subnet, Unknown
from reconciler.plan import Reason, Severity
from reconciler.planning.draft import Draft
from reconciler.planning.verdicts import Verdicts, subnet_of
from reconciler.planning.world import World
from reconciler.tenancy import seniority

NEARLY_FULL = 4
MAX_PLS_PER_LOAD_BALANCER = 8  # Private Link limits, azure-docs includes/private-link-limits.md
MISNAMED_OWNER_TAG = "kubernetes-owner-service"  # named by the documents, read by nobody


def report_public_ips(draft: Draft) -> None:
    """Without the public IP addresses nobody can tell who stands on a public frontend."""
    view = draft.observed.public_ips
    if isinstance(view, Unknown):
        draft.find(
            Reason.UNKNOWN_VIEW,
            Severity.ERROR,
            f"Public frontends of cluster {draft.observed.cluster.name} are left untouched: the public IP "
            f"addresses could not be listed ({view.reason}).",
        )


def report_unseated(draft: Draft, world: World) -> None:
    """A Service that asks and stands on no frontend would never hear why it gets nothing."""
    config, public_unread = draft.observed.cluster, isinstance(draft.observed.public_ips, Unknown)
    seated = {tenant.uid for tenants in world.tenants.values() for tenant in tenants}
    unseated = [s for s in world.services if s.live and s.uid not in seated and asks(s, config.pls_prefix)]
    for service in sorted(unseated, key=seniority):
        if public_unread and not is_internal(service):
            continue
        claim = read_claim(service, config.pls_prefix, config.default_subnet)
        if claim.ineligible:
            what = f"gets no Private Link Service: {claim.ineligible}"
            draft.find(
                Reason.NOT_ELIGIBLE, Severity.ERROR, f"Service {service.key} {what}.", service=service.key
            )
        else:
            _report_no_frontend(draft, world, service)


def _report_no_frontend(draft: Draft, world: World, service: Service) -> None:
    group = draft.observed.cluster.load_balancer_resource_group
    names = ", ".join(sorted(lb.name for lb in world.load_balancers)) or "none at all"
    draft.find(
        Reason.NO_FRONTEND,
        Severity.INFO,
        f"Service {service.key} asks for a Private Link Service, but none of the load balancers in resource group "
        f"{group} has a frontend of it (there: {names}). It gets one when its cloud provider has made the frontend; "
        "if it has an address already, the cluster's loadBalancerResourceGroup may be another one.",
        service=service.key,
    )


def warn(
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
    if pls and verdicts.owner and (wished := _other_subnet(verdicts.owner.service, frontend)):
        sentences.append(
            f"it asks for load balancer subnet {wished}, but Azure lets its frontend "
            f"{frontend.name} go only when Private Link Service {pls.name} is deleted; to move it, delete that "
            "by hand (its alias and connections are lost)"
        )
    if pls and pls.tag(MISNAMED_OWNER_TAG) is not None:
        sentences.append(f"the tag {MISNAMED_OWNER_TAG} has no effect; the owner's tag is {OWNER_TAG}")
    service = verdicts.owner.service.key if verdicts.owner else ""
    for sentence in sentences:
        text = f"Service {service}: {sentence}." if service else f"{pls_id}: {sentence}."
        draft.find(
            Reason.WARNING, Severity.WARNING, text, service=service, frontend_id=frontend.id, pls_id=pls_id
        )


def _other_subnet(service: Service, frontend: Frontend) -> str:
    """The subnet that the Service wants its internal frontend in, if that is not where it is."""
    wished = trim(service.annotations.get(LB_INTERNAL_SUBNET, ""))
    there = arm_ids.last_name(frontend.subnet_id)
    moved = bool(wished and there) and is_internal(service) and wished.lower() != there.lower()
    return wished if moved else ""


def warn_about_counts(draft: Draft, world: World) -> None:
    counts = Counter(arm_ids.key(arm_ids.load_balancer_of(p.frontend_id)) for p in world.pls)
    for load_balancer in world.load_balancers:
        count = counts[arm_ids.key(load_balancer.id)]
        if count > MAX_PLS_PER_LOAD_BALANCER:
            draft.find(
                Reason.WARNING,
                Severity.WARNING,
                f"Load balancer {load_balancer.name} has {count} Private Link Services; Azure documents a "
                f"limit of {MAX_PLS_PER_LOAD_BALANCER}.",
            )
