"""Lives with crashes in them, and what is to be true at the end of each act.

An uninterrupted life is recorded first: the calls of each act, which are the points to die at, and what each act
comes to. Then lives are lived in which the worker dies once per act, each time at another point.
"""

from __future__ import annotations

import difflib
import json
import random
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from tests.chaos.crash_snapshot import bodies, doubles, snapshot
from tests.chaos.stories import ACTS, Act, Life
from tests.chaos.world import RECORD, Settled, World

Json = dict[str, Any]

SIDES = ("before", "after")
# Real seconds without a message until an act that has not come to its end is helped by the timer.
PATIENCE = 30.0
_WRITES = ("PUT arm", "DELETE arm")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A moment to die: before or after a call of an act."""

    act: str
    call: str
    side: str

    @property
    def hook(self) -> Json:
        """The worker's hook that dies there."""
        return {
            "class": "tests.chaos.crash_calls:KillAt",
            "arguments": {"point": self.call, "side": self.side},
        }

    @property
    def number(self) -> int:
        """The same in each process, to share points out by."""
        return zlib.crc32("|".join((self.act, self.call, self.side)).encode())


@dataclass(frozen=True, slots=True)
class Ending:
    """What an act has come to."""

    seen: Json
    bodies: dict[str, list[str]]
    doubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """An uninterrupted life: its calls in their order, and how each act ended."""

    calls: dict[str, tuple[str, ...]]
    endings: dict[str, Ending]

    @property
    def points(self) -> list[Point]:
        """Every point to die at."""
        return [
            Point(act, call, side) for act, calls in self.calls.items() for call in calls for side in SIDES
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an act with a crash in it went. ``problem`` is "" where it converged to the recorded ending."""

    point: Point
    reached: bool
    problem: str = ""
    by_redelivery: bool = False  # it took the dead worker's own message, ten minutes later, for a write
    by_timer: bool = False  # a wake-up was lost: no message was left to finish the work


def record(world: World) -> Recording:
    """Live without a crash. Raises AssertionError where even that does not come to an end."""
    life, calls, endings = Life(world), {}, {}
    for act in ACTS:
        settled, ending = play(life, act, RECORD)
        assert settled.finished, f"{act.name} did not come to its end"
        assert not ending.seen["plan"]["writes"], f"{act.name} leaves {ending.seen['plan']}"
        calls[act.name], endings[act.name] = tuple(settled.calls), ending
    return Recording(calls, endings)


def play(life: Life, act: Act, hook: Json) -> tuple[Settled, Ending]:
    """One act from its start until nothing is left to deliver."""
    life.world.begin(hook)
    life.world.users.forget_requests()
    life.heard_before = len(life.world.events())
    act.do(life)
    settled = life.world.settle(lambda: act.finished(life), PATIENCE)
    if not settled.killed:
        life.world.end()  # whatever the hook waits for, it is not to happen while we look
    return settled, ending_of(life)


def ending_of(life: Life) -> Ending:
    """What the world has come to."""
    world, words = life.world, life.words
    return Ending(snapshot(world, words), bodies(world, words), doubles(world, life.heard_before))


def lives(points: Iterable[Point], seed: int) -> list[dict[str, Point]]:
    """Points put together into lives, at most one per act, in an order that the seed decides: the full ones first."""
    by_act: dict[str, list[Point]] = {act.name: [] for act in ACTS}
    for point in sorted(points):
        by_act[point.act].append(point)
    for ours in by_act.values():
        random.Random(seed).shuffle(ours)
    return [{point.act: point for point in chosen if point} for chosen in zip_longest(*by_act.values())]


def live(world: World, deaths: Mapping[str, Point], recording: Recording) -> Iterable[Verdict]:
    """One life, a verdict per death. It ends early at the first problem."""
    life = Life(world)
    for act in ACTS:
        point = deaths.get(act.name)
        verdict = judge(life, act, point, recording.endings[act.name])
        if point or verdict.problem:
            yield verdict
        if verdict.problem:
            return


def judge(life: Life, act: Act, point: Point | None, expected: Ending) -> Verdict:
    """Play an act with a death in it.

    Every message of a dead worker comes again, so that the timer is needed only where a wake-up was lost: it is
    tried for what it tells about the loss.
    """
    settled, ending = play(life, act, point.hook if point else RECORD)
    lost = not settled.finished or ending.seen != expected.seen
    if lost:
        life.world.tick("timer")
        more = life.world.settle(lambda: act.finished(life), PATIENCE)
        settled = Settled((*settled.deliveries, *more.deliveries), more.finished)
        ending = ending_of(life)
    found = problem(settled, ending, expected)
    if lost and not found:
        found = "\n".join(["no message was left to finish the work; the timer did:", *_story(settled)])
    return Verdict(
        point or Point(act.name, "(no death)", ""),
        settled.killed,
        found,
        _by_redelivery(settled),
        lost,
    )


def problem(settled: Settled, ending: Ending, expected: Ending) -> str:
    """What is not as it was without a crash; "" where all is."""
    found = [] if settled.finished else ["what was waited for did not come"]
    if ending.seen != expected.seen:
        found.append(difference(expected.seen, ending.seen))
    for path, contents in ending.bodies.items():
        if not set(contents) <= set(expected.bodies.get(path, ())):
            found.append(
                f"{path} was written with other content: {difference(expected.bodies.get(path), contents)}"
            )
    if _by_redelivery(settled) and any(d.ended == "died" and _wrote(d.calls) for d in settled.deliveries):
        found.append("writes had begun, and the guard did not finish them: it took the message itself")
    found += [f"a handler raised {error}" for error in settled.errors]
    found += [f"published {double}" for double in ending.doubles]
    return "\n".join([*found, *_story(settled)] if found else [])


def _story(settled: Settled) -> list[str]:
    return [f"  {d.message.kind} {d.message.reason}: {d.ended} {d.answer}" for d in settled.deliveries]


def difference(expected: Any, found: Any) -> str:
    """The lines that differ, as in a diff."""
    before, after = (json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (expected, found))
    return "\n".join(
        difflib.unified_diff(before, after, "uninterrupted", "after the crash", n=2, lineterm="")
    )


def _by_redelivery(settled: Settled) -> bool:
    return any(d.message.orphaned and _wrote(d.calls) for d in settled.deliveries)


def _wrote(calls: Iterable[str]) -> bool:
    return any(call.startswith(_WRITES) for call in calls)
