"""The simulation is not kinder than sandbox and Azurite: the same steps over HTTP, by the product as it is wired.

Each run draws its steps as the simulation does. Over HTTP the same invariants hold at the end (ending.py), and
both stages end in the same facts. Timing may decide who comes first (of two claims for a name, say): where the
ends differ, both stages come to rest after everything that people do, and then they must agree.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos_mode import FULL, SEED
from tests.simulation.over_http_line import PROPERTY, line
from tests.simulation.over_http_runs import history, run

pytestmark = [pytest.mark.chaos, pytest.mark.sandbox, pytest.mark.azurite]

RUNS, SHORT, STEPS = 20, 2, 30


@pytest.mark.timeout(600)  # against hanging: a quiet machine takes some seconds
@pytest.mark.parametrize("number", range(RUNS if FULL else SHORT))
def test_over_http_the_same_steps_end_as_in_the_simulation(
    number: int, record_property: Callable[[str, object], None]
) -> None:
    """A line per run is printed at the end of all tests."""
    seed = SEED + number
    steps = history(seed, STEPS)
    free = told = run(seed, steps)
    equal = "yes"
    if free.difference:
        told = run(seed, steps, in_sequence=True)
        equal = "no" if told.difference else "yes, one after another"
    words = line(number, len(steps), free.deliveries, free.deaths, free.links, equal)
    record_property(PROPERTY, words)
    print(words)
    assert not told.difference, f"{steps}\n{told.difference}"
