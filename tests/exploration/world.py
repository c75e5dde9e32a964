"""A small world that wakes one cluster: what can happen next in a state, and what of that is tried.

Two workers serve a queue and share the lease row. Between any two steps of theirs (:mod:`tests.exploration.work`)
anything else may happen:

- a wish (a message from outside) is sent, at any moment;
- the other worker makes a step;
- time passes: to the next instant at which any answer of the protocol changes. Workers are quick: while one
  is neither idle nor frozen, time passes only ``pauses`` times.

Not all orders are tried (``all_orders`` does), since some lead to the same, or to what is easier to keep:

- a wish is sent only when it is received at once or when time may pass. Sent earlier in the same moment, it
  would have changed no other step, and only have been seen by more runs, so that it would be lost less;
- who is about to send a message does that, or has its trouble, before anybody else makes a step. The steps of
  the others up to then neither need nor change what it sends, the row it has read or what may still go wrong
  with it; and no time passes meanwhile. Nobody can go round in circles in that way: it has few messages;
- of two idle workers with like clocks, the first receives.

``tests/exploration/test_reductions.py`` compares with a world in which nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler import wakeups
from tests.exploration.moments import busy, instants
from tests.exploration.protocol import Wake
from tests.exploration.sameness import same
from tests.exploration.state import State, Wish, to_come
from tests.exploration.work import Step, Work

SPREAD = 8  # for so long a timer's message is delayed


@dataclass(frozen=True)
class World(Work):
    """``merged``: states that nobody can tell apart are one; ``all_orders``: nothing is left out."""

    merged: bool = True
    all_orders: bool = False

    def steps(self, state: State) -> Iterator[Step]:
        """Every next state, each with what happened. Raises Broken where that breaks a promise."""
        twins = self.skews[0] == self.skews[1]
        for what, found in self._steps(state):
            yield what, same(found, twins) if self.merged else found

    def _steps(self, state: State) -> Iterator[Step]:
        alone = None if self.all_orders else self.unnoticed(state)
        if alone is not None:
            yield from self.work(state, alone)
            return
        yield from self.send_wishes(state)
        for worker, task in enumerate(state.tasks):
            if task is None:
                yield from self.receive(state, worker)
            else:
                yield from self.work(state, worker)
        yield from self.pass_time(state)

    def unnoticed(self, state: State) -> int | None:
        """A worker whose next step nobody notices before it makes another: it sends a message."""
        if state.budget.pauses:
            return None  # the message is due later if it is sent later
        for worker, task in enumerate(state.tasks):
            if task is not None and task.out and not task.frozen:
                return worker
        return None

    def send_wishes(self, state: State) -> Iterator[Step]:
        """A message comes from outside."""
        for kind, rest in to_come(state.unsent):
            sent = self._wished(state, kind, rest)
            if self.all_orders or self._may_pass(sent):
                yield f"send {kind}", sent

    def _wished(self, state: State, kind: str, rest: tuple[str, ...]) -> State:
        """It is in the queue. Nobody is promised that a probe is served: the next one asks again."""
        due = state.now + SPREAD if kind == "timer" else None
        wishes = state.wishes if kind == wakeups.PROBE else (*state.wishes, Wish(due))
        return self._sent(state._replace(unsent=rest, wishes=wishes), Wake(kind, due), 0)

    def receive(self, state: State, worker: int) -> Iterator[Step]:
        """An idle worker gets a message: one of the queue, or one that has only just been sent."""
        if not self.all_orders and worker and state.tasks[0] is None and self.skews[0] == self.skews[1]:
            return  # two idle workers are the same
        for index, message in enumerate(state.queue):
            if message.visible <= state.now and message not in state.queue[:index]:
                rest = state.queue[:index] + state.queue[index + 1 :]
                yield from self._read(state._replace(queue=rest), worker, message._replace(host=0), 0)
        for kind, rest_unsent in () if self.all_orders else to_come(state.unsent):
            sent = self._wished(state, kind, rest_unsent)
            message = sent.queue[-1]
            if message.visible <= state.now:
                yield from self._read(sent._replace(queue=state.queue), worker, message, 0)

    def pass_time(self, state: State) -> Iterator[Step]:
        """To the next instant that matters, if there is one."""
        if not self._may_pass(state):
            return
        if then := min((t for t in instants(state, self.skews, self.table) if t > state.now), default=None):
            paused = state.budget._replace(pauses=state.budget.pauses - busy(state))
            yield f"time passes to {then / 2}", state._replace(now=then, budget=paused)

    def _may_pass(self, state: State) -> bool:
        return state.budget.pauses > 0 or not busy(state)
