"""P1 and around the tables: unknown views, what must be read, warnings, the ledger's rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import CLUSTER_TAG, Absent, Proof, Service, Sharing, Unknown
from reconciler.plan import Reason, Severity
from reconciler.planning import needs
from reconciler.planning.world import World
from tests.builders import (
    CONFIG,
    EXTERNAL,
    after,
    configured,
    decide,
    found,
    frontend,
    needed_proofs,
    observe,
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

WEB = service()
ON = frontend(WEB)
INTERFACE: dict[str, Any] = {"networkInterfaces": [{"id": "/nic/1"}]}


@pytest.mark.parametrize("view", ["services", "load_balancers", "private_link_services"])
def test_p1_an_unknown_view_leaves_the_cluster_and_its_rows_untouched(view: str) -> None:
    """401, 403, 5xx, half a list: no write, nothing forgotten, the reason told."""
    rows, shares = (row(pls_id("gone"), WEB),), (Sharing("prod", pls_id("gone"), "f", WEB.ref, "owner"),)
    unread: dict[str, Any] = {view: Unknown("503 from upstream")}
    result = decide(
        WEB,
        service("other"),
        links=[pls(ON, WEB, fqdns=["x"])],
        ownership=rows,
        sharing=shares,
        absent_pls=frozenset({pls_id("gone").lower()}),
        sightings={"gone:x": after(days=-1)},
        **unread,
    )
    assert (result.writes, result.after, result.held, result.forget) == ((), (), (), ())
    assert (result.ownership, result.sharing) == (rows, shares)
    finding = found(result, Reason.UNKNOWN_VIEW)
    assert (finding.severity, "503 from upstream" in finding.sentence) == (Severity.ERROR, True)
    assert "prod" in finding.sentence


@pytest.mark.parametrize("view", ["services", "load_balancers", "private_link_services"])
def test_p1_no_proof_is_asked_for_an_unknown_view(view: str) -> None:
    """Nothing will be deleted, so nobody is asked."""
    link = pls(ON, WEB)
    seen = observe(frontends=[ON], links=[link], ownership=(row(link, WEB),))
    assert needed_proofs(seen) != frozenset()
    assert needed_proofs(replace(seen, **{view: Unknown("401")})) == frozenset()  # type: ignore[arg-type]


def test_another_clusters_identity_is_an_unknown_view_that_says_how_to_accept_it() -> None:
    """The person's way out reaches the finding."""
    result = decide(services=Unknown("another cluster answers; accept it with --accept-identity"))
    assert "--accept-identity" in found(result, Reason.UNKNOWN_VIEW).sentence


def test_unreadable_public_ips_stop_public_frontends_only() -> None:
    """Nobody can be placed there; the internal ones go on."""
    public = service("public", internal=False)
    result = decide(WEB, public, frontends=[ON, frontend(public, lb=EXTERNAL)], public_ips=Unknown("403"))
    assert put_of(result).service == "shop/web"
    assert "403" in found(result, Reason.UNKNOWN_VIEW).sentence


def test_unread_public_ips_and_groups_let_nobody_be_forgotten() -> None:
    """Who used a PLS must be proven gone before it goes, and is told of it, also after a look that was cut short."""
    public, sharer = service("public", internal=False), service("sharer", internal=False)
    link = pls(frontend(public, lb=EXTERNAL), public)
    rows = (row(link, public),)
    shares = tuple(Sharing("prod", link.id, link.frontend_id, s.ref, "shares") for s in (public, sharer))
    dark = {"public_ips": Unknown("403")}
    unlisted = {"groups": {"elsewhere": Unknown("403")}}
    for links, unread in (((link,), dark), ((), unlisted)):
        result = decide(
            links=links, frontends=[frontend(public, lb=EXTERNAL)], ownership=rows, sharing=shares, **unread
        )
        assert (result.writes, result.forget) == ((), ())
        assert (result.ownership, result.sharing) == (rows, shares)


# Warnings


@pytest.mark.parametrize(
    ("web", "word"),
    [
        (
            service(settings={"proxy-protocol": "true"}, external_traffic_policy="Local"),
            "externalTrafficPolicy Local",
        ),
        (service(settings={"auto-approval": "s1"}), "auto-approval"),
        (service(settings={"visibility": ""}), "visibility"),
    ],
)
def test_what_surprises_is_a_warning_and_still_written(web: Service, word: str) -> None:
    """Accepted by Azure, so not refused."""
    result = decide(web)
    assert put_of(result).service == "shop/web"
    finding = found(result, Reason.WARNING)
    assert (finding.severity, finding.service) == (Severity.WARNING, "shop/web")
    assert word in finding.sentence


@pytest.mark.parametrize(("free", "warned"), [(3, True), (4, False), (None, False)])
def test_a_nearly_full_nat_subnet_is_a_warning(free: int | None, warned: bool) -> None:
    """Where the number of free addresses can be told."""
    result = decide(WEB, subnets=subnets(subnet("default", free=free)))
    assert (Reason.WARNING in reasons(result)) is warned


