"""Table P, rows 3 to 7: a frontend that has no Private Link Service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler import arm_ids
from reconciler.annotations import LB_IPV4
from reconciler.claims import Wish, read_claim
from reconciler.model import (
    CLUSTER_TAG,
    OWNER_TAG,
    Absent,
    Ownership,
    PublicIp,
    Reservation,
    ServiceRef,
    Unknown,
)
from reconciler.plan import Reason, Severity
from reconciler.telling import tellings
from reconciler.tenancy import uid_prefix
from tests.builders import (
    EXTERNAL,
    GROUP,
    NOW,
    VNET,
    after,
    configured,
    decide,
    found,
    frontend,
    load_balancers,
    network_id,
    pls,
    pls_id,
    put_of,
    reasons,
    row,
    service,
    subnet,
    subnet_id,
    subnets,
)

TAKEN = pls_id("taken")
OLD = f"{network_id('loadBalancers', 'old')}/frontendIPConfigurations/x"


def test_p6_a_service_that_asks_gets_a_pls_named_after_its_frontend() -> None:
    """A create with the peer's default name, tags, frontend and subnet."""
    web = service()
    on = frontend(web)
    write = put_of(decide(web))
    assert (write.created, write.reason, write.service) == (True, Reason.CREATE, "shop/web")
    assert write.pls_id == pls_id(f"pls-{uid_prefix(web.uid)}")
    assert write.body["tags"] == {CLUSTER_TAG: "kubernetes", OWNER_TAG: "shop/web"}
    assert write.body["properties"]["loadBalancerFrontendIpConfigurations"] == [{"id": on.id}]
    assert "shop/web" in write.sentence
    assert arm_ids.last_name(write.pls_id) in write.sentence


def test_p6_the_ledger_notes_the_intent_before_the_pls_exists() -> None:
    """The row names id, frontend and owner, so that a crash after the PUT is not forgotten."""
    web = service()
    (noted,) = decide(web).ownership
    assert (noted.pls_id, noted.owner, noted.state) == (
        pls_id(f"pls-{uid_prefix(web.uid)}"),
        web.ref,
        "Planned",
    )


def test_p6_an_annotated_resource_group_is_where_the_pls_goes() -> None:
    """The annotation wins over the configured group."""
    web = service(settings={"resource-group": "elsewhere", "name": "mine"})
    assert put_of(decide(web)).pls_id == pls_id("mine", "elsewhere")


def test_p6_the_oldest_asking_service_on_a_frontend_is_elected() -> None:
    """Age decides, not the order of the list, and a Service that does not ask is passed over."""
    silent, old, young = (
        service("silent", asks=False, age_days=30),
        service("old", age_days=20),
        service("young", age_days=5),
    )
    result = decide(young, old, silent, frontends=[frontend(silent, old, young)])
    assert put_of(result).service == "shop/old"
    assert {s.service.name: s.role for s in result.sharing} == {
        "silent": "none",
        "old": "owner",
        "young": "shares",
    }


def test_p6_equal_age_is_decided_by_namespace_and_name() -> None:
    """Two Services of one kubectl apply have the same second."""
    b, a = service("b"), service("a")
    assert put_of(decide(b, a, frontends=[frontend(b, a)])).service == "shop/a"


def test_p6_the_ledgers_incumbent_is_elected_before_an_older_service() -> None:
    """A PLS deleted by hand comes back with its former owner, not with whoever is oldest."""
    old, incumbent = service("old", age_days=20), service("incumbent", age_days=5)
    on = frontend(old, incumbent)
    rows = (row(pls_id(f"pls-{on.name}"), incumbent, on.id),)
    assert put_of(decide(old, incumbent, frontends=[on], ownership=rows)).service == "shop/incumbent"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"asks": False},
        {"settings": {"ip-configuration-ip-address-count": "9"}},
        {"settings": {"ip-configuration-subnet": "nowhere"}},
    ],
    ids=["no longer asks", "invalid settings", "subnet missing"],
)
def test_p6_an_unfit_incumbent_loses_the_election(spoilt: dict[str, object]) -> None:
    """The incumbent must still ask, be valid and have its subnet."""
    other, incumbent = service("other", age_days=1), service("incumbent", age_days=5, **spoilt)  # type: ignore[arg-type]
    on = frontend(other, incumbent)
    rows = (row(pls_id(f"pls-{on.name}"), incumbent, on.id),)
    views = {**subnets(subnet()), subnet_id("nowhere").lower(): Absent.NOT_FOUND}
    result = decide(other, incumbent, frontends=[on], ownership=rows, subnets=views)
    assert put_of(result).service == "shop/other"


