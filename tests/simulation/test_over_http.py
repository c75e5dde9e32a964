"""The simulation is not kinder than sandbox and Azurite: the same steps over HTTP, by the product as it is wired.

Each run draws its steps as the simulation does. Over HTTP the same invariants hold at the end (ending.py), and
both stages end in the same facts. Timing may decide who comes first (of two claims for a name, say): where the
ends differ, both stages come to rest after everything that people do, and then they must agree.
"""

from __future__ import annotations

import pytest

from tests.chaos_mode import FULL, SEED
from tests.simulation.over_http_runs import history, run

pytestmark = [pytest.mark.chaos, pytest.mark.sandbox, pytest.mark.azurite]

RUNS, SHORT, STEPS = 20, 2, 30


@pytest.mark.timeout(600)  # against hanging: a quiet machine takes some seconds
@pytest.mark.parametrize("number", range(RUNS if FULL else SHORT))
def test_over_http_the_same_steps_end_as_in_the_simulation(number: int) -> None:
    """Prints a line per run."""
    seed = SEED + number
    steps = history(seed, STEPS)
    free = run(seed, steps)
    equal, told = "yes", free
    if free.difference:
        told = run(seed, steps, in_sequence=True)
        equal = "no" if told.difference else "yes, one after another"
    print(
        f"over HTTP, run {number}: {len(steps)} steps, {free.deliveries} deliveries, {free.deaths} worker deaths, "
        f"{free.links} PLSs at the end, equal: {equal}"
    )
    assert not told.difference, f"{steps}\n{told.difference}"
