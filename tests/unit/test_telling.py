"""Table T: what a Service is told about its Private Link Service, from plans of small worlds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.plan import Plan, Severity
from reconciler.telling import Telling, tellings
from tests.builders import after, decide, frontend, load_balancers, pls, put_of, row, service


def told(plan: Plan) -> dict[str, Telling]:
    """What the Services are told when nothing was written yet, by name."""
    return {t.service: t for t in tellings(plan.ownership, plan.sharing, plan.findings)}


def test_t1_a_refusal_is_told_in_the_finding_s_own_words() -> None:
    """No second wording: condition, explain and dashboard must say the same."""
    web = service(settings={"ip-configuration-ip-address-count": "9"})
    plan = decide(web)
    one = told(plan)["shop/web"]
    assert (one.ready, one.reason) == (False, "RefusedInvalidSettings")
    assert one.message == plan.findings[0].sentence


def test_t1_a_refused_change_names_the_pls_that_goes_on_working() -> None:
    """The alias consumers use is still good; nobody should look for it in vain."""
    web = service(settings={"name": "new"})
    link = pls(frontend(web), web, "old")
    one = told(decide(web, links=[link]))["shop/web"]
    assert (one.ready, one.reason, one.alias) == (False, "RefusedCannotRename", link.alias)
    assert f"{link.alias}, id {link.id}) stays as it is." in one.message


def test_t1_comes_before_t2_for_a_sharer_with_settings_of_its_own() -> None:
    """It stands on a frontend with a good PLS, and is not part of it."""
    web, guest = service(), service("guest", age_days=1, settings={"fqdns": "a.example.com"})
    front = frontend(web, guest)
    plan = decide(web, guest, frontends=[front], links=[pls(front, web)])
    assert {n: (t.ready, t.reason) for n, t in told(plan).items()} == {
        "shop/web": (True, "Provisioned"),
        "shop/guest": (False, "RefusedNotOwner"),
    }


def test_t2_owner_and_sharer_hear_alias_and_id() -> None:
    """What a consumer needs is in the sentence."""
    web, guest = service(), service("guest", age_days=1)
    front = frontend(web, guest)
    link = pls(front, web)
    both = told(decide(web, guest, frontends=[front], links=[link]))
    assert {n: (t.ready, t.reason) for n, t in both.items()} == {
        "shop/web": (True, "Provisioned"),
        "shop/guest": (True, "Shared"),
    }
    for one in both.values():
        assert (one.alias, one.pls_id, one.frontend_id) == (link.alias, link.id, front.id)
        assert f"alias {link.alias}, id {link.id}" in one.message
    assert "with Service shop/web" in both["shop/guest"].message


def test_t2_sharers_without_an_owner_stay_ready_and_hear_it() -> None:
    """The link works on; somebody should hand it over before it is needed."""
    guest = service("guest")
    front = frontend(guest)
    one = told(decide(guest, frontends=[front], links=[pls(front, "shop/gone")]))["shop/guest"]
    assert (one.ready, one.reason) == (True, "OwnerMissing")
    assert "shop/gone" in one.message


@pytest.mark.parametrize(
    ("state", "reason"),
    [("Updating", "Provisioning"), ("Deleting", "Deleting"), ("Failed", "Failed"), ("Canceled", "Failed")],
)
def test_t3_a_pls_in_another_state_is_not_ready(state: str, reason: str) -> None:
    """Accepted is not done."""
    web = service()
    front = frontend(web)
    row = decide(web, frontends=[front], links=[pls(front, web, provisioningState=state)])
    findings = [f for f in row.findings if f.severity is not Severity.ERROR]
    one = {t.service: t for t in tellings(row.ownership, row.sharing, findings)}["shop/web"]
    assert (one.ready, one.reason) == (False, reason)


def test_t3_a_pls_that_is_only_planned_is_being_provisioned() -> None:
    """The first run tells something at once; there is no alias yet."""
    one = told(decide(service()))["shop/web"]
    assert (one.ready, one.reason, one.alias) == (False, "Provisioning", "")


@pytest.mark.parametrize("state", ["Updating", "Succeeded"])
def test_t3_a_pls_that_is_gone_is_not_ready(state: str) -> None:
    """Somebody deleted it by hand, and it cannot be made again yet: what the ledger knew of it holds no more."""
    web = service()
    on = frontend(web)
    link = pls(on, web)
    gone = row(link, web, state="Succeeded", alias=link.alias, nat_ips=("10.224.0.7",))
    plan = decide(
        web,
        load_balancers=load_balancers([on], state),
        ownership=(gone,),
        absent_pls=frozenset({link.id.lower()}),
    )
    one = told(plan)["shop/web"]
    assert (one.ready, one.reason, one.alias) == (False, "Provisioning", link.alias)
    (kept,) = plan.ownership
    assert (kept.state, kept.resource_guid, kept.nat_ips) == ("Planned", "", ())


def test_t1_what_is_gone_does_not_stay_as_it_is() -> None:
    """Azure refuses to make it again: there is nothing that goes on working."""
    web = service()
    link = pls(frontend(web), web)
    refused = row(link, web, alias=link.alias, attempts=1, last_error="no", not_before=after(hours=1))
    refused = replace(refused, written_hash=put_of(decide(web)).content_hash)
    one = told(decide(web, ownership=(refused,), absent_pls=frozenset({link.id.lower()})))["shop/web"]
    assert (one.ready, one.reason) == (False, "RefusedRejected")
    assert "stays" not in one.message


def test_t4_a_service_without_a_frontend_is_told_what_it_waits_for() -> None:
    """Its cloud provider may be at fault; the sentence says where to look."""
    plan = decide(service(), frontends=[])
    one = told(plan)["shop/web"]
    assert (one.ready, one.reason, one.message) == (False, "NoFrontend", plan.findings[0].sentence)


def test_t5_who_does_not_ask_is_told_nothing() -> None:
    """Also next to one that does."""
    web, quiet = service(), service("quiet", asks=False)
    front = frontend(web, quiet)
    assert list(told(decide(web, quiet, frontends=[front], links=[pls(front, web)]))) == ["shop/web"]


def test_a_warning_does_not_unready_a_pls() -> None:
    """Nearly full subnets and the like are in events and status; the link is there."""
    web = service(settings={"auto-approval": "00000000-0000-0000-0000-000000000009", "visibility": "x"})
    front = frontend(web)
    plan = decide(web, frontends=[front], links=[pls(front, web)])
    assert any(f.severity is Severity.WARNING for f in plan.findings)
    assert told(plan)["shop/web"].reason == "Provisioned"