def test_p7_without_an_elect_nothing_is_written() -> None:
    """A Service that does not ask gets no PLS and no finding."""
    result = decide(service(asks=False))
    assert (result.writes, result.findings) == ((), ())


def test_p7_a_row_is_forgotten_only_when_its_pls_is_proven_absent() -> None:
    """An id that was not read back keeps its row; one that was read as missing loses it."""
    web = service(asks=False)
    kept, gone = row(pls_id("kept"), web, "f"), row(pls_id("gone"), web, "f")
    result = decide(web, ownership=(kept, gone), absent_pls=frozenset({pls_id("gone").lower()}))
    assert result.ownership == (kept,)
    assert result.forget == (pls_id("gone"),)


def test_two_load_balancers_each_get_their_pls() -> None:
    """Several load balancers per cluster are normal."""
    one, two, three = service("one"), service("two"), service("three", internal=False)
    fronts = [frontend(one), frontend(two, lb="second-internal"), frontend(three, lb=EXTERNAL)]
    result = decide(one, two, three, frontends=fronts)
    assert sorted(w.service for w in result.writes) == ["shop/one", "shop/three", "shop/two"]
    assert len({w.frontend_id for w in result.writes if hasattr(w, "frontend_id")}) == 3


def test_dual_stack_gets_one_pls_on_its_ipv4_frontend() -> None:
    """The IPv6 twin is skipped without a word."""
    web = service(ip_families=("IPv4", "IPv6"))
    v4 = frontend(web)
    v6 = frontend(web, name=f"{v4.name}-IPv6", ip_version="IPv6")
    result = decide(web, frontends=[v6, v4])
    assert put_of(result).frontend_id == v4.id
    assert result.findings == ()


def test_ipv6_alone_is_refused_though_its_frontend_can_have_no_pls() -> None:
    """Its frontend is no candidate, and the person still hears why nothing comes."""
    web = service(ip_families=("IPv6",))
    result = decide(web, frontends=[frontend(web, ip_version="IPv6")])
    assert result.writes == ()
    finding = found(result, Reason.NOT_ELIGIBLE)
    assert finding.service == "shop/web"
    assert "IPv6" in finding.sentence


def test_ipv6_alone_is_not_refused_where_it_does_not_ask() -> None:
    """Nobody is told about what they did not ask for."""
    web = service(asks=False, ip_families=("IPv6",))
    assert decide(web, frontends=[frontend(web, ip_version="IPv6")]).findings == ()


# P3: transit


@pytest.mark.parametrize("state", ["Updating", "Failed", "Deleting"])
def test_p3_nothing_is_put_while_the_load_balancer_is_not_succeeded(state: str) -> None:
    """The PUT would fail or race: wait, and come back within seconds."""
    web = service()
    result = decide(web, load_balancers=load_balancers([frontend(web)], state))
    assert result.writes == ()
    assert state in found(result, Reason.WAITING).sentence
    assert result.come_back == after(seconds=2)


# P4: moves


def test_p4_a_pls_follows_its_owner_to_a_new_frontend() -> None:
    """Old frontend gone: the same PLS, with its alias, is written with the new frontend."""
    web = service(settings={"name": "mine"})
    new = frontend(web)
    old = pls(OLD, web, "mine")
    result = decide(web, frontends=[new], links=[old])
    write = put_of(result)
    assert (write.reason, write.pls_id, write.created) == (Reason.MOVE, old.id, False)
    assert write.body["properties"]["loadBalancerFrontendIpConfigurations"] == [{"id": new.id}]


def test_p4_also_while_the_old_frontend_has_no_tenant_but_the_owner() -> None:
    """During internal to external a Service stands on both."""
    web = service(settings={"name": "mine"}, internal=False)
    old, new = frontend(web), frontend(web, lb=EXTERNAL)
    result = decide(web, frontends=[old, new], links=[pls(old, web, "mine")])
    assert put_of(result).reason is Reason.MOVE


