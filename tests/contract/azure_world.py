"""Azure for the contract tests, faked and real: the same resources, the same hand that changes them."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from typing import Any, Protocol

from azure.core.credentials import AccessToken

from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.ports import Azure
from sandbox.arm import ArmOptions, RunningArm
from sandbox.tls import Authority
from tests.contract.servers import BackDoor
from tests.fakes.azure import FakeAzure

Json = dict[str, Any]

SUBSCRIPTION = ArmOptions().subscription
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MC_prod"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/aks-vnet/subnets/pls-subnet"
NODE_SUBNET = f"{NETWORK}/virtualNetworks/aks-vnet/subnets/default"
BALANCER = f"{NETWORK}/loadBalancers/kubernetes-internal"
FRONTEND = f"{BALANCER}/frontendIPConfigurations/a1"
PUBLIC_IP = f"{NETWORK}/publicIPAddresses/ip1"
PLS = f"{NETWORK}/privateLinkServices/pls1"
CONNECTION = f"{PLS}/privateEndpointConnections/pe1.1234"


def load_balancer() -> Json:
    """An internal load balancer with one frontend, as ARM shows it."""
    properties = {"privateIPAddress": "10.224.0.9", "subnet": {"id": NODE_SUBNET}}
    frontend = {"id": FRONTEND, "name": "a1", "properties": properties}
    return {
        "id": BALANCER,
        "name": "kubernetes-internal",
        "type": "Microsoft.Network/loadBalancers",
        "location": "eastus",
        "sku": {"name": "Standard"},
        "etag": 'W/"1"',
        "properties": {"provisioningState": "Succeeded", "frontendIPConfigurations": [frontend]},
    }


def subnet(policy: str = "Disabled") -> Json:
    """The NAT subnet."""
    properties = {"addressPrefix": "10.225.0.0/24", "privateLinkServiceNetworkPolicies": policy}
    return {"id": SUBNET, "name": "pls-subnet", "etag": 'W/"7"', "properties": properties}


def wish(**tags: str) -> Json:
    """The body of a PLS with one static NAT address."""
    nat = {"subnet": {"id": SUBNET}, "privateIPAllocationMethod": "Static", "privateIPAddress": "10.225.0.77"}
    properties = {
        "loadBalancerFrontendIpConfigurations": [{"id": FRONTEND}],
        "ipConfigurations": [{"name": "nat", "properties": {**nat, "primary": True}}],
        "fqdns": ["a.example"],
        "visibility": {"subscriptions": ["*"]},
    }
    return {"location": "eastus", "tags": {"k8s": "x", **tags}, "properties": properties}


def stored_pls(pls_id: str = PLS) -> Json:
    """A PLS as ARM shows it."""
    body = {**wish(), "type": "Microsoft.Network/privateLinkServices", "etag": 'W/"3"'}
    properties = {**body["properties"], "provisioningState": "Succeeded", "privateEndpointConnections": []}
    return {**body, "id": pls_id, "name": pls_id.rsplit("/", 1)[1], "properties": properties}


def connected(pls: Json) -> Json:
    """The same PLS with an approved connection."""
    changed = copy.deepcopy(pls)
    state = {"status": "Approved"}
    endpoint = {"id": f"{NETWORK}/privateEndpoints/pe1"}
    properties = {"privateEndpoint": endpoint, "privateLinkServiceConnectionState": state}
    connection = {"id": CONNECTION, "name": "pe1.1234", "properties": properties}
    changed["properties"]["privateEndpointConnections"] = [connection]
    return changed


class World(Protocol):
    """Azure to ask, and the hand that changes it. It holds the load balancer and the open NAT subnet."""

    azure: Azure

    def store(self, resource: Json) -> None:
        """Put a resource as it is, unchecked; its group too."""

    def document(self, resource_id: str) -> Json:
        """A resource as stored."""

    def settle(self) -> None:
        """Wait until running operations ended."""


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeAzure(load_balancer(), subnet(), slow=True)
        self.azure: Azure = self.fake

    def store(self, resource: Json) -> None:
        self.fake.store(resource)

    def document(self, resource_id: str) -> Json:
        return self.fake.document(resource_id)

    def settle(self) -> None:
        self.fake.settle()


@dataclass
class RealWorld:
    azure: ArmAzure
    running: RunningArm
    authority: Authority
    door: BackDoor

    def store(self, resource: Json) -> None:
        self.door.call("PUT", "resources", resource)

    def document(self, resource_id: str) -> Json:
        found: Json = self.door.call("GET", "resources", id=resource_id)
        return found

    def settle(self) -> None:
        deadline = time.monotonic() + 10
        while "Updating" in json.dumps(self.door.call("GET", "state")):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def requests(self) -> list[Json]:
        """What ARM was asked since the last clear, tokens aside."""
        lines: list[Json] = self.door.call("GET", "requests")["value"]
        return [line for line in lines if "/msi/" not in line["path"]]

    def access(self, **changes: Any) -> ArmAccess:
        return ArmAccess(**{"endpoint": self.running.url, "ca_file": str(self.authority.ca_path), **changes})


class StaticToken:
    """A credential without an identity service."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token."""
        return AccessToken("secret", int(time.time()) + 3600)
