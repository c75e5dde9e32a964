"""AKS resources in all their shapes: what they tell, and in which words it is said that they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler import aks
from reconciler.aks import ManagedCluster
from reconciler.model import ApiAccess, ClusterConfig, Discovery
from tests import builders
from tests.builders import SUBSCRIPTION
from tests.fakes.aks import bare, cluster, network, resource_id

OTHER = "00000000-0000-0000-0000-000000000002"
PLACES = (
    "subscription",
    "location",
    "load_balancer_resource_group",
    "pls_resource_group",
    "vnet_subscription",
    "vnet_resource_group",
    "vnet_name",
    "default_subnet",
)
BARE = bare(resource_id())
MANAGED = (aks.virtual_network(network()),)


def read(**shape: Any) -> ManagedCluster:
    """An AKS cluster as ARM answers it."""
    found = aks.managed_cluster(cluster(**shape))
    assert found is not None
    return found


def resolved(config: ClusterConfig = BARE, networks: Any = MANAGED, **shape: Any) -> ClusterConfig:
    """The configuration, completed from an AKS cluster of this shape."""
    return aks.resolved(config, read(**shape), networks)


def places(config: ClusterConfig) -> tuple[str, ...]:
    """What may be left to the resource."""
    return tuple(getattr(config, name) for name in PLACES)


def pool(subnet: str = "", mode: str = "System") -> dict[str, Any]:
    """A pool of nodes in a subnet."""
    return {"name": "pool", "mode": mode} | ({"vnetSubnetID": subnet} if subnet else {})


def subnet(
    name: str = "nodes", vnet: str = "own", group: str = "net", subscription: str = SUBSCRIPTION
) -> str:
    """The id of a subnet that somebody brought."""
    network_id = builders.network_id("virtualNetworks", vnet, group, subscription)
    return f"{network_id}/subnets/{name}"


def test_all_places_are_taken_from_a_cluster_with_a_network_of_its_own_making() -> None:
    """The commonest cluster: `az aks create` without a word about networks."""
    found = resolved()
    group = "MC_apps_aks1_eastus"
    assert places(found) == (SUBSCRIPTION, "eastus", group, group, "", group, "aks-vnet-1", "aks-subnet")
    assert found.unresolved == ""
    assert (found.name, found.mode, found.access) == (BARE.name, BARE.mode, BARE.access)


def test_a_network_somebody_brought_is_that_of_the_first_system_pool() -> None:
    """A pool of users may be in a subnet of its own, and go."""
    pools = [pool(subnet("users"), "User"), pool(subnet("nodes")), pool(subnet("more"))]
    found = resolved(networks=(), agentPoolProfiles=pools)
    assert places(found)[4:] == ("", "net", "own", "nodes")
    assert found.unresolved == ""


def test_a_network_in_another_subscription_is_told_with_it() -> None:
    """The hub of a landing zone; a subnet's id without it would point nowhere."""
    found = resolved(agentPoolProfiles=[pool(subnet(subscription=OTHER))])
    assert (found.subscription, found.vnet_subscription) == (SUBSCRIPTION, OTHER)
    assert found.network_subscription == OTHER


def test_what_is_configured_stays() -> None:
    """The resource fills gaps only."""
    config = replace(
        BARE,
        location="westeurope",
        load_balancer_resource_group="lbs",
        pls_resource_group="links",
        vnet_resource_group="net2",
        vnet_name="own2",
        default_subnet="nat",
    )
    found = resolved(config, agentPoolProfiles=[pool(subnet())])
    assert found == replace(config, subscription=SUBSCRIPTION)


def test_the_group_of_links_follows_the_configured_group_of_load_balancers() -> None:
    """As it does where no AKS resource is involved."""
    assert resolved(replace(BARE, load_balancer_resource_group="lbs")).pls_resource_group == "lbs"


def test_a_configured_subnet_is_looked_for_in_the_nodes_network() -> None:
    """One key may be left out without the other."""
    found = resolved(replace(BARE, default_subnet="nat"))
    assert (found.vnet_name, found.default_subnet, found.unresolved) == ("aks-vnet-1", "nat", "")


def test_a_configured_network_that_is_the_nodes_gives_their_subnet() -> None:
    """Names compare as ARM compares them."""
    config = replace(BARE, vnet_name="OWN", vnet_resource_group="Net")
    assert resolved(config, agentPoolProfiles=[pool(subnet())]).default_subnet == "nodes"


def test_a_configured_network_that_is_not_the_nodes_needs_a_subnet() -> None:
    """The nodes' subnet does not exist in there."""
    config = replace(BARE, vnet_name="hub", vnet_resource_group="net")
    found = resolved(config, agentPoolProfiles=[pool(subnet())])
    assert (
        found.unresolved == "the nodes are in the network own, not in hub; configure vnet and defaultSubnet"
    )


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ((), "must hold one virtual network, it holds none"),
        (
            (aks.virtual_network(network(name="b")), aks.virtual_network(network(name="a"))),
            "must hold one virtual network, it holds a, b",
        ),
        ((aks.virtual_network(network("g", "v", "x", "y")),), "cannot be told from x, y"),
        ("Azure answered 403", "could not be read (Azure answered 403)"),
    ],
)
def test_a_network_that_cannot_be_told_is_asked_for(networks: Any, words: str) -> None:
    """A guess would put NAT addresses, or a policy, into somebody else's subnet."""
    found = resolved(networks=networks)
    assert words in found.unresolved
    assert found.unresolved.endswith("; configure vnet and defaultSubnet")
    assert (found.vnet_name, found.default_subnet) == ("", "")
    assert found.load_balancer_resource_group == "MC_apps_aks1_eastus"


