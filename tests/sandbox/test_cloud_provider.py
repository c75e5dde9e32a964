"""The cloud provider's part over HTTP: what Services get, share, are refused, and leave behind."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from sandbox.cloud_provider.kubernetes import ExpiredError, Kubernetes
from sandbox.cloud_provider.options import ClusterAccess
from sandbox.up import Sandbox, SandboxOptions
from tests.sandbox.provider_steps import ADDRESS, INTERNAL, NETWORK, World, frontend_name, until

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
SUBNET = "service.beta.kubernetes.io/azure-load-balancer-internal-subnet"
PIP_NAME = "service.beta.kubernetes.io/azure-pip-name"
NO_FLOATING_IP = "service.beta.kubernetes.io/azure-disable-load-balancer-floating-ip"
PUBLIC = {INTERNAL: ""}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    options = SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, storage=False)
    with Sandbox.start(options) as running:
        yield running


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    """An empty cluster before, and none of the test's load balancers after."""
    found = World(sandbox)
    yield found
    services = sandbox.cluster("prod", "GET", "/api/v1/namespaces/default/services").body["items"]
    names = [item["metadata"]["name"] for item in services if item["metadata"]["name"] != "kubernetes"]
    found.delete(*names)
    until(lambda: found.gone(*names))
    assert found.balancer() is None
    assert found.balancer("kubernetes") is None


def test_an_internal_service_gets_frontend_rule_probe_and_address(world: World) -> None:
    """Names, finalizer and status as the real provider leaves them: the product reads exactly these."""
    own = frontend_name(world.apply("app"))
    address = world.ready("app")
    assert world.frontends()[own]["privateIPAddress"] == address
    balancer = world.balancer() or {}
    (rule,) = balancer["properties"]["loadBalancingRules"]
    assert rule["name"] == f"{own}-TCP-80"
    assert rule["properties"]["enableFloatingIP"] is True
    assert rule["properties"]["backendPort"] == 80
    assert [probe["name"] for probe in balancer["properties"]["probes"]] == [f"{own}-TCP-80"]
    assert (world.service("app") or {})["metadata"]["finalizers"] == [FINALIZER]


def test_a_frontend_is_shared_by_address_and_outlives_its_first_service(world: World) -> None:
    """The rules of one Service go with it; the frontend stays while another's rules are on it."""
    own = frontend_name(world.apply("first"))
    address = world.ready("first")
    world.apply("second", {ADDRESS: address}, port=81)
    world.apply("third", port=82, loadBalancerIP=address)
    assert [world.ready(name) for name in ("second", "third")] == [address, address]
    assert list(world.frontends()) == [own]
    world.delete("first")
    until(lambda: world.gone("first"))
    assert len(world.frontends()[own]["loadBalancingRules"]) == 2
    world.delete("second", "third")
    until(lambda: world.balancer() is None)


def test_a_port_that_another_service_uses_on_the_frontend_is_refused(world: World) -> None:
    """A conflict is told to the second Service alone, and resolved when the port is free."""
    world.apply("holder", {ADDRESS: "10.224.0.77"})
    assert world.ready("holder") == "10.224.0.77"
    world.apply("rival", {ADDRESS: "10.224.0.77"})
    assert "checkLoadBalancerResourcesConflicts" in world.refusal("rival")
    assert world.ip("rival") == ""
    world.delete("holder")
    assert world.ready("rival") == "10.224.0.77"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.99.0.4", "PrivateIPAddressNotInSubnet"),
        ("10.224.0.2", "PrivateIPAddressInReservedRange"),
        ("10.224.0.200", "PrivateIPAddressIsAllocated"),
        ("ten", "is not an IPv4 address"),
    ],
)
def test_an_address_outside_the_network_or_taken_is_refused_with_an_event(
    world: World, address: str, code: str
) -> None:
    """The Service learns ARM's own reason; others are served all the same."""
    subnet = {"id": f"{NETWORK}/virtualNetworks/aks-vnet/subnets/default"}
    held = {"privateIPAllocationMethod": "Static", "privateIPAddress": "10.224.0.200", "subnet": subnet}
    foreign = {"frontendIPConfigurations": [{"name": "f", "properties": held}]}
    world.put(
        "loadBalancers/foreign", {"location": "eastus", "sku": {"name": "Standard"}, "properties": foreign}
    )
    world.apply("bad", {ADDRESS: address})
    assert code in world.refusal("bad")
    assert world.ip("bad") == ""
    world.apply("good")
    assert world.ready("good")


