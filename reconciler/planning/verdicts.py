"""Table S: every tenant of a frontend gets a verdict, whatever the state of the PLS on it.

==  ============================================================  ==========================
S   tenant                                                        verdict
==  ============================================================  ==========================
1   does not ask                                                  none
2   asks, not eligible (public with floating IP, IPv6 alone)      refused
3   asks, is the owner or there is no PLS, settings invalid       refused
4   asks, the PLS on the frontend is not ours                     refused, naming it, its tags
5   is the owner, or the elect                                    owner
6   has settings of its own                                       refused, naming the owner
7   else                                                          shares
==  ============================================================  ==========================

First row that matches. *Valid* settings parse, keep the limits, and name a NAT subnet that exists. The
*elect* (no PLS yet) is the ledger's incumbent if it still asks, is eligible and valid, else the oldest
such tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler import arm_ids
from reconciler.annotations import SUBNET
from reconciler.claims import Claim, Invalid, Wish, printable, read_claim
from reconciler.model import (
    OWNER_TAG,
    Absent,
    ClusterConfig,
    Observed,
    Ownership,
    PrivateLinkService,
    Service,
    Subnet,
    Unknown,
)
from reconciler.plan import Finding, Reason, Severity
from reconciler.planning.acquaintance import owner_name

Role = Literal["owner", "shares", "refused", "none"]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with its claim and the verdict on it. ``refusal`` is None unless the role is refused."""

    service: Service
    claim: Claim
    role: Role
    refusal: Finding | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts on all tenants of one frontend. ``unread`` is why a needed subnet is not known."""

    tenants: tuple[Tenant, ...]
    owner: Tenant | None
    unread: str = ""

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """What to tell the refused ones."""
        return tuple(t.refusal for t in self.tenants if t.refusal)


def subnet_id(cluster: ClusterConfig, wish: Wish) -> str:
    """Where the NAT subnet of a claim is looked for: by name, in the cluster's virtual network."""
    return arm_ids.subnet(
        cluster.network_subscription, cluster.vnet_resource_group, cluster.vnet_name, wish.subnet
    )


def subnet_of(observed: Observed, wish: Wish) -> Subnet | Absent | Unknown:
    """The NAT subnet of a claim as observed."""
    wished = subnet_id(observed.cluster, wish)
    return observed.subnets.get(arm_ids.key(wished), Unknown(f"subnet {wished} was not read"))


def judge(
    observed: Observed,
    frontend_id: str,
    services: tuple[Service, ...],
    pls: PrivateLinkService | None,
    pls_is_ours: bool,
    incumbent: Ownership | None,
) -> Verdicts:
    """Table S for the tenants (oldest first) of one frontend."""
    config = observed.cluster
    claims = [(s, read_claim(s, config.pls_prefix, config.default_subnet)) for s in services]
    if pls is not None:
        owner = next((s for s, _ in claims if owns(pls, s)), None) if pls_is_ours else None
    else:
        owner = _elect(observed, claims, incumbent)
    tenants = tuple(_verdict(observed, frontend_id, s, c, pls, pls_is_ours, owner) for s, c in claims)
    seated = next((t for t in tenants if t.role == "owner"), None)
    return Verdicts(tenants, seated, _unread_subnet(observed, claims, owner))


def owns(pls: PrivateLinkService, service: Service) -> bool:
    """Whether the PLS's owner tag names the Service."""
    return (pls.tag(OWNER_TAG) or "").strip().lower() == service.key.lower()


def _elect(
    observed: Observed, claims: list[tuple[Service, Claim]], incumbent: Ownership | None
) -> Service | None:
    fit = [s for s, c in claims if c.asks and not c.ineligible and not _mistake(observed, c)]
    before = [s for s in fit if incumbent and s.uid == incumbent.owner.uid]
    return next(iter(before or fit), None)


def _mistake(observed: Observed, claim: Claim) -> str:
    """Why the settings are invalid; "" where they are valid or it cannot be known (subnet unread)."""
    if isinstance(claim.wish, Invalid):
        return str(claim.wish)
    subnet = subnet_of(observed, claim.wish)
    if isinstance(subnet, Absent):
        config = observed.cluster
        return (
            f"subnet '{claim.wish.subnet}' does not exist in virtual network '{config.vnet_name}' "
            f"(resource group '{config.vnet_resource_group}'): name one of its subnets in {config.pls_prefix}{SUBNET}"
        )
    return ""


def _unread_subnet(observed: Observed, claims: list[tuple[Service, Claim]], owner: Service | None) -> str:
    for service, claim in claims:
        if service is owner and isinstance(claim.wish, Wish):
            subnet = subnet_of(observed, claim.wish)
            return subnet.reason if isinstance(subnet, Unknown) else ""
    return ""


def _verdict(
    observed: Observed,
    frontend_id: str,
    service: Service,
    claim: Claim,
    pls: PrivateLinkService | None,
    pls_is_ours: bool,
    owner: Service | None,
) -> Tenant:
    def refused(reason: Reason, why: str) -> Tenant:
        change = pls is not None and service is owner
        finding = Finding(
            reason,
            Severity.ERROR,
            f"The Private Link Service of Service {service.key} stays as it is: {why}."
            if change
            else f"Service {service.key} gets no Private Link Service of its own: {why}.",
            service=service.key,
            frontend_id=frontend_id,
            pls_id=pls.id if pls else "",
        )
        return Tenant(service, claim, "refused", finding)

    if not claim.asks:
        return Tenant(service, claim, "none")
    if claim.ineligible:
        return refused(Reason.NOT_ELIGIBLE, claim.ineligible)
    if (pls is None or service is owner) and (mistake := _mistake(observed, claim)):
        return refused(Reason.INVALID_SETTINGS, mistake)
    if pls is not None and not pls_is_ours:
        return refused(Reason.FOREIGN_PLS, _foreign(frontend_id, pls))
    if service is owner:
        return Tenant(service, claim, "owner")
    if claim.has_settings:
        return refused(Reason.NOT_OWNER, _not_owner(observed.cluster.pls_prefix, frontend_id, pls, owner))
    return Tenant(service, claim, "shares")


def _foreign(frontend_id: str, pls: PrivateLinkService) -> str:
    tags = ", ".join(f"{printable(k)}={printable(v)}" for k, v in sorted(pls.tags.items())) or "none"
    return (
        f"frontend '{arm_ids.last_name(frontend_id)}' already has Private Link Service {pls.id}, which "
        f"this cluster does not manage (its tags: {tags}); a frontend can have only one. Remove it, or "
        "give the Service an address of its own"
    )


def _not_owner(prefix: str, frontend_id: str, pls: PrivateLinkService | None, owner: Service | None) -> str:
    holder = (owner_name(pls) if pls else "") or (owner.key if owner else "") or "nobody"
    what = f"Private Link Service {pls.id}" if pls else "the Private Link Service to be"
    return (
        f"it shares frontend '{arm_ids.last_name(frontend_id)}', whose settings belong to {holder} (owner "
        f"of {what}); take its own settings ({prefix}*) away to share, or hand it the ownership by the tag "
        f"{OWNER_TAG}"
    )
