"""A whole world in memory for the shell: clusters, Azure, ledger, queue and a clock that stands still.

All calls to the outside go into one list, so that a test can tell what came before what.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from reconciler.api import Api
from reconciler.gate import Gate
from reconciler.model import ClusterConfig, Limits, PrivateLinkService, Service
from reconciler.observe import Look, Outside, observe
from reconciler.ports import Cluster, WakeUp
from reconciler.reconcile import Engine, Run, reconcile
from reconciler.worker import Done, Worker
from tests import builders
from tests.fakes.azure import FakeAzure
from tests.fakes.cluster import FakeCluster
from tests.fakes.documents import MemoryDocuments
from tests.fakes.ledger import MemoryLedger
from tests.fakes.queue import MemoryQueue, Sent

Json = dict[str, Any]
POOL = ThreadPoolExecutor(24)
WRITES = ("put_private_link_service", "put_subnet", "delete_private_link_service", "delete_connection")
LEDGER_METHODS = frozenset(
    [
        "ownership",
        "put_ownership",
        "forget_ownership",
        "sharing",
        "replace_sharing",
        "reservations",
        "reserve",
        "lease",
        "write_lease",
        "state",
        "states",
        "write_state",
        "add_history",
        "history",
    ]
)
LEDGER_WRITES = (
    "put_ownership",
    "forget_ownership",
    "replace_sharing",
    "reserve",
    "write_lease",
    "write_state",
    "add_history",
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = builders.NOW

    def now(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class WatchedAzure(FakeAzure):
    """Azure, and what happens in the world at the moment of the next call of a method."""

    def __init__(self, *resources: Json, slow: bool = False) -> None:
        self.meanwhile: dict[str, Callable[[], None]] = {}
        super().__init__(*resources, slow=slow)

    def called(self, method: str, subject: str = "") -> None:
        if happens := self.meanwhile.pop(method, None):
            happens()
        super().called(method, subject)


class WatchedLedger(MemoryLedger):
    """A ledger whose calls are noted in ``azure``'s list, and fail where ``azure.fail`` says so."""

    def __init__(self, now: Callable[[], datetime], azure: FakeAzure) -> None:
        super().__init__(now)
        self.watcher = azure

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in LEDGER_METHODS:
            return found

        def call(*values: Any, **named: Any) -> Any:
            self.watcher.called(name, str(values[0]) if values else "")
            return found(*values, **named)

        return call


@dataclass(frozen=True)
class World:
    """The outside of a deployment, and the deployment."""

    clock: Clock
    clusters: dict[str, FakeCluster]
    azure: WatchedAzure
    ledger: WatchedLedger
    queue: MemoryQueue
    engine: Engine
    worker: Worker
    api: Api
    configs: dict[str, ClusterConfig]
    documents: MemoryDocuments

    @property
    def config(self) -> ClusterConfig:
        return self.configs["prod"]

    @property
    def cluster(self) -> FakeCluster:
        return self.clusters["prod"]

    @property
    def calls(self) -> list[str]:
        """The names of the calls so far."""
        return [method for method, _ in self.azure.calls]

    def written(self) -> list[tuple[str, str]]:
        """The writes that reached Azure so far: method and the target's name."""
        return [(m, subject.rsplit("/", 1)[-1]) for m, subject in self.azure.calls if m in WRITES]

    def forget_calls(self) -> None:
        self.azure.calls.clear()

    def add(self, *services: Service) -> None:
        """Services with a frontend each on the internal load balancer."""
        for service in services:
            self.cluster.put(service)
            self.azure.store(balancer([*self._standing(), front(service)]))

    def change(self, service: Service, **settings: str) -> Service:
        """Another set of azure-pls settings for a Service."""
        annotations = builders.service(settings=settings).annotations
        changed = replace(service, annotations=annotations)
        self.cluster.put(changed)
        return changed

    def remove(self, service: Service, *, frontend: bool = False) -> None:
        """Take a Service out; its frontend stays, as long as a PLS is on it, unless told."""
        self.cluster.remove(service.namespace, service.name)
        if frontend:
            name = builders.frontend(service).name
            self.azure.store(balancer([f for f in self._standing() if f["name"] != name]))

    def _standing(self) -> list[Json]:
        try:
            found: list[Json] = self.azure.document(BALANCER)["properties"]["frontendIPConfigurations"]
        except KeyError:
            return []
        return found

    def look(self, *, ledger: bool = True) -> Look:
        """One observation."""
        outside = Outside(self.cluster, self.azure, self.ledger if ledger else None, POOL)
        return observe(self.config, outside, self.clock.now())

    def run(self, may_start: Callable[[], bool] = lambda: True, config: ClusterConfig | None = None) -> Run:
        """Observe, plan and apply once."""
        return reconcile(self.engine, config or self.config, may_start)

    def handle(self, reason: str = "event", cluster: str = "prod", due: datetime | None = None) -> Done:
        """One message that was sent this moment."""
        return self.worker.handle(WakeUp(cluster, reason, due), self.clock.now())

    def drain(self, seconds: float = 60) -> list[Done]:
        """Serve the queue for a while, a second at a time."""
        done: list[Done] = []
        for _ in range(int(seconds)):
            for sent in self.queue.receive():
                done.append(self.worker.handle(sent.wake_up, sent.inserted))
            self.clock.forward(1)
        return done

    def waiting(self) -> list[tuple[str, float]]:
        """What is in the queue: the reason, and in how many seconds it will be seen."""
        return [(m.wake_up.reason, self._seconds(m)) for m in self.queue.messages]

    def _seconds(self, message: Sent) -> float:
        return (message.visible - self.clock.now()).total_seconds()

    def pls(self, name: str) -> PrivateLinkService:
        return self.azure.get_private_link_service(builders.pls_id(name))


