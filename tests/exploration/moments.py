"""When time passes in the small world, and to which moments: those at which an answer of the protocol may change."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler import wakeups
from tests.exploration.protocol import HALF
from tests.exploration.state import Message, State

SLACK, LAST_WRITES, REST = (t // HALF for t in (wakeups.SLACK, wakeups.LAST_WRITES, wakeups.REST))


def busy(state: State) -> bool:
    """Whether a worker is at work, or a message waits for an idle one."""
    waits = None in state.tasks and any(m.visible <= state.now for m in state.queue)
    return waits or any(task and not task.frozen for task in state.tasks)


def instants(state: State, skews: tuple[int, int], table: int) -> Iterator[int]:
    """When an answer of the protocol may change; past ones as well. ``table``: the clock that stamps rows."""
    row = state.row
    for message in state.queue:
        yield message.visible
        yield _time(message) + SLACK + 1 - table
    ends = [row.until] if row.until is not None and row.holder else []
    ends += [task.hold.until for task in state.tasks if task and task.hold]
    starts = [t for t in (row.not_before, row.parked) if t is not None]
    rests = [row.covered + REST] if row.covered is not None else []
    for skew in set(skews):
        yield from (t - skew for t in (*ends, *starts, *rests))
        yield from (t - LAST_WRITES - skew + late for t in ends for late in (0, 1))
    yield from (ends for _, ends in state.flights)


def _time(message: Message) -> int:
    due = message.wake.due
    return message.inserted if due is None else max(message.inserted, due)
