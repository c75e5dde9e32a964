"""Drift: somebody edits or deletes a Private Link Service by hand, and ARM's own event brings it back.

The whole deployment: sandbox with events, storage queues and functions host. An edit ends when its operation does;
the event is sent then, and the repair is the PUT that ARM gets from the product.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.demo_world import DemoWorld
from sandbox.up import Sandbox, SandboxOptions
from sandbox.up_client import PERSON
from tests.bench.figures import Figure, Target
from tests.bench.worlds import until

Json = dict[str, Any]

EDITS = 4
PROVISIONING = 0.5
# Runs for events keep a distance of each other: an edit right after a run would measure that.
APART = 6.0

RUNS = Target("Drift, a PLS edited or deleted by hand: runs from its event to its repair", must=1)
REPAIRED = Target("the same, from the event to the repairing PUT")
TARGETS = (RUNS, REPAIRED)


@dataclass(frozen=True)
class Repair:
    """Seconds from the event to the first call of the run that repairs, and from there to its PUT; runs that it took."""

    waiting: float
    running: float
    runs: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.waiting + self.running


def measure() -> Iterator[Figure]:
    """Each edit hits a PLS of its own: repeated repairs of one would back off, as they should."""
    options = SandboxOptions(clusters=("prod",), provisioning_seconds=PROVISIONING)
    with Sandbox.start(options) as sandbox:
        world = DemoWorld(sandbox)
        names = [f"s{number}" for number in range(2 * EDITS)]
        ids = [_made(world, name) for name in names]
        repairs = []
        for number, pls_id in enumerate(ids):
            time.sleep(APART)
            repairs.append(_repair(world, pls_id, delete=number % 2 == 1))
    waits, runs = [r.waiting for r in repairs], [r.running for r in repairs]
    middle, worst = statistics.median(r.seconds for r in repairs), max(r.seconds for r in repairs)
    most = max(repair.runs for repair in repairs)
    yield RUNS.figure(
        f"{most}", "1: the run that the event leads to", float(most), f"{EDITS} edits, {EDITS} deletes"
    )
    yield REPAIRED.figure(
        f"p50 {middle:.2f} s, at most {worst:.2f} s",
        f"event to run p50 {statistics.median(waits):.2f} s + run to PUT p50 {statistics.median(runs):.2f} s",
        None,
        "two queues polled every 0.2 s; the PLS is Succeeded a provisioning time later",
    )


def _made(world: DemoWorld, name: str) -> str:
    asks = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": name}
    world.apply_service("prod", name, asks, port=8000 + int(name[1:]))
    pls_id = world.pls_id("MC_prod", name)
    world.wait_for_pls(pls_id, f"{name} is there", lambda pls: True)
    return pls_id


def _repair(world: DemoWorld, pls_id: str, *, delete: bool) -> Repair:
    before = len(_log(world))
    if delete:
        answer = world.sandbox.arm("DELETE", pls_id)
    else:
        found: Json = world.pls(pls_id) or {}
        found["properties"]["fqdns"] = ["drift.example"]
        answer = world.sandbox.arm("PUT", pls_id, found)
    assert answer.status in (200, 202), answer

    def repaired() -> list[Json]:
        puts = [x for x in _log(world)[before:] if x["method"] == "PUT" and x["user"] != PERSON]
        return [x for x in puts if x["path"].lower() == pls_id.lower()]

    until(30, repaired, every=0.05)
    put = repaired()[0]
    told = _event(world, pls_id, put["time"])
    looks = [x["time"] for x in _log(world)[before:] if _begins_run(x, put) and told <= x["time"]]
    world.wait_for_pls(pls_id, "it is repaired", lambda pls: pls["properties"]["fqdns"] == [])
    return Repair(looks[-1] - told, put["time"] - looks[-1], len(looks))


def _begins_run(line: Json, put: Json) -> bool:
    """Whether a call is the first kind of a run of the one who repaired, before the repair."""
    lists = line["method"] == "GET" and line["path"].endswith("/loadBalancers")
    return bool(lists and line["user"] == put["user"] and line["time"] <= put["time"])


def _log(world: DemoWorld) -> list[Json]:
    found: list[Json] = world.sandbox.arm_backdoor("GET", "requests").body["value"]
    return found


def _event(world: DemoWorld, pls_id: str, before: float) -> float:
    """When the last event about a PLS was sent before a moment."""
    events = world.sandbox.arm_backdoor("GET", "events").body["value"]
    times = [
        datetime.fromisoformat(e["eventTime"][:26] + "+00:00").timestamp()
        for e in events
        if e["subject"].lower() == pls_id.lower()
    ]
    return max(moment for moment in times if moment < before)
