"""The stories of the fault matrix: what was there, and the change during which calls go wrong.

Together they make every outside call that the product knows. Each is told through the back doors and through ARM
(whose events reach the product's queue), so that nothing but the product is slow or fails.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.demo_world import NETWORK, PREFIX
from tests.chaos.matrix_world import Cell, Json
from tests.chaos.world import EVENTS, Message

Step = Callable[[Cell], None]
INTERNAL, EXTERNAL = "kubernetes-internal", "kubernetes"
WEB = {"pls-name": "pls-web", "pls-ip-configuration-subnet": "pls-subnet", "pls-fqdns": "a.example"}
# A role on resource groups alone.
GROUPS_ONLY: Json = {
    "path": "^/subscriptions/[^/]+/providers/",
    "method": "GET",
    "times": None,
    "status": 403,
    "code": "AuthorizationFailed",
}


@dataclass(frozen=True)
class Story:
    """``before`` leads to a settled world, ``change`` is what the product then has to follow.

    ``destroys`` tells that a Private Link Service goes although nothing took its frontend. ``standing`` are refusals of ARM that are no fault of the matrix: they are there before, during and after.
    """

    name: str
    change: Step
    before: tuple[Step, ...] = ()
    standing: tuple[Json, ...] = ()
    destroys: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the product has worked before."""
        return any(step is not _nothing for step in self.before)

    def prepare(self, cell: Cell) -> None:
        """Make what was there, with everything well."""
        for step in self.before:
            step(cell)
            if step is not _nothing:
                cell.tick("timer")
                cell.settle()

    def begin(self, cell: Cell) -> None:
        """Change what the story changes; what wakes the product is in its queues then."""
        self.change(cell)
        wake(cell)
        cell.tick("probe")
        cell.tick("timer")

    def stand(self, cell: Cell) -> None:
        """Let ARM refuse what it always refuses here."""
        for fault in self.standing:
            cell.doors["arm"].fault(**fault)


def _prefix(name: str) -> str:
    """What cloud-provider-azure makes of a Service's UID, which is always the same here."""
    return ("a" + _uid(name).replace("-", ""))[:32]


def _uid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def _service(
    cell: Cell, name: str, settings: Mapping[str, str], *, internal: bool = True, day: int = 1
) -> None:
    """Write a LoadBalancer Service that asks for a PLS; a later day is a younger Service."""
    kind = {"load-balancer-internal": "true"} if internal else {"disable-load-balancer-floating-ip": "true"}
    annotations = {PREFIX + key: value for key, value in {**kind, "pls-create": "true", **settings}.items()}
    document: Json = {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": _uid(name),
            "annotations": annotations,
            "creationTimestamp": f"2026-01-{day:02}T00:00:00Z",
        },
        "spec": {
            "type": "LoadBalancer",
            "ipFamilies": ["IPv4"],
            "ports": [{"port": 80, "protocol": "TCP"}],
        },
    }
    cell.doors["kubernetes"].call("PUT", f"objects/services/default/{name}", document)


def _gone(cell: Cell, name: str) -> None:
    cell.doors["kubernetes"].call("DELETE", f"objects/services/default/{name}")


def _balancer(cell: Cell, frontends: Mapping[str, tuple[str, ...]], name: str = INTERNAL) -> None:
    """Write a load balancer: its frontends, and the Services whose rules are on each."""
    network = f"{cell.users.group(cell.group)}/{NETWORK}"
    own = f"{network}/loadBalancers/{name}"

    def place(frontend: str) -> Json:
        if name == EXTERNAL:
            return {"publicIPAddress": {"id": f"{network}/publicIPAddresses/ip-{frontend}"}}
        return {"subnet": {"id": f"{network}/virtualNetworks/aks-vnet/subnets/default"}}

    rules = [
        {
            "name": f"{_prefix(tenant)}-TCP-80",
            "properties": {
                "frontendIPConfiguration": {"id": f"{own}/frontendIPConfigurations/{frontend}"},
                "protocol": "Tcp",
                "frontendPort": 80 + number,
                "backendPort": 80,
            },
        }
        for frontend, tenants in frontends.items()
        for number, tenant in enumerate(tenants)
    ]
    properties = {
        "frontendIPConfigurations": [{"name": f, "properties": place(f)} for f in frontends],
        "loadBalancingRules": rules,
    }
    body = {"location": "eastus", "sku": {"name": "Standard"}, "properties": properties}
    cell.users.expect(cell.sandbox.arm("PUT", own, body), 200, 201)


