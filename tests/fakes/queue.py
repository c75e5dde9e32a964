"""The port ``Queue`` in memory, with what a test asks of a queue: what was sent, and what is visible now."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.ports import WakeUp

LONGEST_DELAY = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in the queue. ``inserted`` is in whole seconds, rounded down, as the service tells it."""

    wake_up: WakeUp
    inserted: datetime
    visible: datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryQueue:
    """``now`` is the storage service's clock."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self.messages: list[Sent] = []

    def create(self) -> None:
        """Nothing to create."""

    def send(self, wake_up: WakeUp, delay_seconds: float = 0) -> None:
        now = self._now()
        delay = min(max(0, math.ceil(delay_seconds)), LONGEST_DELAY)
        self.messages.append(Sent(wake_up, now.replace(microsecond=0), now + timedelta(seconds=delay)))

    def receive(self) -> list[Sent]:
        """Take out what is visible now, oldest first."""
        now = self._now()
        taken = [message for message in self.messages if message.visible <= now]
        self.messages = [message for message in self.messages if message.visible > now]
        return taken
