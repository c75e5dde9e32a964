"""Virtual time: flows (greenlets) that stand still for a while, one running at a time, all order from one seed."""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from greenlet import getcurrent, greenlet

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Crash(BaseException):
    """The process of a flow is dead: nothing it does has an effect any more."""


class Frozen(Protocol):
    """What a flow belongs to: it does not go on before this moment."""

    thaw: float


class Flow:
    """One thread of control. ``owner`` is what can freeze it, None where nothing can."""

    def __init__(self, kernel: Kernel, call: Callable[[], None], owner: Frozen | None) -> None:
        self.kernel, self.owner, self.done = kernel, owner, False
        self._greenlet = greenlet(lambda: self._run(call), kernel.hub)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Crash:
            pass
        finally:
            self.done = True

    def wake(self) -> None:
        """Go on, or later where its owner is frozen."""
        if self.done:
            return
        if self.owner and self.owner.thaw > self.kernel.now:
            self.kernel.at(self.owner.thaw, self.wake)
        else:
            self.kernel.current = self
            self._greenlet.switch()

    def kill(self) -> None:
        """Raise Crash where it stands."""
        if not self.done:
            self.kernel.current = self
            self._greenlet.throw(Crash())


class Kernel:
    """The heap of what is to come, the clock, the one source of chance, and the trace of what was."""

    def __init__(self, seed: int) -> None:
        self.hub = getcurrent()
        self.now, self.until = 0.0, 0.0
        self.random = Random(seed)
        self.current: Flow | None = None
        self.wrong: list[str] = []
        self.recent: deque[str] = deque(maxlen=400)
        self.calls = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._trace = hashlib.blake2b(digest_size=12)

    def time(self) -> datetime:
        """The true time."""
        return START + timedelta(seconds=self.now)

    @property
    def trace(self) -> str:
        """Tells one history from another."""
        return self._trace.hexdigest()

    def note(self, line: str) -> None:
        """Something happened."""
        stamped = f"{self.now:.3f} {line}"
        self._trace.update(stamped.encode())
        self.recent.append(stamped)

    def violation(self, what: str) -> None:
        """An invariant is broken: the run ends as soon as the flow stands still."""
        self.note(f"VIOLATION {what}")
        self.wrong.append(what)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Call then."""
        self._order += 1
        heapq.heappush(self._heap, (max(when, self.now), self._order, call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call in so many seconds."""
        self.at(self.now + seconds, call)

    def spawn(self, call: Callable[[], None], owner: Frozen | None = None) -> Flow:
        """A flow that begins now."""
        flow = Flow(self, call, owner)
        self.at(self.now, flow.wake)
        return flow

    def pause(self, seconds: float) -> None:
        """The current flow stands still. Without a switch where nobody else would run meanwhile."""
        flow, then = self.current, self.now + seconds
        if flow is None:
            raise RuntimeError("only a flow can stand still")
        frozen = flow.owner is not None and flow.owner.thaw > self.now
        if not frozen and then < self.until and (not self._heap or self._heap[0][0] > then):
            self.now = then
            return
        self.at(then, flow.wake)
        self.hub.switch()

    def run(self, seconds: float) -> None:
        """Let time go on. Raises AssertionError once an invariant is broken."""
        self.until = self.now + seconds
        while self._heap and self._heap[0][0] <= self.until:
            self.now, _, call = heapq.heappop(self._heap)
            call()
            self.current = None
            if self.wrong:
                raise AssertionError("\n".join(self.wrong))
        self.now = self.until
