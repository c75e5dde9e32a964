"""The history is kept for so many days: what is older goes beside the full pass, a little at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler import ingest
from reconciler.errors import OutsideError, Rejected, RetryLater
from reconciler.ports import HistoryEntry
from reconciler.retention import MOST_LINES, Retention
from tests.shell import world as worlds
from tests.shell.world import World

DAY = timedelta(days=1)


def lines(world: World, count: int, age: timedelta) -> None:
    """So many lines of this age."""
    at = world.clock.now() - age
    world.ledger.add_history([HistoryEntry("prod", at, "write", "Create", str(i)) for i in range(count)])


class Pruned(Retention):
    """Counts how often the ledger was asked."""

    def __init__(self, world: World) -> None:
        super().__init__(world.ledger, 90 * DAY)
        self.world, self.asked = world, 0

    def tick(self, now: object = None) -> None:
        calls = len(self.world.calls)
        super().tick(self.world.clock.now())
        self.asked += "prune_history" in self.world.calls[calls:]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that notes when its ledger prunes."""
    monkeypatch.setattr(worlds, "LEDGER_METHODS", worlds.LEDGER_METHODS | {"prune_history"})
    return worlds.make()


def test_what_is_older_goes_and_the_rest_stays(world: World) -> None:
    """By the setting; a day later again, and not at each full pass."""
    lines(world, 3, 91 * DAY)
    lines(world, 2, 89 * DAY)
    retention = Pruned(world)
    for _ in range(300):
        retention.tick()
        world.clock.forward(300)
    assert (retention.asked, len(world.ledger.history("", 10))) == (2, 2)
    world.clock.forward(86_400)
    retention.tick()
    assert world.ledger.history("", 10) == ()


def test_much_goes_a_bounded_number_at_each_pass(world: World) -> None:
    """A deployment that never pruned must not hold its timer for minutes."""
    lines(world, 2 * MOST_LINES + 1, 100 * DAY)
    retention, left = Pruned(world), []
    for _ in range(4):
        retention.tick()
        left.append(len(world.ledger.history("", 5000)))
        world.clock.forward(300)
    assert left == [MOST_LINES + 1, 1, 0, 0]


@pytest.mark.parametrize("error", [RetryLater("down"), Rejected("schema 2 is newer")])
def test_a_failure_is_told_and_tried_again_at_the_next_pass(
    world: World, error: OutsideError, caplog: pytest.LogCaptureFixture
) -> None:
    """The full pass has sent its messages by then, and does not fail."""
    lines(world, 1, 91 * DAY)
    world.azure.fail("prune_history", error)
    retention = Pruned(world)
    retention.tick()
    assert "the history was not pruned" in caplog.text
    world.clock.forward(300)
    retention.tick()
    assert world.ledger.history("", 10) == ()


def test_the_full_pass_prunes_after_it_has_woken_everybody(world: World) -> None:
    """First what matters."""
    object.__setattr__(world.worker, "retention", Retention(world.ledger, 90 * DAY))
    lines(world, 1, 91 * DAY)
    ingest.on_timer(world.worker)
    assert [m.wake_up.cluster for m in world.queue.messages] == ["prod"]
    assert world.ledger.history("", 10) == ()
