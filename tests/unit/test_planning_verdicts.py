"""Table S: the verdict on every tenant of a frontend, row by row."""

from __future__ import annotations

import pytest

from reconciler.annotations import LB_DISABLE_FLOATING_IP
from reconciler.model import CLUSTER_TAG, OWNER_TAG, Absent
from reconciler.plan import Plan, Reason, Severity
from tests.builders import decide, found, frontend, network_id, pls, put_of, reasons, service, subnet_id

SETTINGS = {
    "name": "x",
    "ip-configuration-subnet": "default",
    "ip-configuration-ip-address-count": "1",
    "ip-configuration-ip-address": "",
    "fqdns": "",
    "proxy-protocol": "false",
    "visibility": "",
    "auto-approval": "",
}


def roles(of: Plan) -> dict[str, str]:
    """The part of each tenant, as the sharing ledger will hold it."""
    return {s.service.name: s.role for s in of.sharing}


def test_s1_who_does_not_ask_is_told_nothing() -> None:
    """Settings without create are no claim, however wrong."""
    quiet = service("quiet", asks=False, settings={"ip-configuration-ip-address-count": "many"})
    web = service()
    result = decide(web, quiet, frontends=[frontend(web, quiet)])
    assert (result.findings, roles(result)) == ((), {"web": "owner", "quiet": "none"})


def test_s2_public_with_floating_ip_is_refused_with_both_ways_out() -> None:
    """The sentence names the two annotations that make it eligible."""
    web = service(internal=False, annotations={LB_DISABLE_FLOATING_IP: "false"})
    result = decide(web, frontends=[frontend(web, lb="kubernetes")])
    finding = found(result, Reason.NOT_ELIGIBLE)
    assert (result.writes, finding.service, finding.severity) == ((), "shop/web", Severity.ERROR)
    assert "azure-load-balancer-internal" in finding.sentence
    assert LB_DISABLE_FLOATING_IP in finding.sentence


def test_s2_is_judged_before_the_settings() -> None:
    """One refusal, of the first row that matches."""
    web = service(
        internal=False,
        annotations={LB_DISABLE_FLOATING_IP: "no"},
        settings={"ip-configuration-ip-address-count": "99"},
    )
    assert reasons(decide(web, frontends=[frontend(web, lb="kubernetes")])) == [Reason.NOT_ELIGIBLE]


def test_s3_invalid_settings_are_refused_where_there_is_no_pls() -> None:
    """The typo of one Service never stops its neighbour, which becomes the elect."""
    typo = service("typo", age_days=99, settings={"ip-configuration-ip-address-count": "9"})
    web = service()
    result = decide(typo, web, frontends=[frontend(typo, web)])
    assert put_of(result).service == "shop/web"
    assert "ip-address-count" in found(result, Reason.INVALID_SETTINGS).sentence


def test_s3_a_missing_subnet_is_refused_naming_where_it_was_looked_for() -> None:
    """Subnet, virtual network, group and annotation, so that a person can find the mistake and correct it."""
    web = service(settings={"ip-configuration-subnet": "nowhere"})
    result = decide(web, subnets={subnet_id("nowhere").lower(): Absent.NOT_FOUND})
    sentence = found(result, Reason.INVALID_SETTINGS).sentence
    assert result.writes == ()
    for word in ("shop/web", "nowhere", "aks-vnet", "MC_prod", "azure-pls-ip-configuration-subnet"):
        assert word in sentence


def test_s3_invalid_settings_of_the_owner_keep_the_pls() -> None:
    """Refused, and P11 changes nothing."""
    web = service(settings={"ip-configuration-ip-address": "10.0.0.1 10.0.0.2"})
    result = decide(web, links=[pls(frontend(web), web, fqdns=["old"])])
    assert result.writes == ()
    assert set(reasons(result)) == {Reason.INVALID_SETTINGS, Reason.KEPT}


def test_s3_does_not_judge_the_settings_of_a_sharer_twice() -> None:
    """A non-owner with invalid settings hears that they are not its to make."""
    owner = service("owner")
    web = service(settings={"ip-configuration-ip-address-count": "99"})
    on = frontend(owner, web)
    result = decide(owner, web, frontends=[on], links=[pls(on, owner)])
    assert reasons(result) == [Reason.NOT_OWNER]


@pytest.mark.parametrize(
    "tags",
    [{CLUSTER_TAG: None, OWNER_TAG: None, "team": "blue"}, {CLUSTER_TAG: "other", "team": "blue"}],
    ids=["no cluster tag", "another cluster"],
)
def test_s4_a_foreign_pls_on_the_frontend_refuses_naming_it_and_its_tags(tags: dict[str, str | None]) -> None:
    """Even the Service that its owner tag names."""
    web = service()
    there = pls(frontend(web), web, "theirs", tags=tags)
    result = decide(web, links=[there])
    finding = found(result, Reason.FOREIGN_PLS)
    assert (result.writes, finding.pls_id, finding.service) == ((), there.id, "shop/web")
    assert there.id in finding.sentence
    assert "team=blue" in finding.sentence


