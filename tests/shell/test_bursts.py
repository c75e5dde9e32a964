"""Bursts: 200 events are few runs, and an event during a run is looked at afterwards. By the real worker."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from reconciler import wakeups
from reconciler.errors import Stale
from reconciler.ports import Lease, WakeUp
from reconciler.wakeups import Arrival
from reconciler.worker import TRIES
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
EVENTS = 200


def quiet_world(half_seconds: int = 0) -> World:
    """Nothing is to be done, and the last run is a while ago."""
    world = worlds.make(WEB)
    world.handle()
    world.clock.forward(2)
    world.drain(30)
    world.clock.forward(60 + half_seconds / 2)
    world.queue.messages.clear()
    world.forget_calls()
    return world


def note_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When each run began to observe, from now on."""
    began: list[datetime] = []
    called = world.azure.called

    def noted(method: str, subject: str = "") -> None:
        if method == "list_load_balancers":
            began.append(world.clock.now())
        called(method, subject)

    monkeypatch.setattr(world.azure, "called", noted)
    return began


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05])
def test_two_hundred_events_are_at_most_three_runs(
    workers: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, served by some workers side by side, each message taking a while to be received."""
    world = quiet_world()
    began = note_runs(world, monkeypatch)
    world.clock.forward(0.013)  # real clocks never stand on a whole second
    for _ in range(EVENTS):
        world.queue.send(WakeUp("prod", "event"))
    waiting = world.queue.receive()

    def others() -> None:
        for _ in range(min(workers - 1, len(waiting))):
            sent = waiting.pop()
            world.worker.handle(sent.wake_up, sent.inserted)

    while waiting:
        world.azure.meanwhile["list_load_balancers"] = others
        sent = waiting.pop()
        world.worker.handle(sent.wake_up, sent.inserted)
        world.clock.forward(seconds)
    world.azure.meanwhile.clear()
    world.drain(300)
    assert 1 <= len(began) <= 3
    assert world.queue.messages == []
    assert world.ledger.lease("prod").holder == ""


@pytest.mark.parametrize("half_seconds", [0, 1])
@pytest.mark.parametrize("moment", ["list_load_balancers", "get_subnet"])
@pytest.mark.parametrize("later", [0.0, 0.4, 1.0, 7.0])
def test_an_event_during_a_run_leads_to_one_or_two_runs_after_it(
    half_seconds: int, moment: str, later: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just as the run begins to look or after it has looked; queue times are whole seconds, rounded down."""
    world = quiet_world(half_seconds)
    began = note_runs(world, monkeypatch)
    sent: list[datetime] = []

    def an_event() -> None:
        world.clock.forward(later)
        sent.append(world.clock.now())
        world.handle()

    world.azure.meanwhile[moment] = an_event
    world.handle()
    world.drain(300)
    assert sent
    assert 1 <= sum(run >= sent[0] for run in began[1:]) <= 2
    assert world.queue.messages == []


@pytest.mark.parametrize("dies", [False, True])
def test_no_event_of_a_burst_is_lost_with_its_holder(dies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred events find a lease held by a worker that writes nothing any more, dead or frozen."""
    world = quiet_world()
    began = note_runs(world, monkeypatch)
    config, now = world.config, world.clock.now()
    taken = world.worker.take(Arrival(WakeUp("prod", "event"), now), config, "")
    assert isinstance(taken, Lease)
    for _ in range(EVENTS):
        world.clock.forward(0.05)
        assert world.handle().run is None
    last = world.clock.now()
    world.drain(150)
    assert [run for run in began if run >= last]
    assert len(began) <= 3
    if not dies:
        assert not wakeups.may_write(taken, world.clock.now())
        assert world.worker.renew(taken).until == world.clock.now()
    assert world.ledger.lease("prod").holder == ""
    world.clock.forward(timedelta(minutes=5).total_seconds())
    world.drain(10)
    assert world.queue.messages == []


def test_contention_alone_fails_no_message() -> None:
    """Whoever writes the row first, each of two hundred messages is done at its first try: none is raised to the host."""
    world = quiet_world()
    world.azure.fail("write_lease", Stale("somebody else wrote first"), times=25 * TRIES)
    told = [world.handle().sentence for _ in range(EVENTS)]
    assert sum("sent again" in sentence for sentence in told) == 25
    world.drain(60)
    assert world.queue.messages == []
    assert [entry for entry in world.ledger.history("prod", 1000) if entry.kind == "poison"] == []
