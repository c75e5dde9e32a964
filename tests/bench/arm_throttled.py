"""A thousand Private Link Services against ARM's token buckets: the buckets, not the product, decide how long it takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from tests.bench.figures import Figure, Target
from tests.bench.worlds import SUBSCRIPTIONS, Cluster, Product, until, world

CLUSTERS = 10
EACH = 100
PROVISIONING = 2.0
READS, WRITES = (250, 25), (200, 10)  # size, tokens per second: what Azure documents

THROTTLED = Target(
    "1,000 PLSs, 10 clusters, 2 subscriptions, ARM's token buckets: until all Succeeded", must=1.2
)
REFUSED = Target("calls refused by the buckets there")
TARGETS = (THROTTLED, REFUSED)


def measure() -> Iterator[Figure]:
    """All clusters are woken at once."""
    clusters = [Cluster(f"c{i}", EACH, SUBSCRIPTIONS[i % len(SUBSCRIPTIONS)]) for i in range(CLUSTERS)]
    throttle = {"reads": READS, "writes": WRITES, "deletes": WRITES}
    with world(clusters, provisioning_seconds=PROVISIONING, throttle=throttle) as found:
        product = Product(found, workers=CLUSTERS)
        found.forget_requests()
        with product.pumping():
            sent = time.time()
            for cluster in clusters:
                product.wake(cluster.name)
            with suppress(TimeoutError):
                until(150, lambda: len(_accepted(found.requests())) >= CLUSTERS * EACH, every=1.0)
            time.sleep(PROVISIONING + 0.5)
            runs = len(product.runs)
        log = found.requests()
        done = sum(pls["properties"]["provisioningState"] == "Succeeded" for pls in found.links())
    accepted = _accepted(log)
    seconds = max(accepted) + PROVISIONING - sent if done == CLUSTERS * EACH else float("inf")
    per_subscription = CLUSTERS * EACH / len(SUBSCRIPTIONS)
    bound = (per_subscription - WRITES[0]) / WRITES[1] + PROVISIONING
    yield THROTTLED.figure(
        f"{seconds:.1f} s in {runs} runs",
        f"{bound:.0f} s: (500 - 200) / 10 s for the tokens + provisioning",
        seconds / bound,
        "buckets per subscription, principal and kind: 200 writes + 10/s, 250 reads + 25/s",
    )
    refused = Counter(line["method"] for line in log if line["status"] == 429)
    yield REFUSED.figure(
        f"{refused['PUT']} PUTs, {refused['GET']} GETs", f"{len(log)} calls", refused.total() / len(log)
    )


def _accepted(log: list[dict[str, object]]) -> list[float]:
    """When PUTs were accepted."""
    return [
        float(str(line["time"])) for line in log if line["method"] == "PUT" and line["status"] in (200, 201)
    ]
