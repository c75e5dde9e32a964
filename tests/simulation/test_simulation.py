"""The product's own code against a small world in virtual time, drawn at random, with everything going wrong.

A failing example is printed as a seed, the in-tree settings and a list of steps: ``replay`` plays exactly it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from reconciler.model import InTree
from tests.chaos_mode import FULL, SEED
from tests.simulation.steps import Step
from tests.simulation.strategies import STEPS
from tests.simulation.world import Simulation

MODES: tuple[tuple[InTree, InTree], ...] = (("absent", "active"), ("absent", "absent"), ("active", "active"))
QUIET = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
# 100,000 steps in full mode, in parts that the cores share.
PARTS, EXAMPLES, LONG = (20, 125, 40) if FULL else (2, 30, 25)

# Of a fixed length, so that they are long; with steps left out, so that they shrink.
HISTORIES = st.lists(st.one_of(st.none(), *[STEPS] * 9), min_size=LONG, max_size=LONG).map(
    lambda steps: [step for step in steps if step]
)


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A run logs what it refuses, thousands of times."""
    log = logging.getLogger("reconciler")
    before, log.disabled = log.disabled, True
    yield
    log.disabled = before


def replay(seed: int, modes: tuple[InTree, InTree], steps: Sequence[Step]) -> Simulation:
    """Play the steps, then let everything come to rest. Raises AssertionError with the last calls."""
    simulation = Simulation(seed, *modes)
    try:
        for step in steps:
            simulation.play(step)
        simulation.settle()
    except AssertionError as error:
        last = "\n".join(list(simulation.kernel.recent)[-60:])
        raise AssertionError(f"{error}\n--- the last calls:\n{last}") from None
    return simulation


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_the_invariants_hold_and_all_comes_to_rest(part: int) -> None:
    """Services, hands, events, faults, clocks and crashes in any order: see watch.py and ending.py for what holds."""
    played, began = [0, 0], time.perf_counter()

    @seeded(SEED + part)
    @settings(QUIET, max_examples=EXAMPLES)
    @given(
        seed=st.integers(0, 2**32 - 1),
        modes=st.sampled_from(MODES),
        steps=HISTORIES,
    )
    def play(seed: int, modes: tuple[InTree, InTree], steps: list[Step]) -> None:
        simulation = replay(seed, modes, steps)
        played[0] += simulation.steps
        played[1] += int(simulation.kernel.now)

    play()
    seconds = time.perf_counter() - began
    print(
        f"part {part}: {played[0]} steps, {played[1] / 86400:.1f} days in {seconds:.1f} s,"
        f" {played[0] / seconds:.0f} steps/s"
    )
