"""What a fleet costs: the requests of one quiet run and one probe are counted, the rest is multiplication.

`docs/scale.md` has the table (`python -m tests.bench.scale` prints it); prices and platform limits are constants below, each with where it is from.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from reconciler import settings, wiring
from reconciler.ingest import EVENT
from reconciler.ports import WakeUp
from reconciler.wakeups import PERSON, PROBE
from sandbox.demo_world import DemoWorld
from sandbox.up import Sandbox, SandboxOptions
from tests.bench.figures import Figure, Target
from tests.chaos.crash_calls import Recorder, install

RUN = Target("Requests of a run that writes nothing, all systems", must=1.0)
PROBED = Target("Requests of a probe that finds nothing changed, all systems", must=1.0)
TARGETS = (RUN, PROBED)

FRONTENDS = 8  # per load balancer: the documents' limit
DAY = 24 * 3600
MONTH = 30 * DAY
PROBE_SECONDS, PASS_SECONDS = 30, 300  # PROBE_SCHEDULE and RESYNC_SCHEDULE as they come
QUEUE_REQUESTS = 3  # each message is put, taken and deleted

# Limits that Microsoft documents (pages on request limits, private link limits, queue scalability targets).
ARM_READS_PER_SECOND = 25  # the refill of a subscription's bucket, per principal
PLS_PER_SUBSCRIPTION = 800
QUEUE_MESSAGES_PER_SECOND = 2000

# Prices in US dollars, as lists had them in 2025: yours differ.
PRICE_EXECUTIONS = 0.40 / 1e6
PRICE_GB_SECOND = 0.000026
PRICE_QUEUE_REQUEST = 0.004 / 1e4
PRICE_TABLE_REQUEST = 0.00036 / 1e4
INSTANCE_GB = 2.0
AT_ONCE = 4  # messages that an instance works on side by side (host.json, batchSize)


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests of one message by system, without the queue's own three; seconds of an instance it takes."""

    arm: int
    kubernetes: int
    tables: int
    seconds: float

    @property
    def requests(self) -> int:
        return self.arm + self.kubernetes + self.tables

    def __str__(self) -> str:
        return f"{self.arm} ARM, {self.kubernetes} Kubernetes, {self.tables} tables"


