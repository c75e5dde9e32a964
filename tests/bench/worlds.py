"""The world of a benchmark: sandbox servers in a process of their own, filled through their back doors.

The product runs in the benchmark's process (:class:`Product`): wired as in production, with its real adapters
over HTTPS, and served by a small pump in place of the Functions host. Internal load balancers with up to eight
frontends each; every Service asks for a Private Link Service.

    python -m tests.bench.worlds FOLDER OPTIONS     # the servers: prints a JSON line, ends with its standard input
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

Json = dict[str, Any]

SUBSCRIPTIONS = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
PER_BALANCER = 8
PREFIX = "service.beta.kubernetes.io/azure-"
POLL_SECONDS = 0.1
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cluster:
    """One cluster to be: its Services, and the subscription of its load balancers."""

    name: str
    services: int
    subscription: str = SUBSCRIPTIONS[0]

    @property
    def network(self) -> str:
        """Where its network resources are."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/MC_{self.name}"
        return f"{group}/providers/Microsoft.Network"

    def uid(self, number: int) -> str:
        """That of a Service, always the same."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{number}.{self.name}"))

    def frontend(self, number: int) -> str:
        """The id of a Service's frontend."""
        name = f"a{self.uid(number).replace('-', '')}"[:32]
        balancer = f"{self.network}/loadBalancers/internal-{number // PER_BALANCER}"
        return f"{balancer}/frontendIPConfigurations/{name}"


# -- the servers


async def serve(folder: Path, options: Json) -> None:
    """ARM, clusters and identity endpoint until standard input ends."""
    from sandbox.arm import ArmOptions, Bucket, Throttle, start_arm
    from sandbox.kubernetes import ClusterOptions, start_cluster
    from sandbox.tls import Authority
    from sandbox.up_identity import start_identity

    names = options.pop("clusters")
    if buckets := options.pop("throttle", None):
        options["throttle"] = Throttle(**{kind: Bucket(*values) for kind, values in buckets.items()})
    authority = Authority.create(folder)
    arm = await start_arm(ArmOptions(default_world=False, **options), authority)
    identity = await start_identity(arm.identity_endpoint, authority.client_context())
    clusters = [await start_cluster(ClusterOptions(name=name), authority) for name in names]
    found = {
        "arm": arm.url,
        "ca": str(authority.ca_path),
        "identity": identity.url,
        "header": arm.identity_header,
        "clusters": {
            c.name: {"url": c.url, "kubeconfig": str(c.kubeconfig(folder / f"{c.name}.kubeconfig"))}
            for c in clusters
        },
    }
    print(json.dumps(found), flush=True)
    await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True)
