"""Azure in memory (the port ``Azure``): resources as JSON by id, in any casing."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from reconciler import arm_ids, reading
from reconciler.errors import NotFound, RetryLater, Stale
from reconciler.model import Json, LoadBalancer, PrivateLinkService, PublicIp, Subnet
from reconciler.ports import Accepted
from tests.fakes import Failures

_Noun = TypeVar("_Noun")


class FakeAzure(Failures):
    """Resources as ARM would answer them. Writes end at once, or with ``settle()`` where ``slow``."""

    def __init__(self, *resources: Json, slow: bool = False) -> None:
        super().__init__()
        self.slow = slow
        self._lock = threading.RLock()
        self._resources: dict[str, dict[str, Any]] = {}
        self._groups: set[str] = set()
        for resource in resources:
            self.store(resource)

    def store(self, resource: Json) -> None:
        """Put a resource as it is, unchecked, and make its resource group."""
        with self._lock:
            self._groups.add(_group(resource["id"]))
            self._resources[arm_ids.key(resource["id"])] = copy.deepcopy(dict(resource))

    def make_group(self, subscription: str, resource_group: str) -> None:
        """An empty resource group."""
        self._groups.add(arm_ids.key(arm_ids.group_id(subscription, resource_group)))

    def remove(self, resource_id: str) -> None:
        """Take a resource out, unchecked."""
        del self._resources[arm_ids.key(resource_id)]

    def document(self, resource_id: str) -> dict[str, Any]:
        """The JSON of a resource; KeyError where it is not there."""
        return copy.deepcopy(self._resources[arm_ids.key(resource_id)])

    def settle(self) -> None:
        """End all running operations well."""
        with self._lock:
            for resource in self._resources.values():
                if resource.get("properties", {}).get("provisioningState") == "Updating":
                    resource["properties"]["provisioningState"] = "Succeeded"

    # -- the port

    def list_load_balancers(self, subscription: str, resource_group: str) -> tuple[LoadBalancer, ...]:
        """Of a group; empty where it is not there."""
        self.called("list_load_balancers", resource_group)
        return self._in_group(subscription, resource_group, "loadBalancers", reading.load_balancer)

    def list_private_link_services(self, subscription: str) -> tuple[PrivateLinkService, ...]:
        """Of a subscription."""
        self.called("list_private_link_services", subscription)
        return self._within(f"/subscriptions/{subscription}", "privateLinkServices", _pls)

    def list_private_link_services_in(
        self, subscription: str, resource_group: str
    ) -> tuple[PrivateLinkService, ...]:
        """Of a group; NotFound where it is not there."""
        self.called("list_private_link_services_in", resource_group)
        self._require_group(arm_ids.group_id(subscription, resource_group))
        return self._in_group(subscription, resource_group, "privateLinkServices", _pls)

    def get_private_link_service(self, pls_id: str) -> PrivateLinkService:
        """One by id."""
        self.called("get_private_link_service", pls_id)
        return self._read(pls_id, _pls)

    def get_subnet(self, subnet_id: str) -> Subnet:
        """One by id."""
        self.called("get_subnet", subnet_id)
        return self._read(subnet_id, reading.subnet)

    def list_public_ips(self, subscription: str, resource_group: str) -> tuple[PublicIp, ...]:
        """Of a group; empty where it is not there."""
        self.called("list_public_ips", resource_group)
        return self._in_group(subscription, resource_group, "publicIPAddresses", reading.public_ip)

    def list_nat_addresses(self, subscription: str, resource_group: str) -> dict[str, tuple[str, ...]]:
        """The private addresses of a group's network interfaces."""
        self.called("list_nat_addresses", resource_group)
        return dict(self._in_group(subscription, resource_group, "networkInterfaces", _addresses))

    def put_private_link_service(self, pls_id: str, body: Json) -> Accepted:
        """Store it with what ARM adds: guid, alias, etag, network interface, state."""
        self.called("put_private_link_service", pls_id)
        with self._lock:
            self._require_group(pls_id)
            before = self._resources.get(arm_ids.key(pls_id), {}).get("properties", {})
            properties = {**copy.deepcopy(dict(body["properties"])), **self._added(pls_id, body, before)}
            resource = {**copy.deepcopy(dict(body)), "id": pls_id, "name": arm_ids.last_name(pls_id)}
            self.store({**resource, "etag": _etag(), "properties": properties})
        return Accepted(*(properties[key] for key in ("provisioningState", "resourceGuid", "alias")))

    def put_subnet(self, subnet_id: str, body: Json, etag: str) -> Accepted:
        """Replace it where the ETag still fits."""
        self.called("put_subnet", subnet_id)
        with self._lock:
            if not etag or self._found(subnet_id)["etag"] != etag:
                raise Stale("the ETag does not match", code="PreconditionFailed")
            properties = {**copy.deepcopy(dict(body["properties"])), "provisioningState": self._state}
            self.store({**body, "id": subnet_id, "etag": _etag(), "properties": properties})
        return Accepted(self._state)

    def delete_private_link_service(self, pls_id: str) -> None:
        """Delete it at once, if it has no connections."""
        self.called("delete_private_link_service", pls_id)
        with self._lock:
            found = self._resources.get(arm_ids.key(pls_id))
            if found and found["properties"].get("privateEndpointConnections"):
                code = "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted"
                raise RetryLater("the Private Link Service has private endpoint connections", code=code)
            self._resources.pop(arm_ids.key(pls_id), None)

    def delete_connection(self, connection_id: str) -> None:
        """Delete it at once."""
        self.called("delete_connection", connection_id)
        pls = self._resources.get(arm_ids.key(connection_id.rsplit("/", 2)[0]))
        if pls:
            connections = pls["properties"].get("privateEndpointConnections", [])
            left = [c for c in connections if not arm_ids.same(c["id"], connection_id)]
            pls["properties"]["privateEndpointConnections"] = left

    # -- helpers

    @property
    def _state(self) -> str:
        return "Updating" if self.slow else "Succeeded"

    def _added(self, pls_id: str, body: Json, before: Json) -> dict[str, Any]:
        guid = before.get("resourceGuid") or str(uuid.uuid4())
        name = arm_ids.last_name(pls_id).lower()
        interfaces = before.get("networkInterfaces") or [self._interface(pls_id, body)]
        return {
            "provisioningState": self._state,
            "resourceGuid": guid,
            "alias": before.get("alias") or f"{name}.{guid}.{body['location']}.azure.privatelinkservice",
            "privateEndpointConnections": before.get("privateEndpointConnections", []),
            "networkInterfaces": interfaces,
        }

    def _interface(self, pls_id: str, body: Json) -> dict[str, str]:
        interface = f"{pls_id.rsplit('/', 2)[0]}/networkInterfaces/{arm_ids.last_name(pls_id)}.nic"
        wished = (c["properties"].get("privateIPAddress") for c in body["properties"]["ipConfigurations"])
        addresses = [wish or f"10.0.0.{number}" for number, wish in enumerate(wished, start=4)]
        configurations = [{"properties": {"privateIPAddress": address}} for address in addresses]
        self.store({"id": interface, "properties": {"ipConfigurations": configurations}})
        return {"id": interface}

    def _found(self, resource_id: str) -> dict[str, Any]:
        self._require_group(resource_id)
        found = self._resources.get(arm_ids.key(resource_id))
        if found is None:
            raise NotFound(f"{resource_id} is not there", code="ResourceNotFound")
        return found

    def _require_group(self, resource_id: str) -> None:
        if _group(resource_id) not in self._groups:
            raise NotFound("the resource group is not there", code="ResourceGroupNotFound")

    def _read(self, resource_id: str, read: Callable[[Json], _Noun | None]) -> _Noun:
        with self._lock:
            noun = read(copy.deepcopy(self._found(resource_id)))
        if noun is None:
            raise RetryLater(f"the answer about {resource_id} is no such resource")
        return noun

    def _in_group(
        self, subscription: str, resource_group: str, kind: str, read: Callable[[Json], _Noun | None]
    ) -> tuple[_Noun, ...]:
        return self._within(arm_ids.group_id(subscription, resource_group), kind, read)

    def _within(self, scope: str, kind: str, read: Callable[[Json], _Noun | None]) -> tuple[_Noun, ...]:
        prefix = arm_ids.key(scope) + "/"
        with self._lock:
            ids = [key for key in sorted(self._resources) if key.startswith(prefix) and _kind(key) == kind]
            return tuple(self._read(key, read) for key in ids)


_pls = reading.private_link_service
_KINDS = ("loadBalancers", "privateLinkServices", "publicIPAddresses", "networkInterfaces")


def _addresses(interface: Json) -> tuple[str, tuple[str, ...]]:
    configurations = interface["properties"]["ipConfigurations"]
    found = tuple(c["properties"]["privateIPAddress"] for c in configurations)
    return arm_ids.key(interface["id"]), found


def _group(resource_id: str) -> str:
    return "/".join(arm_ids.key(resource_id).split("/")[:5])


def _kind(resource_id: str) -> str:
    parsed = arm_ids.parse(resource_id)
    kinds = {k.lower(): k for k in _KINDS}
    return kinds.get(parsed.kind.lower(), "") if parsed and not parsed.rest else ""


def _etag() -> str:
    return f'W/"{uuid.uuid4()}"'