def test_p4_a_move_is_left_to_the_in_tree_controller_first() -> None:
    """It moves the PLS by itself; the claim is known, but not on this frontend."""
    web, config = service(settings={"name": "mine"}), configured(in_tree="active")
    old = pls(OLD, web, "mine")
    wish = read_claim(web, config.pls_prefix, config.default_subnet).wish
    assert isinstance(wish, Wish)
    known = row(old, web, claim_hash=wish.hash)
    first = decide(web, links=[old], cluster=config, ownership=(known,))
    assert first.writes == ()
    assert Reason.SETTLING in reasons(first)
    soon = decide(
        web,
        links=[old],
        cluster=config,
        ownership=first.ownership,
        sightings=first.sightings,
        now=after(seconds=10),
    )
    assert soon.writes == ()
    late = decide(
        web,
        links=[old],
        cluster=config,
        ownership=soon.ownership,
        sightings=soon.sightings,
        now=after(seconds=151),
    )
    assert put_of(late).reason is Reason.MOVE


def test_p4_not_while_another_service_stands_on_the_old_frontend() -> None:
    """A move would take the PLS away from a sharer: the elect is refused instead."""
    web = service(settings={"name": "mine"}, internal=False)
    sharer = service("sharer")
    old, new = frontend(sharer), frontend(web, lb=EXTERNAL)
    result = decide(web, sharer, frontends=[old, new], links=[pls(old, web, "mine")])
    assert result.writes == ()
    assert found(result, Reason.NAME_TAKEN).service == "shop/web"


def test_p4_not_while_nobody_can_tell_who_stands_on_the_old_frontend() -> None:
    """Without the public IP addresses a public frontend is left untouched, and so is the PLS on it."""
    web = service(settings={"name": "mine"})
    sharer = service("sharer", internal=False, annotations={LB_IPV4: "20.0.0.1"})
    new, old = frontend(web), frontend(web, lb=EXTERNAL)
    shared: dict[str, Any] = {"frontends": [new, old], "links": [pls(old, web, "mine")]}
    address = PublicIp(old.public_ip_id, "ip", "20.0.0.1")
    told = decide(web, sharer, public_ips=(address,), **shared)
    assert found(told, Reason.NAME_TAKEN).service == "shop/web"
    dark = decide(web, sharer, public_ips=Unknown("403"), **shared)
    assert (told.writes, dark.writes) == ((), ())
    assert "403" in found(dark, Reason.UNKNOWN_VIEW).sentence
    assert Reason.NAME_TAKEN not in reasons(dark)


def test_p4_waits_for_a_pls_in_transit() -> None:
    """Nothing is put over an operation under way."""
    web = service(settings={"name": "mine"})
    busy = pls(OLD, web, "mine", provisioningState="Updating")
    result = decide(web, links=[busy])
    assert result.writes == ()
    assert found(result, Reason.WAITING).pls_id == busy.id


@pytest.mark.parametrize("state", ["Updating", "Failed"])
def test_p4_a_move_that_waits_is_not_collected_meanwhile(state: str) -> None:
    """The old frontend is gone and the new balancer not ready: the grace sweep must not delete it."""
    web = service(settings={"name": "mine"})
    moving = pls(OLD, web, "mine")
    result = decide(
        web,
        load_balancers=load_balancers([frontend(web)], state),
        links=[moving],
        ownership=(row(moving, web),),
        sightings={f"gone:{moving.id.lower()}": after(hours=-1)},
    )
    assert (result.writes, result.after, result.held) == ((), (), ())
    assert Reason.ORPHAN not in reasons(result)


def test_p4_arm_refusing_a_move_is_said_and_never_becomes_delete_and_create() -> None:
    """MoveNotPossible, with ARM's words, and no write until the back-off ends."""
    web = service(settings={"name": "mine"})
    old = pls(OLD, web, "mine")
    first = put_of(decide(web, links=[old]))
    refused = row(
        old,
        web,
        written_hash=first.content_hash,
        attempts=1,
        not_before=after(seconds=30),
        last_error="the frontend cannot be changed",
        last_error_code="move",
    )
    result = decide(web, links=[old], ownership=(refused,))
    assert result.writes == ()
    assert "cannot be changed" in found(result, Reason.MOVE_NOT_POSSIBLE).sentence


