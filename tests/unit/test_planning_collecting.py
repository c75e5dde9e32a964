"""Table P, rows 8 and 9, and what stands before a delete: proofs, connections, the grace sweep, the brake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.annotations import LB_DISABLE_FLOATING_IP, LB_IPV4
from reconciler.model import (
    CLUSTER_TAG,
    Observed,
    Ownership,
    PrivateLinkService,
    Proof,
    Service,
    ServiceRef,
    Sharing,
    Unknown,
)
from reconciler.plan import DISCONNECTED, Plan, Reason, Severity
from reconciler.planning import plan
from tests.builders import (
    EXTERNAL,
    GROUP,
    LIMITS,
    NOW,
    SUBSCRIPTION,
    after,
    configured,
    connection,
    decide,
    deeds,
    found,
    frontend,
    load_balancers,
    needed_proofs,
    network_id,
    observe,
    pls,
    reasons,
    row,
    service,
)

WEB = service()
ON = frontend(WEB)
LINK = pls(ON, WEB, "mine")
LOST = f"{network_id('loadBalancers', 'kubernetes-internal')}/frontendIPConfigurations/gone"
DELETE = [("delete", "mine")]


def ledger(*links: PrivateLinkService, owner: Service = WEB) -> tuple[Ownership, ...]:
    """A row for each of the links."""
    return tuple(row(link, owner) for link in links)


def gone(seen: Observed, proof: Proof = Proof.GONE) -> Observed:
    """The same look, with this proof about everybody whom it needs one of."""
    return replace(seen, proofs=dict.fromkeys(needed_proofs(seen), proof))


def emptied(*links: PrivateLinkService, proof: Proof = Proof.GONE, **rest: Any) -> Plan:
    """The plan for frontends that stand while their Services are gone from the list, with this proof."""
    fronts = rest.pop("frontends", [ON])
    rest.setdefault("ownership", ledger(*links))
    limits = rest.pop("limits", LIMITS)
    return plan(gone(observe(frontends=fronts, links=links, **rest), proof), limits)


# P8: proof before delete


@pytest.mark.parametrize("proof", [Proof.GONE, Proof.DELETING])
def test_p8_a_pls_whose_only_tenant_is_proven_gone_is_deleted(proof: Proof) -> None:
    """404, another UID or type, or a deletionTimestamp."""
    result = emptied(LINK, proof=proof)
    assert deeds(result.writes) == DELETE
    assert result.writes[0].reason is Reason.SERVICE_GONE
    assert "mine" in result.writes[0].sentence


@pytest.mark.parametrize("proof", [Proof.PRESENT, Proof.UNKNOWN])
def test_p8_absence_from_the_list_alone_never_deletes(proof: Proof) -> None:
    """A Service that is there by name, or could not be read, keeps its PLS."""
    result = emptied(LINK, proof=proof)
    assert (result.writes, result.after, result.held) == ((), (), ())
    assert found(result, Reason.KEPT).pls_id == LINK.id
    assert "delete it by hand" in found(result, Reason.KEPT).sentence


def test_p8_no_proof_at_all_keeps() -> None:
    """A proof that nobody fetched is no proof."""
    assert decide(frontends=[ON], links=[LINK], ownership=ledger(LINK)).writes == ()


def test_p8_every_known_tenant_must_be_proven_gone() -> None:
    """Owner tag, ledger, sharing ledger and rules each name one; a single one that stays keeps the PLS."""
    tagged, remembered, sharer = service("tagged"), service("remembered"), service("sharer")
    on = frontend(WEB)
    link = pls(on, tagged, "mine")
    rows = (row(link, remembered),)
    shares = (Sharing("prod", link.id, on.id, sharer.ref, "shares"),)
    leaving = service(deleting=True)
    seen = observe(leaving, frontends=[on], links=[link], ownership=rows, sharing=shares)
    needed = needed_proofs(seen)
    assert {r.key for r in needed} == {"shop/tagged", "shop/remembered", "shop/sharer", "shop/web"}
    assert deeds(plan(gone(seen), LIMITS).writes) == DELETE
    for one in needed:
        proofs = {**dict.fromkeys(needed, Proof.GONE), one: Proof.PRESENT}
        assert plan(replace(seen, proofs=proofs), LIMITS).writes == (), one


def test_p8_a_rule_of_a_service_that_nobody_knows_keeps_the_pls() -> None:
    """Whoever made that rule cannot be asked."""
    stranger = service("stranger")
    result = emptied(LINK, frontends=[frontend(WEB, stranger)])
    assert result.writes == ()
    assert found(result, Reason.KEPT).pls_id == LINK.id


def test_p8_without_anybody_known_there_is_nothing_to_prove() -> None:
    """No tag, no ledger, no UID on the frontend: an empty set of proofs is no proof."""
    bare = pls(replace(ON, rule_names=()), None, "mine")
    assert emptied(bare, frontends=[frontend(name="shared")], ownership=()).writes == ()


def test_p8_proofs_are_asked_only_about_pls_without_tenants_that_are_ours() -> None:
    """No request per Service in the normal case, and none about others' PLSs."""
    foreign = pls(frontend(service("x")), service("x"), "theirs", tags={CLUSTER_TAG: "other"})
    seen = observe(WEB, frontends=[ON], links=[LINK, foreign], ownership=ledger(LINK))
    assert needed_proofs(seen) == frozenset()


