"""Event Grid in virtual time: events come late, and are lost, doubled and reordered on request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from tests.simulation.kernel import Kernel

WRITTEN, DELETED = "Microsoft.Resources.ResourceWriteSuccess", "Microsoft.Resources.ResourceDeleteSuccess"
FAILED = "Microsoft.Resources.ResourceWriteFailure"


@dataclass
class EventGrid:
    """Delivers what happened, late; loses, doubles and reorders it on request."""

    kernel: Kernel
    deliver: Callable[[str], None] = lambda body: None
    until: dict[str, float] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def trouble(self, how: str) -> bool:
        """Whether events go wrong in this way now."""
        return self.until.get(how, 0.0) > self.kernel.now

    def publish(self, kind: str, resource_id: str) -> None:
        """Something happened to a resource."""
        number, chance = next(self.numbers), self.kernel.random
        if self.trouble("lost"):
            return
        event = {
            "id": f"event-{number}",
            "eventType": kind,
            "subject": resource_id,
            "eventTime": self.kernel.time().isoformat(),
            "data": {},
            "dataVersion": "2",
            "metadataVersion": "1",
            "topic": "/subscriptions/00000000-0000-0000-0000-000000000001",
        }
        body = json.dumps([event])
        for _ in range(2 if self.trouble("doubled") else 1):
            late = chance.uniform(0.3, 90.0 if self.trouble("reordered") else 2.0)
            self.kernel.after(late, lambda: self.deliver(body))
