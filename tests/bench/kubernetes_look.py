"""One process that looks at a large cluster, or only fetches and parses what a look needs. Prints JSON.

``python -m tests.bench.kubernetes_look (look | floor) SERVERS ROUNDS``
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlencode

import urllib3

from reconciler import settings, wiring
from reconciler.adapters.arm import API_VERSION
from reconciler.model import ClusterConfig
from reconciler.reconcile import Engine, Run, dry_run
from tests.bench.kubernetes_documents import NETWORK
from tests.bench.kubernetes_servers import Servers
from tests.builders import SUBSCRIPTION
from tests.fakes.ledger import MemoryLedger

PAGE = 500


@dataclass(frozen=True)
class Round:
    """Seconds on the clock and of this process's CPU; what was counted (bytes, or writes in the plan)."""

    wall: float
    cpu: float
    counted: int


@dataclass(frozen=True)
class Answer:
    """All rounds, and the most memory the process ever had, in MB."""

    rounds: list[Round]
    peak: float


def floor(servers: Servers) -> Callable[[], int]:
    """Every page that a look fetches, fetched and parsed one after another, and forgotten; the bytes."""
    pool = urllib3.PoolManager(ca_certs=servers.ca)
    query = urlencode({"resource": servers.arm, "api-version": "2019-08-01"})
    said = pool.request(
        "GET", f"{servers.identity_endpoint}?{query}", headers={"X-IDENTITY-HEADER": servers.identity_header}
    )
    token = json.loads(said.data)["access_token"]

    def fetched(url: str, bearer: str) -> tuple[dict[str, object], int]:
        body = pool.request("GET", url, headers={"Authorization": f"Bearer {bearer}"}).data
        return json.loads(body), len(body)

    def arm_pages(path: str) -> Iterator[int]:
        url = f"{servers.arm}{path}?api-version={API_VERSION}"
        while url:
            page, size = fetched(url, token)
            url = str(page.get("nextLink") or "")
            yield size

    def service_pages() -> Iterator[int]:
        asked = {"fieldSelector": "spec.type=LoadBalancer", "limit": str(PAGE)}
        while True:
            page, size = fetched(f"{servers.cluster}/api/v1/services?{urlencode(asked)}", servers.token)
            yield size
            following = page["metadata"].get("continue")  # type: ignore[attr-defined]
            if not following:
                return
            asked["continue"] = following

    def once() -> int:
        everything = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/privateLinkServices"
        paths = (f"{NETWORK}/loadBalancers", f"{NETWORK}/publicIPAddresses", everything)
        return sum(service_pages()) + sum(size for path in paths for size in arm_pages(path))

    return once


def look(servers: Servers) -> Callable[[], int]:
    """Observe and plan, with a ledger in memory that knows every Private Link Service; the writes planned."""
    engine, config = _engine(servers)
    ledger = engine.ledger
    assert ledger
    found = dry_run(engine, config)
    ledger.put_ownership(replace(row, nat_ips=("10.250.0.4",)) for row in found.plan.ownership)
    ledger.replace_sharing(config.name, (), found.plan.sharing)

    def once() -> int:
        run: Run = dry_run(engine, config)
        assert run.look.complete, run.look.failures
        return len(run.plan.writes)

    return once


def _engine(servers: Servers) -> tuple[Engine, ClusterConfig]:
    os.environ |= servers.identity
    read = settings.load(servers.settings)
    return wiring.engine(read, MemoryLedger(), wiring.outward(read)), read.clusters.clusters[0]


def _timed(call: Callable[[], int]) -> Round:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    counted = call()
    return Round(time.perf_counter() - wall, time.process_time() - cpu, counted)


def main(what: str, servers: Servers, rounds: int) -> None:
    """Measure and print."""
    once = {"look": look, "floor": floor}[what](servers)
    measured = [_timed(once) for _ in range(rounds)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(asdict(Answer(measured, peak))))


if __name__ == "__main__":
    main(sys.argv[1], Servers(**json.loads(sys.argv[2])), int(sys.argv[3]))
