"""Annotations → claims and refusals: the user's contract (names, defaults, limits).

Everything means what it means to cloud-provider-azure (``pkg/provider/azure_privatelinkservice.go``, August 2026),
and is read as :mod:`reconciler.annotations` says. What it or ARM would reject becomes a refusal of that Service
alone, before any write.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from reconciler.annotations import (
    AUTO_APPROVAL,
    FQDNS,
    IP_ADDRESS,
    IP_COUNT,
    LB_DISABLE_FLOATING_IP,
    LB_INTERNAL,
    LB_INTERNAL_SUBNET,
    NAME,
    PLS_ANNOTATIONS,
    PROXY_PROTOCOL,
    RESOURCE_GROUP,
    SETTINGS,
    SUBNET,
    VISIBILITY,
    WRITTEN_BACK,
    asks,
    entries,
    is_internal,
    is_true,
    trim,
)
from reconciler.model import Service, ServiceRef

MAX_NAT_IPS = 8
MAX_SUBSCRIPTIONS = 100  # Private Link limits, azure-docs includes/private-link-limits.md
MAX_UNREAD = 5  # annotations that nobody reads are named of one Service
EVERYONE = "*"

_NAME = re.compile(r"[a-zA-Z\d]|[a-zA-Z\d][a-zA-Z\d\-_.]{0,78}[a-zA-Z\d_]")
_GROUP = re.compile(r"[-\w._()]{0,89}[-\w_()]")
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """The PLS settings a Service wishes for, defaults filled in.

    ``name`` and ``resource_group`` are None where the Service leaves them to us.
    """

    name: str | None
    resource_group: str | None
    subnet: str
    ip_count: int = 1
    static_ips: tuple[str, ...] = ()
    fqdns: tuple[str, ...] = ()
    proxy_protocol: bool = False
    visibility: tuple[str, ...] = ()
    auto_approval: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """Tells a changed claim from an unchanged one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Invalid:
    """Settings that the peer or ARM would reject; one sentence for each mistake."""

    mistakes: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.mistakes)


@dataclass(frozen=True, slots=True)
class Claim:
    """What one Service says about Private Link. ``ineligible`` is "" or why it may not have a PLS."""

    service: ServiceRef
    asks: bool
    has_settings: bool
    ineligible: str
    wish: Wish | Invalid
    warnings: tuple[str, ...] = ()


def read_claim(service: Service, prefix: str, default_subnet: str) -> Claim:
    """The claim of one Service. Never raises: what cannot be read is a refusal inside the claim."""
    values = {
        name: service.annotations[prefix + name]
        for name in PLS_ANNOTATIONS
        if prefix + name in service.annotations
    }
    wish = _wish(service, values, prefix, default_subnet)
    return Claim(
        service=service.ref,
        asks=asks(service, prefix),
        has_settings=any(name in values for name in SETTINGS),
        ineligible=_ineligible(service),
        wish=wish,
        warnings=_warnings(service, values, prefix, wish),
    )


def _ineligible(service: Service) -> str:
    if service.ip_families == ("IPv6",):
        return "a Private Link Service cannot serve IPv6, and the Service has IPv6 alone"
    # Compared without trimming, unlike the other booleans (expectAttributeInSvcAnnotationBeEqualTo).
    floating_off = service.annotations.get(LB_DISABLE_FLOATING_IP, "").lower() == "true"
    if is_internal(service) or floating_off:
        return ""
    return (
        f"it must be internal ({LB_INTERNAL}: 'true') or have its floating IP disabled "
        f"({LB_DISABLE_FLOATING_IP}: 'true')"
    )


def _wish(service: Service, values: Mapping[str, str], prefix: str, default_subnet: str) -> Wish | Invalid:
    mistakes: list[str] = []
    count = _ip_count(values.get(IP_COUNT), prefix, mistakes)
    statics = _static_ips(values.get(IP_ADDRESS, ""), prefix, mistakes)
    if count is not None and len(statics) > count:
        mistakes.append(
            f"{prefix}{IP_ADDRESS} lists {len(statics)} addresses but {prefix}{IP_COUNT} is {count} "
            f"(default 1): raise the count to at least {len(statics)}"
        )
    wish = Wish(
        name=_name(values.get(NAME), prefix, mistakes),
        resource_group=_resource_group(values.get(RESOURCE_GROUP), prefix, mistakes),
        subnet=_subnet(service, values, prefix, default_subnet, mistakes),
        ip_count=count or 1,
        static_ips=statics,
        fqdns=entries(values.get(FQDNS, "")),
        proxy_protocol=is_true(values.get(PROXY_PROTOCOL)),
        visibility=_visibility(values.get(VISIBILITY, ""), prefix, mistakes),
        auto_approval=_subscriptions(AUTO_APPROVAL, values.get(AUTO_APPROVAL, ""), prefix, mistakes),
    )
    return Invalid(tuple(mistakes)) if mistakes else wish


def shown(value: str) -> str:
    """A user's value for a message: quoted, control characters escaped, cut to a readable length."""
    text = value if len(value) <= 80 else value[:77] + "..."
    return ascii(text) if not text.isprintable() else repr(text)


def printable(words: str) -> str:
    """What others wrote, for a message: as it is, or as ``shown`` where a terminal would act on it."""
    return words if words.isprintable() else shown(words)


