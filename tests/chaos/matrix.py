"""The fault matrix: every outside call with every fault, played and judged.

A cell sets the world to a story in which the call occurs, lets all such calls fail while the story's change is to
be followed, takes the fault away, and compares with the same story told without it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from tests.chaos.faults import FAULTS, LATE, Fault
from tests.chaos.matrix_calls import Call
from tests.chaos.matrix_ground import Ground
from tests.chaos.matrix_seen import DONE
from tests.chaos.matrix_stories import STORIES, Story
from tests.chaos.matrix_world import Cell, Json

CONVERGES = "converges"
REPORTS = "reports, then converges"
# How the product's own sentences begin when one of these systems fails.
NAMES = {
    "arm": re.compile(r"Azure (answered|could not|accepted|gives no token)|Azure, |identity service|Failed"),
    "kubernetes": re.compile(r"Kubernetes API at"),
    "tables": re.compile(r"\bthe (table|lease|reservation)\b"),
    "queues": re.compile(r"\bthe queue"),
    "blobs": re.compile(r"\bthe (blob|container|status document|storage of what was published)\b"),
    "topic": re.compile(r"\bnot published: the topic\b"),
}
# What a function says that failed for a call that none may fail for.
OF_WHAT_TELLS = re.compile(
    r"publishing events|the (blob|container|status document|record of published events)\b"
)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# How many messages, and seconds, a world is given: while the fault lasts, and after it. What was told of is
# given a few more, to see whether it converges in spite.
DURING, DURING_SECONDS = 60, 30.0
ONCE_TOLD, ONCE_TOLD_SECONDS = 10, 2.5
AFTER, AFTER_SECONDS = 600, 40.0  # many: an SDK remembers a refusal for seconds that no leap shortens
TRIES = 3
MISSED = "the fault met no call"


@dataclass(frozen=True)
class Told:
    """A story as it goes without a fault: the world at its end, its calls, and what was written at ARM."""

    goal: Json
    calls: frozenset[Call]
    writes: frozenset[tuple[str, str]]

    @property
    def done(self) -> Json:
        """Of the goal, what is done; the rest only tells of it."""
        return {part: self.goal[part] for part in DONE}


@dataclass(frozen=True)
class Place:
    """A cell of the matrix, and the story in which it is tried."""

    call: Call
    fault: Fault
    story: Story

    @property
    def holds_up(self) -> bool:
        """Whether Private Link Services have to wait until it is well again."""
        kept = self.call.lists_clusters and self.story.goes_on
        return not (self.call.only_tells or kept)

    def __str__(self) -> str:
        return f"{self.call.system} {self.call}, {self.fault.name} ({self.story.name})"


@dataclass(frozen=True)
class Verdict:
    """What became of a cell: one of the two words, or what was wrong."""

    word: str = ""
    wrong: tuple[str, ...] = ()


@dataclass
class Matrix:
    """All cells on one ground; stories are told once."""

    ground: Ground
    _told: dict[str, Told] = field(default_factory=dict)

    def told(self, story: Story) -> Told:
        """The story without a fault. Fails where it has no effect or no end."""
        if story.name not in self._told:
            with self.ground.cell() as cell:
                self._told[story.name] = _tell(story, cell)
        return self._told[story.name]

    def places(self) -> list[Place]:
        """Every call with every fault that can befall it, in the first story in which the call occurs.

        What is read before something is deleted is tried there, too: a failure must not look like an absence.
        """
        calls = sorted({call for story in STORIES for call in self.told(story).calls})
        return [
            Place(call, fault, story)
            for call in calls
            for story in _tried_in(call, [s for s in STORIES if call in self.told(s).calls])
            for fault in FAULTS
            if fault.befalls(call)
        ]

    def play(self, place: Place) -> Verdict:
        """Try one cell; again where its call did not happen, since some depend on what threads do first."""
        told = self.told(place.story)
        for _ in range(TRIES):
            with self.ground.cell() as cell:
                verdict = _play(place, told, cell)
            if MISSED not in verdict.wrong:
                break
        return verdict


def _tried_in(call: Call, stories: list[Story]) -> list[Story]:
    first, *others = stories
    evidence = call.system in ("arm", "kubernetes", "blobs") and not call.writes
    return [first, *(story for story in others if evidence and story.destroys)]


def _tell(story: Story, cell: Cell) -> Told:
    story.prepare(cell)
    before, foreign = cell.eyes.all(), cell.foreign()
    cell.forget()
    story.begin(cell)
    story.stand(cell)
    cell.settle()
    assert not cell.eyes.see(before), f"the story {story.name} changes nothing"
    requests = cell.requests()
    for request in requests:
        assert re.search(request.call.pattern, request.path, re.IGNORECASE), f"no fault would meet {request}"
    assert cell.empty_plan(), f"the story {story.name} does not end"
    assert not cell.broken, cell.broken
    assert cell.foreign() == foreign
    assert not cell.hidden_doubles()
    return Told(cell.eyes.all(), frozenset(r.call for r in requests), _writes(cell))


def _writes(cell: Cell) -> frozenset[tuple[str, str]]:
    """What the product wrote and deleted at ARM, by method and id."""
    return frozenset(
        (r.method, _GUID.sub("", r.path.lower().replace(cell.name, "")))
        for r in cell.requests()
        if r.system == "arm" and r.call.writes
    )


def _play(place: Place, told: Told, cell: Cell) -> Verdict:
    place.story.prepare(cell)
    foreign = cell.foreign()
    cell.forget()
    place.story.begin(cell)
    door = cell.doors[place.call.system]
    door.fault(**place.fault.body(place.call))
    place.story.stand(cell)
    in_spite = _endure(place, told, cell)
    failed = [error for error in cell.failed if OF_WHAT_TELLS.search(error)]
    held_up = not place.holds_up and (bool(failed) or not cell.eyes.see(told.done))
    met = _met(place, cell) or _met_late(place, cell)
    named = NAMES[place.call.system].search(cell.reports())
    door.call("DELETE", "faults")
    place.story.stand(cell)
    in_the_end = cell.go(AFTER, AFTER_SECONDS, lambda: cell.eyes.see(told.goal) and cell.empty_plan())
    unasked = sorted(_writes(cell) - told.writes)
    wrong = {
        MISSED: not met,
        "nothing was told of it": not (in_spite or named),
        f"it held up what is to be done: {failed}": held_up,
        f"it never came to the goal: {_difference(told.goal, cell.eyes.all())}": not in_the_end,
        f"unforeseen: {cell.broken!r}": bool(cell.broken),
        f"written though nothing asked for it: {unasked}": bool(unasked),
        "what is not ours was touched": cell.foreign() != foreign,
        f"doubles that do not show: {(doubles := cell.hidden_doubles())}": bool(doubles),
    }
    return Verdict(CONVERGES if in_spite else REPORTS, tuple(what for what, is_so in wrong.items() if is_so))


def _endure(place: Place, told: Told, cell: Cell) -> bool:
    """Go on while the fault lasts: whether the goal was reached all the same."""
    name, began = NAMES[place.call.system], time.monotonic()
    count = 0

    def enough() -> bool:
        nonlocal count
        count += 1
        if cell.eyes.see(told.goal):
            return _met(place, cell)
        long = count >= ONCE_TOLD or time.monotonic() - began > ONCE_TOLD_SECONDS
        return (
            long and name.search(cell.reports()) is not None and (place.holds_up or cell.eyes.see(told.done))
        )

    cell.go(DURING, DURING_SECONDS, enough)
    return cell.eyes.see(told.goal)


def _met(place: Place, cell: Cell) -> bool:
    return any(request.call == place.call for request in cell.requests())


def _met_late(place: Place, cell: Cell) -> bool:
    """Once more when late answers are out: some servers log a request when they answer it."""
    time.sleep(LATE[place.call.system])
    return _met(place, cell)


def _difference(goal: Json, seen: Json) -> str:
    return "; ".join(f"{part}: {seen[part]}, not {goal[part]}" for part in goal if seen[part] != goal[part])


def row(call: Call) -> str:
    """How a call is called in the table."""
    return f"{call.system}: `{call}`"
