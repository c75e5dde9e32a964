"""What happens inside a worker process at one of its outside calls: it dies, stands still, or the world changes.

The hook runs in the worker; ``door`` is where it asks the test's process to let something happen meanwhile.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.clock import ShiftedClock
from tests.chaos.crash_calls import Call, Recorder, Send

Json = dict[str, Any]
STOOD_STILL = "(stood still)"


@dataclass
class Moments(Recorder):
    """``crash`` and ``freeze`` count calls from now; ``ahead`` is what the clock is wrong by, in seconds.

    crash: ``{"calls", "acted"}``; freeze: ``{"calls", "seconds"}``; meanwhile: ``[{"number", "method", "path"}]``,
    where method and path are regular expressions. A process that stood still finds that time has gone by: its
    clock leaps, and it says so in the list of calls.
    """

    door: int = 0
    crash: Json | None = None
    freeze: Json | None = None
    meanwhile: list[Json] = field(default_factory=list)
    ahead: float = 0.0
    tell: Callable[[Mapping[str, Any]], None] = lambda word: None

    def __post_init__(self) -> None:
        def now(clock: ShiftedClock) -> datetime:
            return datetime.now(UTC) + clock.shift + timedelta(seconds=self.ahead)

        setattr(ShiftedClock, "now", now)  # noqa: B010 (the storage's stamps keep the right time)

    def around(self, call: Call, send: Send) -> Any:
        """Count the call, let happen what is due, and send."""
        point = self.counted(call)
        with self._lock:
            before, after = self._due(call)
        for act in before:
            act(point)
        answer = send()
        for act in after:
            act(point)
        return answer

    def _due(self, call: Call) -> tuple[list[Callable[[str], None]], list[Callable[[str], None]]]:
        before: list[Callable[[str], None]] = [lambda _, m=m: self._ask(m) for m in self._met(call)]  # type: ignore[misc]
        after: list[Callable[[str], None]] = []
        if self.freeze and self._counted_down(self.freeze):
            seconds, self.freeze = self.freeze["seconds"], None
            before.append(lambda _: self._leap(seconds))
        if self.crash and self._counted_down(self.crash):
            (after if self.crash["acted"] else before).append(self._die)
        return before, after

    def _met(self, call: Call) -> list[Json]:
        met = [
            m
            for m in self.meanwhile
            if re.fullmatch(m["method"], call.method) and re.search(m["path"], call.path, re.IGNORECASE)
        ]
        self.meanwhile = [m for m in self.meanwhile if m not in met]
        return met

    @staticmethod
    def _counted_down(what: Json) -> bool:
        what["calls"] -= 1
        return bool(what["calls"] <= 0)

    def _ask(self, moment: Json) -> None:
        with socket.create_connection(("127.0.0.1", self.door), timeout=60) as line:
            line.sendall(f"{moment['number']}\n".encode())
            line.recv(1)

    def _leap(self, seconds: float) -> None:
        self.ahead += seconds
        self.calls.append(f"{STOOD_STILL} {seconds}")

    def _die(self, point: str) -> None:
        self.tell({"killing": point, "calls": self.calls[self.handed :]})
        os.kill(os.getpid(), signal.SIGKILL)
