"""The work queue in Azure Storage. What a message says is :mod:`reconciler.messages`."""

from __future__ import annotations

import math
from contextlib import suppress

from azure.core.exceptions import ResourceExistsError

from reconciler.adapters.storage import StorageAccount, translated
from reconciler.messages import encode
from reconciler.ports import WakeUp

LONGEST_DELAY = 7 * 24 * 3600
_FOREVER = -1


class StorageQueue:
    """The port ``Queue`` on a storage queue."""

    def __init__(self, account: StorageAccount, name: str = "reconcile") -> None:
        self._name = name
        self._client = account.queues.get_queue_client(name)

    def create(self) -> None:
        """Create the queue where it is missing."""
        with translated(f"creating the queue {self._name}"), suppress(ResourceExistsError):
            self._client.create_queue()

    def send(self, wake_up: WakeUp, delay_seconds: float = 0) -> None:
        """Send, visible after the delay (whole seconds, rounded up; at most 7 days)."""
        delay = min(max(0, math.ceil(delay_seconds)), LONGEST_DELAY)
        with translated(f"sending to the queue {self._name}"):
            self._client.send_message(encode(wake_up), visibility_timeout=delay, time_to_live=_FOREVER)
