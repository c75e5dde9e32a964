"""Table P, rows 2, 3 and 10 to 14: a frontend that has a Private Link Service."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import CLUSTER_TAG, OWNER_TAG, Proof
from reconciler.plan import Reason, Severity
from reconciler.telling import tellings
from tests.builders import (
    after,
    configured,
    decide,
    deeds,
    found,
    frontend,
    load_balancers,
    pls,
    put_of,
    reasons,
    row,
    service,
    subnet,
    subnets,
)


def test_p2_a_foreign_pls_is_never_written_nor_remembered() -> None:
    """Nobody asks: not even a finding, and no row of it in the ledger."""
    web = service(asks=False)
    foreign = pls(frontend(web), None, "theirs", tags={CLUSTER_TAG: None}, provisioningState="Failed")
    result = decide(web, links=[foreign])
    assert (result.writes, result.findings, result.ownership, result.sharing) == ((), (), (), ())


# P3


@pytest.mark.parametrize("state", ["Creating", "Updating", "Deleting"])
def test_p3_a_pls_in_transit_is_waited_for(state: str) -> None:
    """No write over an operation under way, though it differs."""
    web = service(settings={"fqdns": "a"})
    busy = pls(frontend(web), web, provisioningState=state)
    result = decide(web, links=[busy])
    assert result.writes == ()
    assert (found(result, Reason.WAITING).pls_id, state in found(result, Reason.WAITING).sentence) == (
        busy.id,
        True,
    )


@pytest.mark.parametrize(("waited", "pause"), [(0, 2), (4, 2), (60, 30), (590, 295), (1200, 300)])
def test_p3_the_looks_grow_apart_up_to_five_minutes(waited: int, pause: int) -> None:
    """Half the time waited, from two seconds to five minutes."""
    web = service()
    busy = pls(frontend(web), web, provisioningState="Updating")
    first = decide(web, links=[busy])
    later = decide(web, links=[busy], sightings=first.sightings, now=after(seconds=waited))
    assert later.come_back == after(seconds=waited + pause)


def test_p3_after_half_an_hour_it_is_stuck_and_still_looked_at() -> None:
    """An error for a person, no longer mere waiting."""
    web = service()
    busy = pls(frontend(web), web, provisioningState="Updating")
    first = decide(web, links=[busy])
    later = decide(web, links=[busy], sightings=first.sightings, now=after(minutes=30))
    assert reasons(later) == [Reason.STUCK]
    assert (found(later, Reason.STUCK).severity, found(later, Reason.STUCK).pls_id) == (
        Severity.ERROR,
        busy.id,
    )
    assert later.come_back == after(minutes=35)


def test_p3_what_is_stuck_is_told_to_the_owner_however_its_tag_is_spelled() -> None:
    """People type tags in capitals; Services are told by their own names, or hear that all is under way."""
    web = service()
    busy = pls(frontend(web), "Shop/WEB", provisioningState="Updating")
    result = decide(web, links=[busy], sightings={f"wait:{busy.id.lower()}": after(hours=-1)})
    assert found(result, Reason.STUCK).service == web.key
    (told,) = tellings(result.ownership, result.sharing, result.findings)
    assert (told.service, told.reason) == (web.key, "Stuck")


def test_p3_the_time_waited_is_forgotten_when_the_wait_ends() -> None:
    """A second wait starts from zero."""
    web = service()
    done = decide(web, links=[pls(frontend(web), web)], sightings={"wait:whatever": after(hours=-2)})
    assert done.sightings == {}


def test_p3_an_update_waits_for_the_load_balancer() -> None:
    """ARM refuses a PUT below a balancer that is being updated."""
    web = service(settings={"fqdns": "a"})
    on = frontend(web)
    result = decide(web, load_balancers=load_balancers([on], "Updating"), links=[pls(on, web)])
    assert (result.writes, reasons(result)) == ((), [Reason.WAITING])


@pytest.mark.parametrize("busy", ["load balancer", "pls"])
def test_p3_a_changed_claim_settles_while_something_else_is_waited_for(busy: str) -> None:
    """Its time beside the in-tree controller does not begin anew with each operation."""
    web, config = service(settings={"fqdns": "a"}), configured(in_tree="active")
    on = frontend(web)
    first = decide(web, cluster=config, links=[pls(on, web)])
    assert reasons(first) == [Reason.SETTLING]
    balancers = load_balancers([on], "Updating" if busy == "load balancer" else "Succeeded")
    there = pls(on, web, provisioningState="Updating" if busy == "pls" else "Succeeded")
    then = decide(
        web,
        cluster=config,
        load_balancers=balancers,
        links=[there],
        sightings=first.sightings,
        now=after(seconds=100),
    )
    assert reasons(then) == [Reason.WAITING]
    due = decide(web, cluster=config, links=[pls(on, web)], sightings=then.sightings, now=after(seconds=150))
    assert put_of(due).reason is Reason.UPDATE


def test_p3_what_nobody_uses_goes_whatever_the_state_of_its_load_balancer() -> None:
    """A balancer that Failed would keep it for good."""
    web = service(deleting=True)
    on = frontend(web)
    result = decide(
        web,
        load_balancers=load_balancers([on], "Failed"),
        links=[pls(on, web)],
        proofs={web.ref: Proof.DELETING},
    )
    assert deeds(result.writes) == [("delete", pls(on, web).name)]


# P10


def test_p10_a_lost_owner_tag_is_restored_from_the_ledger() -> None:
    """Only the tag changes; foreign tags and unknown properties survive."""
    web = service(settings={"fqdns": "not-yet"})
    bare = pls(frontend(web), None, tags={"team": "blue"}, accessMode="Restricted")
    write = put_of(decide(web, links=[bare], ownership=(row(bare, web),)))
    assert (write.reason, write.service) == (Reason.RESTORE_OWNER, "shop/web")
    assert write.body["tags"] == {CLUSTER_TAG: "kubernetes", "team": "blue", OWNER_TAG: "shop/web"}
    assert write.body["properties"]["accessMode"] == "Restricted"
    assert write.body["properties"]["fqdns"] == []


def test_p10_a_tag_is_restored_once_the_subnet_takes_the_put() -> None:
    """ARM refuses any PUT of a PLS while somebody has switched the subnet's policies on again."""
    web = service()
    bare = pls(frontend(web), None)
    closed = subnets(subnet("default", "Enabled"))
    result = decide(web, links=[bare], ownership=(row(bare, web),), subnets=closed)
    assert deeds(result.writes) == [("disable-subnet-policy", "default")]
    assert deeds(result.after) == [("update", bare.name)]


