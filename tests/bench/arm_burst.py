"""A hundred frontends at once: in parallel, one after another as the in-tree controller writes them, and serialised by ARM."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

import requests

from tests.bench.figures import Figure, Target
from tests.bench.worlds import Cluster, Json, Product, World, until, world

NUMBER = 100
PROVISIONING = 2.0
PROD = Cluster("prod", NUMBER)
LONGEST = 420.0

BURST = Target("100 frontends without PLS, 13 load balancers: until all Succeeded", must=3)
CALLS = Target("ARM calls for those 100", must=1)
NAIVE = Target("those 100 one after another (PUT, wait for its operation, next)")
SERIAL = Target("those 100 where ARM serialises below load balancer and network (`--contention parent`)")
LOST = Target("PLSs that failed, were lost or were written twice there", must=0)
TARGETS = (BURST, CALLS, NAIVE, SERIAL, LOST)


def measure() -> Iterator[Figure]:
    """The burst alone; then the two long ones side by side, each with servers of its own: both mostly wait."""
    with world([PROD], provisioning_seconds=PROVISIONING) as found:
        yield from burst(found)
    with ThreadPoolExecutor(1) as aside:
        waiting = aside.submit(_one_after_another)
        with world([PROD], provisioning_seconds=PROVISIONING, contention="parent") as found:
            seconds, product = reconciled(found)
            naive = waiting.result()
            yield NAIVE.figure(f"{naive:.0f} s", f"provisioning {PROVISIONING:g} s", naive / PROVISIONING)
            yield from serialised(found, seconds, product, naive)


def burst(found: World) -> Iterator[Figure]:
    """Without contention."""
    seconds, product = reconciled(found)
    methods = Counter(line["method"] for line in found.requests())
    runs, calls = len(product.runs), sum(methods.values())
    allowed = NUMBER + 12 + 6 * (runs - 1)
    yield BURST.figure(
        f"{seconds:.1f} s",
        f"provisioning {PROVISIONING:g} s",
        seconds / PROVISIONING,
        "from the message sent to the last Succeeded at ARM",
    )
    yield CALLS.figure(
        f"{calls} in {runs} runs: {methods['PUT']} PUTs, {calls - methods['PUT']} reads",
        f"100 PUTs + 12 + 6 per further run = {allowed}",
        calls / allowed,
        "counted in ARM's request log",
    )


def serialised(found: World, seconds: float, product: Product, naive: float) -> Iterator[Figure]:
    """With contention: the floor is one operation after another, since all are in one virtual network."""
    puts = [line for line in found.requests() if line["method"] == "PUT"]
    answers = Counter(line["status"] for line in puts)
    accepted = Counter(line["path"].lower() for line in puts if line["status"] in (200, 201))
    there = [pls for pls in found.links() if succeeded(pls)]
    twice = sum(count - 1 for count in accepted.values())
    yield SERIAL.figure(
        f"{seconds:.0f} s in {len(product.runs)} runs",
        f"one after another {naive:.0f} s",
        seconds / naive,
        f"{answers[409] + answers[429]} PUTs answered 409 or 429",
    )
    bad = NUMBER - len(there) + twice
    yield LOST.figure(
        f"{bad}",
        f"{NUMBER} written",
        bad / NUMBER,
        f"{len(there)} Succeeded, {sum(accepted.values())} accepted",
    )


def reconciled(found: World) -> tuple[float, Product]:
    """Seconds from the message to the last Succeeded, and the product; one more run has seen that."""
    product = Product(found)
    found.forget_requests()
    with product.pumping():
        sent = time.time()
        product.wake("prod")
        with suppress(TimeoutError):  # what is missing then is told as lost
            until(LONGEST, lambda: ended(found) >= NUMBER)
        done = last_end(found)
        with suppress(TimeoutError):
            until(10, lambda: any(run.began > done for run in product.runs))
    return done - sent, product


def succeeded(pls: Json) -> bool:
    """Whether ARM is done with a PLS."""
    return bool(pls["properties"]["provisioningState"] == "Succeeded")


def ended(found: World) -> int:
    """How many PLSs ARM is done with."""
    return len({event["subject"] for event in _ends(found)})


def last_end(found: World) -> float:
    """When the last of them ended; now, if none has."""
    times = [event["eventTime"] for event in _ends(found)]
    return datetime.fromisoformat(max(times)[:26] + "+00:00").timestamp() if times else time.time()


def _ends(found: World) -> list[Json]:
    events: list[Json] = found.arm("GET", "events")["value"]
    return [event for event in events if event["eventType"].endswith("WriteSuccess")]


def _one_after_another() -> float:
    """As the in-tree controller does it, but asking ten times a second whether an operation has ended."""
    with world([PROD], provisioning_seconds=PROVISIONING) as found:
        put = _caller(found)
        began = time.time()
        for number in range(NUMBER):
            put(number)
        return last_end(found) - began


def _caller(found: World) -> Callable[[int], None]:
    session = found.session
    where = {"resource": "https://management.azure.com", "api-version": "2019-08-01"}
    identity = {"X-IDENTITY-HEADER": found.found["header"]}
    token = requests.get(found.found["identity"], params=where, headers=identity, timeout=10).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    def put(number: int) -> None:
        url = f"{found.found['arm']}{PROD.network}/privateLinkServices/one-{number}?api-version=2025-05-01"
        answer = session.put(url, json=_body(number), headers=headers, timeout=10)
        answer.raise_for_status()
        operation = answer.headers["Azure-AsyncOperation"]
        while session.get(operation, headers=headers, timeout=10).json()["status"] == "InProgress":
            time.sleep(0.1)

    return put


def _body(number: int) -> Json:
    subnet = {"id": f"{PROD.network}/virtualNetworks/aks-vnet/subnets/default"}
    nat = {"subnet": subnet, "privateIPAllocationMethod": "Dynamic", "primary": True}
    properties = {
        "loadBalancerFrontendIpConfigurations": [{"id": PROD.frontend(number)}],
        "ipConfigurations": [{"name": "nat0", "properties": nat}],
    }
    return {"location": "eastus", "properties": properties}
