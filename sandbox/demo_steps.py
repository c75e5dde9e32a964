"""The steps of the demo, in order: what is done, and what must come true then."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sandbox.demo_world import CLUSTER_TAG, NETWORK, OWNER_TAG, DemoWorld, StepFailed, properties

Json = dict[str, Any]
Step = Callable[[DemoWorld], str]

NODE_GROUP, OTHER_GROUP = "MC_prod", "myOtherResourceGroup"
PLS, FOREIGN, ORPHAN = "myServicePLS", "handmade-pls", "orphan-pls"
NAT_IP = "10.225.0.50"


def prepare_foreign(world: DemoWorld) -> str:
    """A person's own load balancer and Private Link Service, right beside ours."""
    vnet = f"{world.group(NODE_GROUP)}/{NETWORK}/virtualNetworks/aks-vnet"
    subnet = {"id": f"{vnet}/subnets/default"}
    balancer = f"{world.group(NODE_GROUP)}/{NETWORK}/loadBalancers/handmade"
    frontend = {"name": "web", "properties": {"subnet": subnet, "privateIPAllocationMethod": "Dynamic"}}
    body: Json = {
        "location": "eastus",
        "sku": {"name": "Standard"},
        "properties": {"frontendIPConfigurations": [frontend]},
    }
    world.expect(world.sandbox.arm("PUT", balancer, body), 200, 201)
    network = world.expect(world.sandbox.arm("GET", f"{vnet}/subnets/default"), 200)
    network["properties"]["privateLinkServiceNetworkPolicies"] = "Disabled"
    world.expect(world.sandbox.arm("PUT", f"{vnet}/subnets/default", network), 200, 201)
    world.wait("the subnet is ready", lambda: _succeeded(world, f"{vnet}/subnets/default"))
    pls_id = world.pls_id(NODE_GROUP, FOREIGN)
    pls = _pls_body(f"{balancer}/frontendIPConfigurations/web", subnet["id"], {"made-by": "somebody"})
    world.expect(world.sandbox.arm("PUT", pls_id, pls), 200, 201)
    world.kept["foreign"] = world.wait_for_pls(pls_id, "the hand-made one is there", lambda p: True)
    return ""


def _succeeded(world: DemoWorld, resource_id: str) -> bool:
    return bool(world.sandbox.arm("GET", resource_id).body["properties"]["provisioningState"] == "Succeeded")


def _pls_body(frontend_id: str, subnet_id: str, tags: dict[str, str]) -> Json:
    nat_ip = {
        "name": "nat",
        "properties": {"subnet": {"id": subnet_id}, "primary": True, "privateIPAllocationMethod": "Dynamic"},
    }
    return {
        "location": "eastus",
        "tags": tags,
        "properties": {
            "loadBalancerFrontendIpConfigurations": [{"id": frontend_id}],
            "ipConfigurations": [nat_ip],
        },
    }


def manifest(world: DemoWorld) -> str:
    """The document's own manifest."""
    world.apply_service(
        "prod",
        "myservice",
        {
            "load-balancer-internal": "true",
            "pls-create": "true",
            "pls-name": PLS,
            "pls-ip-configuration-subnet": "pls-subnet",
            "pls-ip-configuration-ip-address-count": "1",
            "pls-ip-configuration-ip-address": NAT_IP,
            "pls-fqdns": "fqdn1 fqdn2",
            "pls-proxy-protocol": "false",
            "pls-visibility": "*",
            "pls-auto-approval": world.subscription,
        },
    )
    pls_id = world.pls_id(NODE_GROUP, PLS)
    pls = world.wait_for_pls(pls_id, "the Private Link Service is there", lambda p: True)
    has = properties(pls)
    wanted = (["fqdn1", "fqdn2"], ["*"], [world.subscription], NAT_IP)
    nat = properties(has["ipConfigurations"][0])
    got = (has["fqdns"], has["visibility"]["subscriptions"], has["autoApproval"]["subscriptions"])
    if (*got, nat["privateIPAddress"]) != wanted:
        raise StepFailed(f"its settings are {got} and {nat}, wanted {wanted}")
    return f"alias {has['alias']}"


