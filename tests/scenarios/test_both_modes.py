"""The same stories with the in-tree controller at work on the cluster and without it.

Every story ends with the same questions: does the product have anything left to write, does the in-tree
controller write anything when it looks again, and has either ever overwritten the other?
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.demo_world import OWNER_TAG
from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.overwriting import overwrites
from tests.scenarios.world import World

Json = dict[str, Any]


@pytest.fixture(scope="module", params=["in-tree-absent", "in-tree-active"])
def world(request: pytest.FixtureRequest, start: Start) -> World:
    options = SandboxOptions(
        clusters=("prod",),
        provisioning_seconds=0.3,
        ccm_pls=request.param == "in-tree-active",
        pls_cache_seconds=0.5,
        settle_seconds=2,
    )
    return start(options)


@pytest.fixture(autouse=True)
def peace(world: World) -> Iterator[None]:
    """What must be true at the end of every story; its Services go afterwards."""
    world.forget_requests()
    world.touched.clear()
    yield
    names = [service["metadata"]["name"] for service in world.services("prod")]
    quiet = world.quiet_plan("prod")
    written = len(world.link_writes())
    world.nudge("prod", *names)
    assert world.quiet_plan("prod")["writes"] == quiet["writes"] == []
    assert world.link_writes()[written:] == []
    world.remove("prod", *names)
    assert overwrites(world.link_writes(), world.touched) == []


def fqdns(*names: str) -> Any:
    """Whether a PLS has exactly these names."""
    return lambda has: has["fqdns"] == list(names)


def shared(world: World, owner: str) -> dict[str, str]:
    """The annotation that puts a Service on another's frontend."""
    return {"load_balancer_ipv4": world.address("prod", owner)}


def test_every_setting_of_a_new_service_is_in_its_private_link_service(world: World) -> None:
    """Names, counts, addresses, subnets, lists, flags and tags, whoever of the two writes it."""
    pls_id = world.make(
        "prod",
        "full",
        pls_ip_configuration_subnet="pls-subnet",
        pls_ip_configuration_ip_address_count="3",
        pls_ip_configuration_ip_address="10.225.0.20 10.225.0.21",
        pls_fqdns="b.example a.example",
        pls_proxy_protocol="true",
        pls_visibility=f"{world.subscription}",
        pls_auto_approval=f"{world.subscription}",
    )
    pls = world.wait_for_pls(pls_id, "it is there", lambda p: True)
    has = pls["properties"]
    inner = [c["properties"] for c in has["ipConfigurations"]]
    assert len(inner) == 3
    static = [c["privateIPAddress"] for c in inner if c["privateIPAllocationMethod"] == "Static"]
    assert sorted(static) == ["10.225.0.20", "10.225.0.21"]
    assert [c["privateIPAddress"] for c in inner if c["primary"]] == ["10.225.0.20"]
    assert {c["subnet"]["id"].rsplit("/", 1)[1] for c in inner} == {"pls-subnet"}
    assert sorted(has["fqdns"]) == ["a.example", "b.example"]
    assert has["enableProxyProtocol"] is True
    assert has["visibility"]["subscriptions"] == [world.subscription]
    assert has["autoApproval"]["subscriptions"] == [world.subscription]
    assert pls["tags"][OWNER_TAG] == "default/full"
    assert pls["tags"]["k8s-azure-cluster-name"] == "kubernetes"


def test_a_changed_annotation_is_followed(world: World) -> None:
    """Values that change, appear and go; where the in-tree controller is active it is left to do that."""
    pls_id = world.make_ready("prod", "changing", pls_fqdns="one.example")
    world.annotate("prod", "changing", {"pls-fqdns": "two.example", "pls-visibility": "*"})
    world.ready(pls_id, fqdns("two.example"))
    world.quiet_plan("prod")
    world.annotate("prod", "changing", {"pls-fqdns": None, "pls-proxy-protocol": "true"})
    world.ready(pls_id, lambda has: has["fqdns"] == [] and has["enableProxyProtocol"])
    world.quiet_plan("prod")
    by = {w.who for w in world.link_writes()}
    assert by == ({"provider"} if world.sandbox.options.ccm_pls else {"product"})


def test_a_second_service_on_the_frontend_shares(world: World) -> None:
    """It has no settings of its own; nothing is written for it."""
    pls_id = world.make_ready("prod", "sharing", pls_fqdns="x.example")
    world.quiet_plan("prod")
    before = len(world.link_writes())
    more = {"load-balancer-internal": "true", "pls-create": "true"}
    world.apply_service("prod", "guest", {**more, "load-balancer-ipv4": world.address("prod", "sharing")}, 81)
    world.address("prod", "guest")
    world.wait(
        "status shows the sharer",
        lambda: world.status_of("prod", pls_id).get("sharers") == ["default/guest"],
        lambda: world.status_of("prod", pls_id),
    )
    assert world.link_writes()[before:] == []


