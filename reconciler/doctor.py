"""What the doctor finds, as data: one diagnosis per thing looked at, each failure with what to run. Pure.

The looks themselves are in :mod:`reconciler.doctor_looks`.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from reconciler import arm_ids
from reconciler.lines import Line, shown
from reconciler.model import LoadBalancer, PrivateLinkService, Subnet
from reconciler.planning.guards import policy_command
from reconciler.planning.notices import MAX_PLS_PER_LOAD_BALANCER, NEARLY_FULL

State = Literal["ok", "warning", "failed", "skipped"]
SKEW_WARNS, SKEW_FAILS = 10.0, 120.0  # seconds; tokens are refused from five minutes on
AREAS = (
    "settings",
    "sign-in",
    "clock",
    "permissions",
    "clusters",
    "reading Azure",
    "network",
    "limits",
    "storage",
    "published events",
    "function app",
)
_KINDS = {"ok": "ok", "warning": "warning", "failed": "error", "skipped": "why"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at: ``area`` and ``subject`` say which, ``remedy`` what to run or change."""

    area: str
    subject: str
    state: State
    sentence: str
    remedy: str = ""


def diagnosis_json(diagnosis: Diagnosis) -> dict[str, str]:
    """A diagnosis as JSON values."""
    return {
        "area": diagnosis.area,
        "subject": diagnosis.subject,
        "state": diagnosis.state,
        "sentence": diagnosis.sentence,
        "remedy": diagnosis.remedy,
    }


def diagnoses_lines(diagnoses: Iterable[Diagnosis]) -> Iterator[Line]:
    """Diagnoses for people: by area, each remedy below its failure, a count at the end."""
    area, states = "", Counter[str]()
    for each in in_order(diagnoses):
        states[each.state] += 1
        if each.area != area:
            area = each.area
            yield Line((("title", area),))
        subject = f"{shown(each.subject)}: " if each.subject else ""
        kind = _KINDS[each.state]
        yield Line(((kind, f"  {each.state:7}  "), ("", f"{subject}{shown(each.sentence)}")))
        if each.remedy:
            yield Line((("why", f"           run or change: {shown(each.remedy)}"),))
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    yield Line((("title", told or "nothing was looked at"),))


def who(token: str) -> str:
    """Whom an access token is of, by its claims; the token itself is not told."""
    try:
        middle = token.split(".")[1]
        read = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        claims = read if isinstance(read, dict) else {}
        named = [f"{name} {claims[key]}" for key, name in _CLAIMS if isinstance(claims.get(key), str)]
    except (IndexError, ValueError, TypeError):
        named = []
    return shown(", ".join(named)) if named else "an identity that its token does not name"


_CLAIMS = (("upn", "user"), ("appid", "application"), ("oid", "object"), ("tid", "tenant"))


def skew(theirs: datetime, ours: datetime, what: str) -> Diagnosis:
    """Whether the clocks agree. Theirs is told in whole seconds."""
    seconds = (ours - theirs).total_seconds()
    state: State = "ok" if abs(seconds) < SKEW_WARNS else "warning" if abs(seconds) < SKEW_FAILS else "failed"
    way = "ahead of" if seconds > 0 else "behind"
    sentence = (
        f"this machine's clock agrees with {what}'s"
        if state == "ok"
        else f"this machine's clock is {abs(seconds):.0f} s {way} {what}'s"
    )
    return Diagnosis(
        "clock",
        what,
        state,
        sentence,
        "" if state == "ok" else "set the clock, as by: timedatectl set-ntp true",
    )


def subnet(cluster: str, seen: Subnet, report_only: bool) -> Iterator[Diagnosis]:
    """A NAT subnet's network policy, and its free addresses."""
    subject, area = f"{cluster}: subnet {seen.name}", "network"
    free = "free addresses not told" if seen.free is None else f"{seen.free} addresses free"
    if seen.policy.lower() == "disabled":
        yield Diagnosis(area, subject, "ok", f"takes Private Link Services, {free}")
    elif report_only:
        sentence = f"its network policies keep Private Link Services out (SUBNET_POLICY=report leaves that to you), {free}"
        yield Diagnosis(area, subject, "failed", sentence, policy_command(seen.id))
    else:
        sentence = f"its network policies keep Private Link Services out; the first one disables them, {free}"
        yield Diagnosis(area, subject, "ok", sentence)
    if seen.free is not None and seen.free < NEARLY_FULL:
        yield Diagnosis(
            area,
            subject,
            "warning",
            f"only {free}: each Private Link Service needs one per NAT IP",
            "use another subnet (azure-pls-ip-configuration-subnet), or enlarge it",
        )


def limits(
    cluster: str, balancers: Iterable[LoadBalancer], links: Iterable[PrivateLinkService]
) -> Iterator[Diagnosis]:
    """How many Private Link Services stand on each load balancer, and its SKU."""
    counts = Counter(
        arm_ids.key(arm_ids.load_balancer_of(link.frontend_id)) for link in links if link.frontend_id
    )
    most = MAX_PLS_PER_LOAD_BALANCER
    for balancer in balancers:
        subject, count = f"{cluster}: load balancer {balancer.name}", counts[arm_ids.key(balancer.id)]
        if balancer.sku.lower() == "basic":
            yield Diagnosis(
                "limits",
                subject,
                "failed",
                "its SKU is Basic, and Private Link needs Standard",
                "make the cluster's load balancer Standard: az aks create --load-balancer-sku standard",
            )
        elif count >= most:
            yield Diagnosis(
                "limits",
                subject,
                "warning",
                f"{count} Private Link Services; Azure documents a limit of {most} per load balancer",
                "use several load balancers (az aks loadbalancer add), or share frontends",
            )
        else:
            yield Diagnosis("limits", subject, "ok", f"{count} of {most} Private Link Services")


def in_order(diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
    """By area, as a person goes about it."""
    return sorted(diagnoses, key=lambda each: AREAS.index(each.area))


def report(diagnoses: Iterable[Diagnosis]) -> list[dict[str, Any]]:
    """Diagnoses as JSON values."""
    return [diagnosis_json(each) for each in in_order(diagnoses)]