def test_p8_the_proof_is_asked_with_the_uid_where_it_is_known() -> None:
    """A recreated Service of the same name must not pass for its predecessor."""
    seen = observe(frontends=[ON], links=[LINK], ownership=ledger(LINK))
    assert needed_proofs(seen) == frozenset({WEB.ref})
    no_ledger = observe(frontends=[frontend(name="f")], links=[pls(frontend(name="f"), WEB)])
    assert needed_proofs(no_ledger) == frozenset({ServiceRef("shop", "web")})


def test_p8_the_owner_tag_names_its_service_in_any_case() -> None:
    """ARM's tags are typed by people; Kubernetes has lower-case names only, and refuses to look for others."""
    on = frontend(name="f")
    shouted = pls(on, " Shop/WEB ", "mine")
    assert needed_proofs(observe(frontends=[on], links=[shouted])) == frozenset({ServiceRef("shop", "web")})
    remembered = ledger(LINK)
    seen = observe(frontends=[ON], links=[pls(ON, "Shop/Web", "mine")], ownership=remembered)
    assert needed_proofs(seen) == frozenset({WEB.ref})
    assert plan(seen, LIMITS).ownership[0].owner == WEB.ref


def test_p8_a_service_being_deleted_is_known_without_a_ledger() -> None:
    """Its frontend, its rules and the list name it; the delete is the one its finalizer waits for."""
    leaving = service(deleting=True)
    seen = observe(leaving, frontends=[ON], links=[LINK])
    assert needed_proofs(seen) == frozenset({leaving.ref})
    assert deeds(plan(gone(seen, Proof.DELETING), LIMITS).writes) == DELETE


def test_p8_a_live_sharer_keeps_the_pls_of_a_deleted_owner() -> None:
    """The PLS lives as long as its frontend; the dangling owner is reported."""
    sharer = service("sharer")
    on = frontend(WEB, sharer)
    result = decide(
        sharer, frontends=[on], links=[pls(on, WEB)], proofs={WEB.ref: Proof.GONE}, ownership=ledger(LINK)
    )
    assert (result.writes, reasons(result)) == ((), [Reason.OWNER_MISSING])


def test_p8_a_successor_that_only_names_the_address_does_not_keep_the_pls() -> None:
    """The provider first takes the predecessor's frontend away, which Azure refuses while a PLS is on it."""
    on = frontend(WEB, private_ip="10.0.0.9")
    successor = service(uid="00000000-0000-0000-0000-00000000beef", annotations={LB_IPV4: "10.0.0.9"})
    link = pls(on, WEB, "mine")
    seen = observe(successor, frontends=[on], links=[link], ownership=ledger(link))
    assert needed_proofs(seen) == frozenset({WEB.ref})
    result = plan(gone(seen), LIMITS)
    assert (deeds(result.writes), reasons(result)) == (DELETE, [Reason.NO_FRONTEND])
    assert plan(gone(seen, Proof.UNKNOWN), LIMITS).writes == ()


