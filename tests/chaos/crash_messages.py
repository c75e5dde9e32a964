"""Messages in the platform's hands, and what became of them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the platform's hands, to be delivered at ``at`` (shifted time)."""

    kind: str
    at: datetime
    body: str = ""
    inserted: datetime | None = None
    queue: str = ""
    tries: int = 0
    orphaned: bool = False  # its worker died

    @property
    def reason(self) -> str:
        """Why the worker is woken; "" for other kinds."""
        return str(json.loads(base64.b64decode(self.body))["reason"]) if self.kind == "wake-up" else ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was handed over, and how it ended: ``done``, ``error`` or ``died``."""

    message: Message
    ended: str
    answer: Any
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What the pump delivered until there was nothing left. ``finished``: what was waited for came, too."""

    deliveries: tuple[Delivery, ...]
    finished: bool = True

    @property
    def killed(self) -> bool:
        """Whether a worker died."""
        return any(d.ended == "died" for d in self.deliveries)

    @property
    def calls(self) -> list[str]:
        """The points that were passed, in their order."""
        return [call for delivery in self.deliveries for call in delivery.calls]

    @property
    def errors(self) -> list[str]:
        """What handlers raised."""
        return [str(d.answer) for d in self.deliveries if d.ended == "error"]
