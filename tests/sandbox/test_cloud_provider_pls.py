"""`--ccm-pls` over HTTP: the in-tree controller's Private Link Services, made, shared, refused and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.cloud_provider.in_tree import LinkCache
from sandbox.up import Sandbox, SandboxOptions
from tests.sandbox.provider_steps import ADDRESS, CREATE, NETWORK, World, frontend_name, until

Json = dict[str, Any]
PLS = "service.beta.kubernetes.io/azure-pls-"
ASKS = {CREATE: "true"}
OTHER_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/myOtherResourceGroup"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    options = SandboxOptions(
        clusters=("prod",), provisioning_seconds=0.2, storage=False, ccm_pls=True, pls_cache_seconds=0.5
    )
    with Sandbox.start(options) as running:
        yield running


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    found = World(sandbox)
    yield found
    services = sandbox.cluster("prod", "GET", "/api/v1/namespaces/default/services").body["items"]
    names = [item["metadata"]["name"] for item in services if item["metadata"]["name"] != "kubernetes"]
    found.delete(*names)
    until(lambda: found.gone(*names))
    assert found.balancer() is None


def links(world: World) -> dict[str, Json]:
    """PLS name → PLS of the cluster's group."""
    found = world.sandbox.arm("GET", f"{NETWORK}/privateLinkServices").body["value"]
    return {item["name"]: item for item in found}


def test_a_service_that_asks_gets_its_pls_before_its_address(world: World) -> None:
    """Default name, tags, subnet policy; when the address shows, the PLS is there."""
    own = frontend_name(world.apply("app", ASKS))
    world.ready("app")
    made = links(world)[f"pls-{own}"]
    assert made["tags"] == {
        "k8s-azure-cluster-name": "kubernetes",
        "k8s-azure-owner-service": "default/app",
    }
    assert made["properties"]["provisioningState"] == "Succeeded"
    subnet = world.resource("virtualNetworks/aks-vnet/subnets/default") or {}
    assert subnet["properties"]["privateLinkServiceNetworkPolicies"] == "Disabled"


def test_a_sharer_is_served_and_one_with_settings_loses_its_address(world: World) -> None:
    """The collision fails the whole Service, not only its PLS: the pain that the product spares its users."""
    world.apply("owner", {**ASKS, ADDRESS: "10.224.0.50"})
    world.ready("owner")
    world.apply("sharer", {**ASKS, ADDRESS: "10.224.0.50"}, port=81)
    world.ready("sharer")
    world.apply("rival", {**ASKS, ADDRESS: "10.224.0.50", f"{PLS}name": "mine"}, port=82)
    assert "owned by service(default/owner)" in world.refusal("rival")
    assert world.ip("rival") == ""
    assert len(links(world)) == 1


def test_an_annotation_changes_the_pls_in_place(world: World) -> None:
    """Same PLS, same alias, new settings; a tag of somebody else's survives."""
    own = frontend_name(world.apply("app", ASKS))
    world.ready("app")
    before = links(world)[f"pls-{own}"]
    world.sandbox.arm_backdoor("PATCH", "resources", {"tags": {"team": "x"}}, id=before["id"])
    world.patch("app", {"metadata": {"annotations": {f"{PLS}fqdns": "a.example"}}})
    until(lambda: links(world)[f"pls-{own}"]["properties"]["fqdns"] == ["a.example"])
    after = until(lambda: _succeeded(links(world)[f"pls-{own}"]))
    assert after["properties"]["alias"] == before["properties"]["alias"]
    assert after["tags"]["team"] == "x"


def _succeeded(pls: Json) -> Json | None:
    return pls if pls["properties"]["provisioningState"] == "Succeeded" else None


def test_deletion_takes_connections_then_pls_then_frontend(world: World) -> None:
    """Nothing is left to hold the frontend; the load balancer, which others use, stays."""
    own = frontend_name(world.apply("app", ASKS))
    world.apply("other", port=81)
    world.ready("app")
    world.ready("other")
    endpoint = f"{OTHER_GROUP}/providers/Microsoft.Network/privateEndpoints/pe1"
    subnet = f"{OTHER_GROUP}/providers/Microsoft.Network/virtualNetworks/myOtherVNET/subnets/pe-subnet"
    link = {"privateLinkServiceId": links(world)[f"pls-{own}"]["id"]}
    connections = [{"name": "c", "properties": link}]
    properties = {"subnet": {"id": subnet}, "privateLinkServiceConnections": connections}
    reply = world.sandbox.arm("PUT", endpoint, {"location": "eastus", "properties": properties})
    assert reply.status == 201, reply.body
    until(lambda: links(world)[f"pls-{own}"]["properties"]["privateEndpointConnections"])
    world.delete("app")
    until(lambda: world.gone("app"))
    assert links(world) == {}
    assert own not in world.frontends()
    assert world.ip("other")


def test_an_unmanaged_pls_fails_the_service_and_is_deleted_with_its_frontend(world: World) -> None:
    """The real controller's delete path asks nobody whose PLS it is: so does this one."""
    own = frontend_name(world.apply("app"))
    world.ready("app")
    world.put_pls("theirs", own, team="x")
    world.patch("app", {"metadata": {"annotations": ASKS}})
    assert "already has unmanaged private link service" in world.refusal("app")
    world.delete("app")
    until(lambda: world.gone("app"))
    assert links(world) == {}


class Listing:
    """A collection whose content a test sets."""

    def __init__(self) -> None:
        self.items: list[Json] = []

    async def list(self, path: str) -> list[Json]:
        return self.items


def test_the_cache_believes_what_it_saw_until_its_time_is_over() -> None:
    """Negative answers too; only a write of its own opens its eyes earlier."""
    azure, now = Listing(), [0.0]
    cache = LinkCache(azure, 120, clock=lambda: now[0])
    frontend = [{"id": "/F"}]
    pls = {"id": "/p", "properties": {"loadBalancerFrontendIpConfigurations": frontend}}

    def seen() -> Json | None:
        return asyncio.run(cache.on("/group", "/f"))

    assert seen() is None
    azure.items = [pls]
    now[0] = 119
    assert seen() is None
    now[0] = 120
    assert seen() == pls
    azure.items = []
    assert seen() == pls
    cache.forget("/GROUP", "/F")
    assert seen() is None