def test_p8_connections_go_first_and_the_pls_in_a_later_run() -> None:
    """The plan shows both, the second as what comes after."""
    connected = pls(
        ON,
        WEB,
        "mine",
        privateEndpointConnections=[connection("mine", "pe-1"), connection("mine", "pe-2", "Pending")],
    )
    result = emptied(connected)
    assert deeds(result.writes) == [("delete-connection", "pe-1"), ("delete-connection", "pe-2")]
    assert deeds(result.after) == DELETE


@pytest.mark.parametrize("state", ["Updating", "Deleting"])
def test_p8_a_pls_in_transit_is_not_deleted(state: str) -> None:
    """Row 3 stands before row 8."""
    assert emptied(pls(ON, WEB, "mine", provisioningState=state)).writes == ()


def test_p8_former_sharers_are_remembered_until_the_pls_is_gone() -> None:
    """Else the next run would no longer ask for their proof."""
    shares = (Sharing("prod", LINK.id, ON.id, service("sharer").ref, "shares"),)
    assert emptied(LINK, sharing=shares, proof=Proof.UNKNOWN).sharing == shares


def test_p8_a_failed_delete_is_tried_again_only_after_its_back_off() -> None:
    """The finding tells ARM's words and when."""
    failed = replace(
        ledger(LINK)[0],
        attempts=2,
        not_before=after(seconds=120),
        last_error="in use",
        written_hash="delete",
    )
    result = emptied(LINK, ownership=(failed,))
    assert (result.writes, result.come_back) == ((), after(seconds=120))
    assert "in use" in found(result, Reason.FAILED).sentence
    assert deeds(emptied(LINK, ownership=(failed,), now=after(seconds=121)).writes) == DELETE


def test_p8_a_put_that_was_refused_does_not_delay_the_delete() -> None:
    """An hour's back-off of wrong settings must not keep a deleted Service in its finalizer."""
    refused = replace(
        ledger(LINK)[0],
        attempts=4,
        not_before=after(hours=1),
        last_error="wrong",
        written_hash="abc",
        written_count=1,
    )
    assert deeds(emptied(LINK, ownership=(refused,)).writes) == DELETE


# P9: the frontend is gone


def swept(link: PrivateLinkService, *times: float, **rest: Any) -> Plan:
    """The plans of looks at these minutes, one after another; the last of them."""
    sightings: dict[str, Any] = {}
    result = Plan("prod")
    for minutes in times:
        seen = observe(
            links=[link],
            load_balancers=load_balancers([frontend(service("other"))]),
            now=after(minutes=minutes),
            sightings=sightings,
            **{"ownership": ledger(link), **rest},
        )
        result = plan(gone(seen, Proof.UNKNOWN), LIMITS)
        sightings = dict(result.sightings)
    return result


ADRIFT = pls(LOST, WEB, "mine")


def test_p9_a_first_sighting_without_a_frontend_only_reports() -> None:
    """And says when it would be collected."""
    result = swept(ADRIFT, 0)
    assert (result.writes, result.come_back) == ((), after(minutes=15))
    assert found(result, Reason.ORPHAN).pls_id == ADRIFT.id


def test_p9_a_second_sighting_a_grace_apart_collects() -> None:
    """Not a second too early."""
    assert swept(ADRIFT, 0, 14.9).writes == ()
    result = swept(ADRIFT, 0, 7, 15)
    assert (deeds(result.writes), result.writes[0].reason) == (DELETE, Reason.FRONTEND_GONE)