class World:
    """Running servers and their back doors."""

    clusters: tuple[Cluster, ...]
    found: Json
    connection_string: str
    process: subprocess.Popen[str]
    session: requests.Session

    def arm(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """ARM's back door."""
        return self._call(method, f"{self.found['arm']}/_sandbox/{path}", body, query)

    def kubernetes(self, cluster: str, method: str, path: str, body: Any = None) -> Any:
        """A cluster's back door."""
        return self._call(method, f"{self.found['clusters'][cluster]['url']}/_sandbox/{path}", body, {})

    def _call(self, method: str, url: str, body: Any, query: Mapping[str, str]) -> Any:
        answer = self.session.request(method, url, json=body, params=query, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def requests(self) -> list[Json]:
        """ARM's request log, tokens aside."""
        lines: list[Json] = self.arm("GET", "requests")["value"]
        return [line for line in lines if "/msi/" not in line["path"]]

    def forget_requests(self) -> None:
        """Begin a new log."""
        self.arm("DELETE", "requests")

    def links(self) -> list[Json]:
        """All Private Link Services at ARM."""
        state: Json = self.arm("GET", "state")
        return [r for r in _resources(state) if r["type"].lower() == "microsoft.network/privatelinkservices"]

    def environment(self) -> dict[str, str]:
        """The product's settings."""
        entries = [self._entry(cluster) for cluster in self.clusters]
        return {
            "AzureWebJobsStorage": self.connection_string,
            "CLUSTERS": json.dumps({"clusters": entries}),
            "ARM_ENDPOINT": self.found["arm"],
            "ARM_AUDIENCE": "https://management.azure.com",
            "ARM_CA_FILE": self.found["ca"],
            "IDENTITY_ENDPOINT": self.found["identity"],
            "IDENTITY_HEADER": self.found["header"],
        }

    def _entry(self, cluster: Cluster) -> Json:
        group = f"MC_{cluster.name}"
        return {
            "name": cluster.name,
            "mode": "sync",
            "api": {"type": "kubeconfig", "path": self.found["clusters"][cluster.name]["kubeconfig"]},
            "subscription": cluster.subscription,
            "location": "eastus",
            "loadBalancerResourceGroup": group,
            "vnet": {"resourceGroup": group, "name": "aks-vnet"},
            "defaultSubnet": "default",
            "inTree": "absent",
        }


def _resources(state: Any) -> Iterator[Json]:
    """The resources of a dump, however it groups them."""
    if isinstance(state, dict) and isinstance(state.get("type"), str) and "properties" in state:
        yield state
    elif isinstance(state, dict | list):
        for item in state.values() if isinstance(state, dict) else state:
            yield from _resources(item)


@contextmanager
def world(clusters: Iterable[Cluster], **options: Any) -> Iterator[World]:
    """Servers with these clusters, filled; ``options`` are ArmOptions' (``throttle``: kind → [size, refill])."""
    from sandbox.storage import start_storage

    wanted = tuple(clusters)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="bench-"))
        storage = stack.enter_context(start_storage())
        text = json.dumps({**options, "clusters": [c.name for c in wanted]})
        command = [sys.executable, "-m", "tests.bench.worlds", folder, text]
        process = stack.enter_context(
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(process.terminate)
        assert process.stdout
        found = json.loads(process.stdout.readline())
        session = stack.enter_context(requests.Session())
        session.trust_env, session.verify = False, found["ca"]
        made = World(wanted, found, storage.connection_string, process, session)
        for cluster in wanted:
            fill(made, cluster)
        yield made


# -- what is in them


def fill(into: World, cluster: Cluster) -> None:
    """A network with an open NAT subnet, load balancers without a PLS, and a Service for each frontend."""
    into.arm("PUT", "resources", _virtual_network(cluster))
    for first in range(0, cluster.services, PER_BALANCER):
        numbers = range(first, min(first + PER_BALANCER, cluster.services))
        into.arm("PUT", "resources", _balancer(cluster, first // PER_BALANCER, numbers))
    for number in range(cluster.services):
        put_service(into, cluster, number, {})


def put_service(into: World, cluster: Cluster, number: int, annotations: Mapping[str, str]) -> None:
    """A Service that asks for a PLS; ``annotations`` without their prefix."""
    asks = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": pls_name(cluster, number)}
    service = {
        "metadata": {
            "name": f"web{number}",
            "namespace": "default",
            "uid": cluster.uid(number),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {PREFIX + key: value for key, value in {**asks, **annotations}.items()},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": _address(number)}]}},
    }
    into.kubernetes(cluster.name, "PUT", f"objects/services/default/web{number}", service)


def pls_name(cluster: Cluster, number: int) -> str:
    """The name that a Service asks for."""
    return f"pls-{cluster.name}-{number}"


def _address(number: int) -> str:
    return f"10.225.{number // 250}.{number % 250 + 4}"


def _virtual_network(cluster: Cluster) -> Json:
    network = f"{cluster.network}/virtualNetworks/aks-vnet"
    policies = {
        "privateLinkServiceNetworkPolicies": "Disabled",
        "privateEndpointNetworkPolicies": "Disabled",
        "provisioningState": "Succeeded",
        "delegations": [],
    }
    subnet = {
        "name": "default",
        "id": f"{network}/subnets/default",
        "etag": 'W/"1"',
        "type": "Microsoft.Network/virtualNetworks/subnets",
        "properties": {"addressPrefix": "10.224.0.0/16", **policies},
    }
    space = {"addressSpace": {"addressPrefixes": ["10.224.0.0/12"]}}
    return _resource(network, "virtualNetworks", {**space, "subnets": [subnet]})


def _balancer(cluster: Cluster, index: int, numbers: Iterable[int]) -> Json:
    balancer = f"{cluster.network}/loadBalancers/internal-{index}"
    subnet = {"id": f"{cluster.network}/virtualNetworks/aks-vnet/subnets/default"}
    found = [(cluster.frontend(number), _address(number)) for number in numbers]
    frontends = [
        {
            "name": frontend.rpartition("/")[2],
            "id": frontend,
            "etag": 'W/"1"',
            "type": "Microsoft.Network/loadBalancers/frontendIPConfigurations",
            "properties": {
                "provisioningState": "Succeeded",
                "privateIPAllocationMethod": "Dynamic",
                "privateIPAddress": address,
                "subnet": subnet,
            },
        }
        for frontend, address in found
    ]
    properties = {"frontendIPConfigurations": frontends, "loadBalancingRules": [], "backendAddressPools": []}
    return {
        **_resource(balancer, "loadBalancers", properties),
        "sku": {"name": "Standard", "tier": "Regional"},
    }


def _resource(resource_id: str, kind: str, properties: Json) -> Json:
    return {
        "name": resource_id.rpartition("/")[2],
        "id": resource_id,
        "etag": 'W/"1"',
        "type": f"Microsoft.Network/{kind}",
        "location": "eastus",
        "properties": {"provisioningState": "Succeeded", "resourceGuid": str(uuid.uuid4()), **properties},
    }


# -- the product


@dataclass
class Served:
    """One message and what it led to; times of time.time()."""

    began: float
    ended: float
    sentence: str
    run: bool


@dataclass
class Product:
    """The product in this process, served by ``workers`` threads from the real queue."""

    world: World
    workers: int = 4
    served: list[Served] = field(default_factory=list)

    def __post_init__(self) -> None:
        from reconciler import settings, wiring

        values = self.world.environment()
        os.environ.update(values)
        self.app = wiring.app(settings.load(values))

    @contextmanager
    def pumping(self) -> Iterator[Product]:
        """Serve the queue while the block runs, polling it ten times a second."""
        stop = threading.Event()
        with ThreadPoolExecutor(self.workers) as pool:
            loops = [pool.submit(self._pump, stop) for _ in range(self.workers)]
            try:
                yield self
            finally:
                stop.set()
        for loop in loops:
            loop.result()

    def _pump(self, stop: threading.Event) -> None:
        from azure.storage.queue import QueueClient

        queue = QueueClient.from_connection_string(self.world.connection_string, "reconcile")
        with queue:
            while not stop.is_set():
                message = queue.receive_message(visibility_timeout=600)
                if message is None:
                    time.sleep(POLL_SECONDS)
                    continue
                self.serve(base64.b64decode(message.content), message.inserted_on or datetime.now(UTC))
                queue.delete_message(message)

    def serve(self, body: bytes, inserted: datetime) -> None:
        """One message, as the function does."""
        from reconciler import ingest

        began = time.time()
        done = ingest.on_wake_up(self.app.worker, body, inserted)
        self.served.append(Served(began, time.time(), done.sentence, done.run is not None))

    @property
    def runs(self) -> list[Served]:
        """The messages that led to a run."""
        return [one for one in self.served if one.run]

    def run(self, cluster: str) -> None:
        """One run as a person asks for it, here and now, beside the queue."""
        from reconciler.messages import encode
        from reconciler.ports import WakeUp

        text = encode(WakeUp(cluster, "manual"))
        self.serve(base64.b64decode(text), datetime.now(UTC))

    def wake(self, cluster: str, reason: str = "event") -> None:
        """Send a message as an event does, or a person."""
        from reconciler.ports import WakeUp

        self.app.worker.queue.send(WakeUp(cluster, reason))


def until(seconds: float, ready: Any, every: float = 0.25) -> None:
    """Wait until ``ready()`` is true. Raises TimeoutError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready after {seconds:.0f} s")
        time.sleep(every)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(partial(serve, Path(sys.argv[1]), json.loads(sys.argv[2]))())
