"""Plays one history on the simulation, from its seed, its mode and its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model import InTree
from tests.simulation.steps import Step
from tests.simulation.world import Simulation

SHOWN = 60


@dataclass(frozen=True)
class Mode:
    """The in-tree controllers of both clusters, and whether the timer and the probe run."""

    prod: InTree
    dev: InTree
    timer: bool = True
    probe: bool = True


def replay(seed: int, mode: Mode, steps: Sequence[Step]) -> Simulation:
    """Play the steps, then let everything come to rest. Raises AssertionError with the last calls."""
    simulation = Simulation(seed, mode.prod, mode.dev, timer=mode.timer, probe=mode.probe)
    try:
        for step in steps:
            simulation.play(step)
        simulation.settle()
    except AssertionError as error:
        last = "\n".join(list(simulation.kernel.recent)[-SHOWN:])
        raise AssertionError(f"{error}\n--- the last calls:\n{last}") from None
    return simulation
