"""Which states are the same: those that differ only in what nobody can tell apart.

Times are relative to now, and of those long past only the order is kept; which of two workers or of two
wishes is which does not matter; fences matter but for being the row's; so do holders but for being alive; a
row that was read matters only until somebody else has written; of a message only what will be read again.
"""

from __future__ import annotations

from functools import cache

from reconciler import wakeups
from tests.exploration.numbers import number
from tests.exploration.protocol import DEAD, HALF, Hold, Row, Time, Wake
from tests.exploration.state import GONE, Message, State, Task, Wish

SLACK = wakeups.SLACK // HALF
PAST = 2 * SLACK + 4  # older than this compares as past by every clock
AGO = -(10**4)  # when a run began that covers nothing any more
LONG_AGO = 10 * AGO  # when something was sent that was covered even then
HIDDEN = Message(Wake(""), 0, 0)  # the message of a worker which nobody will see again

Tasks = tuple[Task | None, Task | None]


def same(state: State, twins: bool) -> State:
    """The one state that stands for all that nobody can tell apart from it. ``twins``: the workers are alike."""
    now, row, tasks, queue, unsent, wishes, budget, flights = state
    by = now - now % 2
    if by:  # now is 0 or 1: whole seconds are taken off every time
        row = _earlier_row(row, by)
        tasks = tuple([t and _earlier_task(t, by) for t in tasks])  # type: ignore[assignment]
        queue = tuple([_earlier_message(m, by) for m in queue])
    calm = not budget.troubles and not budget.failures
    row, tasks = _held_by_the_living(row, tasks, calm)
    row, tasks, queue = _cut_off(row, tasks, queue, now - by, calm)
    if len(queue) > 1:
        queue = tuple(sorted(queue, key=number))
    if wishes:
        wishes = _hardest(wishes, now, by, _alive(tasks))
    if flights:
        flights = tuple([(_writer(tasks, worker), ends - by) for worker, ends in flights if ends > now])
    found = State(now - by, row, tasks, queue, unsent, wishes, budget, flights)
    return _in_order(found) if twins else found


# What is relative to now


def _earlier(time: Time, by: int) -> Time:
    return None if time is None else time - by


@cache
def _earlier_row(row: Row, by: int) -> Row:
    holder, until, fence, *times = row
    return Row(holder, _earlier(until, by), fence, *[_earlier(time, by) for time in times])


@cache
def _earlier_message(message: Message, by: int) -> Message:
    wake, inserted, visible, host = message
    return Message(Wake(wake.reason, _earlier(wake.due, by)), inserted - by, visible - by, host)


@cache
def _earlier_task(task: Task, by: int) -> Task:
    hold, ended = task.hold, task.ended
    return task._replace(
        message=_earlier_message(task.message, by),
        row=task.row and _earlier_row(task.row, by),
        out=tuple(Wake(w.reason, _earlier(w.due, by)) for w in task.out),
        hold=hold and Hold(hold.fence, hold.stamp - by, hold.until - by),
        ended=ended
        and ended._replace(come_back=_earlier(ended.come_back, by), back_off=_earlier(ended.back_off, by)),
        since=task.since - by,
    )


# What nobody will read again


def _alive(tasks: Tasks) -> tuple[bool, bool]:
    """A worker that is not running holds nothing."""
    first, second = tasks
    return first is not None and first.hold is not None, second is not None and second.hold is not None


def _held_by_the_living(row: Row, tasks: Tasks, calm: bool) -> tuple[Row, Tasks]:
    """Holders that are gone are one, and fences count from the row's. ``calm``: nothing more will fail."""
    holder, lead = row.holder, row.fence - 1 if row.fence else 0
    dead = holder if holder not in (0, DEAD) and not _alive(tasks)[holder - 1] else 0
    first, second = tasks
    tasks = first and _plain(first, dead, lead, calm), second and _plain(second, dead, lead, calm)
    if dead or lead:
        row = row._replace(holder=DEAD if dead else holder, fence=row.fence - lead)
    return row, tasks


@cache
def _plain(task: Task, dead: int, lead: int, calm: bool) -> Task:
    message, row, hold = task.message, task.row, task.hold
    if row is not None:
        buried = dead and row.holder == dead and task.kind != "Take"  # who takes is not the one that died
        row = row._replace(holder=DEAD if buried else row.holder, fence=row.fence - lead)
    if hold is not None:
        fence = max(0, hold.fence - lead)
        hold = Hold(fence, hold.stamp if fence else 0, hold.until)
    seen = task.at == "take" or task.raising or not calm
    return task._replace(
        message=message._replace(visible=0) if seen else HIDDEN,
        row=row,
        hold=hold,
        since=task.since if task.at in ("renew", "renewal") else 0,
    )


# The long past


