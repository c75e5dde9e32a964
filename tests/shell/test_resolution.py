"""Clusters of AKS, resolved and found: what is asked for, how often, and what stays in force when nobody answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from reconciler.errors import Denied, RetryLater
from reconciler.events import Event, clusters_woken
from reconciler.model import ApiAccess, ClusterConfig, ClusterList, Discovery
from reconciler.resolution import Resolution, UnresolvedCluster
from tests import builders
from tests.builders import SUBSCRIPTION
from tests.fakes.aks import FakeAks, bare, cluster, network, resource_id
from tests.shell.world import Clock

DOWN = RetryLater("Azure could not be reached")
NO = Denied("Azure answered 403 AuthorizationFailed", code="AuthorizationFailed")
NOBODY = Denied(
    "Azure gives no token. On a laptop, sign in with: az login.", code="CredentialUnavailableError"
)
PLAIN = builders.configured(name="plain")


def named(name: str = "aks1") -> ClusterConfig:
    """A cluster that leaves its places to the AKS cluster of the same name."""
    return bare(resource_id(name), name)


def tagged(tag: str = "pls", value: str | None = None) -> Discovery:
    """A discovery of the clusters with a tag."""
    return Discovery(SUBSCRIPTION, tag, value, replace(bare(""), name="", access=ApiAccess()))


@dataclass
class World:
    """A document, AKS, a clock, and what resolves them."""

    listed: ClusterList
    azure: FakeAks
    clock: Clock = field(default_factory=Clock)
    resolution: Resolution = field(init=False)

    def __post_init__(self) -> None:
        self.resolution = Resolution(lambda: self.listed, self.azure, self.clock.now)

    def later(self, seconds: float = 301) -> dict[str, ClusterConfig]:
        """The clusters after a while."""
        self.azure.calls.clear()
        self.clock.forward(seconds)
        return dict(self.resolution())

    @property
    def calls(self) -> list[str]:
        return [method for method, _ in self.azure.calls]


def a_world(*clusters: ClusterConfig, find: tuple[Discovery, ...] = (), has: tuple[Any, ...] = ()) -> World:
    """Of named clusters and discoveries; ``has`` are the resources, by default one AKS cluster and its network."""
    return World(ClusterList(clusters, find), FakeAks(*(has or (cluster(), network()))))


def test_a_deployment_without_aks_makes_no_call() -> None:
    """Nobody else pays for it."""
    world = a_world(PLAIN)
    assert dict(world.resolution()) == {"plain": PLAIN}
    assert world.later() == {"plain": PLAIN}
    assert world.calls == []


def test_what_is_at_hand_is_told_without_a_question() -> None:
    """And whether it is all: what a discovery finds is not known before somebody has asked."""
    for world in (a_world(PLAIN), a_world(named(), PLAIN), a_world(PLAIN, find=(tagged(),))):
        at_hand, is_all = world.resolution.at_hand()
        assert at_hand.clusters.keys() == {c.name for c in world.listed.clusters}
        assert is_all == (world.listed == ClusterList((PLAIN,), ()))
        assert world.calls == []
        asked = world.resolution.configured()
        assert world.resolution.at_hand() == (asked, True)


def test_one_cluster_is_read_once_in_five_minutes() -> None:
    """Each message asks for the configuration; its network never changes."""
    world = a_world(named(), PLAIN)
    found = world.resolution()["aks1"]
    assert (found.load_balancer_resource_group, found.unresolved) == ("MC_apps_aks1_eastus", "")
    assert (found.vnet_name, found.default_subnet) == ("aks-vnet-1", "aks-subnet")
    assert world.calls == ["managed_cluster", "virtual_networks"]
    world.later(299)
    assert world.calls == []
    world.later(2)
    assert world.calls == ["managed_cluster"]


@pytest.mark.parametrize(
    "made",
    [
        lambda n: cluster(resourceUID=f"uid-{n}"),
        lambda n: {**cluster(), "systemData": {"createdAt": f"2026-11-2{n}T00:00:00Z"}},
    ],
)
def test_a_cluster_made_anew_under_its_id_has_another_network(made: Callable[[int], dict[str, Any]]) -> None:
    """Its node resource group has the old name. Nothing more is asked for while it stays the same one."""
    world = a_world(named(), has=(made(1), network()))
    assert world.resolution()["aks1"].vnet_name == "aks-vnet-1"
    world.azure.remove(network()["id"])
    world.azure.store(network(name="aks-vnet-2"))
    world.azure.store(made(2))
    assert world.later()["aks1"].vnet_name == "aks-vnet-2"
    world.later()
    assert world.calls == ["managed_cluster"]


@pytest.mark.parametrize("seen", ["Deleting", "Creating"])
def test_a_cluster_that_was_seen_on_its_way_has_its_network_read_anew(seen: str) -> None:
    """Where Azure tells nothing by which the old one and the new one differ; meanwhile no network is asked for."""
    world = a_world(named())
    world.resolution()
    world.azure.store(cluster(provisioningState=seen))
    assert world.later()["aks1"].unresolved
    assert world.calls == ["managed_cluster"]
    world.azure.remove(network()["id"])
    world.azure.store(network(name="aks-vnet-2"))
    world.azure.store(cluster())
    assert world.later(61)["aks1"].vnet_name == "aks-vnet-2"


def test_several_clusters_of_a_subscription_are_one_list() -> None:
    """Fifty clusters are one call."""
    pools = [{"mode": "System", "vnetSubnetID": f"{builders.VNET}/subnets/nodes"}]
    names = [f"aks{n}" for n in range(50)]
    world = a_world(*map(named, names), has=tuple(cluster(n, agentPoolProfiles=pools) for n in names))
    assert [c.unresolved for c in world.resolution().values()] == [""] * 50
    assert world.calls == ["managed_clusters"]


def test_where_listing_is_not_permitted_each_cluster_is_read_by_itself() -> None:
    """A role on single clusters is the least privilege there is."""
    world = a_world(named("aks1"), named("aks2"), has=(cluster("aks1"), cluster("aks2"), network()))
    world.azure.fail("managed_clusters", NO, times=9)
    world.azure.store(network("MC_apps_aks2_eastus", "aks-vnet-2"))
    assert {c.vnet_name for c in world.resolution().values()} == {"aks-vnet-1", "aks-vnet-2"}
    assert world.calls.count("managed_cluster") == 2
    world.later(299)
    assert world.calls == []


def test_what_azure_said_last_stays_in_force_while_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Only the fresh power state is unknown; it is said once, and asked again after a minute."""
    world = a_world(named())
    before = dict(world.resolution())
    world.azure.fail("managed_cluster", DOWN, times=2)
    assert world.later() == before
    assert world.later(61) == before
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 1
    assert "could not be reached; what was read last stays in force" in told[0]
    world.later(61)
    assert world.calls == ["managed_cluster"]
    world.later(61)
    assert world.calls == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DOWN, "Azure could not be reached"),
        (NOBODY, "Azure gives no token. On a laptop, sign in with: az login."),
        (NO, f"Give our identity the role Azure Kubernetes Service Cluster User Role on {resource_id()}"),
    ],
)
def test_a_cluster_that_was_never_read_says_why(error: Exception, words: str) -> None:
    """It is there, so that timer, status and plan tell of it; its subscription is in its id."""
    world = a_world(named())
    world.azure.fail("managed_cluster", error)  # type: ignore[arg-type]
    found = world.resolution()["aks1"]
    assert ("role" in found.unresolved) == (error is NO)
    assert words in found.unresolved
    assert found.subscription == SUBSCRIPTION
    assert world.later(61)["aks1"].unresolved == ""