def _nothing(cell: Cell) -> None:
    """Only somebody else's PLS, which must stay as it is, on a frontend of its own."""
    _balancer(cell, {"theirs": ()}, "somebodys")
    network = f"{cell.users.group(cell.group)}/{NETWORK}"
    subnet = {"id": f"{network}/virtualNetworks/aks-vnet/subnets/default"}
    properties = {
        "loadBalancerFrontendIpConfigurations": [
            {"id": f"{network}/loadBalancers/somebodys/frontendIPConfigurations/theirs"}
        ],
        "ipConfigurations": [{"name": "nat", "properties": {"subnet": subnet, "primary": True}}],
        "provisioningState": "Succeeded",
        "privateEndpointConnections": [],
    }
    resource = {
        "id": cell.foreign_id,
        "name": "somebodys",
        "type": "Microsoft.Network/privateLinkServices",
        "location": "eastus",
        "tags": {"k8s-azure-cluster-name": "another"},
        "properties": properties,
    }
    cell.doors["arm"].call("PUT", "resources", resource)


def _create(cell: Cell) -> None:
    _service(cell, "web", WEB)
    _balancer(cell, {_prefix("web"): ("web",)})


def _update(cell: Cell) -> None:
    _service(cell, "web", {**WEB, "pls-fqdns": "b.example"})
    cell.tick("probe")


def _share(cell: Cell) -> None:
    _service(cell, "guest", {}, day=2)
    _balancer(cell, {_prefix("web"): ("web", "guest")})


def _heir(cell: Cell) -> None:
    """One that wishes for just what the owner has: refused, until there is no owner."""
    _service(cell, "heir", WEB, day=2)
    _balancer(cell, {_prefix("web"): ("web", "heir")})


def _transfer(cell: Cell) -> None:
    _gone(cell, "web")
    _balancer(cell, {_prefix("web"): ("heir",)})


def _move(cell: Cell) -> None:
    _balancer(cell, {_prefix("web"): (), "another": ("web",)})


def _connect(cell: Cell) -> None:
    """Somebody's private endpoint."""
    other = f"{cell.users.group('myOtherResourceGroup')}/{NETWORK}"
    asked = {"privateLinkServiceId": cell.users.pls_id(cell.group, "pls-web")}
    properties = {
        "subnet": {"id": f"{other}/virtualNetworks/myOtherVNET/subnets/pe-subnet"},
        "privateLinkServiceConnections": [{"name": "connection", "properties": asked}],
    }
    body = {"location": "eastus", "properties": properties}
    cell.users.expect(cell.sandbox.arm("PUT", f"{other}/privateEndpoints/pe", body), 200, 201)


def _delete(cell: Cell) -> None:
    _gone(cell, "web")
    _balancer(cell, {_prefix("web"): ()})


def _lose_frontend(cell: Cell) -> None:
    """The frontend goes although its Service is there, which only time proves to be no mistake."""
    frontend = f"{NETWORK}/loadBalancers/{INTERNAL}/frontendIPConfigurations/{_prefix('web')}"
    cell.doors["arm"].call("POST", "remove-frontend", {"id": f"{cell.users.group(cell.group)}/{frontend}"})
    cell.tick("timer")


def _public(cell: Cell) -> None:
    """Two Services on one public address, of which the second is known by the address's name alone."""
    network = f"{cell.users.group(cell.group)}/{NETWORK}"
    body = {
        "location": "eastus",
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
    }
    cell.users.expect(cell.sandbox.arm("PUT", f"{network}/publicIPAddresses/ip-front", body), 200, 201)
    _service(cell, "web", {**WEB, "pip-name": "ip-front"}, internal=False)
    _service(cell, "guest", {"pip-name": "ip-front"}, internal=False, day=2)
    cell._rest()  # the address is provisioned
    _balancer(cell, {"front": ("web",)}, EXTERNAL)


STORIES = (
    Story("create", _create, (_nothing,)),
    Story("update", _update, (_nothing, _create)),
    Story("share", _share, (_nothing, _create)),
    Story("transfer", _transfer, (_nothing, _create, _heir)),
    Story("move", _move, (_nothing, _create)),
    Story("delete", _delete, (_nothing, _create, _connect), destroys=True),
    Story("collect", _lose_frontend, (_nothing, _create)),
    Story("few rights", _create, (_nothing,), (GROUPS_ONLY,)),
    Story("public", _public, (_nothing,)),
)


def wake(cell: Cell) -> None:
    """An event about the PLS, as Event Grid sends it: whose it is must be looked up."""
    subject = cell.users.pls_id("elsewhere", "pls-web")
    event = {
        "id": "1",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": subject,
        "eventTime": "2026-11-21T00:00:00Z",
        "data": {},
        "dataVersion": "1",
    }
    body = base64.b64encode(json.dumps(event).encode()).decode()
    cell.held.append(Message("event", cell.now, body, None, EVENTS))