BALANCER = builders.network_id("loadBalancers", builders.INTERNAL)


def front(*services: Service) -> Json:
    """The frontend of Services, as ARM tells it."""
    built = builders.frontend(*services)
    rules = [{"id": f"{BALANCER}/loadBalancingRules/{name}"} for name in built.rule_names]
    properties = {"privateIPAddress": "10.224.0.9", "subnet": {"id": builders.subnet_id("default")}}
    return {
        "id": built.id,
        "name": built.name,
        "properties": {**properties, "loadBalancingRules": rules},
    }


def balancer(frontends: list[Json]) -> Json:
    """The internal load balancer."""
    properties = {"provisioningState": "Succeeded", "frontendIPConfigurations": frontends}
    return {
        "id": BALANCER,
        "name": builders.INTERNAL,
        "sku": {"name": "Standard"},
        "properties": properties,
    }


def subnet(name: str = "default", policy: str = "Disabled") -> Json:
    """A subnet as ARM tells it."""
    return {**builders.subnet(name, policy).raw, "etag": 'W/"1"'}


def make(
    *services: Service,
    clusters: tuple[str, ...] = ("prod",),
    slow: bool = False,
    limits: Limits = builders.LIMITS,
    gate: Gate | None = None,
    policy: str = "Disabled",
    **settings: Any,
) -> World:
    """A world with these Services in the cluster prod; ``settings`` are the clusters'."""
    clock = Clock()
    azure = WatchedAzure(subnet("default", policy), subnet("pls-subnet", policy), balancer([]), slow=slow)
    ledger, queue = WatchedLedger(clock.now, azure), MemoryQueue(clock.now)
    configs = {name: configured(name, **settings) for name in clusters}
    opened = {name: FakeCluster(uid=f"uid-of-{name}") for name in clusters}
    for cluster in opened.values():
        cluster.calls = azure.calls
    engine = Engine(
        cluster_of=_opener(opened),
        azure_of=lambda config: azure,
        ledger=ledger,
        pool=POOL,
        gate=gate or Gate(16, 4),
        limits=limits,
        clock=clock,
    )
    numbers = count(1)
    documents = MemoryDocuments()
    worker = Worker(engine, ledger, queue, lambda: configs, lambda: f"id{next(numbers)}", documents=documents)
    world = World(clock, opened, azure, ledger, queue, engine, worker, Api(worker), configs, documents)
    world.add(*services)
    world.forget_calls()
    return world


def configured(name: str, **settings: Any) -> ClusterConfig:
    """A cluster; all but prod have a load balancer group of their own."""
    group = builders.GROUP if name == "prod" else f"MC_{name}"
    places = {"load_balancer_resource_group": group, "pls_resource_group": group}
    return replace(builders.CONFIG, **{"name": name, "cluster_name": "kubernetes", **places, **settings})


def _opener(clusters: dict[str, FakeCluster]) -> Callable[[ClusterConfig], Cluster]:
    return lambda config: clusters[config.name]


def some(number: int) -> list[Service]:
    """Services that ask for a Private Link Service each, named pls-0, pls-1 …"""
    return [builders.service(f"web{i}", settings={"name": f"pls-{i}"}) for i in range(number)]
