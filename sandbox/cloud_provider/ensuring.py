"""One Service's load balancer made as wished, or taken away: reads ARM, decides with `balancers`, writes ARM."""

from __future__ import annotations

import sys
from typing import Protocol

from sandbox.cloud_provider import balancers
from sandbox.cloud_provider.azure import Arm
from sandbox.cloud_provider.options import Json, ProviderOptions, SyncError
from sandbox.cloud_provider.wishes import Wish, read_wish, service_key, uid_name

_SERVICE_TAG = "k8s-azure-service"
_CLUSTER_TAG = "k8s-azure-cluster-name"


class PrivateLinks(Protocol):
    """The provider's own Private Link Service part."""

    async def ensure(self, service: Json, frontend_id: str) -> None:
        """The PLS of a frontend made as the Service asks. SyncError when it cannot be."""

    async def remove(self, service: Json, frontend_id: str) -> bool:
        """The PLS of a frontend, which is to go, deleted with its connections. Whether there was one."""


class Balancing:
    """The load balancers of one cluster."""

    def __init__(self, options: ProviderOptions, arm: Arm, links: PrivateLinks | None = None) -> None:
        self._options, self._arm, self._links = options, arm, links

    async def ensure(self, service: Json) -> str:
        """Give the Service its frontend and return the IP address. SyncError when ARM or we refuse."""
        wish = read_wish(service)
        public_ip = {} if wish.internal else await self._public_ip(wish)
        frontend = await self._join(service, wish, public_ip.get("id", ""))
        if self._links:
            await self._links.ensure(service, frontend["id"])
        await self._leave(service, internal=not wish.internal)
        return str(
            public_ip["properties"]["ipAddress"] if public_ip else frontend["properties"]["privateIPAddress"]
        )

    async def remove(self, service: Json) -> None:
        """Take away what the Service had on both load balancers. SyncError when ARM refuses."""
        for internal in (False, True):
            await self._leave(service, internal=internal)
        # Also after a crash between the load balancer's write and this one.
        await self._remove_public_ip(self._own_public_ip(uid_name(service["metadata"]["uid"])))

    async def _join(self, service: Json, wish: Wish, public_ip: str) -> Json:
        balancer_id = self._options.balancer_id(internal=wish.internal)
        found = await self._arm.get(balancer_id)
        before = found or balancers.empty(self._options, balancer_id)
        after, frontend = balancers.with_service(self._options, before, wish, public_ip)
        if after != before:
            if await self._release(service, before, after):
                return await self._join(service, wish, public_ip)  # a PLS's end changes the etag: look again
            after = await self._write(before, after)
        named = (item for item in balancers.frontends(after) if item["name"] == frontend["name"])
        return next(named)

    async def _leave(self, service: Json, *, internal: bool) -> None:
        before = await self._arm.get(self._options.balancer_id(internal=internal))
        if before is None:
            return
        after = balancers.without_service(before, uid_name(service["metadata"]["uid"]))
        if after == before:
            return
        if await self._release(service, before, after):
            await self._leave(service, internal=internal)
            return
        await self._write(before, after)
        for frontend in balancers.dropped(before, after):
            await self._remove_public_ip(balancers.public_ip_of(frontend))

    async def _release(self, service: Json, before: Json, after: Json) -> bool:
        """Before frontends go, their PLSs do, if that is our part; if not, ARM may refuse what follows.

        Whether one was deleted. A failure is only noted: the load balancer's own refusal is what is told.
        """
        deleted = False
        if self._links is None:
            return deleted
        for frontend in balancers.dropped(before, after):
            try:
                deleted |= await self._links.remove(service, frontend["id"])
            except SyncError as error:
                print(f"cloud provider: {service_key(service)}: {error}", file=sys.stderr)
        return deleted

    async def _write(self, before: Json, after: Json) -> Json:
        if not balancers.frontends(after):
            await self._arm.delete(after["id"])
            return after
        # The etag as read before: whoever wrote in between makes this fail, and we look again.
        return await self._arm.put(after["id"], after, str(before.get("etag", "")))

    async def _public_ip(self, wish: Wish) -> Json:
        """The public IP that the Service names or wants by its address, or one of its own."""
        group = wish.public_ip_group or self._options.resource_group
        collection = f"{self._options.network(group)}/publicIPAddresses"
        if wish.public_ip_name:
            found = await self._arm.get(f"{collection}/{wish.public_ip_name}")
            if found is None:
                raise SyncError(
                    f"PublicIP from annotation azure-pip-name={wish.public_ip_name} for service"
                    f" {wish.key} doesn't exist"
                )
            return found
        if wish.address:
            for item in await self._arm.list(collection):
                if item["properties"].get("ipAddress") == wish.address:
                    return item
            raise SyncError(
                f"user supplied IP Address {wish.address} was not found in resource group {group}"
            )
        return await self._make_public_ip(wish)

    async def _make_public_ip(self, wish: Wish) -> Json:
        public_ip = self._own_public_ip(wish.uid_name)
        found = await self._arm.get(public_ip)
        if found and found["properties"].get("ipAddress"):
            return found
        body: Json = {
            "location": self._options.location,
            "sku": {"name": "Standard"},
            "tags": {_SERVICE_TAG: wish.key, _CLUSTER_TAG: self._options.cluster_name},
            "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
        }
        return await self._arm.put(public_ip, body)

    async def _remove_public_ip(self, public_ip: str) -> None:
        """Delete it if it is ours (the tag says so) and nobody uses it any more."""
        found = await self._arm.get(public_ip) if public_ip else None
        if (
            found
            and _SERVICE_TAG in (found.get("tags") or {})
            and "ipConfiguration" not in found["properties"]
        ):
            await self._arm.delete(public_ip)

    def _own_public_ip(self, uid: str) -> str:
        network = self._options.network(self._options.resource_group)
        return f"{network}/publicIPAddresses/{self._options.cluster_name}-{uid}"
