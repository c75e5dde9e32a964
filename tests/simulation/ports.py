"""The ports of one worker process: each call takes time, may fail or be the last, and is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from typing import Any, Protocol, TypeVar, cast

from reconciler import reading
from reconciler.errors import NotFound, OutsideError, RetryLater
from reconciler.model import (
    Condition,
    LoadBalancer,
    PrivateLinkService,
    PublicIp,
    Service,
    ServiceEvent,
    ServiceRef,
    Subnet,
)
from reconciler.ports import Accepted, Lease
from tests.simulation.arm import Subscription
from tests.simulation.documents import network
from tests.simulation.faults import Faults, error_of
from tests.simulation.kernel import Kernel
from tests.simulation.kubernetes import NAMESPACE, Api
from tests.simulation.troubles import Trouble
from tests.simulation.watch import Watch

Json = Any
T = TypeVar("T")
STRANGER = "another-cluster"


class Mortal(Protocol):
    """A process as its outside calls see it."""

    number: int

    def before_call(self) -> None:
        """Raises Crash where the process is dead, or dies now."""

    def after_call(self) -> None:
        """Raises Crash where the process dies now that the call has acted."""

    def alive(self) -> None:
        """Raises Crash where the process is dead."""

    def stand_still(self, seconds: float) -> None:
        """Nothing of the process goes on before that time is over."""


class Wire:
    """How the calls of one process reach the outside."""

    def __init__(self, kernel: Kernel, process: Mortal, faults: Faults) -> None:
        self._kernel, self._process, self._faults = kernel, process, faults

    def call(self, port: str, method: str, subject: str, act: Callable[[], T]) -> T:
        """One call: half of its time before it acts, half after."""
        kernel, process = self._kernel, self._process
        process.before_call()
        kernel.calls += 1
        fault = self._faults.next(port, method)
        chance = kernel.random.random()
        half = 3.0 * chance if chance > 0.995 else 0.002 + 0.06 * chance
        kernel.pause(half)
        process.alive()
        kernel.note(f"p{process.number} {port}.{method} {subject} {fault or ''}")
        self._faults.meanwhile(port, method)
        if fault:
            self._faults.hit()
        if fault and fault != "cut":
            raise error_of(fault, method)
        failed: OutsideError | None = None
        result: T | None = None
        try:
            result = act()
        except OutsideError as error:
            failed = error
        process.after_call()
        if seconds := self._faults.stall(port, method):
            process.stand_still(seconds)
        kernel.pause(half)
        process.alive()
        if failed or fault:
            raise failed or error_of("cut", method)
        return cast(T, result)


class Inline(Executor):
    """Does the work at once, on the flow that submits it."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class SimLedger:
    """The port ``Ledger``: every method of ``inner``, over the wire."""

    def __init__(self, wire: Wire, inner: Any, watch: Watch) -> None:
        self._wire, self._inner, self._watch = wire, inner, watch

    def __getattr__(self, method: str) -> Callable[..., Any]:
        found = getattr(self._inner, method)

        def call(*values: Any) -> Any:
            # Rows may come as generators: they are made before the call, not during it.
            given = tuple(v if isinstance(v, str | tuple | int) else _listed(v) for v in values)
            self._watch.begins_note(method)
            result = self._wire.call("ledger", method, _subject(given), lambda: found(*given))
            if method == "lease":
                self._watch.asks(result)
            if method == "reserve":
                self._watch.reserved(values[0].pls_id)
            return result

        return call

    def write_lease(self, lease: Lease) -> Lease:
        def act() -> Lease:
            before: Lease = self._inner.lease(lease.cluster)
            written: Lease = self._inner.write_lease(lease)
            self._watch.leased(before, written)
            return written

        return self._wire.call("ledger", "write_lease", lease.cluster, act)


def _listed(value: Any) -> Any:
    if isinstance(value, Iterable) and not isinstance(value, dict):
        return list(value)
    return value


def _subject(values: tuple[Any, ...]) -> str:
    first = values[0] if values else ""
    if isinstance(first, str):
        return first
    return str(getattr(first, "cluster", "")) or f"{len(first) if isinstance(first, list) else ''}"


