"""Random schedules of the wake-up protocol: crashes, races, clocks that differ. Nothing is lost, nobody overlaps."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from reconciler import wakeups
from reconciler.ports import Lease, WakeUp
from reconciler.wakeups import Arrival, Busy, Drop, Ended, Park, Take
from tests.builders import NOW

INVISIBLE = timedelta(seconds=600)
LASTS = timedelta(seconds=120)
CLOCKS = (0.0, -4.0, 3.0)
REASONS = ("event", "timer", wakeups.PERSON)


@dataclass
class Message:
    """A message in the queue; ``inserted`` is what the queue says, ``sent`` the true time."""

    wake_up: WakeUp
    sent: datetime
    inserted: datetime
    visible: datetime


@dataclass
class Stage:
    """The queue, the lease row, and the workers, each a generator that stops before every access."""

    queue_clock: float
    now: datetime = NOW
    row: Lease = field(default_factory=lambda: Lease("prod"))
    queue: list[Message] = field(default_factory=list)
    workers: list[tuple[Iterator[None], Message]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    completed: list[datetime] = field(default_factory=list)
    versions: int = 0

    def send(self, wake_up: WakeUp, clock: float = 0.0) -> None:
        """Insert; the delay is in whole seconds, rounded up, by the sender's clock."""
        delay = math.ceil(max(0.0, (wake_up.due - self.at(clock)).total_seconds())) if wake_up.due else 0
        stamp = (self.now + timedelta(seconds=self.queue_clock)).replace(microsecond=0)
        self.queue.append(Message(wake_up, self.now, stamp, self.now + timedelta(seconds=delay)))

    def at(self, clock: float) -> datetime:
        """What a clock shows."""
        return self.now + timedelta(seconds=clock)

    def write(self, lease: Lease) -> Lease | None:
        """The row, if it still has the version that was read."""
        if lease.version != self.row.version:
            return None
        self.versions += 1
        self.row = replace(lease, version=str(self.versions), stamp=self.now)
        return self.row

    def receive(self, luck: int) -> None:
        """Hand a visible message to a new worker; it comes back unless it is deleted in time."""
        visible = [m for m in self.queue if m.visible <= self.now]
        if visible:
            message = visible[luck % len(visible)]
            message.visible = self.now + INVISIBLE
            self.workers.append((self._handle(message, luck), message))

    def _handle(self, message: Message, luck: int) -> Iterator[None]:
        clock, holder = CLOCKS[luck % len(CLOCKS)], f"w{self.versions}-{id(message)}-{luck}"
        arrival = Arrival(message.wake_up, message.inserted)
        for _ in range(50):
            yield
            decision = wakeups.arrive(arrival, self.row, self.at(clock), holder, LASTS)
            yield
            match decision:
                case Drop():
                    break
                case Busy():
                    if self.write(decision.lease):
                        break
                case Park():
                    self.send(WakeUp("prod", wakeups.PARKED, decision.due), clock)
                    yield
                    if self.write(decision.lease):
                        break
                case Take():
                    if taken := self.write(decision.lease):
                        yield from self._run(taken, clock, luck)
                        break
        yield
        self.queue = [m for m in self.queue if m is not message]

    def _run(self, taken: Lease, clock: float, luck: int) -> Iterator[None]:
        began = self.now
        yield
        self.send(wakeups.guard(taken), clock)
        for _ in range(3):
            yield
            if wakeups.may_write(taken, self.at(clock)):
                assert self.row.fence == taken.fence, "two holders overlap"
        how = self._how(clock, luck)
        while True:
            yield
            release = wakeups.release(taken, self.row, how, self.at(clock))
            if release is None:
                return
            for message in release.messages:
                yield
                self.send(message, clock)
            yield
            if self.write(release.lease):
                if how.completed:
                    self.completed.append(began)
                return

    def _how(self, clock: float, luck: int) -> Ended:
        match luck % 5:
            case 0:
                return Ended(False, None, self.at(clock) + timedelta(seconds=5 + luck))
            case 1:
                return Ended(True, self.at(clock) + timedelta(seconds=luck))
            case 2:
                return Ended(True, None, self.at(clock) + timedelta(seconds=30))
            case _:
                return Ended(True)

    def step(self, luck: int) -> None:
        """Let one worker go on to its next access."""
        if self.workers:
            index = luck % len(self.workers)
            if next(self.workers[index][0], self) is self:
                del self.workers[index]

    def wait(self, seconds: float) -> None:
        """Time passes; the host renews the messages of workers that are alive."""
        self.now += timedelta(seconds=seconds)
        for _, message in self.workers:
            message.visible = self.now + INVISIBLE

    def crash(self, luck: int) -> None:
        """Kill a worker where it stands."""
        if self.workers:
            del self.workers[luck % len(self.workers)]

    def drain(self) -> None:
        """Calm weather: everybody goes on, runs complete, until the queue is empty."""
        for _ in range(5000):
            if self.workers:
                self.step(0)
            elif not self.queue:
                return
            else:
                self.now = max(self.now, min(m.visible for m in self.queue))
                self.receive(3)
        raise AssertionError("the queue never empties")


KINDS = ("receive", "receive", "receive", *["step"] * 8, "crash", "wait", "wait")


def schedule(seed: int) -> list[tuple[str, int]]:
    """Actions, each with a number that decides its details. Few ask: a later message would hide a lost one."""
    luck = random.Random(seed)
    actions = [(luck.choice(KINDS), luck.randrange(60)) for _ in range(luck.randrange(10, 100))]
    for _ in range(luck.randrange(1, 5)):
        actions.insert(luck.randrange(len(actions)), ("ask", luck.randrange(60)))
    return actions


def play(actions: list[tuple[str, int]], queue_clock: float) -> Stage:
    """The stage after these actions and calm weather."""
    stage = Stage(queue_clock)
    for action, luck in actions:
        match action:
            case "ask":
                stage.asked.append(stage.now)
                stage.send(WakeUp("prod", REASONS[luck % len(REASONS)]))
            case "receive":
                stage.receive(luck)
            case "step":
                for _ in range(1 + luck % 4):
                    stage.step(luck)
            case "crash":
                if luck % 4 == 0:
                    stage.crash(luck)
            case "wait":
                stage.wait([0.3, 1.1, 1.1, 4.0, 4.0, 20.0, 101.0, 118.0, 130.0, 601.0][luck % 10])
    stage.drain()
    return stage


@pytest.mark.parametrize("queue_clock", [0.0, -3.0, 3.0])
def test_no_wake_up_is_lost_and_two_holders_never_overlap(queue_clock: float) -> None:
    """After each message a completed run began, whatever was killed, delayed or received twice."""
    for seed in range(3000):
        stage = play(schedule(seed), queue_clock)
        for asked in stage.asked:
            assert any(began >= asked for began in stage.completed), (seed, asked, stage.completed)


def test_one_message_is_one_run() -> None:
    """The schedule itself works: the property above cannot pass on an empty stage."""
    stage = play([("ask", 0), ("receive", 3), *[("step", 3)] * 8], 0.0)
    assert stage.completed == [NOW]
    assert stage.row.covered == NOW


def test_a_burst_of_messages_is_not_a_burst_of_runs() -> None:
    """What arrives while a run is under way is served by one more, not by one each."""
    actions = [("ask", 0), ("receive", 3), ("step", 3)]
    actions += [a for _ in range(10) for a in (("ask", 0), ("receive", 1), ("step", 3))]
    stage = play(actions, 0.0)
    assert len(stage.completed) <= 3
