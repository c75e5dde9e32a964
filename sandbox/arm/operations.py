"""Long-running operations: what `Azure-AsyncOperation` and `Location` point at."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Status = Literal["InProgress", "Succeeded", "Failed", "Canceled"]


@dataclass(frozen=True)
class Ending:
    """How an operation ends; anything but Succeeded was asked for through the back door."""

    status: Status = "Succeeded"
    code: str = ""
    message: str = ""

    @property
    def provisioning_state(self) -> str:
        """The state a written resource is left in."""
        return "Succeeded" if self.status == "Succeeded" else "Failed"


@dataclass
class Operation:
    """One asynchronous write or delete."""

    id: str
    method: str
    resource_id: str
    location: str
    uri: str
    ending: Ending
    status: Status = "InProgress"
    started: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def body(self) -> Json:
        """What a GET of the operation answers."""
        if self.status in ("InProgress", "Succeeded"):
            return {"status": self.status}
        error = {"code": self.ending.code, "message": self.ending.message, "details": []}
        return {"status": self.status, "error": error}


class Operations:
    """All operations, and which resource is busy with which."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}
        self._running: dict[str, Operation] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def start(
        self,
        method: str,
        resource_id: str,
        location: str,
        uri: Callable[[str], str],
        ending: Ending,
        *,
        seconds: float,
        finish: Callable[[], None],
    ) -> Operation:
        """Begin an operation that calls `finish` after `seconds`; before it returns when that is 0."""
        operation = Operation(str(uuid.uuid4()), method, resource_id, location, "", ending)
        operation.uri = uri(operation.id)
        self._operations[operation.id] = operation
        self._running[resource_id.lower()] = operation
        if seconds <= 0:
            self._end(operation, finish)
        else:
            self._later(seconds, lambda: self._end(operation, finish))
        return operation

    def get(self, operation_id: str) -> Operation | None:
        """An operation by id."""
        return self._operations.get(operation_id.lower())

    def running(self, resource_id: str) -> Operation | None:
        """The operation that a resource is busy with."""
        return self._running.get(resource_id.lower())

    def under_way(self) -> tuple[Operation, ...]:
        """All operations that run now."""
        return tuple(self._running.values())

    def running_below(self, resource_id: str) -> Operation | None:
        """The operation that the resource or one of its children is busy with."""
        prefix = resource_id.lower()
        for key, operation in self._running.items():
            if key == prefix or key.startswith(prefix + "/"):
                return operation
        return None

    def stop(self) -> None:
        """Cancel what is still to come."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _end(self, operation: Operation, finish: Callable[[], None]) -> None:
        self._running.pop(operation.resource_id.lower(), None)
        operation.status = operation.ending.status
        finish()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)