def second_cluster(world: DemoWorld) -> str:
    """The same names in another cluster lead to a Private Link Service of its own."""
    world.apply_service(
        "dev",
        "myservice",
        {"load-balancer-internal": "true", "pls-create": "true", "pls-name": PLS},
    )
    pls = world.wait_for_pls(world.pls_id("MC_dev", PLS), "dev has its own", lambda p: True)
    return f"alias {properties(pls)['alias']}"


def share(world: DemoWorld) -> str:
    """A second Service on the same address, without settings."""
    address = world.address("prod", "myservice")
    settings = {"load-balancer-internal": "true", "load-balancer-ipv4": address, "pls-create": "true"}
    world.apply_service("prod", "second", settings, port=81)
    pls_id = world.pls_id(NODE_GROUP, PLS)
    world.wait(
        "status shows the second Service as a sharer",
        lambda: "default/second" in world.status_of("prod", pls_id).get("sharers", []),
        lambda: world.status_of("prod", pls_id),
    )
    return f"both on {world.address('prod', 'second')}"


def refuse(world: DemoWorld) -> str:
    """A third one has settings of its own: refused, though its load balancer works."""
    settings = {
        "load-balancer-internal": "true",
        "load-balancer-ipv4": world.address("prod", "myservice"),
        "pls-create": "true",
        "pls-ip-configuration-subnet": "pls-subnet",
        "pls-ip-configuration-ip-address": NAT_IP,
        "pls-fqdns": "third.example",
    }
    world.apply_service("prod", "third", settings, port=82)
    found = world.wait("status refuses it", lambda: world.findings("prod", "third"))
    if found[0]["reason"] != "NotOwner":
        raise StepFailed(f"wanted NotOwner, got {found}")
    return f"{found[0]['sentence']}\nits frontend works: {world.address('prod', 'third')}"


def follow(world: DemoWorld) -> str:
    """An annotation changes, the Private Link Service follows."""
    world.annotate("prod", "myservice", {"pls-fqdns": "fqdn3.example"})
    world.wait_for_pls(
        world.pls_id(NODE_GROUP, PLS),
        "it has the new name",
        lambda p: properties(p)["fqdns"] == ["fqdn3.example"],
    )
    return ""


def repair(world: DemoWorld) -> str:
    """Somebody edits it by hand; it is put right."""
    pls_id = world.pls_id(NODE_GROUP, PLS)
    pls = world.expect(world.sandbox.arm("GET", pls_id), 200)
    pls["properties"]["fqdns"] = ["edited.by.hand"]
    pls["tags"]["note"] = "kept"
    world.expect(world.sandbox.arm("PUT", pls_id, pls), 200, 201)
    fixed = world.wait_for_pls(
        pls_id, "the edit is gone", lambda p: properties(p)["fqdns"] == ["fqdn3.example"]
    )
    if fixed["tags"].get("note") != "kept":
        raise StepFailed(f"a tag that is not ours was lost: {fixed['tags']}")
    return "the tag somebody added at the same time is still there"


def connect(world: DemoWorld) -> str:
    """A private endpoint from another network."""
    pls_id = world.pls_id(NODE_GROUP, PLS)
    other = f"{world.group(OTHER_GROUP)}/{NETWORK}"
    link = {"name": "link", "properties": {"privateLinkServiceId": pls_id}}
    body = {
        "location": "eastus",
        "properties": {
            "subnet": {"id": f"{other}/virtualNetworks/myOtherVNET/subnets/pe-subnet"},
            "privateLinkServiceConnections": [link],
        },
    }
    endpoint = f"{other}/privateEndpoints/myPrivateEndpoint"
    world.expect(world.sandbox.arm("PUT", endpoint, body), 200, 201)
    world.wait(
        "status counts one approved connection",
        lambda: world.status_of("prod", pls_id).get("connections") == {"Approved": 1},
        lambda: world.status_of("prod", pls_id),
    )
    return "approved at once, by pls-auto-approval"


