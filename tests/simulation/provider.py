"""The cloud provider of one cluster in virtual time: the sandbox's own decisions about load balancers and
PLSs (``Balancing``, ``InTreeLinks``), driven by a controller that works Services off one after another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from reconciler.errors import OutsideError
from sandbox.cloud_provider.azure import Arm
from sandbox.cloud_provider.ensuring import Balancing
from sandbox.cloud_provider.in_tree import InTreeLinks, LinkCache
from sandbox.cloud_provider.options import ArmAccess, ClusterAccess, ProviderOptions, SyncError
from sandbox.cloud_provider.wishes import wants_balancer
from tests.simulation.arm import Subscription
from tests.simulation.documents import FRONTENDS, TRANSIT
from tests.simulation.kernel import Kernel
from tests.simulation.kubernetes import FINALIZER, Api

Json = dict[str, Any]
T = TypeVar("T")
FIRST_RETRY, LONGEST_RETRY, POLL = 5.0, 300.0, 1.0


def finished(coroutine: Awaitable[T]) -> T:
    """What a coroutine returns that never waits for a loop: its pauses are those of the flow it runs in."""
    try:
        coroutine.__await__().send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    raise RuntimeError("the coroutine waits for an event loop")


class ProviderArm:
    """``sandbox.cloud_provider.azure.Arm`` over the small ARM: writes, waits for the end, reads back."""

    def __init__(self, kernel: Kernel, arm: Subscription, write: Callable[[str, str, bool], None]) -> None:
        self._kernel, self._arm, self._write = kernel, arm, write

    async def get(self, path: str) -> Json | None:
        self._call()
        found = self._arm.find(path)
        return self._with_use(found) if found else None

    async def list(self, path: str) -> list[Json]:
        self._call()
        scope, _, kind = path.rpartition("/")
        return [self._with_use(item) for item in self._arm.of_kind(kind, scope)]

    async def put(self, path: str, body: Json, etag: str = "") -> Json:
        self._call()
        self._acted("PUT", path, lambda: self._put(path, body, etag))
        self._finish(path)
        found = self._arm.find(path)
        if found is None or found["properties"].get("provisioningState") == "Failed":
            raise SyncError(f"PUT {path} failed")
        return found

    async def delete(self, path: str) -> None:
        self._call()
        self._acted("DELETE", path, lambda: self._delete(path))
        if "/privateendpointconnections/" in path.lower():
            self._kernel.pause(6.0)
        else:
            self._finish(path)

    def _acted(self, method: str, path: str, call: Callable[[], object]) -> None:
        try:
            call()
        except OutsideError as error:
            self._write(method, path, False)
            raise SyncError(f"{method} {path}: {error.code}: {error}") from error
        self._write(method, path, True)

    def _put(self, path: str, body: Json, etag: str) -> None:
        lower = path.lower()
        if "/loadbalancers/" in lower:
            self._arm.put_balancer(path, body, etag)
        elif "/subnets/" in lower:
            self._arm.put_subnet(path, body, "")
        elif "/privatelinkservices/" in lower:
            self._arm.put_link(path, body)
        else:
            address = f"20.0.0.{len(self._arm.documents) % 250}"
            properties = {**body["properties"], "ipAddress": address}
            self._arm.make({**body, "id": path, "name": path.rsplit("/", 1)[1], "properties": properties})

    def _delete(self, path: str) -> None:
        lower = path.lower()
        if "/privateendpointconnections/" in lower:
            self._arm.delete_connection(path)
        elif "/privatelinkservices/" in lower:
            self._arm.delete_link(path)
        elif "/loadbalancers/" in lower:
            self._arm.delete_balancer(path)
        else:
            self._arm.drop(path)

    def _with_use(self, found: Json) -> Json:
        """A public IP tells who uses it."""
        if "/publicipaddresses/" not in found["id"].lower():
            return found
        fronts = [f for lb in self._arm.of_kind("loadBalancers") for f in lb["properties"][FRONTENDS]]
        ids = [str((f["properties"].get("publicIPAddress") or {}).get("id", "")).lower() for f in fronts]
        if found["id"].lower() not in ids:
            return found
        return {**found, "properties": {**found["properties"], "ipConfiguration": {"id": "used"}}}

    def _call(self) -> None:
        self._kernel.pause(self._kernel.random.uniform(0.02, 0.3))

    def _finish(self, path: str) -> None:
        while (found := self._arm.find(path)) and found["properties"].get("provisioningState") in TRANSIT:
            self._kernel.pause(POLL)


class Provider:
    """The controller: one Service at a time, what failed again later, and the old of one that was replaced."""

    def __init__(
        self,
        kernel: Kernel,
        arm: Subscription,
        api: Api,
        group: str,
        write: Callable[[str, str, bool], None],
        *,
        in_tree: bool,
    ) -> None:
        self._kernel, self._api = kernel, api
        nowhere = Path("unused")
        options = ProviderOptions(
            name=api.cluster,
            arm=ArmAccess("", nowhere, "", ""),
            cluster=ClusterAccess("", nowhere, ""),
            subscription="00000000-0000-0000-0000-000000000001",
            location="eastus",
            resource_group=group,
            pls=in_tree,
        )
        way = cast(Arm, ProviderArm(kernel, arm, write))
        links = InTreeLinks(options, way) if in_tree else None
        if links:  # on virtual time
            links._cache = LinkCache(way, options.pls_cache_seconds, lambda: kernel.now)
        self._balancing = Balancing(options, way, links)
        self._served: dict[str, Json] = {}
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._seen: dict[str, object] = {}
        self._working = False
        api.changed = self.changed

    def changed(self, name: str) -> None:
        """A Service changed: of the provider's own concern are annotations, spec and deletion."""
        service = self._api.services.get(name)
        state = _concern(service)
        if self._seen.get(name) != state:
            self._seen[name] = state
            self._schedule(name, self._kernel.random.uniform(0.05, 2))

    def _schedule(self, name: str, seconds: float) -> None:
        self._due[name] = self._kernel.now + seconds
        self._kernel.after(seconds, self._work)

    def _work(self) -> None:
        if not self._working and self._ready():
            self._working = True
            self._kernel.spawn(self._drain)

    def _ready(self) -> list[str]:
        return sorted(n for n, due in self._due.items() if due <= self._kernel.now)

    def _drain(self) -> None:
        while ready := self._ready():
            name = min(ready, key=lambda n: (self._due[n], n))
            del self._due[name]
            try:
                self._sync(name)
                self._failures.pop(name, None)
            except SyncError:
                failures = self._failures[name] = self._failures.get(name, 0) + 1
                self._schedule(name, min(LONGEST_RETRY, FIRST_RETRY * 2 ** (failures - 1)))
        self._working = False

    def _sync(self, name: str) -> None:
        service, served = self._api.services.get(name), self._served.get(name)
        if served and (service is None or served["metadata"]["uid"] != service["metadata"]["uid"]):
            finished(self._balancing.remove(served))
            del self._served[name]
        if service is None:
            return
        finalizers = service["metadata"].get("finalizers", [])
        if wants_balancer(service):
            if FINALIZER not in finalizers:
                self._api.patch(name, finalizers=[FINALIZER])
            self._served[name] = service
            finished(self._balancing.ensure(service))
        elif FINALIZER in finalizers:
            finished(self._balancing.remove(service))
            self._served.pop(name, None)
            now = self._api.services.get(name)
            if now and now["metadata"]["uid"] == service["metadata"]["uid"]:
                self._api.patch(name, finalizers=[])


def _concern(service: Json | None) -> object:
    if service is None:
        return None
    metadata = service["metadata"]
    gone = bool(metadata.get("deletionTimestamp"))
    return metadata["uid"], metadata["annotations"], service["spec"], gone
