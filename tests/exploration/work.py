"""What a worker does next, step by step as in the shell, and what may go wrong with it.

A step is one call to the outside, as :mod:`reconciler.worker` makes them. Consecutive steps are one where
nobody else could notice: receiving and reading, the end of a run and reading the row, the last write and the
host's deleting of the message.

Trouble: a process dies (its message comes back in ten minutes), a worker freezes and goes on at any later
time, or storage fails, with or without having acted (the message comes back in half a minute).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler import wakeups
from reconciler.worker import TRIES
from tests.exploration.moments import LAST_WRITES
from tests.exploration.protocol import LASTS, Decision, Ended, Functions, Hold, Protocol, Wake
from tests.exploration.state import (
    Broken,
    Message,
    State,
    Task,
    died,
    failed,
    frozen,
    served,
    thawed,
    troubled,
    working,
    written,
)

COME_BACK, REFUSED, BACK_OFF = 4, 2, 10  # as the shell asks for them

Step = tuple[str, State]


@dataclass(frozen=True)
class Work:
    """The rules. ``skews`` are the workers' clocks, ``queue`` and ``table`` the storage services' (half seconds)."""

    functions: Functions = field(default_factory=Functions)
    skews: tuple[int, int] = (0, 0)
    queue: int = 0
    table: int = 0
    protocol: Protocol = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", Protocol(self.functions))

    def work(self, state: State, worker: int) -> Iterator[Step]:
        """The next step of a worker that is not idle."""
        task = state.tasks[worker]
        assert task is not None
        if task.frozen:
            yield f"{worker} thaws", thawed(state, worker, task)
        else:
            yield from getattr(self, f"_{task.at}")(state, worker, task)
            if state.budget.troubles:
                yield from self._trouble(state, worker, task)

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
            w._replace(seen=w.seen | bit) if w.due is None or w.due <= state.now else w for w in state.wishes
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
        if any(ends > state.now for _, ends in state.flights):
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
                after = served(after, worker)
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
        yield f"{worker} freezes", frozen(after, worker, task)

    def _sent(self, state: State, wake: Wake, skew: int) -> State:
        """The delay is by the sender's clock, in whole seconds, rounded up."""
        delay = max(0, wake.due - state.now - skew) if wake.due is not None else 0
        inserted = (state.now + self.queue) // 2 * 2
        if wake.due is not None:
            inserted = max(inserted, wake.due)  # when it was inserted before that, nobody asks
        message = Message(wake, inserted, state.now + (delay + 1) // 2 * 2)
        return state._replace(queue=(*state.queue, message))


def _deciding(made: Decision, message: Message, tries: int) -> Task:
    return Task("take", message, made.kind, made.row, made.messages, tries=tries)