def hand_over(world: DemoWorld) -> str:
    """The owner's tag names the third Service now: its settings count, the first one's no longer do."""
    pls_id = world.pls_id(NODE_GROUP, PLS)
    # What `az tag update --operation merge` sends.
    tags = f"{pls_id}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
    body = {"operation": "Merge", "properties": {"tags": {OWNER_TAG: "default/third"}}}
    world.expect(world.sandbox.arm("PATCH", tags, body), 200)
    world.wait_for_pls(
        pls_id,
        "it has the third Service's settings",
        lambda p: properties(p)["fqdns"] == ["third.example"],
    )
    found = world.wait("status refuses the first Service", lambda: world.findings("prod", "myservice"))
    return str(found[0]["sentence"])


def tear_down(world: DemoWorld) -> str:
    """All Services go: connection, Private Link Service and frontend, in that order."""
    world.sandbox.arm_backdoor("DELETE", "requests")
    for name in ("myservice", "second", "third"):
        world.delete_service("prod", name)
    for name in ("myservice", "second", "third"):
        world.wait_until_gone("prod", name)
    order = [_kind(r) for r in _succeeded_requests(world) if _kind(r)]
    # The load balancer is written before, too: the rules of the sharers go first. Its frontend goes last.
    if [kind for kind in order if kind != "load balancer"] != ["connection", "private link service"]:
        raise StepFailed(f"they went in the order {order}")
    if order[-1] != "load balancer":
        raise StepFailed(f"the frontend did not go last: {order}")
    return " → ".join(order[order.index("connection") :])


def _succeeded_requests(world: DemoWorld) -> list[Json]:
    log = world.expect(world.sandbox.arm_backdoor("GET", "requests"), 200)["value"]
    return [r for r in log if r["method"] in ("PUT", "DELETE") and r["status"] < 300]


def _kind(request: Json) -> str:
    path = request["path"].lower()
    if request["method"] == "DELETE" and "/privateendpointconnections/" in path:
        return "connection"
    if request["method"] == "DELETE" and "/privatelinkservices/" in path:
        return "private link service"
    return "load balancer" if "/loadbalancers/" in path else ""


def collect(world: DemoWorld) -> str:
    """Its frontend vanished (through a back door: ARM would refuse), and nobody is known to be gone."""
    pls_id = world.pls_id("MC_dev", ORPHAN)
    frontend = (
        f"{world.group('MC_dev')}/{NETWORK}/loadBalancers/kubernetes-internal/frontendIPConfigurations/x"
    )
    body = copy.deepcopy(world.kept["foreign"])
    body |= {"id": pls_id, "name": ORPHAN, "tags": {CLUSTER_TAG: "kubernetes"}}
    body["properties"]["loadBalancerFrontendIpConfigurations"] = [{"id": frontend}]
    body["properties"]["networkInterfaces"] = []
    world.expect(world.sandbox.arm_backdoor("PUT", "resources", body), 200)
    world.expect(world.sandbox.function("POST", "/api/resync?cluster=dev"), 202)
    reported = world.wait(
        "status reports it", lambda: [f for f in world.status("dev")["findings"] if f["reason"] == "Orphan"]
    )
    world.wait("it is collected", lambda: world.pls(pls_id) is None)
    return str(reported[0]["sentence"])


def foreign_untouched(world: DemoWorld) -> str:
    """What is not ours was never written."""
    before, now = world.kept["foreign"], world.pls(world.pls_id(NODE_GROUP, FOREIGN))
    if now != before:
        raise StepFailed(f"it was {before} and is {now}")
    return ""


STEPS: tuple[tuple[str, Step], ...] = (
    ("a person makes a Private Link Service by hand (it must survive)", prepare_foreign),
    ("the document's manifest gets its Private Link Service", manifest),
    ("the same names in a second cluster get another one", second_cluster),
    ("a second Service on that frontend shares it", share),
    ("a third with settings of its own is refused, and its frontend works", refuse),
    ("an annotation changes, and the Private Link Service follows", follow),
    ("somebody edits it by hand, and it is repaired", repair),
    ("a private endpoint connects", connect),
    ("the owner is handed over by the tag", hand_over),
    ("the Services go; connection, Private Link Service and frontend follow in order", tear_down),
    ("one whose frontend vanished is collected after the grace period", collect),
    ("the hand-made one was left alone throughout", foreign_untouched),
)