@dataclass(frozen=True, slots=True)
class Fleet:
    """``clusters`` with ``services`` each, all of which have a PLS, spread over as few subscriptions as Azure allows."""

    clusters: int
    services: int

    @property
    def pls(self) -> int:
        return self.clusters * self.services

    @property
    def subscriptions(self) -> int:
        return -(-self.pls // PLS_PER_SUBSCRIPTION)

    @property
    def messages_per_second(self) -> float:
        return self.clusters * (1 / PROBE_SECONDS + 1 / PASS_SECONDS)

    @property
    def rows(self) -> int:
        """Ownership and reservation of each PLS; lease and state of each cluster. Sharing and history come on top."""
        return 2 * self.pls + 2 * self.clusters

    def arm_reads_per_second(self, run: Cost) -> float:
        """In the busiest subscription."""
        return self.clusters / self.subscriptions * run.arm / PASS_SECONDS

    def money(self, run: Cost, probe: Cost) -> float:
        """US dollars a month for functions and storage requests, in an account without free grants."""
        probes, runs = MONTH / PROBE_SECONDS * self.clusters, MONTH / PASS_SECONDS * self.clusters
        busy = (probes * probe.seconds + runs * run.seconds) * INSTANCE_GB / AT_ONCE
        tables = probes * probe.tables + runs * run.tables
        return (
            (probes + runs) * (PRICE_EXECUTIONS + QUEUE_REQUESTS * PRICE_QUEUE_REQUEST)
            + busy * PRICE_GB_SECOND
            + tables * PRICE_TABLE_REQUEST
        )


FLEETS = (Fleet(1, 10), Fleet(10, 100), Fleet(100, 100), Fleet(1000, 100), Fleet(10_000, 100))
# As `measure` counts them, or its ratio misses. The seconds allow for answers that take 20 to 40 ms each.
QUIET_RUN = Cost(arm=3, kubernetes=2, tables=10, seconds=0.5)
QUIET_PROBE = Cost(arm=0, kubernetes=1, tables=2, seconds=0.1)


def table(fleets: Iterable[Fleet] = FLEETS, run: Cost = QUIET_RUN, probe: Cost = QUIET_PROBE) -> str:
    """The table of `docs/scale.md`."""
    head = (
        "| Clusters | Services with a PLS | Subscriptions | Probes/s | Runs/s | Queue messages/s "
        "| ARM reads/s in a subscription | Table rows | US$ a month |"
    )
    lines = [head, "|" + " --- |" * 9]
    for fleet in fleets:
        cells = (
            f"{fleet.clusters:,}",
            f"{fleet.pls:,}",
            f"{fleet.subscriptions:,}",
            f"{fleet.clusters / PROBE_SECONDS:.2f}",
            f"{fleet.clusters / PASS_SECONDS:.2f}",
            f"{fleet.messages_per_second:.2f}",
            f"{fleet.arm_reads_per_second(run):.2f}",
            f"{fleet.rows:,}",
            f"{fleet.money(run, probe):,.2f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure() -> Iterator[Figure]:
    """Counts the requests of a quiet run and of a quiet probe, beside those that the table reckons with."""
    for target, expected, (milliseconds, calls) in zip(
        TARGETS, (QUIET_RUN, QUIET_PROBE), counted(), strict=True
    ):
        told = ", ".join(f"{count} {system}" for system, count in sorted(calls.items()))
        ratio = calls.total() / expected.requests
        yield target.figure(told, str(expected), ratio, f"{milliseconds:.0f} ms of processor time")


Handled = tuple[float, Counter[str]]


def counted() -> tuple[Handled, Handled]:
    """Of a run and of a probe that find all in order: processor milliseconds, requests by system."""
    options = SandboxOptions(clusters=("prod",), functions=False, provisioning_seconds=0.1)
    with Sandbox.start(options) as sandbox:
        os.environ.update(sandbox.settings)  # the process signs in with them, too
        recorder, worker = Recorder(), wiring.app(settings.load(os.environ)).worker
        install(recorder, _systems(sandbox), {})

        def handle(reason: str, runs: bool = True) -> Handled | None:
            """None where it did something else: runs for events rest for seconds in between."""
            recorder.calls.clear()
            began = time.process_time()
            run = worker.handle(WakeUp("prod", reason), datetime.now(UTC)).run
            took = time.process_time() - began
            if (run is not None) != runs or (run and (run.plan.writes or not run.look.complete)):
                return None
            return took * 1000, Counter(point.split()[1] for point in recorder.calls)

        world = DemoWorld(sandbox)
        _serve_some(world)
        world.wait("a run writes nothing", lambda: handle(PERSON))
        quiet = world.wait("a run", lambda: handle(EVENT))
        return quiet, world.wait("a probe", lambda: handle(PROBE, runs=False))


def _serve_some(world: DemoWorld) -> None:
    names = [f"web{number}" for number in range(FRONTENDS)]
    for name in names:
        world.apply_service("prod", name, {"load-balancer-internal": "true", "pls-create": "true"})
    for name in names:
        world.address("prod", name)


def _systems(sandbox: Sandbox) -> dict[str, str]:
    """Which system listens at which address."""
    found = {urlsplit(sandbox.endpoints["arm"]["url"]).netloc: "ARM"}
    for cluster in sandbox.endpoints["clusters"].values():
        found[urlsplit(cluster["server"]).netloc] = "Kubernetes"
    for part in sandbox.endpoints["storage"]["connectionString"].split(";"):
        name, _, value = part.partition("=")
        if name == "TableEndpoint":
            found[urlsplit(value).netloc] = "tables"
    return found


if __name__ == "__main__":
    print(table())
