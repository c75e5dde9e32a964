"""The in-tree Private Link Service part against ARM: its cache, its subnet PUT, its way of deleting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sandbox.cloud_provider import link_settings
from sandbox.cloud_provider.azure import Arm
from sandbox.cloud_provider.link_decisions import decide, deletions, on_frontend
from sandbox.cloud_provider.options import Json, ProviderOptions, SyncError

_POLICY = "privateLinkServiceNetworkPolicies"


class Lister(Protocol):
    """What a cache reads from."""

    async def list(self, path: str) -> list[Json]:
        """All PLSs of a collection."""


class LinkCache:
    """The PLS on a frontend as last seen in a resource group, "none" included; blind for `seconds` to others' writes."""

    def __init__(self, arm: Lister, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._arm, self._seconds, self._clock = arm, seconds, clock
        self._seen: dict[tuple[str, str], tuple[float, Json | None]] = {}

    async def on(self, collection: str, frontend_id: str) -> Json | None:
        """The PLS of a collection (a group's privateLinkServices) on a frontend."""
        key = (collection.lower(), frontend_id.lower())
        ends, found = self._seen.get(key, (0.0, None))
        if self._clock() >= ends:
            listed = await self._arm.list(collection)
            found = next((pls for pls in listed if on_frontend(pls, frontend_id)), None)
            self._seen[key] = (self._clock() + self._seconds, found)
        return found

    def forget(self, collection: str, frontend_id: str) -> None:
        """After a write of our own, the only thing that makes it look again at once."""
        self._seen.pop((collection.lower(), frontend_id.lower()), None)


class InTreeLinks:
    """Creates, shares, updates and deletes PLSs as the in-tree controller does."""

    def __init__(self, options: ProviderOptions, arm: Arm) -> None:
        self._options, self._arm = options, arm
        self._cache = LinkCache(arm, options.pls_cache_seconds)

    async def ensure(self, service: Json, frontend_id: str) -> None:
        """The PLS of a frontend made as the Service asks. SyncError where the controller or ARM refuses."""
        collection = self._collection(service)
        believed = await self._cache.on(collection, frontend_id) if link_settings.asks(service) else None
        write = decide(self._options, service, frontend_id, believed)
        if write is None:
            return
        await self._switch_policies_off(write.subnet_id)
        if write.pls_id.endswith("/"):
            raise SyncError("create or update PLS: parameter serviceName cannot be empty")
        try:
            await self._arm.put(write.pls_id, write.body)
        except SyncError as error:
            raise SyncError(f"create or update PLS: {error}") from error
        self._cache.forget(collection, frontend_id)

    async def remove(self, service: Json, frontend_id: str) -> bool:
        """Connections first, then the PLS, whoever made it; only the Service's own resource group is looked at."""
        collection = self._collection(service)
        found = await self._cache.on(collection, frontend_id)
        if found is None:
            return False
        for resource_id in deletions(found):
            await self._arm.delete(resource_id)
        self._cache.forget(collection, frontend_id)
        return True

    async def _switch_policies_off(self, subnet_id: str) -> None:
        """A full PUT of the subnet as read, policies `Disabled`."""
        subnet = await self._arm.get(subnet_id)
        if subnet is None:
            raise SyncError(f"failed to get private link service subnet: {subnet_id} was not found")
        if subnet["properties"].get(_POLICY) != "Disabled":
            body = {**subnet, "properties": {**subnet["properties"], _POLICY: "Disabled"}}
            await self._arm.put(subnet_id, body)

    def _collection(self, service: Json) -> str:
        options = self._options
        group = link_settings.resource_group(service, options.pls_resource_group or options.resource_group)
        return f"{options.network(group)}/privateLinkServices"
