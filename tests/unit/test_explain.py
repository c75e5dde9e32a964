"""Why a Service has its Private Link Service, or none: the check that decides, and the last word."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.annotations import LB_INTERNAL
from reconciler.explain import Explanation, explain, explanation_json
from reconciler.model import Absent, Limits, Observed, Proof, Reservation, Service, Sharing, Unknown
from reconciler.planning import plan
from reconciler.telling import tellings
from tests.builders import (
    EXTERNAL,
    LIMITS,
    NOW,
    configured,
    frontend,
    load_balancers,
    needed_proofs,
    observe,
    pls,
    pls_id,
    row,
    service,
    subnet,
    subnet_id,
    subnets,
)

WEB = service(settings={"name": "mine"})
ON = frontend(WEB)
LINK = pls(ON, WEB, "mine")
SINCE = NOW - timedelta(seconds=20)


def explained(seen: Observed, key: str = "shop/web", limits: Limits = LIMITS, **rest: object) -> Explanation:
    """By the plan of the same look."""
    return explain(seen, plan(seen, limits), key, **rest)  # type: ignore[arg-type]


def last(explanation: Explanation) -> tuple[str, str]:
    """The check that decided: the first no, else the first that waits."""
    for outcome in ("no", "waits"):
        for check in explanation.checks:
            if check.outcome == outcome:
                return check.name, outcome
    return "", "yes"


def failed_before(**rest: object) -> Observed:
    """A look after the write of the PLS was tried, and failed or not."""
    put = plan(observe(WEB), LIMITS).writes[0]
    written = {"written_hash": put.content_hash, "written_at": SINCE, "written_count": 3}  # type: ignore[union-attr]
    return observe(WEB, ownership=(row(pls_id("mine"), WEB, ON.id, **{**written, **rest}),))


CASES: dict[str, tuple[Observed, str, str, str]] = {
    # what is the matter: the look, the check that decides, what its value says, what the Service is told
    "services unread": (observe(WEB, services=Unknown("403")), "cluster", "403", ""),
    "no such Service": (observe(), "Service", "none of this name", ""),
    "not a load balancer": (
        observe(replace(WEB, load_balancer_class="x/y")),
        "load balancer",
        "loadBalancerClass x/y",
        "",
    ),
    "being deleted": (observe(replace(WEB, deleting=True)), "load balancer", "being deleted", ""),
    "does not ask": (observe(service(asks=False)), "asks", "azure-pls-create is not set", ""),
    "asks with another word": (
        observe(service(settings={"create": "yes"})),
        "asks",
        "azure-pls-create is 'yes', and only true asks",
        "",
    ),
    "asks by a misspelt annotation": (
        observe(service(asks=False, settings={"creat": "true"})),
        "asks",
        "azure-pls-creat has no effect",
        "",
    ),
    "public": (
        observe(service(annotations={LB_INTERNAL: "yes"})),
        "eligible",
        "it must be internal",
        "RefusedNotEligible",
    ),
    "a typo": (
        observe(service(settings={"ip-configuration-ip-address-count": "many"})),
        "settings",
        "'many'",
        "RefusedInvalidSettings",
    ),
    "no frontend": (observe(WEB, frontends=[]), "frontend", "none of the load balancers", "NoFrontend"),
    "somebody else's PLS": (
        observe(WEB, links=[pls(ON, WEB, tags={"k8s-azure-cluster-name": "other"})]),
        "part",
        "ForeignPrivateLinkService",
        "RefusedForeignPrivateLinkService",
    ),
    "settings beside the owner's": (
        observe(WEB, service("other", settings={"fqdns": "x"}), frontends=[frontend(service("other"), WEB)]),
        "part",
        "NotOwner",
        "RefusedNotOwner",
    ),
    "no subnet": (
        observe(WEB, subnets={subnet_id("default").lower(): Absent.NOT_FOUND}),
        "part",
        "'default' does not exist",
        "RefusedInvalidSettings",
    ),
    "subnet unread": (
        observe(WEB, subnets={subnet_id("default").lower(): Unknown("429")}),
        "NAT subnet",
        "could not be read (429)",
        "UnknownView",
    ),
    "name reserved": (
        observe(
            WEB, reservations={pls_id("mine").lower(): Reservation(pls_id("mine"), "other", "uid", "f/g")}
        ),
        "name and group",
        "reserved for frontend",
        "RefusedNameTaken",
    ),
    "renamed": (
        observe(WEB, links=[pls(ON, WEB, "before")]),
        "name and group",
        "cannot be renamed",
        "RefusedCannotRename",
    ),
    "a basic load balancer": (
        observe(WEB, load_balancers=tuple(replace(lb, sku="Basic") for lb in load_balancers([ON]))),
        "fits",
        "SKU Basic",
        "RefusedNotEligible",
    ),
    "the subnet's policy": (
        observe(WEB, subnets=subnets(subnet("default", "Enabled"))),
        "subnet's policy",
        "az network vnet subnet update",
        "RefusedSubnetPolicyNotDisabled",
    ),
    "Azure refuses": (
        failed_before(attempts=1, last_error="the address is taken"),
        "Azure's answer",
        "the address is taken",
        "RefusedRejected",
    ),
}
WAITS: dict[str, tuple[Observed, str, str]] = {
    "load balancer busy": (
        observe(WEB, load_balancers=load_balancers([ON], "Updating")),
        "under way",
        "is Updating",
    ),
    "the in-tree controller's turn": (
        observe(WEB, cluster=configured(in_tree="active")),
        "in-tree controller",
        "left to the in-tree controller until",
    ),
    "written a moment ago": (failed_before(), "back-off", "is written again after"),
}
REPORT = Limits(subnet_policy="report")


@pytest.mark.parametrize(("seen", "check", "value", "reason"), CASES.values(), ids=CASES)
def test_the_check_that_decides_is_the_last(seen: Observed, check: str, value: str, reason: str) -> None:
    """And says what it saw; whatever comes after it was not asked."""
    explanation = explained(seen, limits=REPORT)
    assert last(explanation) == (check, "no")
    decisive = next(c for c in explanation.checks if c.outcome == "no")
    assert value in decisive.value
    assert explanation.checks[-1] is decisive
    assert (explanation.telling.reason if explanation.telling else "") == reason
    assert not explanation.ready


@pytest.mark.parametrize(("seen", "check", "value"), WAITS.values(), ids=WAITS)
def test_what_is_waited_for_is_told_among_the_rest(seen: Observed, check: str, value: str) -> None:
    """It goes on by itself; the checks after it are of interest still."""
    explanation = explained(seen)
    assert last(explanation) == (check, "waits")
    assert value in next(c.value for c in explanation.checks if c.name == check)
    assert explanation.checks[-1].name == "warnings"


def test_one_that_is_ready_passes_every_check() -> None:
    """With its alias in the last word."""
    explanation = explained(observe(WEB, links=[LINK], ownership=(row(LINK, WEB),)))
    assert {check.outcome for check in explanation.checks} == {"yes", "tells"}
    assert explanation.ready
    assert LINK.alias in explanation.verdict


@pytest.mark.parametrize(
    "seen", [*(case[0] for case in CASES.values()), *(case[0] for case in WAITS.values())]
)
def test_the_last_word_is_the_tellings(seen: Observed) -> None:
    """Condition, dashboard and explain say the same; so they do about a Service that is told nothing."""
    result = plan(seen, REPORT)
    told = () if result.unread else tellings(result.ownership, result.sharing, result.findings)
    mine = next((t for t in told if t.service == "shop/web"), None)
    verdict = explained(seen, limits=REPORT).verdict
    assert verdict == (f"{mine.reason}: {mine.message}" if mine else verdict)
    assert mine or verdict.startswith("It is told nothing (")


def test_one_that_shares_names_the_owner() -> None:
    """And is as ready as the PLS is."""
    guest = service("guest")
    seen = observe(WEB, guest, frontends=[frontend(WEB, guest)], links=[LINK])
    explanation = explained(seen, "shop/guest")
    assert next(c.value for c in explanation.checks if c.name == "part") == "shares with shop/web"
    assert explanation.ready


def test_the_ledgers_owner_is_owner_again() -> None:
    """The PLS was deleted by hand: whoever had it before the older one gets it."""
    older = service("older", age_days=99)
    seen = observe(WEB, older, frontends=[frontend(WEB, older)], ownership=(row(pls_id("mine"), WEB, ON.id),))
    assert ("part", "owner") in [(c.name, c.value) for c in explained(seen).checks]


def test_what_is_found_about_a_neighbour_is_not_told() -> None:
    """It has an explanation of its own."""
    neighbour = service("neighbour", settings={"fqdns": "x"})
    seen = observe(WEB, neighbour, frontends=[frontend(WEB, neighbour)], links=[LINK])
    assert last(explained(seen, "shop/neighbour")) == ("part", "no")
    assert "neighbour gets no" not in " ".join(check.value for check in explained(seen).checks)
    warned = service("x", external_traffic_policy="Local", settings={"proxy-protocol": "true"})
    assert ("warnings", "none") in [(c.name, c.value) for c in explained(observe(WEB, warned)).checks]


def test_a_refusal_on_one_frontend_hides_nothing_on_the_other() -> None:
    """While a Service moves between load balancers it stands on both."""
    second = frontend(WEB, lb="second")
    seen = observe(WEB, frontends=[ON, second], links=[pls(ON, WEB, tags={"k8s-azure-cluster-name": "x"})])
    names = [check.name for check in explained(seen).checks]
    assert names.count("frontend") == 2
    assert names[-1] != "part"


def test_what_will_be_written_is_told_and_whether_it_will() -> None:
    """Mode plan and a pause write nothing: nothing is on its way then."""
    told = explained(observe(WEB))
    assert [c.value for c in told.checks if c.name == "is written"] == ["mode sync"]
    assert told.telling is not None
    for idle in (
        explained(observe(WEB, cluster=configured(mode="plan"))),
        explained(observe(WEB), paused=True),
    ):
        assert last(idle) == ("is written", "no")
        assert idle.telling is None


def test_one_that_is_gone_leaves_what_is_done_with_its_pls() -> None:
    """The Service was deleted; its PLS goes."""
    seen = observe(frontends=[ON], links=[LINK], ownership=(row(LINK, WEB),))
    seen = replace(seen, proofs=dict.fromkeys(needed_proofs(seen), Proof.GONE))
    explanation = explained(seen)
    assert explanation.found
    assert [c.value for c in explanation.checks if c.name == "plan"] == [
        "delete Private Link Service mine of shop/web: every Service that used it is gone"
    ]


def test_a_service_of_another_type_is_told_by_its_type() -> None:
    """It is not among those listed: it was read by its name."""
    other: Service = replace(WEB, type="ClusterIP")
    explanation = explained(observe(), other=other)
    assert last(explanation) == ("load balancer", "no")
    assert "type ClusterIP" in explanation.verdict


def test_an_unknown_view_of_public_addresses_is_why_there_is_no_frontend() -> None:
    """The finding is the cluster's, not the Service's."""
    public = service(internal=False)
    fronts = [frontend(service("other"), lb=EXTERNAL)]
    explanation = explained(observe(public, frontends=fronts, public_ips=Unknown("403")))
    assert "could not be listed (403)" in next(c.value for c in explanation.checks if c.name == "frontend")


def test_json_has_every_check() -> None:
    """Pipelines read it."""
    shape = explanation_json(explained(observe(WEB, links=[LINK], sharing=(sharing(),))))
    json.dumps(shape)
    assert (shape["ready"], shape["alias"], shape["reason"]) == (True, LINK.alias, "Provisioned")
    assert shape["checks"][0] == {
        "check": "cluster",
        "value": "read: 1 Services of type LoadBalancer, 1 load balancers, 1 Private Link Services",
        "outcome": "yes",
    }


def sharing() -> Sharing:
    """The owner's row."""
    return Sharing("prod", LINK.id, ON.id, WEB.ref, "owner")


def test_no_finding_about_a_service_is_left_out() -> None:
    """Also one whose reason is told by no check of its own, as any that will be added."""
    other = service("other", external_traffic_policy="Local", settings={"proxy-protocol": "true"})
    seen = observe(other)
    told = [check.value for check in explained(seen, "shop/other").checks]
    said = [f.sentence for f in plan(seen, LIMITS).findings]
    assert said
    assert set(said) <= set(told)
