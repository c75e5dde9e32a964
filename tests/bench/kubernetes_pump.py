"""A queue trigger in a thread: polls as the platform's host does, hands over one message at a time, deletes it."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from azure.storage.queue import QueueClient

from sandbox.functions.backoff import Backoff

Handle = Callable[[bytes, datetime], object]
LOCK_SECONDS = 600


class Pump:
    """Serves one queue until ``stop``. ``taken`` are the moments (seconds since 1970) of its dequeues."""

    def __init__(self, queue: QueueClient, handle: Handle, longest_pause: timedelta) -> None:
        self._queue, self._handle = queue, handle
        self._backoff = Backoff(longest_pause)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.taken: list[float] = []

    def start(self) -> Pump:
        """Begin to poll."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End after the message in hand."""
        self._ended.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._ended.wait(self._backoff.after(self._serve()).total_seconds())

    def _serve(self) -> bool:
        message = self._queue.receive_message(visibility_timeout=LOCK_SECONDS)
        if message is None:
            return False
        assert message.inserted_on
        self.taken.append(time.time())
        self._handle(base64.b64decode(message.content), message.inserted_on)
        self._queue.delete_message(message)
        return True