def test_p4_a_recreated_service_of_the_same_name_takes_its_pls_along() -> None:
    """The owner tag names it; a reservation of its former self does not stand in the way."""
    web = service(settings={"name": "mine"})
    old = pls(OLD, web, "mine")
    former = Reservation(old.id, "prod", "another-uid", old.frontend_id)
    assert put_of(decide(web, links=[old], reservations={old.id.lower(): former})).reason is Reason.MOVE


# P5: names


def _taken(message: str, *words: str) -> None:
    for word in ("shop/web", *words):
        assert word in message


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ({}, "shop/other"),
        ({CLUSTER_TAG: "another"}, "shop/other"),
        ({CLUSTER_TAG: None, OWNER_TAG: None}, "nobody"),
    ],
    ids=["another owner", "another cluster", "no tags"],
)
def test_p5_a_pls_of_the_wished_name_is_not_taken_over(tags: dict[str, str | None], names: str) -> None:
    """Whatever its tags, the elect is refused, naming the PLS and its owner."""
    web = service(settings={"name": "taken"})
    there = pls(
        f"{network_id('loadBalancers', 'x')}/frontendIPConfigurations/f1", "shop/other", "taken", tags=tags
    )
    result = decide(web, links=[there], proofs={})
    assert result.writes == ()
    _taken(found(result, Reason.NAME_TAKEN).sentence, TAKEN, names, "f1")


def test_p5_the_same_tags_under_another_clusters_load_balancers_are_not_ours() -> None:
    """On AKS every cluster may be called kubernetes: the place decides too."""
    web = service(settings={"name": "taken"})
    foreign = pls(
        f"{network_id('loadBalancers', 'kubernetes', 'MC_dev')}/frontendIPConfigurations/f1", web, "taken"
    )
    result = decide(web, links=[foreign])
    assert result.writes == ()
    assert found(result, Reason.NAME_TAKEN).severity is Severity.ERROR


def test_p5_of_two_claims_to_one_name_the_earlier_gets_it() -> None:
    """The younger is refused, naming the elder."""
    old = service("old", age_days=20, settings={"name": "taken"})
    young = service("web", age_days=5, settings={"name": "TAKEN"})
    result = decide(young, old)
    assert put_of(result).service == "shop/old"
    _taken(found(result, Reason.NAME_TAKEN).sentence, "shop/old")


def test_p5_what_to_change_is_called_as_this_cluster_calls_it() -> None:
    """With a prefix of its own nobody reads azure-pls-name."""
    config, prefix = configured(pls_prefix="example.com/pls-"), "example.com/pls-"
    named = {"prefix": prefix, "settings": {"name": "taken"}}
    taken = decide(service("a", **named), service("b", **named), cluster=config)  # type: ignore[arg-type]
    assert found(taken, Reason.NAME_TAKEN).sentence.endswith("Choose another example.com/pls-name.")
    old, young = service("old", prefix=prefix, age_days=20), service("young", **named)  # type: ignore[arg-type]
    shared = decide(old, young, frontends=[frontend(old, young)], cluster=config)
    assert "settings (example.com/pls-*) away" in found(shared, Reason.NOT_OWNER).sentence


def test_p5_a_neighbour_that_does_not_ask_lends_nobody_its_age() -> None:
    """The claim's age counts, not that of the oldest Service on the frontend."""
    ancient = service("ancient", asks=False, age_days=99)
    young = service("web", age_days=5, settings={"name": "taken"})
    old = service("old", age_days=20, settings={"name": "taken"})
    result = decide(ancient, young, old, frontends=[frontend(ancient, young), frontend(old)])
    assert put_of(result).service == "shop/old"


@pytest.mark.parametrize("cluster", ["prod", "dev"])
def test_p5_a_reserved_name_refuses_naming_the_holder(cluster: str) -> None:
    """Reserved by another frontend, here or in another cluster."""
    web = service(settings={"name": "taken"})
    reserved = Reservation(TAKEN, cluster, "another-uid", "/x/frontendIPConfigurations/f9")
    result = decide(web, reservations={TAKEN.lower(): reserved})
    assert result.writes == ()
    _taken(found(result, Reason.NAME_TAKEN).sentence, cluster, "f9")


