"""What the stages once told differently, step by step, so that neither forgets it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.simulation.over_http_runs import run
from tests.simulation.steps import ApplyService, Settings, Step

pytestmark = [pytest.mark.sandbox, pytest.mark.azurite]

ADDRESS = "10.224.0.50"
NAT = "10.224.7.1"
FOUND: dict[str, Sequence[Step]] = {
    # The simulation gave it a fresh one: whoever asked for the address then did not share, as with ARM.
    "a frontend keeps its address when nobody asks for it any more": (
        ApplyService("prod", "bus", Settings(address=ADDRESS)),
        ApplyService("prod", "bus", Settings(count=2)),
        ApplyService("prod", "pay", Settings(address=ADDRESS, fqdns=("a",))),
    ),
    # The simulation had no addresses for NAT: two PLSs could have the same.
    "a static NAT address is given out once": (
        ApplyService("dev", "web", Settings(static=(NAT,))),
        ApplyService("dev", "api", Settings(static=(NAT,))),
        ApplyService("dev", "pay", Settings()),
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("steps", FOUND.values(), ids=list(FOUND))
def test_the_stages_agree_on(steps: Sequence[Step]) -> None:
    """One after another, they end in the same facts."""
    assert not run(1, steps, in_sequence=True).difference
