"""Private Link Services that fail again and again, beside others that are made and changed with one write each."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest

from reconciler.bookkeeping import BUSY_DELAYS, REFUSED_DELAYS
from reconciler.planning.guards import REPEAT_DELAYS
from sandbox.up import SandboxOptions
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

OTHERS = [f"s{i}" for i in range(5)]
# How a PUT fails for ever, and the pauses in seconds that it is owed.
FAILING: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "unknown": ({"status": 500}, REPEAT_DELAYS),
    # A refusal while an operation of ours is under way in the network does not lengthen the pause.
    "busy": ({"status": 409, "code": "AnotherOperationInProgress"}, (BUSY_DELAYS[0],) * 50),
    "refused": ({"status": 400, "code": "SomethingIsWrong"}, REFUSED_DELAYS),
    "ending": ({"mode": "async-failed"}, REPEAT_DELAYS),
}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """One cluster with events and timers, as people have it."""
    return start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3))


def put_times(world: World, pls_id: str) -> list[float]:
    """When a PUT of this PLS reached ARM, in order."""
    return [w["time"] for w in hosts.writes(world, "prod", "PUT") if w["path"].lower() == pls_id.lower()]


def about(world: World, name: str) -> str:
    """What the functions' log tells of a Private Link Service, and of what went wrong."""
    lines = (world.sandbox.state / "functions.log").read_text().splitlines()
    return "\n".join(line for line in lines if f"pls-{name}" in line or "ERROR" in line or "WARNING" in line)


def test_what_fails_slows_nobody_and_keeps_to_its_own_pauses(world: World) -> None:
    """Five are made and changed with one PUT each, while four fail each in its way."""
    with ExitStack() as stack:
        for name, (fault, _) in FAILING.items():
            everlasting = {"path": f"/pls-{name}$", "method": "PUT", "times": None, **fault}
            stack.enter_context(world.arm_fault(**everlasting))
        failing = {name: world.make("prod", name) for name in FAILING}
        others = [world.make("prod", name) for name in OTHERS]
        for pls_id in others:
            world.ready(pls_id)
        for name in OTHERS:
            world.annotate("prod", name, {"pls-fqdns": "changed.example"})
        for pls_id in others:
            world.ready(pls_id, lambda has: has["fqdns"] == ["changed.example"])
        tries = {name: put_times(world, pls_id) for name, pls_id in failing.items()}
    broken = world.failures("on_reconcile")
    assert all(tries.values()), "one was never tried: this test would show nothing"
    assert [len(put_times(world, pls_id)) for pls_id in others] == [2] * len(others)
    for name, (_, pauses) in FAILING.items():
        pairs = zip(pairwise(tries[name]), pauses, strict=False)
        short = [(later - earlier, pause) for (earlier, later), pause in pairs if later - earlier < pause - 1]
        # A run that broke after its writes does not know how they ended: what it wrote is written once more at once.
        assert len(short) <= broken, f"{name}: {short} with {broken} broken runs\n{about(world, name)}"