def test_a_third_with_settings_of_its_own_is_refused(world: World) -> None:
    """The reason names the owner; the PLS stays as its owner wants it."""
    pls_id = world.make_ready("prod", "first", pls_fqdns="x.example")
    world.make("prod", "pushy", 82, pls_fqdns="y.example", **shared(world, "first"))
    found = world.finding("prod", "NotOwner", "pushy")
    assert "default/first" in found["sentence"]
    world.ready(pls_id, fqdns("x.example"))
    assert world.pls(world.pls_id("MC_prod", "pls-pushy")) is None


def test_a_deleted_service_takes_its_private_link_service_and_connections_along(world: World) -> None:
    """Nothing is stuck: not the Service, not the frontend, not the next Service of the same name."""
    pls_id = world.make_ready("prod", "leaving", pls_auto_approval=world.subscription, pls_visibility="*")
    world.connect(pls_id, "endpoint-leaving")
    world.ready(pls_id, lambda has: len(has["privateEndpointConnections"]) == 1)
    world.quiet_plan("prod")
    world.remove("prod", "leaving")
    world.gone(pls_id)
    world.make_ready("prod", "leaving")


def test_an_edit_by_hand_is_repaired_and_foreign_tags_stay(world: World) -> None:
    """Only the product looks without a change of the Service; what is not ours in the PLS survives."""
    pls_id = world.make_ready("prod", "drifting", pls_fqdns="right.example")
    world.quiet_plan("prod")

    def change(pls: Json) -> None:
        pls["properties"]["fqdns"] = ["wrong.example"]
        pls["tags"]["note"] = "mine"

    world.edit_by_hand(pls_id, change)
    world.ready(pls_id, fqdns("right.example"))
    assert world.pls(pls_id)["tags"]["note"] == "mine"  # type: ignore[index]
    assert [w.who for w in world.link_writes()][-2:] == ["person", "product"]


def test_a_private_link_service_deleted_by_hand_is_made_again(world: World) -> None:
    """The in-tree controller would not notice until the Service changes."""
    pls_id = world.make_ready("prod", "vanishing", pls_fqdns="x.example")
    world.quiet_plan("prod")
    world.touch()
    assert world.sandbox.arm("DELETE", pls_id).status in (200, 202, 204)
    world.wait("the delete is under way", lambda: _deleting(world, pls_id))
    world.ready(pls_id, fqdns("x.example"))


def _deleting(world: World, pls_id: str) -> bool:
    pls = world.pls(pls_id)
    return pls is None or pls["properties"]["provisioningState"] != "Succeeded"


def test_ownership_is_handed_over_by_the_tag(world: World) -> None:
    """The named Service's settings count from now on, and the former owner is the refused one."""
    pls_id = world.make_ready("prod", "old", pls_fqdns="old.example")
    world.make("prod", "new", 83, pls_name="pls-old", pls_fqdns="new.example", **shared(world, "old"))
    world.finding("prod", "NotOwner", "new")
    world.tag_by_hand(pls_id, {OWNER_TAG: "default/new"})
    world.ready(pls_id, fqdns("new.example"))
    world.finding("prod", "NotOwner", "old")
    assert world.status_of("prod", pls_id)["owner"] == "default/new"


def test_a_service_that_turns_public_takes_its_private_link_service_along(world: World) -> None:
    """Another load balancer, another frontend, the same id; the old frontend goes once nothing holds it."""
    pls_id = world.make_ready("prod", "turning", pls_fqdns="x.example")
    before = world.frontend_of(pls_id)
    world.annotate(
        "prod", "turning", {"load-balancer-internal": None, "disable-load-balancer-floating-ip": "true"}
    )
    world.wait("it is on the public frontend", lambda: "/kubernetes/" in world.frontend_of(pls_id))
    world.ready(pls_id, fqdns("x.example"))
    assert world.frontend_of(pls_id) != before
    world.quiet_plan("prod")


def test_the_owner_goes_and_a_sharer_keeps_the_private_link_service(world: World) -> None:
    """It lives as long as its frontend; a person names the next owner."""
    pls_id = world.make_ready("prod", "host", pls_fqdns="x.example")
    more = {"load-balancer-internal": "true", "pls-create": "true"}
    world.apply_service("prod", "rest", {**more, "load-balancer-ipv4": world.address("prod", "host")}, 81)
    world.address("prod", "rest")
    world.remove("prod", "host")
    found = world.finding("prod", "OwnerMissing")
    assert "default/rest" in found["sentence"]
    world.ready(pls_id, fqdns("x.example"))
    world.tag_by_hand(pls_id, {OWNER_TAG: "default/rest"})
    world.ready(pls_id, fqdns())


def test_a_service_that_no_longer_asks_keeps_its_private_link_service(world: World) -> None:
    """Consumers are connected: it goes with the frontend only."""
    pls_id = world.make_ready("prod", "quitting", pls_fqdns="x.example")
    world.quiet_plan("prod")
    world.annotate("prod", "quitting", {"pls-create": "false"})
    world.finding("prod", "Kept", "quitting")
    world.ready(pls_id, fqdns("x.example"))
