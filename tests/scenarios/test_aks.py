"""AKS clusters over the real host: reached by their resources alone, stopped, without Entra, found by a tag."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from reconciler import aks
from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TAG = "private-links"
TOKEN_SECONDS = 3


def resource_id(name: str) -> str:
    """The id of a cluster's AKS resource."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/myResourceGroup"
    return f"{group}/providers/Microsoft.ContainerService/managedClusters/{name}"


def found_name(name: str) -> str:
    """What a cluster is called that was found by its tag."""
    cluster = aks.managed_cluster({"id": resource_id(name)})
    assert cluster is not None
    return aks.name_of(cluster)


DOCUMENT = {
    "clusters": [
        {
            "name": name,
            "mode": "sync",
            "inTree": "absent",
            "api": {"type": "aks", "resourceId": resource_id(name)},
        }
        for name in ("prod", "old")
    ],
    "discover": [{"subscription": SUBSCRIPTION, "tag": TAG, "mode": "sync", "inTree": "absent"}],
}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """Three clusters: prod, old without Entra integration, and shop in a network of AKS's making, not configured."""
    world = start(
        SandboxOptions(
            clusters=("prod", "old", "shop"),
            managed_networks=("shop",),
            provisioning_seconds=0.3,
            token_seconds=TOKEN_SECONDS,
            extra_settings={
                "CLUSTERS": json.dumps(DOCUMENT),
                "AKS_REFRESH_SECONDS": "1",
                "KUBERNETES_TIMEOUT": "2",
            },
        )
    )
    change(world, "old", {"properties": {"aadProfile": None}})
    return world


def change(world: World, cluster: str, patch: dict[str, Any]) -> None:
    """Change an AKS resource behind ARM's back."""
    reply = world.sandbox.arm_backdoor("PATCH", "resources", patch, id=resource_id(cluster))
    assert reply.status == 200, reply


def switch(world: World, cluster: str, action: str) -> None:
    """`az aks stop` or `az aks start`."""
    reply = world.sandbox.arm("POST", f"{resource_id(cluster)}/{action}?api-version=2025-10-01")
    assert reply.status == 202, reply


def statuses(world: World) -> dict[str, Any]:
    """What status tells of all clusters."""
    reply = world.sandbox.function("GET", "/api/status")
    assert reply.status == 200, reply
    assert reply.body["problems"] == []
    return {cluster["name"]: cluster for cluster in reply.body["clusters"]}


def test_a_cluster_named_by_its_resource_alone_gets_its_private_link_services(world: World) -> None:
    """Server, authority, token, groups, network and location: nothing of it is configured."""
    pls = world.ready(world.make("prod", "app", pls_fqdns="a"), lambda has: has["fqdns"] == ["a"])
    subnet = pls["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    assert subnet.endswith(
        "/resourceGroups/MC_prod/providers/Microsoft.Network/virtualNetworks/aks-vnet/subnets/default"
    )
    assert pls["location"] == "eastus"
    assert world.quiet_plan("prod")["findings"] == []


def test_a_cluster_without_entra_is_reported_with_the_ways_out(world: World) -> None:
    """Its user credential would be an administrator's: nobody asks for it."""
    world.resync("old")
    sentence = world.finding("old", "UnknownView")["sentence"]
    assert "az aks update" in sentence
    assert "--enable-aad" in sentence
    asked = [r["path"] for r in world.requests() if "listcluster" in r["path"].lower()]
    assert asked
    assert not [path for path in asked if "/old/" in path]


def test_a_stopped_cluster_is_unknown_and_goes_on_after_its_start(world: World) -> None:
    """Nothing is deleted, nobody asks its API, and it is said how it is started."""
    pls_id = world.make_ready("prod", "kept")
    switch(world, "prod", "stop")
    world.wait("prod is told to be stopped", lambda: "is stopped" in said(world, "prod"))
    assert "az aks start" in said(world, "prod")
    world.forget_requests()
    assert world.run_now("prod")["complete"] is False
    assert world.link_writes() == []
    assert not [r for r in world.requests() if "/prod/listcluster" in r["path"].lower()]
    assert world.pls(pls_id) is not None
    switch(world, "prod", "start")
    world.wait("prod is looked at", lambda: world.run_now("prod")["complete"])
    world.annotate("prod", "kept", {"pls-fqdns": "b"})
    world.ready(pls_id, lambda has: has["fqdns"] == ["b"])


def said(world: World, cluster: str) -> str:
    """The findings of a run now."""
    return "; ".join(f["sentence"] for f in world.run_now(cluster)["findings"])


def test_a_tag_finds_a_cluster_and_without_it_the_cluster_is_left_alone(world: World) -> None:
    """What was made for it stays in Azure, and is nobody's business from then on."""
    name = found_name("shop")
    assert name not in statuses(world)
    change(world, "shop", {"tags": {TAG: "on"}})
    world.wait("shop is found", lambda: name in statuses(world))
    pls_id = world.make("shop", "app")
    pls = world.ready(pls_id)
    subnet = pls["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    assert subnet.endswith("/subnets/aks-subnet")
    assert world.wait("its status", lambda: statuses(world)[name]["privateLinkServices"])
    change(world, "shop", {"tags": {TAG: None}})
    world.wait("shop is left alone", lambda: not statuses(world)[name]["configured"])
    reply = world.sandbox.function("GET", f"/api/plan?cluster={name}")
    assert (reply.status, reply.body["error"]["code"]) == (404, "UnknownCluster")
    world.delete_service("shop", "app")
    assert world.pls(pls_id) is not None


def test_tokens_are_renewed_before_they_end(world: World) -> None:
    """Theirs last seconds here; one kept too long is a 401 in the cluster's log."""
    pls_id, made = world.make_ready("prod", "long"), time.monotonic()
    world.wait("a token has ended", lambda: time.monotonic() > made + TOKEN_SECONDS)
    world.annotate("prod", "long", {"pls-fqdns": "c"})
    world.ready(pls_id, lambda has: has["fqdns"] == ["c"])
    log = world.sandbox.cluster_backdoor("prod", "GET", "requests").body["value"]
    asked = [r for r in log if "fieldSelector" in json.dumps(r)]
    assert asked
    assert {r["status"] for r in asked} == {200}


def test_the_command_line_resolves_clusters_too(world: World) -> None:
    """The same on a laptop: a plan of one, and of one that cannot be read, the reason."""
    world.make_ready("prod", "line")
    planned = world.reconciler("plan", "--cluster", "prod", "--cluster", "old", "--output", "json")
    plans = {plan["cluster"]: plan for plan in json.loads(planned.stdout)["plans"]}
    assert planned.returncode == 1
    assert plans["prod"]["writes"] == []
    assert [f["reason"] for f in plans["old"]["findings"]] == ["UnknownView"]