def test_the_tag_of_the_documents_that_nobody_reads_is_a_warning() -> None:
    """And it makes nobody an owner."""
    other = service("other")
    there = pls(frontend(WEB, other), WEB, tags={"kubernetes-owner-service": "shop/other"})
    result = decide(WEB, other, frontends=[frontend(WEB, other)], links=[there])
    assert "kubernetes-owner-service" in found(result, Reason.WARNING).sentence
    assert {s.service.name: s.role for s in result.sharing}["web"] == "owner"


@pytest.mark.parametrize(("count", "warned"), [(8, False), (9, True)])
def test_more_than_eight_pls_on_a_load_balancer_are_a_warning(count: int, warned: bool) -> None:
    """Counted with those of others, since the limit is the balancer's; in whatever case ARM spells its id."""
    services = [service(f"s{i}", asks=False) for i in range(count)]
    fronts = [frontend(s) for s in services]
    spelled = [f.id.lower() if i % 2 else f.id for i, f in enumerate(fronts)]
    links = [pls(on, None, tags={CLUSTER_TAG: None}) for on in spelled]
    result = decide(*services, frontends=fronts, links=links)
    assert (Reason.WARNING in reasons(result)) is warned


def test_a_frontend_held_in_its_subnet_by_the_pls_is_a_warning() -> None:
    """The Service wants another load balancer subnet, and Azure lets the frontend go only without the PLS."""
    wish = {"service.beta.kubernetes.io/azure-load-balancer-internal-subnet": "pls-subnet"}
    web = service(annotations=wish, settings={"ip-configuration-subnet": "default"})
    there = frontend(web, subnet_id=subnet_id("default"))
    result = decide(web, frontends=[there], links=[pls(there, web)])
    assert "pls-subnet" in found(result, Reason.WARNING).sentence


# What must be read


def test_each_subnet_that_a_claim_names_is_read_once() -> None:
    """Of live Services that ask and whose settings can be read; names compare without case."""
    services = (
        WEB,
        service("a", settings={"ip-configuration-subnet": "pls-subnet"}),
        service("b", settings={"ip-configuration-subnet": "PLS-subnet"}),
        service("c", asks=False, settings={"ip-configuration-subnet": "c"}),
        service("d", deleting=True, settings={"ip-configuration-subnet": "d"}),
        service("e", settings={"ip-configuration-subnet": "e/f"}),
    )
    ids = [i.lower() for i in needs.subnets(CONFIG, services)]
    assert sorted(ids) == [subnet_id("default").lower(), subnet_id("pls-subnet").lower()]


def test_the_subnet_is_looked_for_in_the_virtual_networks_own_subscription() -> None:
    """It may differ from that of the cluster."""
    (found_id,) = needs.subnets(configured(vnet_subscription="other-sub"), (WEB,))
    assert found_id.startswith("/subscriptions/other-sub/")


def test_groups_are_the_configured_the_ledgers_and_the_annotated_at_most_twenty() -> None:
    """The configured one first, each once whatever its case."""
    annotated = tuple(service(f"s{i:02}", settings={"resource-group": f"rg-{i:02}"}) for i in range(30))
    rows = (
        row(pls_id("x", "LEDGER"), WEB),
        row(pls_id("y", "ledger"), WEB),
        row(pls_id("z", "mc_PROD"), WEB),
    )
    groups = needs.groups(CONFIG, annotated, rows)
    assert groups[:3] == ("MC_prod", "LEDGER", "rg-00")
    assert len(groups) == 20


def test_reservations_are_looked_up_for_wishes_on_frontends_without_a_pls() -> None:
    """Nothing is asked about frontends that are served."""
    named, sharer = service("named", settings={"name": "Mine"}), service("sharer")
    seen = observe(WEB, named, sharer, frontends=[ON, frontend(named, sharer)], links=[pls(ON, WEB)])
    assert needs.reservations(World(seen)) == (
        pls_id("mine").lower(),
        pls_id(f"pls-{frontend(named).name}").lower(),
    )


def test_rows_whose_pls_is_not_listed_are_confirmed_by_id() -> None:
    """Whatever the case in which the list spells the id."""
    there = pls(ON, WEB)
    rows = (row(replace(there, id=there.id.upper()), WEB), row(pls_id("unlisted"), WEB))
    assert needs.unconfirmed(observe(WEB, links=[there], ownership=rows)) == (pls_id("unlisted"),)


@pytest.mark.parametrize("never", [{"attempts": 2, "written_hash": "x"}, {}, {"written_hash": "subnet:/x"}])
def test_a_pls_that_never_came_to_be_is_asked_for_only_once_nobody_wishes_for_it(
    never: dict[str, Any],
) -> None:
    """Fifty refused claims would be fifty GETs in each run; but a name given up must come free."""
    named = service("web", settings={"name": "x"})
    rows = (row(pls_id("x"), named, ON.id, **never),)
    assert needs.unconfirmed(observe(named, ownership=rows)) == ()
    renamed = service("web", settings={"name": "y"})
    for nobody in (observe(renamed, ownership=rows), observe(service("web", asks=False), ownership=rows)):
        assert needs.unconfirmed(nobody) == (pls_id("x"),)
    assert needs.unconfirmed(observe(named, frontends=[], ownership=rows)) == (pls_id("x"),)


