"""Histories for both stages, and what a run of one over HTTP came to."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.simulation import strategies
from tests.simulation.over_http import HttpStage
from tests.simulation.over_http_facts import agreed
from tests.simulation.stage import Stage
from tests.simulation.steps import (
    ApplyService,
    Connect,
    DeletePls,
    DeleteService,
    EditPls,
    EnablePolicy,
    MakeForeign,
    Meanwhile,
    Resync,
    Step,
)
from tests.simulation.world import Simulation

Json = dict[str, Any]
HAPPENINGS = (
    ApplyService,
    DeleteService,
    EditPls,
    DeletePls,
    Connect,
    MakeForeign,
    EnablePolicy,
    Resync,
)


# The simulation's own strategies; ``one_of`` would draw each kind of fault as often as all Services together.
STEP: st.SearchStrategy[Step] = st.sampled_from(
    [
        *[strategies.APPLY] * 6,
        strategies.DELETE,
        *[strategies.WAIT] * 2,
        *[strategies.BY_HAND] * 3,
        *[strategies.MEANWHILE] * 2,
        strategies.EVENTS,
        *[strategies.FAULTS] * 3,
        strategies.VIEWS,
        *[strategies.PROCESS] * 2,
    ]
).flatmap(lambda kind: kind)


def history(seed: int, length: int) -> list[Step]:
    """A history of this length: the second that is drawn, as the first is the simplest there is."""
    drawn: list[list[Step]] = []

    @seeded(seed)
    @settings(
        max_examples=2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(STEP, min_size=length, max_size=length))
    def draw(steps: list[Step]) -> None:
        drawn.append(steps)

    draw()
    return drawn[-1]


@dataclass(frozen=True)
class Run:
    """What a history came to over HTTP, and how it differs from the simulation ("" where it does not)."""

    deliveries: int
    deaths: int
    links: int
    difference: str


def run(seed: int, steps: Sequence[Step], *, in_sequence: bool = False) -> Run:
    """Play the steps on both stages, to rest. ``in_sequence``: also to rest after all that people do."""
    with _silent(), HttpStage(seed) as stage:
        played(stage, steps, in_sequence)
        facts, deliveries = stage.facts(), stage.world.deliveries
    simulation = Simulation(seed, "absent", "absent")
    with _silent():
        played(simulation, steps, in_sequence)
    return Run(
        deliveries=len(deliveries),
        deaths=sum(d.ended == "died" for d in deliveries),
        links=len(facts.links),
        difference=difference(agreed(simulation.facts()), agreed(facts)),
    )


def played(stage: Stage, steps: Sequence[Step], in_sequence: bool) -> None:
    """The steps, then rest. Raises AssertionError, naming the step, where an invariant is broken."""
    for number, step in enumerate(steps):
        with _named(f"step {number}, {step}, on {type(stage).__name__}"):
            if not in_sequence:
                stage.play(step)
            else:
                _alone(stage, step)
    with _named(f"at the end, on {type(stage).__name__}"):
        stage.settle()


def _alone(stage: Stage, step: Step) -> None:
    """What people do happens between two rests, not in the middle of a run."""
    done = step.step if isinstance(step, Meanwhile) else step
    stage.play(done)
    if isinstance(done, HAPPENINGS):
        stage.settle()


@contextmanager
def _named(moment: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{moment}: {error}") from error


def difference(simulated: Json, over_http: Json) -> str:
    """The lines that differ."""
    before, after = (
        json.dumps(facts, indent=1, sort_keys=True).splitlines() for facts in (simulated, over_http)
    )
    return "\n".join(difflib.unified_diff(before, after, "simulated", "over HTTP", n=3, lineterm=""))


@contextmanager
def _silent() -> Iterator[None]:
    """A run logs what it refuses, hundreds of times, and the servers what they break off on request."""
    logs = [logging.getLogger(name) for name in ("reconciler", "aiohttp.server")]
    before = [log.disabled for log in logs]
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        for log, disabled in zip(logs, before, strict=True):
            log.disabled = disabled
