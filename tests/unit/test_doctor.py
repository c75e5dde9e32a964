"""The doctor's judgements: rights, clocks, subnets, limits; and that nothing it is told can hide the rest."""

from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler import doctor
from reconciler.doctor import Diagnosis, diagnoses_lines, in_order
from reconciler.doctor_permissions import READ, SUBNET_POLICY_WRITE, WRITE, Grant, missing, needs, remedy
from reconciler.doctor_rounds import Look, examine
from reconciler.errors import Denied, RetryLater
from reconciler.model import ApiAccess
from tests.builders import CONFIG, NOW, configured, frontend, load_balancers, pls, service, subnet, text_of

LINKS = "Microsoft.Network/privateLinkServices"
ROLES = Path(__file__).parents[2] / "infra" / "roles.json"


# -- rights


@pytest.mark.parametrize(
    ("grants", "lacks"),
    [
        ([Grant(("*",))], False),
        ([Grant(("Microsoft.Network/*",))], False),
        ([Grant(("microsoft.network/privatelinkservices/WRITE",))], False),
        ([Grant((f"{LINKS}/*",), (f"{LINKS}/write",))], True),
        ([Grant((f"{LINKS}/*",), (f"{LINKS}/write",)), Grant((f"{LINKS}/write",))], False),
        ([Grant(("*/read",))], True),
        ([Grant((f"{LINKS}/write/action",))], True),
        ([Grant(("Microsoft.Network.privateLinkServices/write",))], True),
        ([], True),
    ],
)
def test_what_roles_give(grants: list[Grant], lacks: bool) -> None:
    """Patterns with stars, in any case; one role's exceptions take nothing from another role."""
    assert bool(missing(grants, [f"{LINKS}/write"])) == lacks


def test_each_action_that_is_needed_is_one_of_the_roles() -> None:
    """What the Bicep files give and what the doctor asks for are the same list, but for what only some subnets need."""
    roles = json.loads(ROLES.read_text())
    given = {
        action
        for role in roles.values()
        for kind, actions in role.items()
        if kind in ("read", "write", "subnetPolicy")
        for action in actions
    }
    asked = {action for table in (READ, WRITE) for actions in table.values() for action in actions}
    asked |= set(SUBNET_POLICY_WRITE)
    assert asked <= given
    sometimes = {*roles["subnetAttachments"]["subnetPolicy"], "Microsoft.Network/virtualNetworks/read"}
    assert given - asked == sometimes


def test_mode_plan_needs_reads_only() -> None:
    """And a subnet is written only where the policy says so."""
    reads = {action for need in needs(configured(mode="plan"), "disable") for action in need.actions}
    assert reads == {action for place in ("links", "balancers", "subnet") for action in READ[place]}
    wanted = {action for need in needs(CONFIG, "report") for action in need.actions}
    assert f"{LINKS}/delete" in wanted
    assert not set(SUBNET_POLICY_WRITE) & wanted
    aks = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"
    assert aks in {need.scope for need in needs(configured(access=ApiAccess(aks=aks)), "disable")}


def test_the_role_that_is_advised_fits_the_place() -> None:
    """Of networks, or of an AKS cluster."""
    group = "/subscriptions/s/resourceGroups/g"
    assert "'Network Contributor'" in remedy(group)
    cluster = f"{group}/providers/Microsoft.ContainerService/managedClusters/c"
    assert "'Azure Kubernetes Service Cluster User Role'" in remedy(cluster)
    assert remedy(cluster).endswith(f"--scope {cluster}")


# -- clocks, tokens


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0, "ok"), (9, "ok"), (-9, "ok"), (60, "warning"), (-60, "warning"), (300, "failed")],
)
def test_clocks(seconds: int, state: str) -> None:
    """Ahead or behind."""
    told = doctor.skew(NOW, NOW + timedelta(seconds=seconds), "Azure")
    assert told.state == state
    if state != "ok":
        assert ("ahead of" if seconds > 0 else "behind") in told.sentence
        assert told.remedy


