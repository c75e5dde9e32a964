"""A worker that is killed (SIGKILL, a real process) before or after any outside call leaves nothing undone or doubled.

The points are found by recording a life without a crash: a new call is a new point. In full they are all died at;
otherwise a tenth, in lives that die once in each act. CHAOS_SEED chooses others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.chaos import crash_table
from tests.chaos.crash_lives import Recording, Verdict, live, lives, record
from tests.chaos.stories import ACTS
from tests.chaos.world import CLUSTER, World
from tests.chaos_mode import FULL, SEED

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.sandbox,
    pytest.mark.azurite,
    pytest.mark.timeout(1800 if FULL else 600),  # against hanging: quiet cores take minutes
]

# The points are shared out, for as many processes as there are; each records a life of its own first.
SHARES = 12 if FULL else 2
# Threads and events make the order of calls vary a little: a point may not come. More than this is a mistake.
MOST_NOT_REACHED = 0.05


@dataclass
class Stage:
    """A world that is made anew after a life that went wrong, and what a life without a crash comes to."""

    world: World
    recording: Recording

    def clear(self) -> None:
        """Another world: what a failed life left behind must not fail the next one."""
        self.world.close()
        self.world = World.start()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One for all lives of this process."""
    world = World.start()
    world.tick("timer")
    world.settle()  # the tables that the first act deletes
    found = Stage(world, record(world))
    yield found
    found.world.close()


def test_the_calls_that_are_recorded_are_all_that_arrive(stage: Stage) -> None:
    """A client that bypassed the place where calls are counted would keep its calls from being points."""
    world = stage.world
    in_lives = {call.split()[1] for calls in stage.recording.calls.values() for call in calls}
    assert in_lives == {"arm", "identity", "kubernetes", "tables", "queues", "blobs", "topic"}
    world.begin()
    world.users.forget_requests()
    world.sandbox.cluster_backdoor(CLUSTER, "DELETE", "requests")
    world.tick("timer")
    systems = Counter(call.split()[1] for call in world.settle().calls)
    assert systems["arm"] + systems["identity"] == len(world.users.requests())
    log = world.sandbox.cluster_backdoor(CLUSTER, "GET", "requests").body["value"]
    assert systems["kubernetes"] == len([r for r in log if "watch=" not in r["path"]])


@pytest.mark.parametrize("share", range(SHARES))
def test_after_a_crash_at_any_step_the_world_becomes_what_it_would_have(
    stage: Stage, share: int, record_property: Callable[[str, object], None]
) -> None:
    """Same PLSs and ledger rows, no content but the intended written, nothing left to do."""
    points = stage.recording.points
    chosen = lives([p for p in points if p.number % SHARES == share], SEED)
    if not FULL:
        chosen = chosen[: math.ceil(len(points) / 10 / len(ACTS) / SHARES)]
    verdicts: list[Verdict] = []
    for deaths in chosen:
        verdicts += live(stage.world, deaths, stage.recording)
        if verdicts and verdicts[-1].problem:
            stage.clear()
    in_act = {act: 2 * len(calls) for act, calls in stage.recording.calls.items()}
    record_property(crash_table.PROPERTY, crash_table.told(verdicts, in_act))
    assert not (found := [f"{v.point}\n{v.problem}" for v in verdicts if v.problem]), "\n\n".join(found)
    missed = [v.point for v in verdicts if not v.reached]
    assert len(missed) <= max(2, MOST_NOT_REACHED * len(verdicts)), missed
