"""A storage queue in virtual time: whole-second insertion times, visibility, receipts, dequeue counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.messages import encode
from reconciler.ports import WakeUp
from tests.simulation.kernel import Kernel

INVISIBLE = 600.0


@dataclass
class Message:
    """One message. ``receipt`` changes with each delivery: only the last receiver may delete it."""

    number: int
    body: str
    inserted: datetime
    visible: float
    deliveries: int = 0
    receipt: int = 0


class SimQueue:
    """``arrived`` is called whenever a message becomes visible."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel, self.name = kernel, name
        self.messages: dict[int, Message] = {}
        self.arrived: Callable[[], None] = lambda: None
        self._numbers = 0

    def add(self, body: str, delay: float = 0.0) -> None:
        """A new message."""
        self._numbers += 1
        inserted = self.kernel.time().replace(microsecond=0)
        message = Message(self._numbers, body, inserted, self.kernel.now + math.ceil(max(0.0, delay)))
        self.messages[message.number] = message
        self._announce(message)

    def receive(self) -> Message | None:
        """The oldest visible message, invisible for ten minutes from now on."""
        ready = [m for m in self.messages.values() if m.visible <= self.kernel.now]
        if not ready:
            return None
        message = min(ready, key=lambda m: (m.visible, m.number))
        message.deliveries += 1
        message.receipt += 1
        self._hide(message, INVISIBLE)
        return message

    def waiting(self) -> bool:
        """Whether anything is visible."""
        return any(m.visible <= self.kernel.now for m in self.messages.values())

    def finish(self, message: Message, receipt: int) -> None:
        """Served: gone, unless somebody else received it meanwhile."""
        if message.receipt == receipt:
            self.messages.pop(message.number, None)

    def again(self, message: Message, receipt: int, seconds: float) -> None:
        """Failed: visible again soon."""
        if message.receipt == receipt and message.number in self.messages:
            self._hide(message, seconds)

    def _hide(self, message: Message, seconds: float) -> None:
        message.visible = self.kernel.now + seconds
        self._announce(message)

    def _announce(self, message: Message) -> None:
        self.kernel.at(message.visible, lambda: self.arrived())


class WakeUps:
    """The port ``Queue`` over a queue."""

    def __init__(self, queue: SimQueue) -> None:
        self._queue = queue

    def create(self) -> None:
        """Nothing to create."""

    def send(self, wake_up: WakeUp, delay_seconds: float = 0) -> None:
        """Send it in its wire form."""
        self._queue.add(encode(wake_up), delay_seconds)