def test_p5_a_reserved_name_names_the_service_that_has_it() -> None:
    """Where its PLS is there already: people know Services, not frontends."""
    old, web = service("old", settings={"name": "taken"}), service(settings={"name": "taken"})
    reserved = {TAKEN.lower(): Reservation(TAKEN, "prod", old.uid, frontend(old).id)}
    result = decide(web, old, links=[pls(frontend(old), old, "taken")], reservations=reserved)
    assert "(Service shop/old)" in found(result, Reason.NAME_TAKEN).sentence


@pytest.mark.parametrize("same", ["service", "frontend"])
def test_p5_ones_own_reservation_is_no_obstacle(same: str) -> None:
    """The same Service on a new frontend, or a new Service on the same frontend."""
    web = service(settings={"name": "taken"})
    uid, on = (web.uid, "elsewhere") if same == "service" else ("another", frontend(web).id.upper())
    reserved = {TAKEN.lower(): Reservation(TAKEN, "prod", uid, on)}
    assert put_of(decide(web, reservations=reserved)).created


def test_p5_the_name_of_a_pls_that_is_gone_is_waited_for() -> None:
    """A Service made anew under its name: the row of the old one goes with this run, and nothing else wakes the next."""
    web = service(settings={"name": "taken"})
    old = Ownership(
        "prod", TAKEN, "/x/frontendIPConfigurations/f9", ServiceRef("shop", "web", "before"), "guid"
    )
    reserved = Reservation(TAKEN, "prod", "before", old.frontend_id)
    result = decide(
        web,
        ownership=(old,),
        reservations={TAKEN.lower(): reserved},
        absent_pls=frozenset({TAKEN.lower()}),
    )
    assert result.writes == ()
    assert result.forget == (TAKEN,)
    assert [finding.reason for finding in result.findings] == [Reason.WAITING]
    assert result.come_back == after(seconds=1)


# P1: what could not be read


@pytest.mark.parametrize(
    ("group", "reason"),
    [(Unknown("403"), Reason.UNKNOWN_VIEW), (Absent.GROUP_NOT_FOUND, Reason.INVALID_SETTINGS)],
    ids=["unread", "missing"],
)
def test_p1_the_resource_group_of_a_claim_must_have_been_read(
    group: Unknown | Absent, reason: Reason
) -> None:
    """Unread stops the claim and missing refuses it; a Service beside it goes on."""
    web, other = service(settings={"resource-group": "Elsewhere"}), service("other")
    result = decide(web, other, groups={GROUP.lower(): None, "elsewhere": group})
    assert put_of(result).service == "shop/other"
    assert found(result, reason).service == "shop/web"
    assert "Elsewhere" in found(result, reason).sentence


def test_p1_a_group_beyond_those_looked_into_counts_as_unread() -> None:
    """Only so many groups are read: a PUT into another could overwrite what nobody saw."""
    web = service(settings={"resource-group": "number-21"})
    result = decide(web, groups={GROUP.lower(): None})
    assert result.writes == ()
    assert "number-21" in found(result, Reason.UNKNOWN_VIEW).sentence


def test_p1_no_second_pls_while_the_group_of_the_first_is_unread() -> None:
    """The claim moved to another group, and its PLS may well be in the unread one."""
    web = service(settings={"name": "mine"})
    on = frontend(web)
    before = row(pls_id("mine", "unread"), web, on.id)
    result = decide(web, ownership=(before,), groups={GROUP.lower(): None, "unread": Unknown("403")})
    assert result.writes == ()
    assert "unread" in found(result, Reason.UNKNOWN_VIEW).sentence


def test_p1_a_group_that_went_with_the_pls_in_it_stops_nothing() -> None:
    """The claim asks for another group since; the row that names the old one goes in this very run."""
    web = service()
    before = row(pls_id("mine", "old"), web, frontend(web).id, resource_guid="guid")
    views = {GROUP.lower(): None, "old": Absent.GROUP_NOT_FOUND}
    result = decide(web, ownership=(before,), groups=views, absent_pls=frozenset({before.pls_id.lower()}))
    assert put_of(result).service == "shop/web"
    assert (reasons(result), result.forget) == ([], (before.pls_id,))


def test_p1_a_subnet_that_could_not_be_read_stops_only_its_service() -> None:
    """Unknown is neither there nor missing."""
    web, other = service(settings={"ip-configuration-subnet": "dark"}), service("other")
    result = decide(web, other)
    assert put_of(result).service == "shop/other"
    assert found(result, Reason.UNKNOWN_VIEW).service == "shop/web"