def test_a_person_need_not_wait_for_what_was_amiss() -> None:
    """`az aks start`, then a resync; where all is well a resync asks Azure for nothing more."""
    world = a_world(named(), has=(cluster(powerState={"code": "Stopped"}), network()))
    assert "is stopped" in world.resolution()["aks1"].unresolved
    world.azure.store(cluster())
    world.resolution.renew()
    assert world.resolution()["aks1"].unresolved == ""
    world.azure.calls.clear()
    world.resolution.renew()
    world.resolution()
    assert world.calls == []


def test_a_cluster_that_is_gone_is_told_and_its_places_are_forgotten() -> None:
    """A 404 of its own, never its absence from a list: lists leave out what may not be seen."""
    world = a_world(named("aks1"), named("aks2"), has=(cluster("aks1"), cluster("aks2"), network()))
    world.resolution()
    world.azure.remove(resource_id("aks1"))
    found = world.later()["aks1"]
    assert "there is no AKS cluster" in found.unresolved
    assert found.load_balancer_resource_group == ""
    assert "managed_cluster" in world.calls


def test_a_cluster_that_is_gone_does_not_come_back_from_an_old_list() -> None:
    """The list that named it last may not be read any more, and stays in force for those that are found."""
    world = a_world(named(), find=(tagged(),), has=(cluster(), network()))
    assert world.resolution()["aks1"].unresolved == ""
    world.azure.remove(resource_id())
    world.azure.fail("managed_clusters", NO)
    assert "there is no AKS cluster" in world.later()["aks1"].unresolved