def _name(value: str | None, prefix: str, mistakes: list[str]) -> str | None:
    if value is None:
        return None
    name = trim(value)
    if not _NAME.fullmatch(name) or not name.isascii():
        mistakes.append(
            f"{prefix}{NAME} is {shown(value)}, which is no name of a Private Link Service: 1 to 80 "
            "letters, digits, '-', '_' and '.', beginning with a letter or digit and ending with a "
            "letter, digit or '_' (leave the annotation out for the default name)"
        )
    return name


def _resource_group(value: str | None, prefix: str, mistakes: list[str]) -> str | None:
    group = trim(value or "")
    if not group:
        return None
    if not _GROUP.fullmatch(group):
        mistakes.append(
            f"{prefix}{RESOURCE_GROUP} is {shown(value or '')}, which is no name of a resource group"
        )
    return group


def _subnet(
    service: Service,
    values: Mapping[str, str],
    prefix: str,
    default_subnet: str,
    mistakes: list[str],
) -> str:
    """``getPLSSubnetName``: looked at trimmed, used untrimmed."""
    choices = [(prefix + SUBNET, values.get(SUBNET, ""))]
    if is_internal(service):
        choices.append((LB_INTERNAL_SUBNET, service.annotations.get(LB_INTERNAL_SUBNET, "")))
    where, name = next(((k, v) for k, v in choices if trim(v)), ("", default_subnet))
    if where and "/" in name:
        mistakes.append(
            f"{where} is {shown(name)}: write the subnet's name, not its resource id; it is looked "
            "for in the cluster's virtual network"
        )
    elif where and not (_NAME.fullmatch(name) and name.isascii()):
        mistakes.append(f"{where} is {shown(name)}, which is no name of a subnet (blanks around it count)")
    return name


def _ip_count(value: str | None, prefix: str, mistakes: list[str]) -> int | None:
    if value is None:
        return 1
    text = trim(value)
    # Longer digits than these exceed any limit, and int() of very long ones raises.
    count = int(text) if _INTEGER.fullmatch(text) and len(text) < 12 else None
    if count is None or not 1 <= count <= MAX_NAT_IPS:
        mistakes.append(f"{prefix}{IP_COUNT} is {shown(value)}: it must be a number from 1 to {MAX_NAT_IPS}")
        return None
    return count


def _static_ips(value: str, prefix: str, mistakes: list[str]) -> tuple[str, ...]:
    addresses = tuple(dict.fromkeys(entries(value)))
    wrong = [address for address in addresses if not _is_ipv4(address)]
    if wrong:
        mistakes.append(
            f"{prefix}{IP_ADDRESS} has {', '.join(shown(w) for w in wrong[:3])}: each entry must be an "
            "IPv4 address, entries separated by single spaces"
        )
    return addresses


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _visibility(value: str, prefix: str, mistakes: list[str]) -> tuple[str, ...]:
    """One star anywhere is everyone, whatever else is listed, and however much."""
    return (EVERYONE,) if EVERYONE in entries(value) else _subscriptions(VISIBILITY, value, prefix, mistakes)


def _subscriptions(name: str, value: str, prefix: str, mistakes: list[str]) -> tuple[str, ...]:
    listed = entries(value)
    if len(listed) > MAX_SUBSCRIPTIONS:
        mistakes.append(
            f"{prefix}{name} lists {len(listed)} subscriptions, and Private Link allows {MAX_SUBSCRIPTIONS}"
        )
    return listed


def _warnings(
    service: Service, values: Mapping[str, str], prefix: str, wish: Wish | Invalid
) -> tuple[str, ...]:
    """What is accepted but surprises."""
    if isinstance(wish, Invalid):
        return ()
    found = []
    if wish.proxy_protocol and service.external_traffic_policy == "Local":
        found.append(
            "proxy protocol with externalTrafficPolicy Local: the health probe then speaks PROXY too, "
            "kube-proxy's health check does not, and the probe fails; use policy Cluster"
        )
    if wish.auto_approval and wish.visibility != (EVERYONE,):
        found.append(
            f"{prefix}{AUTO_APPROVAL} without {prefix}{VISIBILITY}: '*': AKS's documentation says that "
            "automatic approval then has no effect"
        )
    if VISIBILITY in values and not wish.visibility:
        found.append(
            f"{prefix}{VISIBILITY} is empty: only callers with permissions on the Private Link Service "
            "see it; '*' shows it to everyone who has its alias"
        )
    return (*found, *unread(service, prefix))


def unread(service: Service, prefix: str) -> tuple[str, ...]:
    """A sentence for each annotation below the prefix that nobody reads, but for many: a misspelt one changes nothing."""
    names = (key.removeprefix(prefix) for key in sorted(service.annotations) if key.startswith(prefix))
    odd = [name for name in names if name not in (*PLS_ANNOTATIONS, *WRITTEN_BACK)]
    return tuple(_unread(prefix, name) for name in odd[:MAX_UNREAD])


def _unread(prefix: str, name: str) -> str:
    near = difflib.get_close_matches(name.lower(), PLS_ANNOTATIONS, 1)
    meant = f" (perhaps {prefix}{near[0]} is meant)" if near else ""
    return f"{printable(prefix + name)} has no effect: there is no such annotation{meant}"