class SimQueuePort:
    """The port ``Queue`` over the wire."""

    def __init__(self, wire: Wire, inner: Any) -> None:
        self._wire, self._inner = wire, inner

    def create(self) -> None:
        """Nothing to create."""

    def send(self, wake_up: Any, delay_seconds: float = 0) -> None:
        subject = f"{wake_up.cluster} {wake_up.reason} {delay_seconds:.0f}"
        self._wire.call("queue", "send", subject, lambda: self._inner.send(wake_up, delay_seconds))


class SimCluster:
    """The port ``Cluster``."""

    def __init__(self, wire: Wire, kernel: Kernel, api: Api, trouble: Trouble, watch: Watch) -> None:
        self._wire, self._kernel, self._api = wire, kernel, api
        self._trouble, self._watch = trouble, watch

    def _do(self, method: str, subject: str, act: Callable[[], T]) -> T:
        return self._wire.call("cluster", method, f"{self._api.cluster} {subject}", act)

    @property
    def _imposter(self) -> bool:
        return self._trouble.imposter_until > self._kernel.now

    def _services(self) -> tuple[Service, ...]:
        if self._imposter:
            return ()
        found = [reading.service(s) for _, s in sorted(self._api.services.items())]
        listed = [s for s in found if s and s.type == "LoadBalancer"]
        if self._trouble.empty_until > self._kernel.now:
            listed = listed[::2] if self._trouble.half else []
        return tuple(listed)

    def list_services(self) -> tuple[Service, ...]:
        listed = self._do("list_services", "", self._services)
        self._watch.saw()
        return listed

    def identity(self) -> str:
        return self._do("identity", "", lambda: STRANGER if self._imposter else self._api.identity)

    def get_service(self, namespace: str, name: str) -> Service | None:
        def act() -> Service | None:
            found = None if self._imposter or namespace != NAMESPACE else self._api.services.get(name)
            return reading.service(found) if found else None

        return self._do("get_service", f"{namespace}/{name}", act)

    def digest(self) -> str:
        def act() -> str:
            return reading.digest((s.uid, s.resource_version) for s in self._services())

        return self._do("digest", "", act)

    def patch_status(self, service: ServiceRef, condition: Condition | None) -> Service:
        def act() -> Service:
            return _noun(None if self._imposter else self._api.tell(service.name, service.uid, condition))

        return self._do("patch_status", service.key, act)

    def patch_annotations(self, service: ServiceRef, annotations: Mapping[str, str | None]) -> Service:
        def act() -> Service:
            found = None if self._imposter else self._api.annotate(service.name, service.uid, annotations)
            return _noun(found)

        return self._do("patch_annotations", service.key, act)

    def record_event(self, event: ServiceEvent) -> None:
        self._do("record_event", f"{event.service.key} {event.reason}", lambda: None)


def _noun(found: Json | None) -> Service:
    service = reading.service(found) if found else None
    if service is None:
        raise NotFound("the Service is not there")
    return service