def _cut_off(
    row: Row, tasks: Tasks, queue: tuple[Message, ...], now: int, calm: bool
) -> tuple[Row, Tasks, tuple[Message, ...]]:
    """What has passed by every clock has passed at one time, or in its order; what is covered stays covered."""
    covered, parked = row.covered, row.parked
    queue = tuple([_certain(m, covered, parked, now) for m in queue])
    first, second = tasks
    first = first and _settled_task(first, covered, parked, now, calm)
    second = second and _settled_task(second, covered, parked, now, calm)
    return _settled(row, now), (first, second), queue


@cache
def _certain(message: Message, covered: Time, parked: Time, now: int) -> Message:
    """A message that is covered, and on which the row does not rely, will only ever be dropped."""
    (reason, due), inserted, visible, host = message
    relied = due is not None and parked is not None and due >= parked
    if covered is not None and inserted + SLACK < covered and not relied:
        inserted = LONG_AGO
        due = None if due is None else LONG_AGO
    return Message(Wake(reason, due), inserted, max(visible, now), host)


@cache
def _settled(row: Row, now: int, ended: bool = True, known: bool = True) -> Row:
    """``ended``: whether nobody asks any more when a lease ended; ``known``: all messages know the watermark."""
    until, covered, wanted, not_before = row.until, row.covered, row.wanted, row.not_before
    if until is not None and until <= now and ended:
        until = AGO
    if not_before is not None and not_before <= now:
        not_before = None
    if covered is not None:
        if wanted is not None and wanted + SLACK < covered:
            wanted = LONG_AGO
        if covered < now - PAST and known:
            covered = AGO
    return Row(row.holder, until, row.fence, wanted, covered, row.parked, not_before)


@cache
def _settled_task(task: Task, covered: Time, parked: Time, now: int, calm: bool) -> Task:
    message, row, hold = task.message, task.row, task.hold
    if message is not HIDDEN:
        message = _certain(message, covered, parked, 0)
    if row is not None:
        row = _settled(row, now, calm, row.covered == covered)
    if hold is not None and hold.until <= now and calm:
        hold = hold._replace(until=AGO)
    return task._replace(message=message, row=row, hold=hold)


# What is like another


def _hardest(wishes: tuple[Wish, ...], now: int, by: int, alive: tuple[bool, bool]) -> tuple[Wish, ...]:
    """Those wishes alone whose being served means that all are."""
    living = alive[0] | alive[1] << 1
    found = {(None if due is None or due <= now else due - by, seen & living) for due, seen in wishes}
    hardest = [wish for wish in found if not any(harder(other, wish) for other in found if other != wish)]
    return tuple(Wish(*wish) for wish in sorted(hardest, key=number))


def harder(one: tuple[Time, int], other: tuple[Time, int]) -> bool:
    """Whether a run that serves the one serves the other as well: it is due later, and fewer have seen it."""
    later = other[0] is None or (one[0] is not None and one[0] >= other[0])
    return later and not one[1] & ~other[1]


def _writer(tasks: Tasks, worker: int) -> int:
    task = tasks[worker] if worker != GONE else None
    return worker if task is not None and task.at == "writing" else GONE


def _in_order(state: State) -> State:
    """The workers change places, if so the one state of two comes out."""
    first, second = state.tasks
    if second is None and not (first is None and state.row.holder == 2):
        return state
    ranks = _rank(first, 1), _rank(second, 2)
    if ranks[0] < ranks[1]:
        return state
    turned = _turned(state)
    if ranks[0] > ranks[1]:
        return turned
    return min(state, turned, key=lambda s: (s.row.holder, number(s.queue), number(s.wishes), s.flights))


@cache
def _rank(task: Task | None, holder: int) -> int:
    """A number for a worker's task, whichever worker it is."""
    if task is None:
        return 10**12
    if task.row is None or task.row.holder in (0, DEAD):
        return number(task)
    return number(task._replace(row=task.row._replace(holder=-1 if task.row.holder == holder else -2)))


def _turned(state: State) -> State:
    first, second = state.tasks
    other = {0: 0, 1: 2, 2: 1, DEAD: DEAD}
    queue = tuple([m._replace(host=other[m.host]) if m.host else m for m in state.queue])

    def turn(row: Row) -> Row:
        return row._replace(holder=other[row.holder])

    def turned(task: Task | None) -> Task | None:
        return task._replace(row=turn(task.row)) if task and task.row else task

    wishes = tuple(w._replace(seen=(w.seen & 1) << 1 | w.seen >> 1) for w in state.wishes)
    return state._replace(
        row=turn(state.row),
        tasks=(turned(second), turned(first)),
        queue=tuple(sorted(queue, key=number)),
        wishes=tuple(sorted(wishes, key=number)),
        flights=tuple((1 - worker if worker != GONE else worker, ends) for worker, ends in state.flights),
    )