def test_an_internal_subnet_is_part_of_the_names(world: World) -> None:
    """Frontend and rules carry the subnet's name, the address comes from it."""
    own = frontend_name(world.apply("app", {SUBNET: "pls-subnet"}))
    assert world.ready("app").startswith("10.225.0.")
    assert list(world.frontends()) == [f"{own}-pls-subnet"]
    (rule,) = world.frontends()[f"{own}-pls-subnet"]["loadBalancingRules"]
    assert rule["id"].endswith(f"/{own}-pls-subnet-TCP-80")


def test_a_public_service_gets_a_public_ip_that_goes_with_it(world: World) -> None:
    """The public IP is the provider's own: made, tagged, shown, and deleted."""
    own = frontend_name(world.apply("web", PUBLIC))
    address = world.ready("web")
    made = world.resource(f"publicIPAddresses/kubernetes-{own}") or {}
    assert made["properties"]["ipAddress"] == address
    assert made["tags"]["k8s-azure-service"] == "default/web"
    world.delete("web")
    until(lambda: world.gone("web"))
    assert world.resource(f"publicIPAddresses/kubernetes-{own}") is None


def test_a_named_public_ip_is_shared_and_kept(world: World) -> None:
    """Two Services on one public IP of the user's own: one frontend; it survives both. An unknown one refuses."""
    body = {"location": "eastus", "properties": {"publicIPAllocationMethod": "Static"}}
    mine = world.put("publicIPAddresses/mine", body)
    world.apply("one", {**PUBLIC, PIP_NAME: "mine"})
    world.apply("two", {**PUBLIC, PIP_NAME: "mine"}, port=81)
    world.apply("three", {**PUBLIC, PIP_NAME: "nobodys"}, port=82)
    assert world.ready("one") == world.ready("two") == mine["properties"]["ipAddress"]
    assert len(world.frontends("kubernetes")) == 1
    assert "azure-pip-name=nobodys" in world.refusal("three")
    world.delete("one", "two")
    until(lambda: world.gone("one", "two"))
    assert world.resource("publicIPAddresses/mine")


def test_without_floating_ip_the_rule_points_at_the_node_port(world: World) -> None:
    """The one thing that lets a public frontend have a PLS."""
    service = world.apply("web", {**PUBLIC, NO_FLOATING_IP: "True"})
    world.ready("web")
    (rule,) = (world.balancer("kubernetes") or {})["properties"]["loadBalancingRules"]
    assert rule["properties"]["enableFloatingIP"] is False
    assert rule["properties"]["backendPort"] == service["spec"]["ports"][0]["nodePort"]


def test_a_service_moves_between_the_load_balancers(world: World) -> None:
    """Internal to public and back: the other load balancer keeps nothing."""
    world.apply("app")
    private = world.ready("app")
    world.patch("app", {"metadata": {"annotations": {INTERNAL: None}}})
    until(lambda: world.ip("app") not in ("", private))
    assert world.balancer() is None
    world.patch("app", {"metadata": {"annotations": {INTERNAL: "true"}}})
    until(lambda: world.ip("app").startswith("10.224."))
    assert world.balancer("kubernetes") is None


def test_deletion_waits_while_a_private_link_service_holds_the_frontend(world: World) -> None:
    """ARM refuses, the Service is told and stays; when the PLS is gone the rest goes."""
    own = frontend_name(world.apply("held"))
    world.ready("held")
    world.put_pls("theirs", own)
    world.delete("held")
    assert "CannotDeleteLoadBalancerWithPrivateLinkService" in world.refusal("held")
    assert world.service("held")
    world.remove("privateLinkServices/theirs")
    until(lambda: world.gone("held"))