def test_whom_a_token_is_of_is_told_and_the_token_is_not() -> None:
    """The report goes into tickets."""
    claims = (
        base64.urlsafe_b64encode(json.dumps({"appid": "a1", "oid": "o\x1b[1m"}).encode()).decode().strip("=")
    )
    told = doctor.who(f"head.{claims}.signature")
    assert told.startswith("'application a1, object o\\x1b")
    assert claims not in told
    for odd in ("", "x", "a.b.c", "a.W10.c"):
        assert doctor.who(odd) == "an identity that its token does not name"


# -- subnets, limits


@pytest.mark.parametrize(
    ("policy", "free", "report_only", "states"),
    [
        ("Disabled", 200, False, ["ok"]),
        ("Disabled", None, False, ["ok"]),
        ("Disabled", 3, False, ["ok", "warning"]),
        ("Enabled", 200, False, ["ok"]),
        ("Enabled", 200, True, ["failed"]),
        ("Enabled", 0, True, ["failed", "warning"]),
    ],
)
def test_subnets(policy: str, free: int | None, report_only: bool, states: list[str]) -> None:
    """The policy is in the way only where nobody is allowed to change it."""
    told = list(doctor.subnet("prod", subnet("pls-subnet", policy, free=free), report_only))
    assert [each.state for each in told] == states
    assert all(each.remedy for each in told if each.state != "ok")
    if report_only:
        assert told[0].remedy.startswith("az network vnet subnet update")


def test_limits() -> None:
    """Eight on a load balancer, and none on a Basic one."""
    services = [service(f"s{i}") for i in range(8)]
    fronts = [frontend(each) for each in services]
    links = [pls(front, each) for front, each in zip(fronts, services, strict=True)]
    (full,) = doctor.limits("prod", load_balancers(fronts), links)
    assert (full.state, full.sentence[:1]) == ("warning", "8")
    (room,) = doctor.limits("prod", load_balancers(fronts), links[:7])
    assert (room.state, room.sentence) == ("ok", "7 of 8 Private Link Services")


# -- the rounds


def test_each_look_ends_in_diagnoses_whatever_happens() -> None:
    """What a look found before it failed is kept; a missing right and a broken line have other remedies."""
    fine = Diagnosis("clusters", "a", "ok", "well")

    def half() -> list[Diagnosis]:
        raise Denied("403")

    def broken() -> list[Diagnosis]:
        raise RetryLater("cut")

    def odd() -> list[Diagnosis]:
        raise KeyError("nobody thought of this")

    looks = [
        Look("clusters", "a", lambda: [fine]),
        Look("clusters", "b", half, "grant it"),
        Look("clusters", "c", broken, "grant it", "look at the line"),
        Look("clusters", "d", odd, "grant it", "look at the line"),
    ]
    steps: list[None] = []
    found = examine(looks, 10, lambda: steps.append(None))
    assert [(each.subject, each.state, each.remedy) for each in found] == [
        ("a", "ok", ""),
        ("b", "failed", "grant it"),
        ("c", "failed", "look at the line"),
        ("d", "failed", "look at the line"),
    ]
    assert len(steps) == 4


def test_a_look_that_hangs_is_a_failure_and_ends_nothing() -> None:
    """The others are told."""
    never = threading.Event()
    looks = [
        Look("clusters", "slow", lambda: [] * never.wait(60)),
        Look("clusters", "quick", lambda: [Diagnosis("clusters", "quick", "ok", "well")]),
    ]
    found = examine(looks, 0.5)
    never.set()
    assert [(each.subject, each.state) for each in found] == [("slow", "failed"), ("quick", "ok")]
    assert "no answer within 0.5 s" in found[0].sentence


def test_the_report_goes_by_area_and_cannot_be_forged() -> None:
    """Words of others are on one line, without control characters; each failure has what to run below it."""
    told = [
        Diagnosis("storage", "tables", "ok", "readable"),
        Diagnosis("sign-in", "Azure", "failed", "no\x1b[32m\ntoken", "az login"),
    ]
    lines = text_of(diagnoses_lines(told)).split("\n")
    assert lines == [
        "sign-in",
        "  failed   Azure: 'no\\x1b[32m\\ntoken'",
        "           run or change: az login",
        "storage",
        "  ok       tables: readable",
        "1 failed, 1 ok",
    ]
    assert [each.area for each in in_order(told)] == ["sign-in", "storage"]
