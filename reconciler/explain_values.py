"""The checks of :mod:`reconciler.explain` one by one: what each is called, and its value in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler import lines
from reconciler.annotations import CREATE, asks, is_internal
from reconciler.claims import Claim, Wish, shown, unread
from reconciler.model import Absent, PrivateLinkService, Service, Subnet, Unknown
from reconciler.plan import Finding, Reason, Severity
from reconciler.planning.acquaintance import owner_name
from reconciler.planning.verdicts import Tenant, Verdicts

# no: nothing further is looked at; waits: it goes on by itself; tells: for information.
Outcome = Literal["yes", "no", "waits", "tells"]
# What may stand between a verdict and a write: the findings that say so, and what to say where there are none.
_HURDLES: tuple[tuple[str, str, frozenset[Reason]], ...] = (
    ("can be read", "all that it needs", frozenset({Reason.UNKNOWN_VIEW})),
    (
        "name and group",
        "free, or its own",
        frozenset(
            {Reason.NAME_TAKEN, Reason.CANNOT_RENAME, Reason.CANNOT_MOVE_GROUP, Reason.INVALID_SETTINGS}
        ),
    ),
    ("fits", "a Private Link Service can stand there", frozenset({Reason.NOT_ELIGIBLE})),
    ("owner", "is on the frontend", frozenset({Reason.OWNER_MISSING, Reason.KEPT})),
    ("under way", "nothing", frozenset({Reason.WAITING, Reason.STUCK})),
    ("in-tree controller", "not its turn", frozenset({Reason.SETTLING})),
    ("subnet's policy", "is no obstacle", frozenset({Reason.SUBNET_NOT_READY})),
    (
        "Azure's answer",
        "nothing was refused",
        frozenset({Reason.REJECTED, Reason.MOVE_NOT_POSSIBLE, Reason.FAILED}),
    ),
    ("back-off", "none", frozenset({Reason.BACK_OFF})),
    ("other writers", "none", frozenset({Reason.DRIFT_FIGHT})),
    ("brake", "holds nothing of it back", frozenset({Reason.BRAKE, Reason.MODE})),
)
# Those are told by checks of their own, before the hurdles.
_TOLD = frozenset({Reason.FOREIGN_PLS, Reason.NOT_OWNER, Reason.NO_FRONTEND})
_OTHERS = frozenset(Reason) - _TOLD - frozenset(reason for _, _, reasons in _HURDLES for reason in reasons)
HURDLES = (*_HURDLES, ("warnings", "none", _OTHERS))
_PASSING = frozenset({Reason.WAITING, Reason.STUCK, Reason.SETTLING, Reason.BACK_OFF, Reason.NO_FRONTEND})


@dataclass(frozen=True, slots=True)
class Check:
    """One check: about what, the value that was found, and how it came out."""

    name: str
    value: str
    outcome: Outcome


def passed(name: str, value: str, holds: bool) -> Check:
    """A check that lets the Service on, or does not."""
    return Check(name, value, "yes" if holds else "no")


def hurdle(name: str, finding: Finding) -> Check:
    """What a finding means for the Service."""
    if finding.reason in _PASSING:
        return Check(name, finding.sentence, "waits")
    return Check(name, finding.sentence, "no" if finding.severity is Severity.ERROR else "tells")


def there(service: Service | None, unseen: str = "") -> Check:
    """Whether there is such a Service; ``unseen`` tells why nobody knows."""
    if service is None and unseen:
        return passed(
            "Service", f"not of type LoadBalancer, and could not be read by its name ({unseen})", False
        )
    if service is None:
        return passed("Service", "there is none of this name", False)
    return passed("Service", f"UID {service.uid}, created {service.created:%Y-%m-%d %H:%M:%S} UTC", True)


def wishes(service: Service) -> Check:
    """Whether a load balancer of the in-tree class is wished for."""
    of = f", loadBalancerClass {service.load_balancer_class}" if service.load_balancer_class else ""
    return passed(
        "load balancer",
        f"type {service.type}{of}{', being deleted' if service.deleting else ''}",
        service.live,
    )


def asking(service: Service, prefix: str) -> Check:
    """Whether it asks for a Private Link Service."""
    asked, holds = service.annotations.get(prefix + CREATE), asks(service, prefix)
    value = "is not set" if asked is None else f"is {shown(asked)}{'' if holds else ', and only true asks'}"
    others = () if holds else unread(service, prefix)
    return passed("asks", "; ".join((f"{prefix}{CREATE} {value}", *others)), holds)


def eligible(service: Service, claim: Claim) -> Check:
    """Whether it may have one."""
    how = "internal" if is_internal(service) else "public, floating IP disabled"
    return passed("eligible", claim.ineligible or how, not claim.ineligible)


def settings(claim: Claim) -> Check:
    """The settings as they were read, or what is wrong with them."""
    wish = claim.wish
    if not isinstance(wish, Wish):
        return passed("settings", str(wish), False)
    told = {
        "name": wish.name,
        "resource group": wish.resource_group,
        "subnet": wish.subnet,
        "NAT IPs": f"{wish.ip_count}{' (' + ', '.join(wish.static_ips) + ')' if wish.static_ips else ''}",
        "fqdns": " ".join(wish.fqdns),
        "visibility": " ".join(wish.visibility),
        "auto-approval": " ".join(wish.auto_approval),
        "PROXY protocol": "on" if wish.proxy_protocol else "",
    }
    own = "its own" if claim.has_settings else "none of its own"
    said = ", ".join(f"{name} {lines.shown(value)}" for name, value in told.items() if value)
    return passed("settings", f"{own}: {said}", True)


def link(pls: PrivateLinkService | None, ours: bool) -> Check:
    """The Private Link Service on a frontend."""
    if pls is None:
        return Check("PLS on it", "none", "tells")
    whose, owner = "ours" if ours else "not ours", owner_name(pls) or "nobody"
    return Check("PLS on it", f"{pls.id} ({whose}, {pls.provisioning_state}, owner {owner})", "tells")


def part(tenant: Tenant, verdicts: Verdicts, pls: PrivateLinkService | None) -> Check:
    """The verdict of table S."""
    if tenant.refusal:
        return passed("part", f"refused ({tenant.refusal.reason}): {tenant.refusal.sentence}", False)
    if tenant.role == "owner":
        return passed("part", "owner", True)
    elect = verdicts.owner.service.key if verdicts.owner else ""
    return passed("part", f"shares with {(owner_name(pls) if pls else '') or elect or 'nobody'}", True)


def nat_subnet(seen: Subnet | Absent | Unknown, wish: Wish) -> Check:
    """The NAT subnet of a claim."""
    match seen:
        case Subnet():
            free = "" if seen.free is None else f", {seen.free} addresses free"
            return passed("NAT subnet", f"{seen.name}, policy {seen.policy or 'not told'}{free}", True)
        case Unknown():
            return passed("NAT subnet", f"{wish.subnet} could not be read ({seen.reason})", False)
    return passed("NAT subnet", f"{wish.subnet} is not there", False)
