"""The state of the small world, in numbers: half seconds since a fixed moment. And what changes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler import wakeups
from tests.exploration.protocol import Ended, Hold, Row, Time, Wake

RETRY, INVISIBLE = 60, 1200  # when a message comes back after a failure, and after a death
KINDS = ("event", wakeups.PERSON, wakeups.PROBE, "timer")
ANY = "any"  # of whatever kind: which, is open until it is sent
ELSEWHERE = 9
GONE = 2  # instead of a worker's number: it died while its write was under way


class Broken(Exception):
    """A promise that was not kept."""


class Message(NamedTuple):
    """A message in the queue; ``inserted`` in whole seconds, rounded down.

    ``host``: the number plus one of a frozen worker, whose host goes on hiding it should the worker thaw; of a
    worker's own message, ELSEWHERE once somebody else has received it.
    """

    wake: Wake
    inserted: int
    visible: int
    host: int = 0


class Wish(NamedTuple):
    """Somebody who asked and is not served yet. ``seen``: by the runs of which workers (bits)."""

    due: Time = None
    seen: int = 0


class Task(NamedTuple):
    """A busy worker: where it stands, what it still sends and then writes (None: it was overwritten)."""

    at: str
    message: Message
    kind: str = ""
    row: Row | None = None
    out: tuple[Wake, ...] = ()
    hold: Hold | None = None
    ended: Ended | None = None
    raising: bool = False
    frozen: bool = False
    tries: int = 0
    since: int = 0


class Budget(NamedTuple):
    """How often what still may happen: trouble, runs that fail, pauses, looks that a run asks for."""

    troubles: int = 1
    failures: int = 1
    pauses: int = 1
    looks: int = 1


class State(NamedTuple):
    """All there is. ``flights``: writes under way, by worker, and when the request ends at the latest.

    ``unsent``: the kinds of the messages that are still to come from outside; ``wishes``: who waits.
    """

    now: int
    row: Row
    tasks: tuple[Task | None, Task | None]
    queue: tuple[Message, ...]
    unsent: tuple[str, ...]
    wishes: tuple[Wish, ...]
    budget: Budget
    flights: tuple[tuple[int, int], ...] = ()


def start(kinds: tuple[str, ...], budget: Budget) -> State:
    """Nothing has been sent; half a second past a whole one."""
    return State(1, Row(), (None, None), (), tuple(sorted(kinds)), (), budget)


def to_come(unsent: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each kind of message that may come next, with what is still to come after it."""
    for index, kind in enumerate(unsent):
        if kind not in unsent[:index]:
            rest = unsent[:index] + unsent[index + 1 :]
            yield from ((sent, rest) for sent in (KINDS if kind == ANY else (kind,)))


def working(state: State, worker: int, task: Task | None) -> State:
    """What this worker does now."""
    first, second = state.tasks
    return state._replace(tasks=(first, task) if worker else (task, second))


def written(state: State, worker: int, row: Row) -> State:
    """The row is written, the worker's task is over, and what the other has read is out of date."""
    other = state.tasks[1 - worker]
    if other is not None and other.row is not None:
        state = working(state, 1 - worker, other._replace(row=None))
    return working(state._replace(row=row), worker, None)


def troubled(state: State) -> State:
    """Trouble happens: less may happen later."""
    return state._replace(budget=state.budget._replace(troubles=state.budget.troubles - 1))


def failed(state: State, worker: int, message: Message) -> State:
    """The message is tried again."""
    return _comes_again(working(state, worker, None), message, RETRY)


def died(state: State, worker: int, message: Message) -> State:
    """The message comes back when the host that hid it has been silent for long."""
    return _comes_again(working(state, worker, None), message, INVISIBLE)


def frozen(state: State, worker: int, task: Task) -> State:
    """Its message comes back as that of a dead one does."""
    state = working(state, worker, task._replace(frozen=True))
    host = task.message.host or worker + 1
    return _comes_again(state, task.message._replace(host=host), INVISIBLE)


def _comes_again(state: State, message: Message, after: int) -> State:
    if message.host == ELSEWHERE:
        return state
    return state._replace(queue=(*state.queue, message._replace(visible=state.now + after)))


def thawed(state: State, worker: int, task: Task) -> State:
    """The host goes on hiding its message, unless somebody else has received it meanwhile."""
    queue = tuple(m for m in state.queue if m.host != worker + 1)
    host = ELSEWHERE if queue == state.queue else 0
    task = task._replace(frozen=False, message=task.message._replace(host=host))
    return working(state._replace(queue=queue), worker, task)


def served(state: State, worker: int) -> State:
    """A run has done all it had to do for those whom it saw."""
    return state._replace(wishes=tuple(w for w in state.wishes if not w.seen >> worker & 1))
