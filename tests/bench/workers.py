"""50 clusters, one worker process and then four, while each ARM call takes 50 ms: does the work spread?

``python -m tests.bench.workers`` is a worker: the settings are its environment, a line of JSON tells each run,
and it ends with its standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from azure.storage.queue import QueueClient

from reconciler import settings, wiring
from reconciler.ingest import EVENT
from reconciler.messages import encode, read_wake_up
from reconciler.ports import WakeUp
from reconciler.wakeups import PERSON
from tests.bench.figures import Figure, Target
from tests.bench.kubernetes_pump import Pump
from tests.bench.worlds import Cluster, World, world

CLUSTERS, SERVICES, WORKERS = 50, 6, 4
ARM_SECONDS = 0.05
PATIENCE = 300.0
POLLING = timedelta(milliseconds=100)
QUEUE = "reconcile"
READY = "ready"
SPREAD = Target("50 clusters, 1 → 4 worker processes, ARM latency 50 ms: throughput", must=3.0, at_least=True)
ALONE = Target("Clusters run by two workers at once, PLSs written twice", must=0.0)
TARGETS = (SPREAD, ALONE)


@dataclass(frozen=True)
class Ran:
    """One run: the cluster, and when it began to look and ended (seconds since 1970)."""

    cluster: str
    began: float
    ended: float


@dataclass(frozen=True)
class Phase:
    """All clusters served once: the runs, PUTs at ARM by PLS, CPU in cores of workers and of everything else."""

    runs: list[Ran]
    puts: Counter[str]
    fences: dict[str, int]
    workers: float
    sandbox: float

    @property
    def seconds(self) -> float:
        """From the first look to the last end."""
        return max(r.ended for r in self.runs) - min(r.began for r in self.runs)

    @property
    def doubled(self) -> int:
        """Runs that overlap another of their cluster, runs without a fence of their own, PLSs written again."""
        by_cluster = sorted(self.runs, key=lambda r: (r.cluster, r.began))
        overlaps = sum(a.cluster == b.cluster and b.began < a.ended for a, b in pairwise(by_cluster))
        counts = Counter(r.cluster for r in self.runs)
        unfenced = sum(count != self.fences[name] for name, count in counts.items())
        return overlaps + unfenced + sum(n - 1 for n in self.puts.values())


def measure() -> Iterator[Figure]:
    """One figure for each target."""
    one, four = _phase(1), _phase(WORKERS)
    yield SPREAD.figure(
        f"{CLUSTERS / four.seconds:.1f} clusters/s",
        f"one worker: {CLUSTERS / one.seconds:.1f} clusters/s",
        one.seconds / four.seconds,
        f"{SERVICES} PLSs made in each, one write at a time in a network; a process works on one message at a time; "
        f"cores used with one and four: workers {one.workers:.2f} and {four.workers:.2f}, sandbox and Azurite "
        f"{one.sandbox:.2f} and {four.sandbox:.2f}",
    )
    runs = len(one.runs) + len(four.runs)
    yield ALONE.figure(
        f"{one.doubled + four.doubled}",
        f"{runs} runs, {one.puts.total() + four.puts.total()} PUTs",
        float(one.doubled + four.doubled),
        "two messages for each cluster; from the runs' times, the leases' fences and ARM's log",
    )


def _phase(count: int) -> Phase:
    """A new world, and so many workers on it."""
    clusters = [Cluster(f"c{n:02}", SERVICES) for n in range(CLUSTERS)] + [Cluster("warm", 1)]
    with world(clusters, provisioning_seconds=0.2) as made, ExitStack() as stack:
        made.arm("POST", "faults", {"path": "^/subscriptions", "times": None, "delay": ARM_SECONDS})
        environment = {**os.environ, **made.environment(), "MAX_WRITES_PER_NETWORK": "1"}
        workers = [stack.enter_context(_worker(environment)) for _ in range(count)]
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline().strip() == READY
        made.forget_requests()
        others = {made.process.pid, *_children()} - {w.pid for w in workers}
        before, mine = sum(map(_cpu, others)), sum(_cpu(w.pid) for w in workers)
        runs = _runs(made, workers)
        wall = max(r.ended for r in runs) - min(r.began for r in runs)
        after, my_after = sum(map(_cpu, others)), sum(_cpu(w.pid) for w in workers)
        puts = Counter(line["path"].lower() for line in made.requests() if line["method"] == "PUT")
        ledger = wiring.ledger(settings.load(environment))
        fences = {c.name: ledger.lease(c.name).fence for c in clusters}
        return Phase(runs, puts, fences, (my_after - mine) / wall, (after - before) / wall)


def _worker(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", __name__]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _runs(made: World, workers: list[subprocess.Popen[str]]) -> list[Ran]:
    """Wake every cluster twice, and wait until each has run."""
    queue = QueueClient.from_connection_string(made.connection_string, QUEUE)
    names = [c.name for c in made.clusters if c.name != "warm"]
    runs: list[Ran] = []
    readers = [threading.Thread(target=_read, args=[worker, runs], daemon=True) for worker in workers]
    for reader in readers:
        reader.start()
    for name in names:
        for _ in range(2):
            queue.send_message(encode(WakeUp(name, EVENT)))
    deadline = time.monotonic() + PATIENCE
    while {r.cluster for r in runs} < set(names):
        assert time.monotonic() < deadline, "a cluster was not run"
        time.sleep(0.05)
    for worker in workers:
        assert worker.stdin
        worker.stdin.close()
    for reader in readers:
        reader.join(PATIENCE)
    return runs


def _read(worker: subprocess.Popen[str], runs: list[Ran]) -> None:
    assert worker.stdout
    for line in worker.stdout:
        runs.append(Ran(**json.loads(line)))


def _children() -> set[int]:
    """The processes that this one started: servers and Azurite."""
    found = (path.parent for path in Path("/proc").glob("[0-9]*/stat"))
    return {int(path.name) for path in found if _parent(path) == os.getpid()}


def _stat(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:  # ended meanwhile
        return []


def _parent(folder: Path) -> int:
    fields = _stat(folder)
    return int(fields[1]) if fields else 0


def _cpu(pid: int) -> float:
    """Seconds of CPU so far; 0 where the system does not tell."""
    fields = _stat(Path("/proc") / str(pid))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _main() -> None:
    read = settings.load(os.environ)
    assert read.storage
    worker = wiring.app(read).worker

    def serve(body: bytes, inserted: datetime) -> None:
        wake_up = read_wake_up(body)
        if wake_up.reason != EVENT:  # the looks after a write are not part of the figure
            return
        run = worker.handle(wake_up, inserted).run
        if run:
            ran = Ran(wake_up.cluster, run.look.observed.now.timestamp(), time.time())
            print(json.dumps(asdict(ran)), flush=True)

    worker.handle(WakeUp("warm", PERSON), worker.engine.clock.now())
    queue = QueueClient.from_connection_string(read.storage.connection_string, QUEUE)
    pump = Pump(queue, serve, POLLING).start()
    print(READY, flush=True)
    sys.stdin.read()
    pump.stop()


if __name__ == "__main__":
    _main()
