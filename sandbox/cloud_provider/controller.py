"""The service controller: watches Services, works them off one after another, tries again what failed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Awaitable

import aiohttp

from sandbox.cloud_provider.azure import Arm
from sandbox.cloud_provider.ensuring import Balancing
from sandbox.cloud_provider.in_tree import InTreeLinks
from sandbox.cloud_provider.kubernetes import ExpiredError, Kubernetes
from sandbox.cloud_provider.options import Json, ProviderOptions
from sandbox.cloud_provider.wishes import FINALIZER, service_key, wants_balancer

_RECONNECT_SECONDS = 0.5


class RunningCloudProvider:
    """A controller at work until `stop`."""

    def __init__(self, tasks: list[asyncio.Task[None]], sessions: list[aiohttp.ClientSession]) -> None:
        self._tasks, self._sessions = tasks, sessions

    async def stop(self) -> None:
        """End the work and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self._sessions:
            await session.close()


async def start_cloud_provider(options: ProviderOptions) -> RunningCloudProvider:
    """Start a cluster's controller; it connects (and reconnects) on its own."""
    arm_tls = ssl.create_default_context(cafile=str(options.arm.ca_path))
    sessions = [_session(tls) for tls in (arm_tls, options.cluster.client_context())]
    arm = Arm(sessions[0], options.arm, f"cloud-provider-{options.name}", options.poll_seconds)
    links = InTreeLinks(options, arm) if options.pls else None
    api = Kubernetes(sessions[1], options.cluster)
    controller = Controller(api, Balancing(options, arm, links), options.retry_seconds)
    tasks = [asyncio.create_task(part()) for part in (controller.watch, controller.work)]
    return RunningCloudProvider(tasks, sessions)


def _session(tls: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))


class Controller:
    """`watch` notes what changed, `work` deals with it; a Service that failed comes up again later."""

    def __init__(self, api: Kubernetes, balancing: Balancing, retry: tuple[float, float]) -> None:
        self._api, self._balancing, self._retry = api, balancing, retry
        self._known: dict[str, Json] = {}
        self._served: dict[str, Json] = {}  # as last worked off: what is to be cleaned up if it vanishes
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._changed = asyncio.Event()

    async def watch(self) -> None:
        """List, then follow; again whenever that ends."""
        while True:
            try:
                await self._follow()
            except ExpiredError:
                continue
            except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
                _log("watch", error)
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _follow(self) -> None:
        services, version = await self._api.services()
        listed = {service_key(service): service for service in services}
        for key in self._known.keys() - listed.keys():
            self._note(key, None)
        for key, service in listed.items():
            self._note(key, service)
        async for kind, service in self._api.watch(version):
            self._note(service_key(service), None if kind == "DELETED" else service)

    def _note(self, key: str, service: Json | None) -> None:
        before = self._known.pop(key, None)
        if service is not None:
            self._known[key] = service
        if _asks(before) != _asks(service):
            self._schedule(key, 0.0)

    def _schedule(self, key: str, seconds: float) -> None:
        self._due[key] = asyncio.get_running_loop().time() + seconds
        self._changed.set()

    async def work(self) -> None:
        """One Service at a time, as the real one does under its global lock."""
        while True:
            await self._until_due()
            key = min(self._due, key=self._due.__getitem__)
            del self._due[key]
            try:
                await self._sync(key)
            except Exception as error:  # one odd Service must not stop the others
                await self._failed(key, error)
            else:
                self._failures.pop(key, None)

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._due or min(self._due.values()) > loop.time():
            self._changed.clear()
            wait = min(self._due.values()) - loop.time() if self._due else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait)

    async def _failed(self, key: str, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        first, longest = self._retry
        self._schedule(key, min(longest, first * 2 ** (failures - 1)))
        if service := self._known.get(key):
            what = "ensure" if wants_balancer(service) else "delete"
            said = str(error) or repr(error)
            message = f"Error syncing load balancer: failed to {what} load balancer: {said}"
            await self._quietly(self._api.tell(service, "Warning", "SyncLoadBalancerFailed", message))
        else:
            _log(key, error)

    async def _sync(self, key: str) -> None:
        service, served = self._known.get(key), self._served.get(key)
        if served and (service is None or served["metadata"]["uid"] != service["metadata"]["uid"]):
            await self._balancing.remove(served)  # it vanished without our finalizer's leave
            del self._served[key]
        if service is None:
            return
        if wants_balancer(service):
            await self._ensure(key, service)
        elif FINALIZER in service["metadata"].get("finalizers", []):
            await self._clean_up(key, service)

    async def _ensure(self, key: str, service: Json) -> None:
        finalizers = service["metadata"].get("finalizers", [])
        if FINALIZER not in finalizers:
            await self._api.patch(service, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
        self._served[key] = service
        await self._tell(service, "EnsuringLoadBalancer", "Ensuring load balancer")
        address = await self._balancing.ensure(service)
        wanted = [{"ip": address}]
        ingress = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
        if [{"ip": item.get("ip")} for item in ingress] != wanted:
            change = {"status": {"loadBalancer": {"ingress": wanted}}}
            await self._api.patch(service, change, status=True)
        await self._tell(service, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _clean_up(self, key: str, service: Json) -> None:
        await self._tell(service, "DeletingLoadBalancer", "Deleting load balancer")
        await self._balancing.remove(service)
        self._served.pop(key, None)
        if not service["metadata"].get("deletionTimestamp"):
            await self._api.patch(service, {"status": {"loadBalancer": {"ingress": None}}}, status=True)
        left = [item for item in service["metadata"].get("finalizers", []) if item != FINALIZER]
        await self._tell(service, "DeletedLoadBalancer", "Deleted load balancer")
        await self._api.patch(service, {"metadata": {"finalizers": left}})

    async def _tell(self, service: Json, reason: str, message: str) -> None:
        await self._quietly(self._api.tell(service, "Normal", reason, message))

    @staticmethod
    async def _quietly(telling: Awaitable[None]) -> None:
        """An event is a courtesy: that it cannot be told stops nothing."""
        try:
            await telling
        except (aiohttp.ClientError, OSError, KeyError) as error:
            _log("event", error)


def _asks(service: Json | None) -> object:
    """What of a Service makes the provider look at it again. Azure's side is no part of it: it never looks by itself."""
    if service is None:
        return None
    metadata = service["metadata"]
    waits = bool(metadata.get("deletionTimestamp")) and FINALIZER in metadata.get("finalizers", [])
    return metadata.get("uid"), metadata.get("annotations"), service.get("spec"), waits


def _log(what: str, error: Exception) -> None:
    print(f"cloud provider: {what}: {error!r}", file=sys.stderr)