def test_a_cluster_that_stops_is_unresolved_and_goes_on_after_its_start() -> None:
    """And is looked at each minute meanwhile."""
    world = a_world(named())
    running = world.resolution()["aks1"]
    world.azure.store(cluster(powerState={"code": "Stopped"}))
    stopped = world.later()["aks1"]
    assert "is stopped" in stopped.unresolved
    assert replace(stopped, unresolved="") == running
    world.azure.store(cluster())
    assert world.later(61)["aks1"] == running


@pytest.mark.parametrize("power", ["Running", "Stopped"])
def test_an_event_of_its_load_balancers_finds_a_resolved_cluster(power: str) -> None:
    """Whoever routes events knows the node resource group, in any casing; also of a stopped cluster."""
    world = a_world(named(), has=(cluster(powerState={"code": power}), network()))
    subject = builders.network_id("loadBalancers", "kubernetes", "mc_apps_AKS1_EastUS")
    event = Event("1", "Microsoft.Resources.ResourceWriteSuccess", subject)
    assert clusters_woken(event, world.resolution().values(), lambda pls_id: "") == ("aks1",)


def test_a_network_that_could_not_be_read_is_read_again() -> None:
    """The reason is told until then."""
    world = a_world(named())
    world.azure.fail("virtual_networks", NO)
    assert "could not be read (Azure answered 403" in world.resolution()["aks1"].unresolved
    assert world.later(61)["aks1"].unresolved == ""


@pytest.mark.parametrize("early", [(), (network("MC_apps_aks1_eastus", "half-made", "one", "two"),)])
def test_a_network_that_was_not_made_yet_is_read_again(early: tuple[Any, ...]) -> None:
    """AKS makes the group first: the empty answer of that moment would stay for as long as the process lives."""
    world = a_world(named(), has=(cluster(provisioningState="Creating"), *early))
    assert "being created" in world.resolution()["aks1"].unresolved
    for resource in early:
        world.azure.remove(resource["id"])
    world.azure.store(cluster())
    world.azure.store(network())
    found = world.later(61)["aks1"]
    assert (found.vnet_name, found.unresolved) == ("aks-vnet-1", "")


def test_a_tag_finds_clusters_and_its_removal_leaves_them_alone() -> None:
    """No longer configured is not gone from the world: nobody is asked to delete anything."""
    world = a_world(find=(tagged(),), has=(cluster(tags={"PLS": "x"}), cluster("aks2"), network()))
    (found,) = world.resolution().values()
    assert found.name.startswith("aks1-")
    assert (found.vnet_name, found.unresolved, found.access.aks) == ("aks-vnet-1", "", resource_id())
    world.azure.store(cluster())
    assert world.later() == {}
    assert world.resolution.problems() == ()


def test_a_named_cluster_wins_over_the_same_one_found() -> None:
    """By its resource id, in any casing; two runs of one cluster would undo each other."""
    access = ApiAccess(aks=resource_id().upper())
    explicit = replace(named(), access=access, mode="plan", load_balancer_resource_group="lbs")
    world = a_world(explicit, find=(tagged(), tagged()), has=(cluster(tags={"pls": ""}), network()))
    (found,) = world.resolution().values()
    assert (found.name, found.mode) == ("aks1", "plan")


def test_a_found_cluster_never_takes_another_one_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ledger goes by the name. Eight digits of a hash can be met by whoever may make clusters and groups."""
    world = a_world(find=(tagged(),), has=(cluster(tags={"pls": ""}), network()))
    (found,) = world.resolution().values()
    elsewhere = builders.configured(name=found.name.upper())
    assert dict(a_world(elsewhere, find=(tagged(),), has=(cluster(tags={"pls": ""}),)).resolution()) == {
        elsewhere.name: elsewhere
    }
    monkeypatch.setattr("reconciler.aks.name_of", lambda cluster: found.name)
    twins = (cluster("aks0", tags={"pls": ""}), cluster(tags={"pls": ""}), network())
    (kept,) = a_world(find=(tagged(),), has=twins).resolution().values()
    assert kept.access.aks == resource_id("aks0")


def test_a_found_cluster_gives_way_to_one_with_the_same_load_balancers() -> None:
    """Named with a kubeconfig, it has no resource id to compare."""
    explicit = builders.configured(name="prod", load_balancer_resource_group="mc_apps_AKS1_eastus")
    world = a_world(explicit, find=(tagged(),), has=(cluster(tags={"pls": ""}), network()))
    assert dict(world.resolution()) == {"prod": explicit}


def test_two_named_clusters_with_the_same_load_balancers_are_not_both_run() -> None:
    """The document's check cannot see it before the resource is read."""
    twin = builders.configured(name="twin", load_balancer_resource_group="MC_apps_aks1_eastus")
    world = a_world(twin, named())
    found = world.resolution()
    assert found["twin"].unresolved == ""
    assert "same load balancers as cluster twin" in found["aks1"].unresolved