def test_p9_a_pls_that_two_pages_of_a_list_tell_of_is_one() -> None:
    """Somebody writes it while the list is paged: it is deleted once, and the brake counts it once."""
    lost, other = pls(LOST, WEB, "mine"), pls(ON, WEB, "other")
    since = {f"gone:{lost.id.lower()}": after(days=-1)}
    twice = decide(WEB, links=[lost, other, lost], sightings=since, limits=replace(LIMITS, brake_minimum=2))
    assert deeds(twice.writes) == DELETE
    assert [kept.pls_id for kept in twice.ownership] == [other.id, lost.id]


def test_p9_half_a_surrogate_pair_in_an_id_breaks_no_plan() -> None:
    """The digest of what the brake holds back is made of ids as Azure's JSON has them."""
    odd = pls(LOST, WEB, "mine\ud800")
    since = {f"gone:{odd.id.lower()}": after(days=-1)}
    held = decide(links=[odd], sightings=since, limits=replace(LIMITS, brake_minimum=1))
    assert (held.writes, deeds(held.held), len(held.held_digest)) == ((), [("delete", "mine\ud800")], 12)


def test_p9_one_sighting_is_never_enough_even_without_grace() -> None:
    """A grace of zero still takes two looks."""
    seen = observe(links=[ADRIFT], ownership=ledger(ADRIFT))
    no_grace = replace(LIMITS, grace_seconds=0)
    first = plan(gone(seen, Proof.UNKNOWN), no_grace)
    assert first.writes == ()
    later = replace(seen, sightings=first.sightings, now=after(seconds=1))
    assert deeds(plan(gone(later, Proof.UNKNOWN), no_grace).writes) == DELETE


def test_p9_a_frontend_that_came_back_in_between_starts_the_grace_anew() -> None:
    """Two sightings in a row, not any two."""
    first = swept(ADRIFT, 0)
    back = decide(
        WEB,
        frontends=[ON, frontend(WEB, name="gone")],
        links=[ADRIFT],
        sightings=first.sightings,
        now=after(minutes=8),
    )
    again = observe(links=[ADRIFT], ownership=ledger(ADRIFT), sightings=back.sightings, now=after(minutes=16))
    assert plan(gone(again, Proof.UNKNOWN), LIMITS).writes == ()


def test_p9_an_unread_view_in_between_keeps_the_sighting() -> None:
    """An incomplete look neither proves nor disproves."""
    first = swept(ADRIFT, 0)
    blind = decide(links=[ADRIFT], services=Unknown("503"), sightings=first.sightings)
    assert blind.sightings == first.sightings


def test_p9_an_approved_connection_is_never_cut_by_the_sweep() -> None:
    """Somebody uses it: report, with the way out."""
    used = pls(LOST, WEB, "mine", privateEndpointConnections=[connection("mine", "pe-1")])
    result = swept(used, 0, 60)
    assert (result.writes, result.after) == ((), ())
    assert "pe-1" in found(result, Reason.ORPHAN).sentence


def test_p9_connections_that_nobody_approved_go_with_it() -> None:
    """Pending, rejected and disconnected ones are no use to anybody."""
    left = pls(LOST, WEB, "mine", privateEndpointConnections=[connection("mine", "pe-1", "Disconnected")])
    result = swept(left, 0, 60)
    assert (deeds(result.writes), deeds(result.after)) == ([("delete-connection", "pe-1")], DELETE)


@pytest.mark.parametrize("state", ["Updating", "Succeeded"])
def test_p9_the_grace_does_not_begin_anew_once_the_connections_are_deleted(state: str) -> None:
    """While their delete runs on, the PLS is in transit or waited for; it follows as soon as they are gone."""
    used = pls(
        LOST,
        WEB,
        "mine",
        privateEndpointConnections=[connection("mine", "pe-1", "Pending")],
        provisioningState=state,
    )
    gone_for = {f"gone:{used.id.lower()}": after(hours=-1)}
    asked = (replace(ledger(used)[0], written_hash=DISCONNECTED, written_at=NOW, written_count=1),)
    waiting = plan(observe(WEB, frontends=[], links=[used], ownership=asked, sightings=gone_for), LIMITS)
    assert Reason.WAITING in reasons(waiting)
    alone = replace(used, connections=(), provisioning_state="Succeeded")
    then = observe(WEB, frontends=[], links=[alone], ownership=asked, sightings=waiting.sightings)
    assert deeds(plan(replace(then, now=after(seconds=9)), LIMITS).writes) == DELETE


