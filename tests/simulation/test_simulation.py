"""The product's own code against a small world in virtual time, drawn at random, with everything going wrong.

A failing example is printed as the arguments of ``replay``, which plays exactly it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.chaos_mode import FULL, SEED
from tests.simulation import steps as s
from tests.simulation.documents import connections_of
from tests.simulation.replay import Mode, replay
from tests.simulation.strategies import STALLED, histories
from tests.simulation.week import DAYS, day
from tests.simulation.world import Simulation

ROOT = Path(__file__).parents[2]
QUIET = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
# Over 100,000 steps in full mode (a history has up to LONG), in parts that the cores share.
PARTS, EXAMPLES, LONG = (20, 160, 40) if FULL else (2, 60, 25)
MODES = st.sampled_from(
    [
        Mode("absent", "active"),
        Mode("absent", "absent"),
        Mode("active", "active"),
        Mode("absent", "active", timer=False),
        Mode("absent", "active", probe=False),
    ]
)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A run logs what it refuses, thousands of times."""
    log = logging.getLogger("reconciler")
    before, log.disabled = log.disabled, True
    yield
    log.disabled = before


def _took(began: tuple[float, float], steps: int = 0) -> str:
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    return f"{wall:.1f} s ({cpu:.1f} s of CPU)" + (
        f", {steps / cpu:.0f} steps per second of CPU" if steps else ""
    )


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_the_invariants_hold_and_all_comes_to_rest(part: int) -> None:
    """Services, hands, events, faults, clocks, crashes in any order; watch.py and ending.py say what holds."""
    played, lived, began = 0, 0.0, (time.perf_counter(), time.process_time())

    @seeded(SEED + part)
    @settings(QUIET, max_examples=EXAMPLES)
    @given(SEEDS, MODES, histories(LONG))
    def play(seed: int, mode: Mode, steps: list[s.Step]) -> None:
        nonlocal played, lived
        simulation = replay(seed, mode, steps)
        played += simulation.steps
        lived += simulation.kernel.now

    play()
    print(f"simulation part {part}: {played} steps, {lived / 86400:.1f} days, {_took(began, played)}")


@pytest.mark.timeout(600)
def test_a_week_goes_by() -> None:
    """Two clusters, every day its routine and its trouble, every night at rest. Prints what the week took."""
    began, simulation = (time.perf_counter(), time.process_time()), Simulation(SEED)
    for number in range(DAYS):
        midnight = number * 86400.0
        for hour, step in day(number):
            simulation.kernel.run(max(0.0, midnight + hour * 3600 - simulation.kernel.now))
            simulation.play(step)
        simulation.settle()
        simulation.kernel.run(max(0.0, midnight + 86400 - simulation.kernel.now))
    writes = sum(w.by in simulation.configs for w in simulation.watch.writes)
    print(f"a simulated week: {simulation.kernel.calls} outside calls, {writes} writes, {_took(began)}")
    assert simulation.kernel.now >= DAYS * 86400


BEGINNING: Sequence[s.Step] = [
    s.ApplyService("prod", "web", s.Settings()),
    s.ApplyService("prod", "api", s.Settings(fqdns=("a",))),
]
CALLS = range(1, 60, 1 if FULL else 4)


@pytest.mark.chaos
@pytest.mark.parametrize("process", [0, 1])
def test_a_worker_frozen_at_any_call_writes_nothing_after_its_lease(process: int) -> None:
    """Somebody else may hold the lease by then: only the request in flight still arrives."""
    for calls in CALLS:
        simulation = Simulation(calls, "absent", "absent")
        for step in (*BEGINNING, s.Freeze(process, calls, 250), s.Wait(600)):
            simulation.play(step)


@pytest.mark.parametrize("seconds", [110, 126, 250])
def test_a_worker_that_stands_still_with_an_answer_in_its_hand_writes_nothing_after_it(seconds: int) -> None:
    """What it looked at is old when it goes on: its lease is about to end, being taken over, or long another's."""
    for number, (port, method) in enumerate(sorted(set(STALLED)) * (10 if FULL else 2)):
        simulation = Simulation(number, "absent", "absent")
        for step in (s.Stall(port, method, seconds), *BEGINNING, s.EditPls("prod", 0, "fqdns"), s.Wait(600)):
            simulation.play(step)


@pytest.mark.parametrize("seed", [1, 2])
def test_who_is_connected_outlives_a_list_that_lacks_the_load_balancer(seed: int) -> None:
    """Of the others, the one that Azure says is on no frontend goes after the grace, and comes back."""
    simulation = Simulation(seed, "absent", "absent")
    hidden = (s.Connect("prod", 0), s.HideBalancers("prod", 3000), s.Wait(3000))
    for step in (*BEGINNING, s.Wait(120), *hidden):
        simulation.play(step)
    deleted = {w.target for w in simulation.watch.writes if w.method == "DELETE"}
    connected = next(p["id"] for p in simulation.arm.links() if connections_of(p))
    assert len(deleted) == 1
    assert connected not in deleted
    simulation.settle()


@pytest.mark.chaos
@pytest.mark.parametrize("process", [0, 1])
def test_a_worker_that_dies_at_any_call_leaves_nothing_undone(process: int) -> None:
    """Neither timer nor probe makes up for it: the message of the dead, or its guard, does."""
    mode = Mode("absent", "absent", timer=False, probe=False)
    for calls in CALLS:
        replay(calls, mode, [*BEGINNING, s.Crash(process, calls, acted=calls % 2 == 0), s.Wait(60)])


STORY: Sequence[s.Step] = [
    *[s.ApplyService("prod", name, s.Settings(address="10.224.0.50")) for name in ("web", "api", "pay")],
    *[s.ApplyService("dev", name, s.Settings()) for name in ("web", "api", "pay", "log")],
    s.Fault("azure", "get_private_link_service", "down", 2),
    s.Crash(0, 11),
    s.Events("reordered", 600),
    s.Wait(200),
    s.EditPls("dev", 1, "proxy"),
    s.Fault("cluster", "get_service", "down"),
    *[s.DeleteService("prod", name, force=True) for name in ("web", "api", "pay")],
    s.Wait(120),
]


def test_the_same_seed_gives_the_same_history() -> None:
    """Else a failure could not be replayed. Another seed gives another one."""
    mode = Mode("absent", "active")
    traces = [replay(seed, mode, STORY).kernel.trace for seed in (1, 1, 2)]
    assert traces[0] == traces[1] != traces[2]


def test_the_same_seed_gives_the_same_history_in_another_process() -> None:
    """No order of sets, and nothing else that differs from process to process, reaches the outside calls."""
    program = (
        "import logging; logging.getLogger('reconciler').disabled = True\n"
        "from tests.simulation.test_simulation import STORY, Mode, replay\n"
        "print(replay(7, Mode('absent', 'active'), STORY).kernel.trace)"
    )
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for number in ("1", "2")
    }
    assert len(traces) == 1


def test_a_history_shrinks_to_what_matters() -> None:
    """Of twelve steps that lead to a write for one cluster, hardly more than the one that is needed is left."""

    def writes(history: list[s.Step]) -> bool:
        simulation = Simulation(3, "absent", "absent")
        for step in history:
            simulation.play(step)
        return any(write.by == "dev" for write in simulation.watch.writes)

    smallest = find(histories(12), writes, settings=settings(QUIET, max_examples=200))
    assert any(isinstance(step, s.ApplyService) and step.cluster == "dev" for step in smallest)
    assert len(smallest) <= 3