def test_a_pls_stands_in_the_edge_zone_of_its_load_balancer() -> None:
    """As the in-tree controller's does there; elsewhere ARM is told of no extended location."""
    web = service()
    balancer = replace(load_balancers([frontend(web)])[0], edge_zone="losangeles")
    body = put_of(decide(web, load_balancers=(balancer,))).body
    assert body["extendedLocation"] == {"name": "losangeles", "type": "EdgeZone"}
    assert "extendedLocation" not in put_of(decide(web)).body


def test_a_basic_load_balancer_cannot_have_a_pls() -> None:
    """Azure refuses it; the Service hears why before anything is written."""
    web = service()
    [balancer] = load_balancers([frontend(web)])
    result = decide(web, load_balancers=(replace(balancer, sku="Basic"),))
    assert result.writes == ()
    assert found(result, Reason.NOT_ELIGIBLE).service == web.key
    assert "Basic" in found(result, Reason.NOT_ELIGIBLE).sentence


@pytest.mark.parametrize(
    ("settings", "around", "reason"),
    [
        ({"name": "taken"}, {"links": [pls("", "shop/other", "taken")]}, Reason.NAME_TAKEN),
        (
            {"resource-group": "no"},
            {"groups": {GROUP.lower(): None, "no": Absent.GROUP_NOT_FOUND}},
            Reason.INVALID_SETTINGS,
        ),
        ({"ip-configuration-subnet": "dark"}, {}, Reason.UNKNOWN_VIEW),
    ],
    ids=["name taken", "group missing", "subnet unread"],
)
def test_who_would_share_what_the_elect_cannot_have_hears_why(
    settings: dict[str, str], around: dict[str, Any], reason: Reason
) -> None:
    """It asks, too: it was told nothing, or that Azure is provisioning what nobody asked Azure for."""
    web, guest = service(settings=settings), service("guest", age_days=1)
    result = decide(web, guest, frontends=[frontend(web, guest)], **around)
    of_web, of_guest = (f for f in result.findings if f.reason is reason)
    assert (of_web.service, of_guest.service) == (web.key, guest.key)
    assert of_web.sentence in of_guest.sentence
    told = tellings(result.ownership, result.sharing, result.findings)
    assert [(one.service, one.ready) for one in told] == [(guest.key, False), (web.key, False)]
    assert all(str(reason) in one.reason for one in told)


# inTree: settle


def test_a_new_claim_is_left_to_an_active_in_tree_controller() -> None:
    """For settle seconds from the first sighting, which the plan remembers."""
    web, config = service(), configured(in_tree="active")
    result = decide(web, cluster=config)
    assert result.writes == ()
    assert found(result, Reason.SETTLING).service == "shop/web"
    assert result.come_back == after(seconds=150)
    again = decide(web, cluster=config, now=after(seconds=149), sightings=result.sightings)
    assert again.writes == ()
    due = decide(web, cluster=config, now=after(seconds=150), sightings=again.sightings)
    assert put_of(due).created


def test_settling_goes_on_while_the_load_balancer_is_busy() -> None:
    """A balancer that is written each two minutes would put each new claim off for ever."""
    web, config = service(), configured(in_tree="active")
    busy = load_balancers([frontend(web)], "Updating")
    first = decide(web, cluster=config)
    then = decide(web, cluster=config, load_balancers=busy, sightings=first.sightings, now=after(seconds=100))
    assert reasons(then) == [Reason.WAITING]
    due = decide(web, cluster=config, sightings=then.sightings, now=after(seconds=150))
    assert put_of(due).created


def test_a_changed_claim_starts_a_new_settling_time() -> None:
    """The sighting belongs to the content of the claim."""
    config = configured(in_tree="active")
    first = decide(service(), cluster=config)
    changed = service(settings={"fqdns": "a.example"})
    later = decide(changed, cluster=config, now=after(seconds=200), sightings=first.sightings)
    assert found(later, Reason.SETTLING).service == "shop/web"


def test_a_pls_that_vanished_is_made_again_at_once_beside_the_in_tree_controller() -> None:
    """The claim was settled before: this is drift, and drift is ours at once."""
    web, config = service(), configured(in_tree="active")
    first = put_of(decide(web))
    known = row(first.pls_id, web, first.frontend_id, claim_hash=first.claim_hash)
    assert put_of(decide(web, cluster=config, ownership=(known,))).created