# P9: the last on the frontend are gone, and its owner left it

# Public with floating IP: refused, so that no move takes the PLS along.
PAY = service("pay", internal=False, annotations={LB_DISABLE_FLOATING_IP: "false"})
LEFT = pls(ON, PAY, "mine")


def deserted(*times: float, link: PrivateLinkService = LEFT, proof: Proof = Proof.DELETING) -> Plan:
    """The last of the plans at these minutes: only WEB has rules on the frontend, and ``proof`` is about it."""
    sightings: dict[str, Any] = {}
    result = Plan("prod")
    rest: dict[str, Any] = {
        "ownership": ledger(link, owner=PAY),
        "frontends": [ON, frontend(PAY, lb=EXTERNAL)],
    }
    shares = (Sharing("prod", LINK.id, ON.id, WEB.ref, "shares"),)
    for minutes in times:
        seen = observe(
            PAY, links=[link], sharing=shares, now=after(minutes=minutes), sightings=sightings, **rest
        )
        result = plan(replace(seen, proofs={PAY.ref: Proof.PRESENT, WEB.ref: proof}), LIMITS)
        sightings = dict(result.sightings)
    return result


def test_p9_an_owner_that_left_keeps_the_pls_only_for_the_grace() -> None:
    """Else the provider could never take the frontend away, nor let the last Service on it go."""
    first = deserted(0)
    assert (first.writes, first.come_back) == ((), after(minutes=15))
    assert found(first, Reason.ORPHAN).pls_id == LEFT.id
    assert deserted(0, 14.9).writes == ()
    result = deserted(0, 7, 15)
    assert (deeds(result.writes), result.writes[0].reason) == (DELETE, Reason.SERVICE_GONE)


@pytest.mark.parametrize("proof", [Proof.PRESENT, Proof.UNKNOWN])
def test_p9_a_last_service_that_is_not_proven_gone_keeps_the_pls_for_good(proof: Proof) -> None:
    """Time is no proof."""
    result = deserted(0, 60, proof=proof)
    assert (result.writes, Reason.KEPT in reasons(result)) == ((), True)


def test_p9_what_the_owner_left_is_not_cut_from_who_is_connected() -> None:
    """Somebody uses it: report, with the way out."""
    used = pls(ON, PAY, "mine", privateEndpointConnections=[connection("mine", "pe-1")])
    result = deserted(0, 60, link=used)
    assert (result.writes, "pe-1" in found(result, Reason.ORPHAN).sentence) == ((), True)


def test_p9_the_grace_of_what_was_left_goes_on_while_an_operation_runs() -> None:
    """The delete of a connection is one."""
    busy = replace(LEFT, provisioning_state="Updating")
    before = {f"deserted:{LEFT.id.lower()}": NOW}
    seen = observe(PAY, links=[busy], frontends=[ON], ownership=ledger(busy, owner=PAY), sightings=before)
    seen = replace(seen, proofs={PAY.ref: Proof.PRESENT, WEB.ref: Proof.GONE})
    shares = (Sharing("prod", LINK.id, ON.id, WEB.ref, "shares"),)
    assert before.items() <= plan(replace(seen, sharing=shares), LIMITS).sightings.items()


def test_p8_with_proof_a_lost_frontend_needs_no_grace() -> None:
    """All known tenants are proven gone: delete at once, whatever is connected."""
    used = pls(LOST, WEB, "mine", privateEndpointConnections=[connection("mine", "pe-1")])
    result = plan(gone(observe(links=[used], ownership=ledger(used))), LIMITS)
    assert (deeds(result.writes), deeds(result.after)) == ([("delete-connection", "pe-1")], DELETE)