@pytest.mark.parametrize("evil", ["x\n  + create everything", "x\x1b[2Jy", "x\u202ey", "\ud800"])
@pytest.mark.parametrize("ours", [True, False])
def test_tags_cannot_forge_a_line_or_steer_a_terminal(evil: str, ours: bool) -> None:
    """Whoever may tag a PLS writes into sentences, logs and the tables otherwise."""
    web, wished = service(), service(settings={"name": "theirs"})
    tags = {OWNER_TAG: f"shop/{evil}", evil: evil}
    told: list[str] = []
    for on in (frontend(web), frontend(name="other")):
        there = pls(on, None, "theirs", tags=tags if ours else {CLUSTER_TAG: "another", **tags})
        for asks in (web, wished):
            findings = decide(asks, links=[there]).findings
            told += [text for f in findings for text in (f.sentence, f.service)]
    assert any("theirs" in text for text in told)
    assert all(text.isprintable() for text in told)


def test_s5_the_owner_tag_decides_whatever_its_case_and_blanks() -> None:
    """A hand-edited tag is forgiven what the eye does not see."""
    old, heir = service("old", age_days=99), service("heir", settings={"fqdns": "a"})
    on = frontend(old, heir)
    result = decide(old, heir, frontends=[on], links=[pls(on, " Shop/HEIR ")])
    assert roles(result) == {"old": "shares", "heir": "owner"}
    assert put_of(result).service == "shop/heir"


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_s6_each_setting_of_its_own_refuses_a_sharer_naming_the_owner(name: str) -> None:
    """Presence counts, even of an empty value."""
    owner, web = service("owner", age_days=99), service(settings={name: SETTINGS[name]})
    on = frontend(owner, web)
    finding = found(decide(owner, web, frontends=[on], links=[pls(on, owner)]), Reason.NOT_OWNER)
    assert finding.service == "shop/web"
    assert "shop/owner" in finding.sentence
    assert OWNER_TAG in finding.sentence


def test_s6_also_before_there_is_a_pls() -> None:
    """The younger claim with settings is refused while the elder's is created."""
    owner, web = service("owner", age_days=99), service(settings={"fqdns": "a"})
    result = decide(owner, web, frontends=[frontend(owner, web)])
    assert put_of(result).service == "shop/owner"
    assert "shop/owner" in found(result, Reason.NOT_OWNER).sentence


def test_s7_a_resource_group_is_no_setting_of_its_own() -> None:
    """It shares, as the peer lets it."""
    owner, web = service("owner"), service(settings={"resource-group": "elsewhere"})
    on = frontend(owner, web)
    result = decide(owner, web, frontends=[on], links=[pls(on, owner)])
    assert (result.writes, result.findings) == ((), ())
    assert roles(result) == {"owner": "owner", "web": "shares"}


def test_a_verdict_is_given_while_the_pls_is_in_transit() -> None:
    """Whatever the PLS's state: the refusal does not wait for it."""
    owner, web = service("owner"), service(settings={"fqdns": "a"})
    on = frontend(owner, web)
    result = decide(owner, web, frontends=[on], links=[pls(on, owner, provisioningState="Updating")])
    assert set(reasons(result)) == {Reason.NOT_OWNER, Reason.WAITING}


@pytest.mark.parametrize(
    "changes", [{"type": "ClusterIP"}, {"load_balancer_class": "x/y"}, {"deleting": True}]
)
def test_a_service_that_is_not_live_is_no_tenant(changes: dict[str, object]) -> None:
    """Another type, another controller's class, or being deleted."""
    web = service(**changes)  # type: ignore[arg-type]
    result = decide(web, frontends=[frontend(web)])
    assert (result.writes, result.sharing) == ((), ())


def test_ours_is_the_tag_trimmed_in_any_case_and_the_place() -> None:
    """The tag's blanks and case do not matter; the load balancer's group does."""
    web = service(settings={"fqdns": "a"})
    mine = pls(frontend(web), web, tags={CLUSTER_TAG: " KUBERNETES "})
    assert put_of(decide(web, links=[mine])).pls_id == mine.id
    elsewhere = frontend(web, group="MC_dev")
    result = decide(web, frontends=[elsewhere], links=[pls(elsewhere, web)])
    assert reasons(result) == [Reason.FOREIGN_PLS]
    assert network_id("loadBalancers", "kubernetes-internal", "MC_dev") in elsewhere.id
