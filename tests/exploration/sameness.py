"""Which states are the same: those that differ only in what nobody can tell apart.

Times are relative to now, and those so long past that they only ever compare as past are cut off; which of
two workers or of two wishes is which does not matter; fences matter but for being the row's; so do holders
but for being alive; a row that was read matters only until somebody else has written.
"""

from __future__ import annotations

from reconciler import wakeups
from tests.exploration.protocol import DEAD, HALF, Hold, Row, Time, Wake
from tests.exploration.state import Message, State, Task

SLACK = wakeups.SLACK // HALF
PAST = 2 * SLACK + 4  # older than this compares as past by every clock
FORGOTTEN = -(10**5)


def same(state: State, twins: bool) -> State:
    """The one state that stands for all that nobody can tell apart from it. ``twins``: the workers are alike."""
    state = _forgotten(_rebased(state))
    first, second = state.tasks
    if twins and second is not None and (first is None or hash(first) > hash(second)):
        state = _swapped(state)
    queue = tuple(sorted(state.queue, key=hash))
    return state._replace(queue=queue, wishes=tuple(sorted(state.wishes, key=hash)))


def _rebased(state: State) -> State:
    """Now is 0 or 1: whole seconds are taken off every time."""
    by = state.now // 2 * 2
    if not by:
        return state
    row = state.row
    return State(
        state.now - by,
        _earlier_row(row, by),
        tuple(t and _earlier_task(t, by) for t in state.tasks),  # type: ignore[arg-type]
        tuple(_earlier_message(m, by) for m in state.queue),
        tuple(w._replace(due=w.due - by) if w.due is not None else w for w in state.wishes),
        state.budget,
        tuple((worker, ends - by) for worker, ends in state.flights if ends > state.now),
    )


def _earlier(time: Time, by: int) -> Time:
    return None if time is None else time - by


def _earlier_row(row: Row, by: int) -> Row:
    return Row(
        row.holder,
        _earlier(row.until, by),
        row.fence,
        _earlier(row.wanted, by),
        _earlier(row.covered, by),
        _earlier(row.parked, by),
        _earlier(row.not_before, by),
    )


def _earlier_message(message: Message, by: int) -> Message:
    wake, inserted, visible = message
    return Message(Wake(wake.reason, _earlier(wake.due, by)), inserted - by, visible - by)


def _earlier_task(task: Task, by: int) -> Task:
    hold, ended = task.hold, task.ended
    return task._replace(
        message=_earlier_message(task.message, by),
        row=task.row and _earlier_row(task.row, by),
        out=tuple(Wake(w.reason, _earlier(w.due, by)) for w in task.out),
        hold=hold and Hold(hold.fence, hold.stamp - by, hold.until - by),
        ended=ended
        and ended._replace(come_back=_earlier(ended.come_back, by), back_off=_earlier(ended.back_off, by)),
        since=task.since - by if task.at in ("renew", "renewal") else 0,
    )


def _forgotten(state: State) -> State:
    """Holders that are gone are one, fences count from the row's, and the long past is cut off."""
    row, first, second = state.row, state.tasks[0], state.tasks[1]
    # A worker that is not running holds nothing.
    alive = [bool(t and t.hold) for t in (first, second)]
    holder = row.holder if row.holder in (0, DEAD) or alive[row.holder - 1] else DEAD
    if holder != row.holder:
        row = row._replace(holder=holder)
        first, second = (_buried(t, state.row.holder) for t in (first, second))
    if row.fence != 1 and row.fence:
        by = row.fence - 1
        row = row._replace(fence=1)
        first, second = (_fenced(t, by) for t in (first, second))
    wishes = state.wishes
    for bit, living in enumerate(alive):
        if not living and any(w.seen >> bit & 1 for w in wishes):
            wishes = tuple(w._replace(seen=w.seen & ~(1 << bit)) for w in wishes)
    return _cut_off(state._replace(row=row, tasks=(first, second), wishes=wishes))


def _buried(task: Task | None, holder: int) -> Task | None:
    if task and task.row and task.row.holder == holder:
        return task._replace(row=task.row._replace(holder=DEAD))
    return task


def _fenced(task: Task | None, by: int) -> Task | None:
    if task is None:
        return None
    hold = task.hold and task.hold._replace(fence=max(0, task.hold.fence - by))
    row = task.row and task.row._replace(fence=task.row.fence - by)
    return task._replace(hold=hold, row=row)


def _cut_off(state: State) -> State:
    """What has long passed by every clock has passed at one time; what is covered was covered long ago."""
    row, past = state.row, state.now - PAST
    covered, old = row.covered, row.covered is None or row.covered < past
    queue = []
    for message in state.queue:
        wake, inserted, visible = message.wake, message.inserted, max(message.visible, state.now)
        if covered is not None and inserted + SLACK < covered:
            inserted = 10 * FORGOTTEN
            wake = wake if wake.due is None else wake._replace(due=inserted)
        elif old and row.wanted is None:
            inserted = max(inserted, past if wake.due is None else wake.due)
        queue.append(Message(wake, inserted, visible))
    if row.parked is not None and row.parked < past:
        relied = any(m.wake.due is not None and m.wake.due >= row.parked for m in state.queue)
        row = row if relied else row._replace(parked=None)
    if row.not_before is not None and row.not_before < past:
        row = row._replace(not_before=None)
    if row.until is not None and row.until < past:
        row = row._replace(until=past)
    if covered is not None and old:
        row = row._replace(covered=FORGOTTEN)
    return state._replace(row=row, queue=tuple(queue))


def _swapped(state: State) -> State:
    """The workers change places."""
    first, second = state.tasks
    other = {0: 0, 1: 2, 2: 1, DEAD: DEAD}

    def turn(row: Row) -> Row:
        return row._replace(holder=other[row.holder])

    def turned(task: Task | None) -> Task | None:
        return task._replace(row=turn(task.row)) if task and task.row else task

    return state._replace(
        row=turn(state.row),
        tasks=(turned(second), turned(first)),
        wishes=tuple(w._replace(seen=(w.seen & 1) << 1 | w.seen >> 1) for w in state.wishes),
        flights=tuple((1 - worker if worker < 2 else worker, ends) for worker, ends in state.flights),
    )