def test_a_pls_that_names_no_frontend_is_ours_only_by_the_ledgers_resource_guid() -> None:
    """The row stands in for the frontend; the same id with another guid is another resource."""
    nameless = pls("", WEB, "mine")
    seen = observe(links=[nameless], ownership=ledger(nameless))
    assert deeds(plan(gone(seen), LIMITS).writes) == DELETE
    for rows in ((), (replace(ledger(nameless)[0], resource_guid="another"),)):
        assert plan(gone(replace(seen, ownership=rows)), LIMITS).writes == ()


def test_a_ledger_row_never_stands_in_for_the_tag() -> None:
    """Somebody who takes the cluster tag away takes the PLS out of our hands."""
    for tag in (None, "other"):
        link = pls(LOST, WEB, "mine", tags={CLUSTER_TAG: tag})
        result = swept(link, 0, 60)
        assert (result.writes, result.findings) == ((), ())


def test_the_same_group_name_in_another_subscription_is_not_ours() -> None:
    """The subscription belongs to the place."""
    away = LOST.replace(SUBSCRIPTION, "11111111-0000-0000-0000-000000000001")
    assert away != LOST
    result = swept(pls(away, WEB, "mine"), 0, 60)
    assert (result.writes, result.findings) == ((), ())


def test_a_pls_under_another_groups_balancer_is_never_collected() -> None:
    """Another cluster with the same tag: its frontend is not among ours, and not gone either."""
    theirs = pls(
        f"{network_id('loadBalancers', 'kubernetes', 'MC_dev')}/frontendIPConfigurations/f", WEB, "mine"
    )
    result = swept(theirs, 0, 60)
    assert (result.writes, result.findings) == ((), ())
    assert GROUP not in theirs.frontend_id


def test_a_frontend_on_an_ipv6_or_unplaced_public_address_is_not_gone() -> None:
    """While public IPs cannot be read, nobody can be placed on them: untouched, not collected."""
    public = frontend(WEB, lb="kubernetes")
    link = pls(public, WEB, "mine")
    result = plan(
        gone(
            observe(
                frontends=[public],
                links=[link],
                ownership=ledger(link),
                public_ips=Unknown("403"),
                sightings={f"gone:{link.id.lower()}": after(days=-1)},
            )
        ),
        LIMITS,
    )
    assert result.writes == ()
    assert reasons(result) == [Reason.UNKNOWN_VIEW]


# The brake


def fleet(count: int, doomed: int, **rest: Any) -> tuple[Observed, list[PrivateLinkService]]:
    """``count`` PLSs, of which the first ``doomed`` lost their Services without a deletionTimestamp."""
    services = [service(f"s{i:02}") for i in range(count)]
    fronts = [frontend(s) for s in services]
    links = [pls(f, s, f"p{i:02}") for i, (f, s) in enumerate(zip(fronts, services, strict=True))]
    if rest.pop("connected", False):
        links = [
            pls(f, s, link.name, privateEndpointConnections=[connection(link.name)])
            for f, s, link in zip(fronts, services, links, strict=True)
        ]
    rows = tuple(row(link, s) for link, s in zip(links, services, strict=True))
    seen = observe(*services[doomed:], frontends=fronts, links=links, ownership=rows, **rest)
    return gone(seen), links


def test_brake_mass_deletion_is_held_back_and_the_rest_goes_on() -> None:
    """Over 30 % and at least three: the deletes wait for a person, a create beside them does not."""
    seen, _ = fleet(9, 3)
    new = service("new")
    assert isinstance(seen.services, tuple)
    assert isinstance(seen.load_balancers, tuple)
    (balancer,) = seen.load_balancers
    seen = replace(
        seen,
        services=(*seen.services, new),
        load_balancers=(replace(balancer, frontends=(*balancer.frontends, frontend(new))),),
    )
    result = plan(seen, LIMITS)
    assert [w.service for w in result.writes] == ["shop/new"]
    assert sorted(deeds(result.held)) == [("delete", "p00"), ("delete", "p01"), ("delete", "p02")]
    finding = found(result, Reason.BRAKE)
    assert (finding.severity, result.held_digest in finding.sentence) == (Severity.ERROR, True)
    assert not result.empty