def test_without_a_ledger_nothing_is_left_to_the_in_tree_controller() -> None:
    """A plan without memory cannot wait for a second sighting; it shows what would be written."""
    assert put_of(decide(service(), cluster=configured(in_tree="active"), remembers=False)).created


def test_the_plan_of_now_is_the_plan_of_any_clock() -> None:
    """Time is an argument: the same look at another time gives the same writes."""
    assert decide(service(), now=NOW).writes == decide(service(), now=after(days=400)).writes


def test_the_row_of_a_name_that_somebody_else_took_meanwhile_is_forgotten() -> None:
    """With its reservation: we never wrote that Private Link Service, and it is not ours."""
    web = service(settings={"name": "x"})
    theirs = pls(f"{VNET}/frontendIPConfigurations/theirs", None, "x", tags={CLUSTER_TAG: None})
    known = row(theirs.id, web, frontend(web).id, written_hash="x", attempts=1)
    assert decide(web, links=[theirs], ownership=(known,)).forget == (theirs.id,)
    once_ours = replace(known, resource_guid="guid-x")
    assert decide(web, links=[theirs], ownership=(once_ours,)).forget == ()


def test_the_row_of_a_pls_that_is_gone_is_forgotten_when_somebody_else_has_its_name() -> None:
    """Another resourceGuid: ours will not come back, and the id never reads as not found."""
    web = service()
    theirs = pls(f"{VNET}/frontendIPConfigurations/theirs", None, "x", tags={CLUSTER_TAG: None})
    gone = row(theirs.id, web, frontend(web).id, resource_guid="guid-before")
    assert theirs.id in decide(web, links=[theirs], ownership=(gone,)).forget
    untold = replace(theirs, resource_guid="")
    assert decide(web, links=[untold], ownership=(gone,)).forget == ()


# A Service on two frontends of one kind


def test_two_frontends_of_one_service_get_one_pls_that_does_not_wander() -> None:
    """Created on the first; the second neither takes it over in the next run nor is called a conflict."""
    web = service()
    fronts = [frontend(web), frontend(web, lb="second-internal")]
    first = decide(web, frontends=fronts)
    assert put_of(first).frontend_id == fronts[0].id
    assert found(first, Reason.KEPT).frontend_id == fronts[1].id
    second = decide(web, frontends=fronts, links=[pls(fronts[0], web)], sightings=first.sightings)
    assert (second.writes, reasons(second)) == ((), [Reason.KEPT])


def test_a_pls_moves_to_the_second_frontend_once_and_not_back() -> None:
    """As while a Service moves between load balancers: its old frontend cannot go while it has the PLS."""
    web = service()
    old, new = frontend(web, lb="second-internal"), frontend(web)
    there = pls(old, web)
    first = decide(web, frontends=[old, new], links=[there])
    assert (put_of(first).reason, put_of(first).frontend_id) == (Reason.MOVE, new.id)
    moved = pls(new, web)
    then = decide(web, frontends=[old, new], links=[moved], sightings=first.sightings)
    assert then.writes == ()
    again = decide(web, frontends=[old, new], links=[moved], sightings=then.sightings)
    assert again.writes == ()
    only_old = decide(web, frontends=[old], links=[moved], sightings=again.sightings)
    assert put_of(only_old).frontend_id == old.id


def test_what_holds_for_two_frontends_of_a_service_is_said_once() -> None:
    """Two names, one busy controller: nobody reads the same line twice."""
    web = service()
    fronts = [frontend(web), frontend(web, lb="second-internal", name=f"{uid_prefix(web.uid)}-subnet")]
    result = decide(web, frontends=fronts, cluster=configured(in_tree="active"))
    assert reasons(result) == [Reason.SETTLING]


def test_who_stands_on_the_frontend_that_a_pls_is_kept_from_hears_it() -> None:
    """It does not share what is on the other frontend of its neighbour, and has no other."""
    web, guest = service(settings={"name": "one"}), service("guest", age_days=1)
    fronts = [frontend(web), frontend(web, guest, lb="second-internal")]
    result = decide(web, guest, frontends=fronts)
    assert put_of(result).frontend_id == fronts[0].id
    [kept] = [f for f in result.findings if f.service == guest.key]
    assert (kept.reason, kept.frontend_id) == (Reason.KEPT, fronts[1].id)
