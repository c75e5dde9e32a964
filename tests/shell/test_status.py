"""Status: the state of everything from the ledgers alone, as JSON and as a table."""

import json
from dataclasses import replace

from reconciler.errors import Denied, Rejected
from reconciler.model import Limits
from reconciler.recording import update_state
from reconciler.status import status, status_text
from tests import builders
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"}, age_days=99)
CLUSTER_KEYS = {
    "name",
    "configured",
    "mode",
    "paused",
    "identity",
    "offeredIdentity",
    "lastRun",
    "held",
    "heldDigest",
    "findings",
    "frontends",
    "privateLinkServices",
    "poison",
}
PLS_KEYS = {
    "id",
    "name",
    "alias",
    "state",
    "frontend",
    "owner",
    "sharers",
    "refused",
    "natIps",
    "connections",
    "lastError",
    "notBefore",
}


def told(world: World) -> worlds.Json:
    """The status of the cluster prod; it must fit into JSON."""
    report = status(world.ledger, world.configs, now=world.clock.now())
    json.dumps(report)
    found: worlds.Json = next(c for c in report["clusters"] if c["name"] == "prod")
    return found


def shared() -> World:
    """A PLS with an owner, a sharer and a refused Service on its frontend, and two connections."""
    others = [service("shares"), service("refused", settings={"fqdns": "x.example"})]
    world = worlds.make()
    for each in (WEB, *others):
        world.cluster.put(each)
    world.azure.store(worlds.balancer([worlds.front(WEB, *others)]))
    world.handle()
    document = world.azure.document(builders.pls_id("pls-0"))
    connections = [builders.connection("pls-0", f"pe-{i}", s) for i, s in enumerate(("Approved", "Pending"))]
    document["properties"]["privateEndpointConnections"] = connections
    world.azure.store(document)
    world.clock.forward(10)
    world.handle()
    return world


def test_status_has_its_documented_shape() -> None:
    """Dashboards read it."""
    world = shared()
    cluster = told(world)
    assert set(cluster) == CLUSTER_KEYS
    (pls,) = cluster["privateLinkServices"]
    assert set(pls) == PLS_KEYS


def test_status_tells_all_about_a_private_link_service() -> None:
    """Who asks, who shares, who is refused, and what a consumer needs: the alias."""
    world = shared()
    (pls,) = told(world)["privateLinkServices"]
    assert pls["alias"] == world.pls("pls-0").alias
    assert (pls["owner"], pls["sharers"], pls["refused"]) == ("shop/web", ["shop/shares"], ["shop/refused"])
    assert (pls["natIps"], pls["connections"]) == (["10.0.0.4"], {"Approved": 1, "Pending": 1})
    assert (pls["state"], pls["lastError"], pls["notBefore"]) == ("Succeeded", "", None)


def test_status_tells_who_stands_on_a_frontend() -> None:
    """Also where nobody got a Private Link Service: that is when people ask."""
    world = shared()
    (frontend,) = told(world)["frontends"]
    assert (frontend["loadBalancer"], frontend["privateLinkService"]) == (
        builders.INTERNAL,
        builders.pls_id("pls-0"),
    )
    assert {s["service"]: s["role"] for s in frontend["services"]} == {
        "shop/web": "owner",
        "shop/shares": "shares",
        "shop/refused": "refused",
    }
    refused = worlds.make(service("web", settings={"name": ""}))
    refused.handle()
    (frontend,) = told(refused)["frontends"]
    assert frontend["privateLinkService"] == ""
    assert frontend["services"] == [{"service": "shop/web", "role": "refused"}]


def test_status_tells_refusals() -> None:
    """With the reason, where the person who wrote the annotation looks."""
    (finding,) = told(shared())["findings"]
    assert (finding["reason"], finding["service"]) == ("NotOwner", "shop/refused")


def test_status_tells_what_failed_and_when_it_is_tried_again() -> None:
    """Else a back-off of an hour looks like nothing happening."""
    world = worlds.make(WEB)
    world.azure.fail("put_private_link_service", Rejected("the address is taken"))
    world.handle()
    (pls,) = told(world)["privateLinkServices"]
    assert (pls["lastError"], pls["notBefore"]) == ("the address is taken", "2026-06-01T12:00:30Z")
    assert pls["state"] == "Refused"


def test_status_tells_the_last_run() -> None:
    """When, how long, why, and how it ended."""
    world = shared()
    run = told(world)["lastRun"]
    assert (run["began"], run["reason"], run["complete"], run["seconds"]) == (
        "2026-06-01T12:00:10Z",
        "event",
        True,
        0.0,
    )
    assert (run["scope"], run["services"], run["frontends"]) == ("subscription", 3, 1)


def test_status_tells_that_only_groups_can_be_seen() -> None:
    """A PLS in another group is not missing; nobody looked there."""
    world = worlds.make(WEB)
    world.azure.fail("list_private_link_services", Denied("403"))
    world.handle()
    assert told(world)["lastRun"]["scope"] == "resource groups"


def test_a_cluster_never_looked_at_is_shown() -> None:
    """It is configured; that nothing happened there is news."""
    cluster = told(worlds.make(WEB))
    assert (cluster["lastRun"], cluster["privateLinkServices"], cluster["configured"]) == (None, [], True)


def test_the_table_is_for_people() -> None:
    """Aligned columns, a dash for what there is not, refusals below."""
    world = shared()
    lines = status_text(status(world.ledger, world.configs, now=world.clock.now())).splitlines()
    assert lines[0] == "prod (sync): last run 2026-06-01T12:00:10Z, 0.0 s, event"
    header, row = lines[1], lines[2]
    for title, value in (
        ("STATE", "Succeeded"),
        ("OWNER", "shop/web"),
        ("SHARERS", "shop/shares"),
        ("NAT IPS", "10.0.0.4"),
        ("CONNECTIONS", "1 Approved, 1 Pending"),
    ):
        assert row[header.index(title) :].startswith(value)
    assert lines[3].startswith("  ! error NotOwner: Service shop/refused")


def test_the_table_tells_what_is_held_paused_and_new() -> None:
    """What a person must act on stands in the text as well."""
    world = worlds.make(*worlds.some(4), limits=Limits(brake_minimum=3))
    assert (
        status_text(status(world.ledger, world.configs, now=world.clock.now()))
        == "prod (sync): never looked at"
    )
    world.handle()
    world.drain(5)
    for each in worlds.some(4):
        world.remove(each)
    world.handle("manual")
    update_state(world.ledger, "prod", lambda s: replace(s, paused=True))
    text = status_text(status(world.ledger, {}, now=world.clock.now()))
    assert text.startswith("prod (not configured, paused): last run")
    assert text.count(f"held ({told(world)['heldDigest']}): delete Private Link Service") == 4
    assert "! error Brake:" in text


def test_one_cluster_can_be_asked_for() -> None:
    """Of hundreds."""
    world = worlds.make(clusters=("prod", "dev"))
    report = status(world.ledger, world.configs, "dev", now=world.clock.now())
    assert [c["name"] for c in report["clusters"]] == ["dev"]


def test_status_on_threads_is_the_same() -> None:
    """In the same order, too."""
    world = worlds.make(WEB, clusters=("prod", *(f"c{i}" for i in range(9))))
    world.handle()
    assert status(world.ledger, world.configs, "", worlds.POOL, now=world.clock.now()) == status(
        world.ledger, world.configs, now=world.clock.now()
    )