class SimAzure:
    """The port ``Azure`` for the runs of one cluster."""

    def __init__(
        self, wire: Wire, kernel: Kernel, arm: Subscription, trouble: Trouble, watch: Watch, cluster: str
    ) -> None:
        self._wire, self._kernel, self._arm = wire, kernel, arm
        self._trouble, self._watch, self._cluster = trouble, watch, cluster

    def _do(self, method: str, subject: str, act: Callable[[], T]) -> T:
        return self._wire.call("azure", method, f"{self._cluster} {subject.rsplit('/', 1)[-1]}", act)

    def list_load_balancers(self, subscription: str, resource_group: str) -> tuple[LoadBalancer, ...]:
        self._watch.looks()
        return self._do(
            "list_load_balancers",
            resource_group,
            lambda: _all(map(reading.load_balancer, self._balancers(resource_group))),
        )

    def _balancers(self, resource_group: str) -> list[Json]:
        if self._trouble.hidden_until > self._kernel.now:
            return []
        return self._arm.of_kind("loadBalancers", network(resource_group))

    def list_private_link_services(self, subscription: str) -> tuple[PrivateLinkService, ...]:
        return self._do("list_private_link_services", "", lambda: self._links(self._arm.links()))

    def _links(self, documents: list[Json]) -> tuple[PrivateLinkService, ...]:
        for document in documents:
            self._watch.got(document["id"], document)
        return _all(map(reading.private_link_service, documents))

    def list_private_link_services_in(
        self, subscription: str, resource_group: str
    ) -> tuple[PrivateLinkService, ...]:
        scope = network(resource_group)
        return self._do(
            "list_private_link_services_in",
            resource_group,
            lambda: _all(map(reading.private_link_service, self._arm.of_kind("privateLinkServices", scope))),
        )

    def get_private_link_service(self, pls_id: str) -> PrivateLinkService:
        def act() -> PrivateLinkService:
            document = self._arm.find(pls_id)
            self._watch.got(pls_id, document)
            return _read(pls_id, document, reading.private_link_service)

        return self._do("get_private_link_service", pls_id, act)

    def get_subnet(self, subnet_id: str) -> Subnet:
        return self._do(
            "get_subnet", subnet_id, lambda: _read(subnet_id, self._arm.find(subnet_id), reading.subnet)
        )

    def list_public_ips(self, subscription: str, resource_group: str) -> tuple[PublicIp, ...]:
        scope = network(resource_group)
        return self._do(
            "list_public_ips",
            resource_group,
            lambda: _all(map(reading.public_ip, self._arm.of_kind("publicIPAddresses", scope))),
        )

    def list_nat_addresses(self, subscription: str, resource_group: str) -> dict[str, tuple[str, ...]]:
        def act() -> dict[str, tuple[str, ...]]:
            found = {}
            for link in self._arm.of_kind("privateLinkServices", network(resource_group)):
                items = [c["properties"] for c in link["properties"]["ipConfigurations"]]
                addresses = (i.get("privateIPAddress") or f"10.224.8.{n}" for n, i in enumerate(items))
                for interface in link["properties"].get("networkInterfaces", ()):
                    found[interface["id"].lower()] = tuple(addresses)
            return found

        return self._do("list_nat_addresses", resource_group, act)

    def put_private_link_service(self, pls_id: str, body: Json) -> Accepted:
        def act() -> Accepted:
            self._watch.before_put(self._cluster, pls_id, body)
            with self._watch.writing(self._cluster, "PUT", pls_id):
                properties = self._arm.put_link(pls_id, body)["properties"]
            return Accepted(*(properties[k] for k in ("provisioningState", "resourceGuid", "alias")))

        self._watch.begins_put(self._cluster, pls_id)
        return self._do("put_private_link_service", pls_id, act)

    def put_subnet(self, subnet_id: str, body: Json, etag: str) -> Accepted:
        def act() -> Accepted:
            self._watch.before_subnet(self._cluster, subnet_id, body, etag)
            with self._watch.writing(self._cluster, "PUT", subnet_id):
                self._arm.put_subnet(subnet_id, body, etag)
            return Accepted("Updating")

        self._watch.begins(self._cluster, subnet_id)
        return self._do("put_subnet", subnet_id, act)

    def delete_private_link_service(self, pls_id: str) -> None:
        def act() -> None:
            self._watch.before_delete(self._cluster, pls_id)
            with self._watch.writing(self._cluster, "DELETE", pls_id):
                self._arm.delete_link(pls_id)

        self._watch.begins(self._cluster, pls_id)
        self._do("delete_private_link_service", pls_id, act)

    def delete_connection(self, connection_id: str) -> None:
        def act() -> None:
            self._watch.before_delete(self._cluster, connection_id.rsplit("/", 2)[0])
            with self._watch.writing(self._cluster, "DELETE", connection_id):
                self._arm.delete_connection(connection_id)

        self._watch.begins(self._cluster, connection_id.rsplit("/", 2)[0])
        self._do("delete_connection", connection_id, act)


def _read(resource_id: str, document: Json | None, read: Callable[[Json], T | None]) -> T:
    if document is None:
        raise NotFound(f"{resource_id} is not there", code="ResourceNotFound")
    noun = read(document)
    if noun is None:
        raise RetryLater(f"the answer about {resource_id} is no such resource")
    return noun


def _all(nouns: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(noun for noun in nouns if noun is not None)