def test_a_pls_that_never_came_to_be_is_asked_for_once_its_owner_stands_elsewhere() -> None:
    """The frontend stays with others: nobody will ever make that PLS, and its row would stay for ever."""
    moved, stays = service("web"), service("other", asks=False)
    shared, own = frontend(stays), frontend(moved)
    rows = (row(pls_id(f"pls-{shared.name}"), moved, shared.id),)
    assert needs.unconfirmed(observe(moved, stays, frontends=[shared, own], ownership=rows)) == (
        rows[0].pls_id,
    )
    there = frontend(stays, moved)
    assert needs.unconfirmed(observe(moved, stays, frontends=[there], ownership=rows)) == ()


def test_a_pls_that_may_be_there_is_asked_for() -> None:
    """The answer to the PUT was lost, it was there once, or no list looked into its group."""
    named = service("web", settings={"name": "x"})
    lost = row(pls_id("x"), named, ON.id, written_hash="x", written_count=1)
    for known in (lost, replace(lost, attempts=1, resource_guid="guid")):
        assert needs.unconfirmed(observe(named, ownership=(known,))) == (pls_id("x"),)
    refused = replace(lost, attempts=1)
    assert needs.unconfirmed(observe(named, ownership=(refused,), groups={"mc_prod": None})) == ()
    assert needs.unconfirmed(observe(named, ownership=(refused,), groups={"other": None})) == (pls_id("x"),)


def test_only_unknown_dynamic_addresses_are_read_from_interfaces() -> None:
    """Once per change: not again where the ledger has them, not of others' PLSs, not in transit."""
    there = pls(ON, WEB, **INTERFACE)
    assert needs.interfaces(observe(WEB, links=[there])) == ((there.id, "/nic/1"),)
    known = (row(there, WEB, nat_ips=("10.224.0.7",)),)
    assert needs.interfaces(observe(WEB, links=[there], ownership=known)) == ()
    foreign = pls(ON, WEB, tags={CLUSTER_TAG: "x"}, **INTERFACE)
    busy = pls(ON, WEB, provisioningState="Updating", **INTERFACE)
    assert needs.interfaces(observe(WEB, links=[foreign])) == ()
    assert needs.interfaces(observe(WEB, links=[busy])) == ()


# Rows


def test_addresses_as_read_are_remembered_while_their_number_fits() -> None:
    """A run that did not read them keeps them; a changed count forgets them."""
    there = pls(ON, WEB)
    seen = decide(WEB, links=[there], nat_addresses={there.id.lower(): ("10.224.0.7",)})
    assert seen.ownership[0].nat_ips == ("10.224.0.7",)
    assert decide(WEB, links=[there], ownership=seen.ownership).ownership[0].nat_ips == ("10.224.0.7",)
    two = replace(there, nat_ips=(*there.nat_ips, replace(there.nat_ips[0], primary=False)))
    assert decide(WEB, links=[two], ownership=seen.ownership).ownership[0].nat_ips == ()


def test_connections_are_counted_by_state() -> None:
    """Status shows them from the ledger alone."""
    states = [
        {
            "id": f"{pls_id('x')}/privateEndpointConnections/{i}",
            "name": str(i),
            "properties": {"privateLinkServiceConnectionState": {"status": status}},
        }
        for i, status in enumerate(["Pending", "Approved", "Approved"])
    ]
    (kept,) = decide(WEB, links=[pls(ON, WEB, "x", privateEndpointConnections=states)]).ownership
    assert dict(kept.connections) == {"Approved": 2, "Pending": 1}


def test_a_handed_over_pls_gets_its_new_owners_name_even_where_that_is_no_tenant() -> None:
    """Tags before memory: the edited tag wins over the row, without a UID nobody knows."""
    there = pls(ON, "shop/new")
    (kept,) = decide(WEB, links=[there], ownership=(row(there, WEB),)).ownership
    assert (kept.owner.key, kept.owner.uid) == ("shop/new", "")


def test_a_claim_of_another_prefix_is_none_of_ours() -> None:
    """plsPrefix covers the pls annotations alone: the standard ones are then the in-tree controller's."""
    config = configured(pls_prefix="example.com/pls-")
    assert decide(WEB, cluster=config).writes == ()
    own = service(prefix="example.com/pls-", settings={"name": "mine"})
    assert put_of(decide(own, cluster=config)).pls_id == pls_id("mine")


def test_a_missing_subnet_of_one_service_stops_no_other() -> None:
    """Each claim is judged by its own subnet."""
    other = service("other", settings={"ip-configuration-subnet": "nowhere"})
    views = {**subnets(subnet()), subnet_id("nowhere").lower(): Absent.NOT_FOUND}
    result = decide(WEB, other, subnets=views, proofs={other.ref: Proof.PRESENT})
    assert put_of(result).service == "shop/web"
    assert reasons(result) == [Reason.INVALID_SETTINGS]
