"""From an event, or from a changed annotation without one, to the PUT at ARM; what an idle probe costs."""

from __future__ import annotations

import base64
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure.storage.queue import QueueClient

from reconciler import ingest, settings, wiring
from reconciler.ports import WakeUp
from reconciler.wakeups import PROBE
from reconciler.worker import Worker
from sandbox.functions.backoff import Backoff
from sandbox.storage import start_storage
from tests.bench.figures import Figure, Target
from tests.bench.kubernetes_documents import CONFIG, NETWORK, Documents
from tests.bench.kubernetes_pump import Pump
from tests.bench.kubernetes_servers import Servers, servers
from tests.contract.servers import BackDoor

SERVICES, SAMPLES, PATIENCE = 40, 6, 60.0
EVENTS, WORK = "lb-events", "reconcile"
POLLING = timedelta(seconds=1)
PROBE_EVERY = 2.0
AFTER_DEQUEUE = Target(
    "Event written to the queue → PUT at ARM, warm, 1 cluster: after the second dequeue (p50; bound 1 s)",
    must=1.0,
)
DEQUEUES = Target("The two dequeues before it, at maxPollingInterval 1 / 5 / 60 s")
NOTICED = Target("Annotation-only change, no event → PUT at ARM: the probe's interval + one run", must=1.0)
PROBES = Target("Calls of an unchanged cluster's probe: 1 to Kubernetes, 0 to ARM", must=1.0)
TARGETS = (AFTER_DEQUEUE, DEQUEUES, NOTICED, PROBES)


@dataclass
class World:
    """One cluster with its Azure and storage, and a warm worker."""

    worker: Worker
    arm: BackDoor
    cluster: BackDoor
    events: QueueClient
    work: QueueClient
    puts: int = 0

    def change(self) -> None:
        """Edit an annotation, so that one Private Link Service has to be written."""
        self.quiet()
        self.puts += 1
        service = Documents(SERVICES).services[1]["metadata"]
        name = "service.beta.kubernetes.io/azure-pls-fqdns"
        changed = {"metadata": {"annotations": {name: f"v{self.puts}.example.com"}}}
        self.cluster.call("PATCH", f"objects/services/{service['namespace']}/{service['name']}", changed)

    def tell(self) -> None:
        """The event that the cluster's load balancer was written."""
        event = {
            "id": str(self.puts),
            "eventType": "Microsoft.Resources.ResourceWriteSuccess",
            "subject": f"{NETWORK}/loadBalancers/kubernetes-internal-0",
            "topic": "",
            "data": {},
            "dataVersion": "2",
            "metadataVersion": "1",
            "eventTime": "2026-06-01T12:00:00Z",
        }
        self.events.send_message(base64.b64encode(json.dumps(event).encode()).decode())

    def put(self) -> float:
        """Wait for the PUT; when it arrived at ARM, in seconds since 1970."""
        path = "/privateLinkServices/"

        def arrived() -> float:
            lines: list[dict[str, Any]] = self.arm.call("GET", "requests")["value"]
            times = [line["time"] for line in lines if line["method"] == "PUT" and path in line["path"]]
            return float(times[self.puts - 1]) if len(times) >= self.puts else 0.0

        return float(_until(arrived))

    def quiet(self) -> None:
        """Wait until the run and the look after it are over; then no rest is due, as in a cluster long idle."""

        def still() -> bool:
            lease = self.worker.ledger.lease(CONFIG.name)
            due = lease.parked and lease.parked > self.worker.engine.clock.now() - timedelta(seconds=1)
            return not lease.holder and not due

        time.sleep(0.5)
        _until(still)
        lease = self.worker.ledger.lease(CONFIG.name)
        if lease.covered:
            self.worker.ledger.write_lease(replace(lease, covered=lease.covered - timedelta(hours=1)))