def test_p10_without_a_ledger_row_a_missing_owner_tag_is_only_reported() -> None:
    """Nobody can tell whose it was."""
    web = service()
    bare = pls(frontend(web), None)
    result = decide(web, links=[bare])
    assert result.writes == ()
    assert found(result, Reason.OWNER_MISSING).pls_id == bare.id


def test_p10_an_owner_tag_that_names_somebody_else_is_a_persons_will() -> None:
    """The ledger does not overrule a tag that is there; the way out is told."""
    web = service()
    given = pls(frontend(web), "shop/elsewhere")
    result = decide(web, links=[given], ownership=(row(given, web),))
    sentence = found(result, Reason.OWNER_MISSING).sentence
    assert result.writes == ()
    for word in (given.id, "shop/elsewhere", "shop/web", OWNER_TAG):
        assert word in sentence


def test_p10_succession_gives_the_pls_to_the_oldest_equal_claim() -> None:
    """Not to the oldest whose settings would change the PLS."""
    differs = service("differs", age_days=30, settings={"fqdns": "b"})
    old, young = service("old", age_days=20, settings={"fqdns": "a"}), service("young")
    on = frontend(differs, old, young)
    orphan = pls(on, "shop/gone", fqdns=["a"])
    heirs = configured(owner_succession="oldest")
    result = decide(differs, young, old, frontends=[on], links=[orphan], cluster=heirs)
    write = put_of(result)
    assert (write.reason, write.service) == (Reason.SUCCESSION, "shop/old")
    assert write.body["tags"][OWNER_TAG] == "shop/old"