def test_the_only_subnet_of_a_managed_network_is_the_nodes() -> None:
    """Whatever its name."""
    assert resolved(networks=(aks.virtual_network(network("g", "v", "only")),)).default_subnet == "only"


def test_networks_are_read_only_where_they_are_needed() -> None:
    """A call per cluster, and a right that not everybody grants."""
    own, managed = read(agentPoolProfiles=[pool(subnet())]), read()
    assert aks.needs_networks(BARE, managed)
    assert not aks.needs_networks(BARE, own)
    assert not aks.needs_networks(builders.CONFIG, managed)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"powerState": {"code": "Stopped"}}, "is stopped, so its Services are unknown, not gone"),
        ({"provisioningState": "Deleting"}, "is being deleted"),
        ({"provisioningState": "Creating"}, "is being created"),
        ({"provisioningState": "Starting", "powerState": {"code": "Stopped"}}, "is being started"),
        ({"provisioningState": "Stopping"}, "is being stopped"),
        ({"aadProfile": None}, "has no Microsoft Entra integration"),
        ({"aadProfile": {}}, "has no Microsoft Entra integration"),
        ({"aadProfile": {"serverAppID": OTHER, "clientAppID": OTHER}}, "has no Microsoft Entra integration"),
        ({"nodeResourceGroup": None}, "names no node resource group"),
    ],
)
def test_a_cluster_that_cannot_be_read_is_unresolved(shape: Mapping[str, Any], words: str) -> None:
    """Nothing may be concluded from it; a person is told why."""
    assert words in resolved(**shape).unresolved


def test_a_stopped_cluster_keeps_its_places_and_says_how_it_is_started() -> None:
    """Events of its load balancers still find it."""
    found = resolved(powerState={"code": "Stopped"})
    assert found.load_balancer_resource_group == "MC_apps_aks1_eastus"
    assert found.unresolved.endswith(f"az aks start --subscription {SUBSCRIPTION} -g apps -n aks1")


def test_a_cluster_without_entra_says_both_ways_out() -> None:
    """Its own user credential is an administrator's certificate, which is never used."""
    why = resolved(aadProfile=None).unresolved
    assert f"az aks update --subscription {SUBSCRIPTION} -g apps -n aks1 --enable-aad" in why
    assert "{type: kubeconfig, secret: NAME}" in why


@pytest.mark.parametrize("state", ["Succeeded", "Failed", "Updating", "Upgrading", "Canceled"])
def test_a_cluster_that_is_worked_on_is_read(state: str) -> None:
    """An upgrade takes an hour, and one that failed leaves a cluster that works."""
    assert resolved(provisioningState=state).unresolved == ""


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"id": 5},
        {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/l"},
        {"id": f"{resource_id()}/agentPools/p"},
    ],
)
def test_what_is_no_aks_cluster_is_none(item: Mapping[str, Any]) -> None:
    """It could not be spoken of."""
    assert aks.managed_cluster(item) is None


def test_odd_answers_are_read_as_absent() -> None:
    """Untrusted, like everything on the wire; the words are for people still."""
    odd = {"powerState": 7, "agentPoolProfiles": [None, {"vnetSubnetID": []}], "aadProfile": "yes"}
    found = aks.managed_cluster({"id": resource_id(), "location": None, "tags": [], "properties": odd})
    assert found is not None
    assert (found.subnets, found.power, found.entra, dict(found.tags)) == ((), "", False, {})
    shapeless = resolved(agentPoolProfiles=[pool("elsewhere")])
    assert "names no subnet that can be understood" in shapeless.unresolved


def a_discovery(tag: str = "pls", value: str | None = None) -> Discovery:
    """Clusters that bear a tag."""
    return Discovery(SUBSCRIPTION, tag, value, replace(BARE, name="", access=ApiAccess(), mode="upsert-only"))


@pytest.mark.parametrize(
    ("tags", "value", "borne"),
    [
        ({"PLS": "on"}, None, True),
        ({"pls": "on"}, "on", True),
        ({"pls": "On"}, "on", False),
        ({"pls": ""}, None, True),
        ({"other": "on"}, None, False),
    ],
)
def test_tags_compare_as_arm_compares_them(tags: dict[str, str], value: str | None, borne: bool) -> None:
    """Names in any case, values exactly."""
    assert aks.matches(a_discovery(value=value), read(tags=tags)) is borne


def test_a_discovered_cluster_is_named_after_its_id_and_has_the_discoverys_defaults() -> None:
    """Names of AKS clusters repeat across groups; the digest is over the id in lower case."""
    tagged, plain = read(tags={"pls": ""}), read(name="aks2")
    (found,) = aks.discovered(a_discovery(), [tagged, plain], ())
    assert (found.name, found.mode, found.access) == (
        "aks1-da4ecd4d",
        "upsert-only",
        ApiAccess(aks=tagged.id),
    )
    assert aks.name_of(replace(tagged, id=tagged.id.upper())) == found.name
    assert aks.discovered(a_discovery(), [tagged], {tagged.id.lower()}) == ()


def test_a_discovered_clusters_name_fits_what_names_may_be() -> None:
    """AKS allows 63 characters, as we do, and the digest needs room."""
    longest = read(name="a" * 63)
    assert len(aks.name_of(longest)) == 63
    assert aks.name_of(longest) != aks.name_of(read(name="a" * 62 + "b"))