def _until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (seen := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return seen


def measure() -> Iterator[Figure]:
    """One figure for each target."""
    with _world() as world:
        kubernetes, arm = _idle_probe(world)
        waits, runs = _by_event(world)
        noticed = _by_probe(world)
    p50, longest = statistics.median(runs), max(runs)
    yield AFTER_DEQUEUE.figure(
        f"{p50:.2f} s",
        f"longest of {SAMPLES}: {longest:.2f} s",
        p50,
        "lease, look, plan, ledger, guard, PUT; 40 Services, 4 PLSs; sandbox and Azurite without latency of their own",
    )
    told = [_waited(seconds) for seconds in (1, 5, 60)]
    yield DEQUEUES.figure(
        " / ".join(f"{middle:.1f}" for middle, _ in told) + " s (p50)",
        " / ".join(f"{most:.1f}" for _, most in told) + " s (p95)",
        None,
        f"the host's back-off in virtual time, queues long idle; with real queues at 1 s: {statistics.median(waits):.1f} s",
    )
    bound = PROBE_EVERY + longest
    yield NOTICED.figure(
        f"longest of {SAMPLES}: {max(noticed):.2f} s",
        f"{PROBE_EVERY:g} s + {longest:.2f} s",
        max(noticed) / bound,
        f"probed every {PROBE_EVERY:g} s instead of 30 s; dequeued at once",
    )
    yield PROBES.figure(
        f"{kubernetes} + {arm}",
        "1 + 0",
        float("inf") if arm else float(kubernetes),
        "counted in both request logs",
    )


@contextmanager
def _world() -> Iterator[World]:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        start_storage() as storage,
        servers(SERVICES, Path(folder)) as running,
    ):
        os.environ |= running.identity
        told = {**running.settings, "AzureWebJobsStorage": storage.connection_string}
        worker = wiring.app(settings.load(told)).worker
        events, work = (
            QueueClient.from_connection_string(storage.connection_string, name) for name in (EVENTS, WORK)
        )
        events.create_queue()
        doors = _doors(running)
        try:
            ingest.on_wake_up(worker, b'{"cluster": "large", "reason": "manual"}', worker.engine.clock.now())
            yield World(worker, *doors, events, work)
        finally:
            for door in doors:
                door.close()


def _doors(running: Servers) -> tuple[BackDoor, BackDoor]:
    return BackDoor(running.arm, Path(running.ca)), BackDoor(running.cluster, Path(running.ca))


def _idle_probe(world: World) -> tuple[int, int]:
    """Calls to Kubernetes and to ARM."""
    world.quiet()
    world.arm.clear()
    world.cluster.clear()
    done = world.worker.handle(WakeUp(CONFIG.name, PROBE), world.worker.engine.clock.now())
    assert done.run is None, done.sentence
    calls = tuple(len(door.call("GET", "requests")["value"]) for door in (world.cluster, world.arm))
    return calls[0], calls[1]


def _by_event(world: World) -> tuple[list[float], list[float]]:
    """Seconds from the event to the second dequeue, and from there to the PUT."""
    events = Pump(world.events, lambda body, _: ingest.on_events(world.worker, body), POLLING).start()
    work = Pump(world.work, lambda body, at: ingest.on_wake_up(world.worker, body, at), POLLING).start()
    waits, runs = [], []
    try:
        for _ in range(SAMPLES):
            time.sleep(random.uniform(0, 1))
            world.change()
            told = time.time()
            world.tell()
            put = world.put()
            dequeued = max(at for at in work.taken if told < at < put)
            waits.append(dequeued - told)
            runs.append(put - dequeued)
    finally:
        events.stop()
        work.stop()
    return waits, runs


def _by_probe(world: World) -> list[float]:
    """Seconds from the changed annotation to the PUT, with a probe every few seconds and no event."""
    work = Pump(
        world.work, lambda body, at: ingest.on_wake_up(world.worker, body, at), timedelta(milliseconds=100)
    ).start()
    timer = Ticker(lambda: ingest.on_probe(world.worker), PROBE_EVERY)
    found = []
    try:
        for _ in range(SAMPLES):
            world.change()
            changed = time.time()
            found.append(world.put() - changed)
            time.sleep(random.uniform(0, PROBE_EVERY))
    finally:
        timer.stop()
        work.stop()
    return found


class Ticker:
    """Calls something again and again from a thread of its own."""

    def __init__(self, call: Callable[[], object], every: float) -> None:
        self._ended = threading.Event()

        def run() -> None:
            while not self._ended.wait(every):
                call()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more calls."""
        self._ended.set()
        self._thread.join(PATIENCE)


def _waited(longest: float, draws: int = 2_000) -> tuple[float, float]:
    """p50 and p95 of the seconds that a message waits for two dequeues, one queue after the other, both idle."""
    lots = random.Random(longest)
    waits = sorted(_pause(longest, lots) + _pause(longest, lots) for _ in range(draws))
    return waits[draws // 2], waits[draws * 95 // 100]


def _pause(longest: float, lots: random.Random) -> float:
    """Until the next poll, seen at a moment after ten minutes without a message."""
    backoff, polled = Backoff(timedelta(seconds=longest), lots.uniform), 0.0
    arrives = 600 + lots.uniform(0, 2 * longest)
    while polled < arrives:
        polled += backoff.after(found=False).total_seconds()
    return polled - arrives
