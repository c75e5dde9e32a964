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
    """One message. ``receipt`` changes with each delivery: only the last receiver may delete it.

    ``about`` is the wake-up that it carries, if it carries one.
    """

    number: int
    body: str
    inserted: datetime
    visible: float
    about: WakeUp | None = None
    deliveries: int = 0
    receipt: int = 0


class SimQueue:
    """``arrived`` is called whenever a message becomes visible, ``added`` and ``gone`` with each one."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.kernel, self.name = kernel, name
        self.messages: dict[int, Message] = {}
        self.arrived: Callable[[], None] = lambda: None
        self.added: Callable[[Message], None] = lambda message: None
        self.gone: Callable[[Message], None] = lambda message: None
        self._numbers = 0

    def add(self, body: str, delay: float = 0.0, about: WakeUp | None = None) -> None:
        """A new message."""
        self._numbers += 1
        inserted = self.kernel.time().replace(microsecond=0)
        visible = self.kernel.now + math.ceil(max(0.0, delay))
        message = Message(self._numbers, body, inserted, visible, about)
        self.messages[message.number] = message
        self.added(message)
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
            self.gone(message)

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
        self._queue.add(encode(wake_up), delay_seconds, wake_up)
