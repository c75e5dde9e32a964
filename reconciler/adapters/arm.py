"""Azure Resource Manager (the port ``Azure``), through ``azure-mgmt-network`` with JSON in and out.

JSON, so that properties this package does not know survive a read and a write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from reconciler import arm_ids, reading
from reconciler.adapters import arm_errors
from reconciler.adapters.arm_client import API_VERSION, ArmAccess, ArmClient, parsed, path_of, segment, shown
from reconciler.adapters.arm_errors import Request
from reconciler.errors import NotFound, Stale
from reconciler.model import Json, LoadBalancer, PrivateLinkService, PublicIp, Subnet
from reconciler.ports import Accepted

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

__all__ = ["API_VERSION", "ArmAccess", "ArmAzure"]

_Noun = TypeVar("_Noun")


class ArmAzure:
    """ARM, for all subscriptions that the credential reaches. Threads share one instance."""

    def __init__(self, access: ArmAccess, credential: TokenCredential) -> None:
        self.client = ArmClient(access, credential)

    def list_load_balancers(self, subscription: str, resource_group: str) -> tuple[LoadBalancer, ...]:
        """The load balancers of a resource group; empty where the group is not there."""
        path = _in_group(subscription, resource_group, "loadBalancers")
        return self._list_or_empty(path, reading.load_balancer)

    def list_private_link_services(self, subscription: str) -> tuple[PrivateLinkService, ...]:
        """All of a subscription. Raises Denied where the role allows only resource groups."""
        path = f"/subscriptions/{segment(subscription)}/providers/{arm_ids.NETWORK}/privateLinkServices"
        return self._list(path, reading.private_link_service)

    def list_private_link_services_in(
        self, subscription: str, resource_group: str
    ) -> tuple[PrivateLinkService, ...]:
        """Those of one resource group. Raises NotFound where the group is not there."""
        path = _in_group(subscription, resource_group, "privateLinkServices")
        return self._list(path, reading.private_link_service)

    def get_private_link_service(self, pls_id: str) -> PrivateLinkService:
        """One by id. Raises NotFound where it is not there."""
        return self._one(pls_id, reading.private_link_service)

    def get_subnet(self, subnet_id: str) -> Subnet:
        """One subnet. Raises NotFound where it or its network is not there."""
        return self._one(subnet_id, reading.subnet)

    def list_public_ips(self, subscription: str, resource_group: str) -> tuple[PublicIp, ...]:
        """The public IP addresses of a resource group; empty where the group is not there."""
        path = _in_group(subscription, resource_group, "publicIPAddresses")
        return self._list_or_empty(path, reading.public_ip)

    def list_nat_addresses(self, subscription: str, resource_group: str) -> dict[str, tuple[str, ...]]:
        """The private addresses of a resource group's network interfaces, by lower-case id; empty without the group."""
        path = _in_group(subscription, resource_group, "networkInterfaces")
        return dict(self._list_or_empty(path, _private_addresses))

    def put_private_link_service(self, pls_id: str, body: Json) -> Accepted:
        """Create or replace; accepted is not done."""
        return self._put(pls_id, body, {})

    def put_subnet(self, subnet_id: str, body: Json, etag: str) -> Accepted:
        """Replace a subnet, if it still has this ETag. Raises Stale where it has not."""
        if not etag:  # a PUT without one would overwrite whatever somebody else did meanwhile
            raise Stale(f"{arm_ids.last_name(subnet_id)} was read without an ETag; it is read again")
        return self._put(subnet_id, body, {"If-Match": etag})

    def delete_private_link_service(self, pls_id: str) -> None:
        """Delete; also fine where it is not there."""
        self._delete(pls_id)

    def delete_connection(self, connection_id: str) -> None:
        """Delete a private endpoint connection; also fine where it is not there."""
        self._delete(connection_id)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self.client.close()

    # -- reads

    def _one(self, resource_id: str, read: Callable[[Json], _Noun | None]) -> _Noun:
        path = path_of(resource_id)
        request = Request("GET", shown(path))
        noun = read(self.client.document(request, path))
        if noun is None:
            raise arm_errors.garbage(request, "is no such resource")
        return noun

    def _list_or_empty(self, path: str, read: Callable[[Json], _Noun | None]) -> tuple[_Noun, ...]:
        try:
            return self._list(path, read)
        except NotFound as error:
            if error.code == arm_errors.GROUP_NOT_FOUND:
                return ()
            raise

    def _list(self, path: str, read: Callable[[Json], _Noun | None]) -> tuple[_Noun, ...]:
        request = Request("GET", shown(path))
        nouns: list[_Noun] = []
        for item in self.client.items(request, path):
            noun = read(item)
            if noun is None:
                raise arm_errors.garbage(request, "holds an item without an id")
            nouns.append(noun)
        return tuple(nouns)

    # -- writes

    def _put(self, resource_id: str, body: Json, headers: Mapping[str, str]) -> Accepted:
        path = path_of(resource_id)
        request = Request("PUT", shown(path))
        content = json.dumps(body, default=dict)
        answer = self.client.send(request, path, {200, 201, 202}, content, headers)
        if answer.status == 202 and not answer.content.strip():
            return Accepted()
        properties = parsed(request, answer.content).get("properties")
        told = properties if isinstance(properties, Mapping) else {}
        return Accepted(*(_text(told.get(key)) for key in ("provisioningState", "resourceGuid", "alias")))

    def _delete(self, resource_id: str) -> None:
        path = path_of(resource_id)
        try:
            self.client.send(Request("DELETE", shown(path)), path, {200, 202, 204})
        except NotFound:
            return


def _in_group(subscription: str, resource_group: str, kind: str) -> str:
    group = arm_ids.group_id(segment(subscription), segment(resource_group))
    return f"{group}/providers/{arm_ids.NETWORK}/{kind}"


def _private_addresses(item: Json) -> tuple[str, tuple[str, ...]] | None:
    """A network interface's id in lower case, and its addresses."""
    properties = item.get("properties")
    found = properties.get("ipConfigurations") if isinstance(properties, Mapping) else None
    if not isinstance(found, list) or not _text(item.get("id")):
        return None
    configurations = (c.get("properties") for c in found if isinstance(c, Mapping))
    addresses = (_text(p.get("privateIPAddress")) for p in configurations if isinstance(p, Mapping))
    return arm_ids.key(_text(item["id"])), tuple(address for address in addresses if address)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