@pytest.mark.parametrize(
    "other", [{"fqdns": "b"}, {"name": "another"}, {"resource-group": "elsewhere"}, {"visibility": "*"}]
)
def test_p10_no_succession_for_a_claim_that_differs(other: dict[str, str]) -> None:
    """An heir that the next run would have to change or refuse is none."""
    heir = service("heir", settings=other)
    orphan = pls(frontend(heir), "shop/gone")
    result = decide(heir, links=[orphan], cluster=configured(owner_succession="oldest"))
    assert (result.writes, set(reasons(result)) >= {Reason.OWNER_MISSING}) == ((), True)


def test_p10_no_succession_unless_configured() -> None:
    """The default keeps."""
    heir = service("heir")
    result = decide(heir, links=[pls(frontend(heir), "shop/gone")])
    assert (result.writes, reasons(result)) == ((), [Reason.OWNER_MISSING])


def test_p10_a_fight_about_the_owner_tag_slows_down() -> None:
    """The hot-loop guard stands before restored tags, too."""
    web = service()
    bare = pls(frontend(web), None)
    first = put_of(decide(web, links=[bare], ownership=(row(bare, web),)))
    fought = row(bare, web, written_hash=first.content_hash, written_count=3, written_at=after(seconds=-100))
    result = decide(web, links=[bare], ownership=(fought,))
    assert result.writes == ()
    assert OWNER_TAG in found(result, Reason.DRIFT_FIGHT).sentence
    assert result.come_back == after(seconds=20)


# P11


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"asks": False}, Reason.KEPT),
        ({"settings": {"ip-configuration-ip-address-count": "0"}}, Reason.INVALID_SETTINGS),
        ({"internal": True, "ip_families": ("IPv6",)}, Reason.NOT_ELIGIBLE),
    ],
    ids=["does not ask", "invalid", "not eligible"],
)
def test_p11_a_pls_whose_owner_does_not_ask_or_is_refused_is_kept_unchanged(
    changes: dict[str, object], reason: Reason
) -> None:
    """Neither updated (it differs) nor deleted."""
    web = service(**changes)  # type: ignore[arg-type]
    there = pls(frontend(web), web, fqdns=["old"], provisioningState="Failed")
    result = decide(web, links=[there])
    assert (result.writes, result.after, result.held) == ((), (), ())
    assert {Reason.KEPT, reason} <= set(reasons(result))


# P12


def test_p12_a_pls_cannot_be_renamed() -> None:
    """Both names are in the refusal, and other changes wait, too."""
    web = service(settings={"name": "new", "fqdns": "a"})
    there = pls(frontend(web), web, "old")
    result = decide(web, links=[there])
    finding = found(result, Reason.CANNOT_RENAME)
    assert (result.writes, finding.service) == ((), "shop/web")
    assert there.id in finding.sentence
    assert "new" in finding.sentence


def test_p12_the_same_name_in_another_case_is_the_same_name() -> None:
    """ARM's names have no case."""
    web = service(settings={"name": "OLD"})
    assert decide(web, links=[pls(frontend(web), web, "old")]).findings == ()


def test_p12_a_pls_cannot_move_to_an_annotated_resource_group() -> None:
    """And no second PLS is made there."""
    web = service(settings={"resource-group": "new"})
    result = decide(web, links=[pls(frontend(web), web)])
    assert result.writes == ()
    assert "new" in found(result, Reason.CANNOT_MOVE_GROUP).sentence


def test_p12_another_configured_group_is_no_wish() -> None:
    """Only what is annotated counts: a changed setting refuses nobody."""
    web = service()
    there = pls(frontend(web), web, group="former")
    result = decide(web, links=[there], cluster=configured(pls_resource_group="now"))
    assert (result.writes, result.findings) == ((), ())


# P13 and P14


def test_p14_an_equal_pls_needs_nothing_and_its_claim_is_learned() -> None:
    """So that a later difference is known to be drift."""
    web = service()
    result = decide(web, links=[pls(frontend(web), web)])
    assert (result.writes, result.findings) == ((), ())
    assert result.ownership[0].claim_hash != ""