def test_a_failed_listing_keeps_what_was_found() -> None:
    """An outage of ARM must not take clusters out of the configuration."""
    world = a_world(find=(tagged(),), has=(cluster(tags={"pls": ""}), network()))
    before = dict(world.resolution())
    world.azure.fail("managed_clusters", DOWN)
    assert world.later() == before
    assert world.resolution.problems() == ()


def test_a_listing_that_never_worked_is_a_problem_not_an_empty_set(caplog: pytest.LogCaptureFixture) -> None:
    """In the log once, and in what is asked for status and health, until it works."""
    world = a_world(PLAIN, find=(tagged(),), has=(cluster(tags={"pls": ""}), network()))
    world.azure.fail("managed_clusters", NO, times=2)
    assert dict(world.resolution()) == {"plain": PLAIN}
    (problem,) = world.resolution.problems()
    assert "bear the tag pls is unknown (Azure answered 403" in problem
    assert "Microsoft.ContainerService/managedClusters/read on the subscription" in problem
    at_hand, _ = world.resolution.at_hand()
    assert at_hand.problems == (problem,)
    world.later(61)
    assert sum("is unknown" in r.getMessage() for r in caplog.records) == 1
    assert len(world.later(61)) == 2
    assert world.resolution.problems() == ()


def test_a_changed_document_is_in_force_at_once() -> None:
    """A cluster that nothing is known of is asked for now, not in five minutes."""
    world = a_world(named("aks1"), has=(cluster("aks1"), cluster("aks2"), network()))
    world.resolution()
    world.listed = ClusterList((PLAIN,))
    assert dict(world.resolution()) == {"plain": PLAIN}
    own = replace(named("aks2"), vnet_name="v", vnet_resource_group="g", default_subnet="s")
    world.listed = ClusterList((own,))
    assert world.resolution()["aks2"].load_balancer_resource_group == "MC_apps_aks2_eastus"


def test_only_one_asks_while_the_others_go_on_with_what_is_known() -> None:
    """ARM may take its time; a message must not wait for a power state."""
    world, going, may_end = a_world(named()), threading.Event(), threading.Event()
    known = dict(world.resolution())
    ask: Callable[[str], Any] = world.azure.managed_cluster

    def slow(resource_id: str) -> Any:
        going.set()
        assert may_end.wait(10)
        return ask(resource_id)

    world.azure.managed_cluster = slow  # type: ignore[method-assign]
    world.azure.calls.clear()
    world.clock.forward(301)
    with ThreadPoolExecutor(1) as asker:
        refreshed = asker.submit(world.resolution)
        assert going.wait(10)
        assert dict(world.resolution()) == known
        may_end.set()
        assert dict(refreshed.result(10)) == known
    assert world.calls == ["managed_cluster"]


def test_those_who_come_first_wait_for_one_round_of_questions() -> None:
    """At a cold start sixteen messages come at once."""
    world, together = a_world(named()), threading.Barrier(16)

    def read() -> ClusterList:
        together.wait(10)
        return world.listed

    ask: Callable[[str], Any] = world.azure.managed_cluster

    def slow(resource_id: str) -> Any:
        time.sleep(0.05)  # the others have come by then
        return ask(resource_id)

    world.azure.managed_cluster = slow  # type: ignore[method-assign]
    resolution = Resolution(read, world.azure, world.clock.now)
    with ThreadPoolExecutor(16) as starting:
        found = list(starting.map(lambda _: resolution()["aks1"].unresolved, range(16)))
    assert found == [""] * 16
    assert world.calls == ["managed_cluster", "virtual_networks"]


def test_an_unresolved_cluster_answers_nothing() -> None:
    """Whoever asks it all the same, the probe for one, gets its reason and no list."""
    cluster = UnresolvedCluster("it is stopped")
    calls = (cluster.list_services, cluster.identity, cluster.digest, lambda: cluster.get_service("a", "b"))
    for call in calls:
        with pytest.raises(RetryLater, match="it is stopped"):
            call()
