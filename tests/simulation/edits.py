"""What people do by hand in Azure: edits of PLSs of ours, and PLSs of their own that nobody may touch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tests.simulation.arm import Subscription
from tests.simulation.documents import (
    CLUSTER_TAG,
    FRONTENDS,
    ON,
    OWNER_TAG,
    POLICY,
    TRANSIT,
    connections_of,
    network,
)
from tests.simulation.events import WRITTEN
from tests.simulation.steps import Connect, DeletePls, EditPls, MakeForeign

Json = dict[str, Any]
MINE = "made-by"


def by_hand(arm: Subscription, group: str, step: EditPls | DeletePls | Connect) -> None:
    """Do it to the PLS that the step picks; nothing where there is none, or an operation runs on it."""
    links = [p for p in arm.links(group) if MINE not in (p.get("tags") or {})]
    if not links:
        return
    pls = links[step.pick % len(links)]
    if pls["properties"]["provisioningState"] in TRANSIT:
        return
    match step:
        case EditPls():
            _edit(arm, pls, step)
        case DeletePls():
            arm.change(pls["id"], privateEndpointConnections=[])
            arm.delete_link(pls["id"])
        case Connect():
            _connect(arm, pls, step.status)


def _edit(arm: Subscription, pls: Json, step: EditPls) -> None:
    tags = dict(pls.get("tags") or {})
    match step.edit:
        case "fqdns":
            arm.change(pls["id"], fqdns=["by-hand"])
        case "proxy":
            arm.change(pls["id"], enableProxyProtocol=not pls["properties"].get("enableProxyProtocol"))
        case "visibility":
            arm.change(pls["id"], visibility={"subscriptions": ["*"]})
        case "nat-ips":
            first = pls["properties"]["ipConfigurations"][0]
            more = {**first, "name": "by-hand", "properties": {**first["properties"], "primary": False}}
            arm.change(pls["id"], ipConfigurations=[first, more, more])
        case "owner-gone":
            arm.change(pls["id"], tags={k: v for k, v in tags.items() if k != OWNER_TAG})
        case "owner-other":
            arm.change(pls["id"], tags={**tags, OWNER_TAG: "shop/nobody"})
        case "cluster-gone":
            arm.change(pls["id"], tags={k: v for k, v in tags.items() if k != CLUSTER_TAG})
        case "foreign-tag":
            arm.change(pls["id"], tags={**tags, "team": "blue"})


def _connect(arm: Subscription, pls: Json, status: str) -> None:
    name = f"pe-{len(connections_of(pls))}"
    state = {"privateLinkServiceConnectionState": {"status": status}}
    connection = {
        "id": f"{pls['id']}/privateEndpointConnections/{name}",
        "name": name,
        "properties": {**state, "privateEndpoint": {"id": f"{network('consumer')}/privateEndpoints/{name}"}},
    }
    arm.change(pls["id"], privateEndpointConnections=[*connections_of(pls), connection])


def enable_policy(arm: Subscription, group: str, name: str) -> None:
    """Somebody's template switches the policies on again, and attaches a route table of its own."""
    route_table = {"id": f"{network(group)}/routeTables/theirs-{arm.kernel.now:.0f}"}
    subnet_id = f"{network(group)}/virtualNetworks/aks-vnet/subnets/{name}"
    arm.change(subnet_id, **{POLICY: "Enabled", "routeTable": route_table})


class Bystander:
    """Somebody's own PLSs, which must stay as they are made (or go with their frontend, by the provider)."""

    def __init__(self, arm: Subscription) -> None:
        self._arm = arm
        self._made: dict[str, str] = {}

    def make(self, group: str, step: MakeForeign) -> None:
        """A PLS without our tags on the n-th frontend that has none."""
        arm = self._arm
        fronts = [
            f for lb in arm.of_kind("loadBalancers", network(group)) for f in lb["properties"][FRONTENDS]
        ]
        free = [f for f in fronts if arm.link_on(f["id"]) is None]
        pls_id = f"{network(group)}/privateLinkServices/{step.name}"
        if not free or arm.find(pls_id):
            return
        nat_ip = {
            "primary": True,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": f"{network(group)}/virtualNetworks/aks-vnet/subnets/default"},
        }
        properties = {
            "provisioningState": "Succeeded",
            "resourceGuid": f"theirs-{len(self._made)}",
            ON: [{"id": free[step.pick % len(free)]["id"]}],
            "ipConfigurations": [{"name": "theirs", "properties": nat_ip}],
            "privateEndpointConnections": [],
        }
        tags = {MINE: "hand"}
        arm.make(
            {"id": pls_id, "name": step.name, "location": "eastus", "tags": tags, "properties": properties}
        )
        arm.events.publish(WRITTEN, pls_id)
        self._made[pls_id.lower()] = _content(arm.find(pls_id))

    def check(self, replaced: Collection[str]) -> None:
        """They are as they were made, but for those that were ``replaced`` for a reason. Raises AssertionError."""
        for key, made in list(self._made.items()):
            present = self._arm.find(key)
            if present is None or key in replaced:
                del self._made[key]  # who deleted it is in the list of writes: never we (see watch)
            else:
                assert _content(present) == made, f"{key} was changed: {made} -> {present}"


def _content(pls: Json | None) -> str:
    """All but the state, which changes while somebody tries in vain to delete it."""
    if pls is None:
        return ""
    properties = {k: v for k, v in pls["properties"].items() if k != "provisioningState"}
    return repr({**pls, "etag": "", "properties": properties})