def test_another_type_ends_the_load_balancer_and_clears_the_status(world: World) -> None:
    """A Service that stops being a LoadBalancer keeps neither frontend nor address nor finalizer."""
    world.apply("app")
    world.ready("app")
    world.patch("app", {"spec": {"type": "ClusterIP"}})
    until(lambda: world.balancer() is None)
    until(lambda: not (world.service("app") or {})["metadata"].get("finalizers"))
    assert world.ip("app") == ""


def test_a_service_torn_out_of_the_cluster_is_cleaned_up_all_the_same(world: World) -> None:
    """Without the finalizer's leave the controller still remembers what it served."""
    world.apply("app")
    world.ready("app")
    world.sandbox.cluster_backdoor("prod", "DELETE", "objects/services/default/app")
    until(lambda: world.balancer() is None)


def test_a_frontend_that_vanished_comes_back_only_when_the_service_changes(world: World) -> None:
    """As the real provider: it never looks at Azure by itself, so that orphans can be played."""
    own = frontend_name(world.apply("app"))
    world.apply("other", port=81)
    world.ready("app")
    world.ready("other")
    balancer = (world.balancer() or {})["id"]
    world.sandbox.arm_backdoor(
        "POST", "remove-frontend", {"id": f"{balancer}/frontendIPConfigurations/{own}"}
    )
    world.patch("other", {"metadata": {"labels": {"touched": "true"}}})
    assert own not in world.frontends()
    world.patch("app", {"metadata": {"annotations": {"touched": "true"}}})
    until(lambda: own in world.frontends())


def test_a_service_of_no_sense_stops_nobody_else(world: World) -> None:
    """An object that no API server would have let in: it fails alone, again and again."""
    odd = {
        "metadata": {"name": "odd", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [1]},
    }
    assert world.sandbox.cluster_backdoor("prod", "PUT", "objects/services/default/odd", odd).status == 200
    world.apply("app")
    assert world.ready("app")
    world.sandbox.cluster_backdoor("prod", "DELETE", "objects/services/default/odd")


def test_a_conflicting_write_of_the_load_balancer_is_got_over(world: World) -> None:
    """412: somebody wrote in between; the next attempt reads again."""
    fault = {
        "method": "PUT",
        "path": "/loadBalancers/",
        "times": 1,
        "status": 412,
        "code": "PreconditionFailed",
    }
    assert world.sandbox.arm_backdoor("POST", "faults", fault).status == 201
    world.apply("app")
    assert world.ready("app")
    assert "412 PreconditionFailed" in world.refusal("app")


def test_a_watch_from_a_forgotten_version_asks_for_a_new_list(world: World) -> None:
    """The API server forgets old versions: the controller must not take the silence for no changes."""
    world.apply("app")
    world.sandbox.cluster_backdoor("prod", "POST", "compact")
    known = world.sandbox.endpoints["clusters"]["prod"]

    async def watch() -> None:
        tls = ssl.create_default_context(cafile=known["ca"])
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
            access = ClusterAccess(known["server"], Path(known["ca"]), known["token"])
            async for _ in Kubernetes(session, access).watch("1"):
                pass

    with pytest.raises(ExpiredError):
        asyncio.run(watch())


def test_events_are_listed_in_the_order_of_their_telling(world: World) -> None:
    """Bug caught: `kubectl get events` that shows the end of the work before its beginning."""
    names = [f"told-{number}" for number in range(4)]
    for name in names:
        world.apply(name)
        world.ready(name)

    def reasons(name: str) -> list[str]:
        events = world.sandbox.cluster("prod", "GET", "/api/v1/namespaces/default/events").body["items"]
        return [event["reason"] for event in events if event["involvedObject"]["name"] == name]

    until(lambda: all(len(reasons(name)) == 2 for name in names))
    assert {tuple(reasons(name)) for name in names} == {("EnsuringLoadBalancer", "EnsuredLoadBalancer")}