@pytest.mark.parametrize(
    ("settings", "properties", "named"),
    [
        ({"fqdns": "a"}, {}, "fqdns"),
        ({}, {"fqdns": ["a"]}, "fqdns"),
        ({"proxy-protocol": "true"}, {}, "enableProxyProtocol"),
        ({"visibility": "*"}, {}, "visibility"),
        ({}, {"autoApproval": {"subscriptions": ["*"]}}, "autoApproval"),
        ({"ip-configuration-ip-address-count": "2"}, {}, "ipConfigurations"),
        ({"ip-configuration-subnet": "pls-subnet"}, {}, "ipConfigurations"),
        ({"ip-configuration-ip-address": "10.224.0.9"}, {}, "ipConfigurations"),
        ({}, {"provisioningState": "Failed"}, "provisioningState"),
        ({}, {"provisioningState": "Canceled"}, "provisioningState"),
        ({}, {"tags": {OWNER_TAG: "shop/web"}, "enableProxyProtocol": True}, "enableProxyProtocol"),
    ],
)
def test_p13_each_difference_is_named_and_mended(
    settings: dict[str, str], properties: dict[str, Any], named: str
) -> None:
    """A full PUT whose changes name exactly the property that differs."""
    web = service(settings=settings)
    there = pls(frontend(web), web, **properties)
    write = put_of(decide(web, links=[there]))
    assert (write.pls_id, write.created, [c.property for c in write.changes]) == (there.id, False, [named])


def test_p13_a_failed_pls_is_written_again_at_once_beside_the_in_tree_controller() -> None:
    """A failure is nobody's claim: it is not left to settle."""
    web = service()
    broken = pls(frontend(web), web, provisioningState="Failed")
    write = put_of(decide(web, links=[broken], cluster=configured(in_tree="active")))
    assert write.reason is Reason.RETRY


def test_p13_a_changed_claim_is_an_update_and_drift_is_a_repair() -> None:
    """Told apart by the claim that the ledger remembers; only the first is left to the in-tree controller."""
    web = service()
    there = pls(frontend(web), web)
    (known,) = decide(web, links=[there]).ownership
    active = configured(in_tree="active")
    edited = pls(frontend(web), web, fqdns=["by-hand"])
    repair = decide(web, links=[edited], ownership=(known,), cluster=active)
    assert put_of(repair).reason is Reason.REPAIR
    changed = service(settings={"fqdns": "a"})
    left = decide(changed, links=[there], ownership=(known,), cluster=active)
    assert (left.writes, reasons(left)) == ((), [Reason.SETTLING])
    assert put_of(decide(changed, links=[there], ownership=(known,))).reason is Reason.UPDATE


def test_p13_configured_tags_are_kept_up_and_foreign_ones_left() -> None:
    """A tag of ours that was edited comes back; nobody else's is touched."""
    web = service()
    config = configured(tags={"env": "prod"})
    there = pls(frontend(web), web, tags={"ENV": "test", "team": "blue"})
    write = put_of(decide(web, links=[there], cluster=config))
    assert write.body["tags"]["env"] == "prod"
    assert write.body["tags"]["team"] == "blue"
    assert "ENV" not in write.body["tags"]


def test_an_owner_tag_edited_by_hand_hands_the_pls_over() -> None:
    """The new owner's settings count from then on, and the old one's refuse it."""
    old, heir = service("old", settings={"fqdns": "a"}), service("heir", settings={"fqdns": "b"})
    on = frontend(old, heir)
    there = pls(on, heir, fqdns=["a"])
    result = decide(old, heir, frontends=[on], links=[there], ownership=(row(there, old),))
    assert put_of(result).body["properties"]["fqdns"] == ["b"]
    assert found(result, Reason.NOT_OWNER).service == "shop/old"
    assert result.ownership[0].owner == heir.ref


def test_a_deleted_ledger_row_is_rebuilt_from_what_is_seen() -> None:
    """Owner, guid, alias, state and frontend come back."""
    web = service()
    there = pls(frontend(web), web)
    (rebuilt,) = decide(web, links=[there]).ownership
    assert (rebuilt.owner, rebuilt.resource_guid, rebuilt.alias, rebuilt.state, rebuilt.frontend_id) == (
        web.ref,
        there.resource_guid,
        there.alias,
        "Succeeded",
        there.frontend_id,
    )
