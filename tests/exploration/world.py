"""A small world that wakes one cluster: what can happen next in a state, step by step as in the shell.

Two workers serve a queue and share the lease row. A step is one call to the outside, as
:mod:`reconciler.worker` makes them; between any two steps anything else may happen:

- a wish (a message from outside) is sent, at any moment;
- the other worker makes a step;
- trouble, once: a process dies (its message comes back in ten minutes), a worker freezes and goes on at any
  later time, or storage fails, with or without having acted (the message comes back in half a minute);
- time passes: to the next instant at which any answer of the protocol changes. Workers are quick: while one
  is neither idle nor frozen, time passes only ``pauses`` times.

Consecutive steps are one where nobody else could notice: receiving and reading, the end of a run and
reading the row, the last write and the host's deleting of the message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler import wakeups
from reconciler.worker import TRIES
from tests.exploration.protocol import HALF, LASTS, Decision, Ended, Functions, Hold, Protocol, Wake
from tests.exploration.sameness import same
from tests.exploration.state import (
    INVISIBLE,
    SENT,
    UNSENT,
    Broken,
    Message,
    State,
    Task,
    died,
    failed,
    served,
    thawed,
    troubled,
    working,
    written,
)

SLACK, LAST_WRITES, REST = (t // HALF for t in (wakeups.SLACK, wakeups.LAST_WRITES, wakeups.REST))
SPREAD, COME_BACK, REFUSED, BACK_OFF = 8, 4, 2, 10  # as the shell asks for them

Step = tuple[str, State]


@dataclass(frozen=True)
class World:
    """The rules. ``skews`` are the workers' clocks, ``queue`` and ``table`` the storage services' (half seconds)."""

    functions: Functions = field(default_factory=Functions)
    skews: tuple[int, int] = (0, 0)
    queue: int = 0
    table: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", Protocol(self.functions))

    protocol: Protocol = field(init=False)

    # What can happen

    def steps(self, state: State) -> Iterator[Step]:
        """Every next state, each with what happened. Raises Broken where that breaks a promise."""
        for what, found in self._steps(state):
            yield what, same(found, self.skews[0] == self.skews[1])

    def _steps(self, state: State) -> Iterator[Step]:
        yield from self._send_wishes(state)
        for worker, task in enumerate(state.tasks):
            if task is None:
                yield from self._receive(state, worker)
            elif task.frozen:
                yield f"{worker} thaws", thawed(state, worker, task)
            else:
                yield from getattr(self, f"_{task.at}")(state, worker, task)
                if state.budget.troubles:
                    yield from self._trouble(state, worker, task)
        yield from self._pass_time(state)

    def _send_wishes(self, state: State) -> Iterator[Step]:
        for index, wish in enumerate(state.wishes):
            if wish.state == UNSENT and (index == 0 or state.wishes[index - 1] != wish):
                due = state.now + SPREAD if wish.reason == "timer" else None
                sent = self._sent(state, Wake(wish.reason, due), 0)
                wishes = list(state.wishes)
                wishes[index] = wish._replace(state=SENT, due=due)
                yield f"send {wish.reason}", sent._replace(wishes=tuple(wishes))

    def _receive(self, state: State, worker: int) -> Iterator[Step]:
        if worker and state.tasks[0] is None and self.skews[0] == self.skews[1]:
            return  # two idle workers are the same
        for index, message in enumerate(state.queue):
            if message.visible <= state.now and message not in state.queue[:index]:
                rest = state.queue[:index] + state.queue[index + 1 :]
                yield from self._read(state._replace(queue=rest), worker, message, 0)

    # A message and the row

    def _read(self, state: State, worker: int, message: Message, tries: int) -> Iterator[Step]:
        if tries >= TRIES:  # it is sent again, a second later
            again = Message(message.wake, (state.now + self.queue) // 2 * 2, state.now + 2)
            yield f"{worker} loses every race", state._replace(queue=(*state.queue, again))
            return
        now, what = state.now + self.skews[worker], f"{worker} reads {message.wake.reason}"
        made = self.protocol.arrive(message.wake, message.inserted, state.row, now, worker + 1)
        if state.budget.troubles and not tries:
            yield f"{what}: fails", failed(troubled(state), worker, message)
        if made.kind == "Take" and message.wake.reason == wakeups.PROBE and not state.row.holder:
            yield f"{what}: unchanged", state
        if made.row is None and not made.messages:
            yield f"{what}: Drop", state
        else:
            yield f"{what}: {made.kind}", working(state, worker, _deciding(made, message, tries))

    def _take(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        if task.out:
            after = self._sent(state, task.out[0], self.skews[worker])
            after = working(after, worker, task._replace(out=task.out[1:]))
            if task.kind == "Drop":
                after = working(after, worker, None)
            yield from self._or_fails(state, after, worker, task, f"{worker} sends {task.out[0].reason}")
        elif task.row is None:
            yield from self._read(working(state, worker, None), worker, task.message, task.tries + 1)
        else:
            after = (
                self._began(state, worker, task) if task.kind == "Take" else written(state, worker, task.row)
            )
            yield from self._or_fails(state, after, worker, task, f"{worker} writes {task.kind}")

    def _began(self, state: State, worker: int, task: Task) -> State:
        row = task.row
        assert row is not None
        assert row.until is not None
        state = written(state, worker, row)
        hold = Hold(row.fence, state.now + self.table, row.until)
        bit = 1 << worker
        wishes = tuple(
            w._replace(seen=w.seen | bit) if w.state == SENT and (w.due is None or w.due <= state.now) else w
            for w in state.wishes
        )
        return working(state._replace(wishes=wishes), worker, Task("run", task.message, hold=hold))

    # A run

    def _run(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        now, budget = state.now + self.skews[worker], state.budget
        yield from self._end(state, worker, task, Ended(True, serves=True))
        if budget.looks:
            looked = state._replace(budget=budget._replace(looks=budget.looks - 1))
            yield from self._end(looked, worker, task, Ended(True, now + COME_BACK, serves=True))
        if budget.failures:
            failed = state._replace(budget=budget._replace(failures=budget.failures - 1))
            yield from self._end(failed, worker, task, Ended(False, None, now + BACK_OFF))
            yield from self._end(failed, worker, task, Ended(True, now + REFUSED, now + BACK_OFF))
            yield from self._give_up(failed, worker, task)
        guard = self.protocol.guard(now + LASTS)
        after = working(
            self._sent(state, guard, self.skews[worker]), worker, task._replace(at="renew", since=now)
        )
        yield from self._or_gives_up(state, after, worker, task, f"{worker} sends guard")

    def _renew(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        hold = task.hold
        assert hold is not None
        row = self.protocol.renew(hold, worker + 1, state.row, task.since)
        if row is None:
            lost = task._replace(at="write", hold=hold._replace(until=task.since))
            yield f"{worker} lost its lease", working(state, worker, lost)
        else:
            yield f"{worker} reads to renew", working(state, worker, task._replace(at="renewal", row=row))
        if state.budget.troubles:
            yield from self._give_up(troubled(state), worker, task)

    def _renewal(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        if task.row is None:
            if task.tries + 1 >= TRIES:
                raise Broken("contention alone keeps a lease from being renewed")
            yield from self._renew(state, worker, task._replace(tries=task.tries + 1))
            return
        assert task.hold is not None
        assert task.row.until is not None
        renewed = Task("write", task.message, hold=task.hold._replace(until=task.row.until))
        after = working(written(state, worker, task.row), worker, renewed)
        yield from self._or_gives_up(state, after, worker, task, f"{worker} renews")

    def _write(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        now, hold = state.now + self.skews[worker], task.hold
        assert hold is not None
        if not self.protocol.may_write(hold, now):
            yield from self._end(state, worker, task, Ended(True, now + REFUSED))
            return
        if state.flights:
            raise Broken(f"worker {worker} writes while another's write is under way")
        if hold.fence != state.row.fence:
            raise Broken(f"worker {worker} writes after its lease was taken over")
        ends = state.now + LAST_WRITES - abs(self.skews[0] - self.skews[1])
        begun = working(state, worker, task._replace(at="writing"))
        yield f"{worker} begins to write", begun._replace(flights=((worker, ends),))

    def _writing(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        now, budget = state.now + self.skews[worker], state.budget
        landed = state._replace(flights=tuple(f for f in state.flights if f[0] != worker))
        if budget.looks:
            looked = landed._replace(budget=budget._replace(looks=budget.looks - 1))
            yield from self._end(looked, worker, task, Ended(True, now + COME_BACK, serves=True))
        else:
            yield from self._end(landed, worker, task, Ended(True, serves=True))
        if budget.troubles:
            yield from self._give_up(troubled(landed), worker, task)

    # The end of a run

    def _end(self, state: State, worker: int, task: Task, ended: Ended, tries: int = 0) -> Iterator[Step]:
        """The row is read; where that fails, the message comes again."""
        if tries >= TRIES:
            raise Broken("contention alone keeps a lease from being released")
        assert task.hold is not None
        how = f"{worker} ended {ended.completed, ended.come_back, ended.back_off}{' raising' * task.raising}"
        now = state.now + self.skews[worker]
        released = self.protocol.release(task.hold, worker + 1, state.row, ended, now)
        if released is None:
            yield f"{how}: lost", self._finished(state, worker, task)
        else:
            row, out = released
            ending = task._replace(at="release", row=row, out=out, ended=ended, tries=tries)
            yield how, working(state, worker, ending)
        if state.budget.troubles:
            yield from self._end_fails(troubled(state), worker, task, how)

    def _end_fails(self, state: State, worker: int, task: Task, how: str) -> Iterator[Step]:
        """A run that gives up leaves a guard, unless that fails as well."""
        yield f"{how}: storage fails", failed(state, worker, task.message)
        if task.raising:
            assert task.hold is not None
            guarded = self._sent(state, self.protocol.guard(task.hold.until), self.skews[worker])
            yield f"{how}: storage fails, guard", failed(guarded, worker, task.message)

    def _give_up(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        ended = Ended(False, None, state.now + self.skews[worker] + BACK_OFF)
        giving = task._replace(raising=True)
        yield from self._end(state, worker, giving, ended)
        yield from self._end_fails(state, worker, giving, f"{worker} gives up")

    def _release(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        assert task.ended is not None
        if task.out:
            after = self._sent(state, task.out[0], self.skews[worker])
            after = working(after, worker, task._replace(out=task.out[1:]))
            what = f"{worker} sends {task.out[0].reason}"
        elif task.row is None:
            yield from self._end(state, worker, task, task.ended, task.tries + 1)
            return
        else:
            what, after = f"{worker} releases", written(state, worker, task.row)
            if task.ended.serves:
                after = after._replace(wishes=tuple(served(w, 1 << worker) for w in after.wishes))
            after = self._finished(after, worker, task)
        yield what, after
        if state.budget.troubles:
            for base in (state, after):
                yield from self._end_fails(troubled(base), worker, task, what)

    def _finished(self, state: State, worker: int, task: Task) -> State:
        return failed(state, worker, task.message) if task.raising else working(state, worker, None)

    # Trouble

    def _or_fails(self, state: State, after: State, worker: int, task: Task, what: str) -> Iterator[Step]:
        """A call before the run: it is made; or storage fails, having acted or not; or all ends after it."""
        yield what, after
        if state.budget.troubles:
            yield f"{what}: fails", failed(troubled(state), worker, task.message)
            yield f"{what}: fails late", failed(troubled(after), worker, task.message)
            if after.tasks[worker] is None:
                yield f"{what}: dies", died(troubled(after), worker, task.message)

    def _or_gives_up(self, state: State, after: State, worker: int, task: Task, what: str) -> Iterator[Step]:
        """A call in a run: it is made; or storage fails, having acted or not, and the run gives up."""
        yield what, after
        if state.budget.troubles:
            for base in (state, after):
                yield from self._give_up(troubled(base), worker, task)

    def _trouble(self, state: State, worker: int, task: Task) -> Iterator[Step]:
        after = troubled(state)
        yield f"{worker} dies", died(after, worker, task.message)
        again = task.message._replace(visible=state.now + INVISIBLE)
        frozen = working(after, worker, task._replace(frozen=True))
        yield f"{worker} freezes", frozen._replace(queue=(*state.queue, again))

    # Time

    def _pass_time(self, state: State) -> Iterator[Step]:
        waits = None in state.tasks and any(m.visible <= state.now for m in state.queue)
        busy = waits or any(task and not task.frozen for task in state.tasks)
        if busy and not state.budget.pauses:
            return
        if then := min((t for t in self._instants(state) if t > state.now), default=None):
            paused = state.budget._replace(pauses=state.budget.pauses - busy)
            yield f"time passes to {then / 2}", state._replace(now=then, budget=paused)

    def _instants(self, state: State) -> Iterator[int]:
        """When an answer of the protocol may change."""
        row = state.row
        for message in state.queue:
            yield message.visible
        ends = [row.until] if row.until is not None and row.holder else []
        ends += [task.hold.until for task in state.tasks if task and task.hold]
        starts = [t for t in (row.not_before, row.parked) if t is not None]
        rests = [row.covered + REST] if row.covered is not None else []
        for skew in set(self.skews):
            yield from (t - skew for t in (*ends, *starts, *rests))
            yield from (t - LAST_WRITES - skew + late for t in ends for late in (0, 1))
        yield from (t + SLACK + 1 - self.table for t in (_time(m) for m in state.queue))
        yield from (ends for _, ends in state.flights)

    def _sent(self, state: State, wake: Wake, skew: int) -> State:
        """The delay is by the sender's clock, in whole seconds, rounded up."""
        delay = max(0, wake.due - state.now - skew) if wake.due is not None else 0
        inserted = (state.now + self.queue) // 2 * 2
        if wake.due is not None:
            inserted = max(inserted, wake.due)  # when it was inserted before that, nobody asks
        message = Message(wake, inserted, state.now + (delay + 1) // 2 * 2)
        return state._replace(queue=(*state.queue, message))


def _time(message: Message) -> int:
    due = message.wake.due
    return message.inserted if due is None else max(message.inserted, due)


def _deciding(made: Decision, message: Message, tries: int) -> Task:
    return Task("take", message, made.kind, made.row, made.messages, tries=tries)