@pytest.mark.parametrize(("count", "doomed"), [(2, 2), (10, 3), (20, 6)])
def test_brake_lets_few_deletes_pass(count: int, doomed: int) -> None:
    """Under three, or not over 30 %."""
    seen, _ = fleet(count, doomed)
    result = plan(seen, LIMITS)
    assert (len(result.writes), result.held) == (doomed, ())


def test_brake_does_not_count_services_that_are_being_deleted() -> None:
    """A deletionTimestamp is a person's word: a whole namespace may go at once."""
    seen, _ = fleet(5, 5)
    result = plan(gone(seen, Proof.DELETING), LIMITS)
    assert (len(result.writes), result.held) == (5, ())


def test_brake_holds_only_the_deletes_it_counts() -> None:
    """Those with a deletionTimestamp go on beside them."""
    seen, _ = fleet(8, 5)
    leaving = {ref: Proof.DELETING for ref in seen.proofs if ref.name in ("s00", "s01")}
    result = plan(replace(seen, proofs={**seen.proofs, **leaving}), LIMITS)
    assert sorted(deeds(result.writes)) == [("delete", "p00"), ("delete", "p01")]
    assert sorted(deeds(result.held)) == [("delete", "p02"), ("delete", "p03"), ("delete", "p04")]


def test_brake_is_released_by_exactly_the_digest_shown() -> None:
    """Another digest, or the same one after the list grew, releases nothing."""
    seen, _ = fleet(9, 3)
    shown = plan(seen, LIMITS).held_digest
    assert plan(replace(seen, released="0123456789ab"), LIMITS).writes == ()
    grown, _ = fleet(9, 4)
    assert plan(replace(grown, released=shown), LIMITS).writes == ()
    released = plan(replace(seen, released=shown), LIMITS)
    assert (len(released.writes), released.held) == (3, ())
    assert Reason.BRAKE not in reasons(released)


def test_brake_release_lasts_through_the_connections_to_the_pls() -> None:
    """Connections go in one run and the PLS in the next: one release is enough, for an hour."""
    seen, links = fleet(4, 4, connected=True)
    shown = plan(seen, LIMITS).held_digest
    first = plan(replace(seen, released=shown), LIMITS)
    assert {verb for verb, _ in deeds(first.writes)} == {"delete-connection"}
    bare = tuple(replace(link, connections=()) for link in links)
    soon = replace(seen, private_link_services=bare, sightings=first.sightings, now=after(minutes=30))
    assert {verb for verb, _ in deeds(plan(soon, LIMITS).writes)} == {"delete"}
    late = replace(soon, now=after(minutes=61))
    assert (plan(late, LIMITS).writes, len(plan(late, LIMITS).held)) == ((), 4)


def test_brake_counts_the_sweep() -> None:
    """Frontends that all vanish at once are held, too, whatever the grace said."""
    links = [pls(f"{LOST}{i}", service(f"s{i}"), f"p{i}") for i in range(4)]
    sightings = {f"gone:{link.id.lower()}": after(hours=-1) for link in links}
    result = decide(links=links, sightings=sightings)
    assert (result.writes, len(result.held)) == ((), 4)


# upsert-only


def test_upsert_only_never_deletes_and_says_what_it_leaves() -> None:
    """Neither PLSs nor connections, now or after; creates go on."""
    connected = pls(ON, WEB, "mine", privateEndpointConnections=[connection("mine")])
    new = service("new")
    seen = observe(
        new,
        frontends=[ON, frontend(new)],
        links=[connected],
        ownership=ledger(connected),
        cluster=configured(mode="upsert-only"),
    )
    result = plan(gone(seen), LIMITS)
    assert [w.service for w in result.writes] == ["shop/new"]
    assert (result.after, result.held) == ((), ())
    assert found(result, Reason.MODE).pls_id == connected.id
