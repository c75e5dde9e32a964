"""A queue trigger, as the Storage extension runs it.

A message is received for ten minutes and its lock renewed every five while the function runs. After
success it is deleted; after a failure it comes back when `visibilityTimeout` is over, or, on its
last try, goes to `<queue>-poison`. A message that was received too often already (hosts that died)
goes there without an invocation, and so does one that cannot be decoded. What fails from a poison
queue stays there, invisible until its lock ends.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from sandbox.functions.backoff import Backoff
from sandbox.functions.configuration import QueueOptions
from sandbox.functions.invocation import FunctionFailed

log = logging.getLogger(__name__)

LOCK = timedelta(minutes=10)
POISON = "-poison"
_LONGEST_NAME = 63

Handle = Callable[[bytes, dict[str, Any]], Awaitable[Any]]  # body, metadata; raises FunctionFailed


def poison_queue(name: str) -> str | None:
    """Where a queue's failed messages go; a poison queue has no such place."""
    poison = name + POISON
    return None if name.endswith(POISON) or len(poison) > _LONGEST_NAME else poison


class HeldMessage:
    """A message that we hold; each update gives it a new receipt."""

    def __init__(self, queue: QueueClient, message: QueueMessage) -> None:
        self._queue = queue
        self._message = message
        self.content: str = message.content
        self.tries: int = message.dequeue_count or 0
        self.label = f"message {message.id} of {queue.queue_name}"

    def metadata(self) -> dict[str, Any]:
        """What the platform hands to the function next to the body."""
        return {
            "Id": self._message.id,
            "DequeueCount": self.tries,
            "InsertionTime": _iso(self._message.inserted_on),
            "ExpirationTime": _iso(self._message.expires_on),
            "NextVisibleTime": _iso(self._message.next_visible_on),
            "PopReceipt": self._message.pop_receipt,
        }

    async def hide(self, period: timedelta) -> None:
        """Make it invisible for a period from now on; zero gives it back at once."""
        updated = await self._queue.update_message(
            self._message.id,
            self._message.pop_receipt,
            visibility_timeout=int(period.total_seconds()),
        )
        self._message.pop_receipt = updated.pop_receipt

    async def delete(self) -> None:
        """Done with it; if somebody else changed or deleted it meanwhile, it is theirs."""
        try:
            await self._queue.delete_message(self._message.id, self._message.pop_receipt)
        except HttpResponseError as error:
            if error.status_code not in (400, 404):  # PopReceiptMismatch, MessageNotFound
                raise
            log.debug("%s was changed or deleted by another: %s", self.label, error.message)


class QueueListener:
    """Polls one queue and handles up to batchSize + newBatchThreshold messages at a time."""

    def __init__(
        self,
        queue: QueueClient,
        poison: QueueClient | None,
        options: QueueOptions,
        handle: Handle,
        lock: timedelta = LOCK,
    ) -> None:
        self._queue = queue
        self._poison = poison
        self._options = options
        self._handle = handle
        self._lock = lock
        self._backoff = Backoff(options.max_polling_interval)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until cancelled; what is being handled then goes on (see `drain`)."""
        while True:
            pause = self._backoff.after(await self._poll())
            await asyncio.sleep(pause.total_seconds())

    async def drain(self, seconds: float) -> None:
        """Wait for the messages in hand, then give up: their locks run out by themselves."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _poll(self) -> bool:
        messages = await self._receive()
        for message in messages:
            task = asyncio.create_task(self._process(HeldMessage(self._queue, message)))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        while len(self._running) > self._options.new_batch_threshold:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        return bool(messages)

    async def _receive(self) -> list[QueueMessage]:
        """One batch; a queue that does not exist (yet), or a storage that is down, is an empty one."""
        batch = self._options.batch_size
        try:
            received = self._queue.receive_messages(
                messages_per_page=batch,
                max_messages=batch,
                visibility_timeout=int(self._lock.total_seconds()),
            )
            return [message async for message in received]
        except AzureError as error:
            log.log(_severity(error), "polling %s: %s", self._queue.queue_name, _line(error))
            return []

    async def _process(self, message: HeldMessage) -> None:
        try:
            body = self._body(message)
            if body is None or message.tries > self._options.max_dequeue_count:
                await self._to_poison(message)
            elif await self._succeeds(message, body):
                await message.delete()
            elif message.tries >= self._options.max_dequeue_count:
                await self._to_poison(message)
            elif self._poison:
                await message.hide(self._options.visibility_timeout)
        except AzureError as error:  # its lock will run out and it will come back
            log.warning("%s: %s", message.label, _line(error))

    async def _succeeds(self, message: HeldMessage, body: bytes) -> bool:
        async with self._renewed(message):
            try:
                await self._handle(body, message.metadata())
            except FunctionFailed:
                return False
        return True

    @asynccontextmanager
    async def _renewed(self, message: HeldMessage) -> AsyncIterator[None]:
        async def renew() -> None:
            while True:
                await asyncio.sleep(self._lock.total_seconds() / 2)
                try:
                    await message.hide(self._lock)
                except AzureError as error:
                    log.warning("%s: its lock was not renewed: %s", message.label, _line(error))

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _to_poison(self, message: HeldMessage) -> None:
        """Copy, then delete; where there is no poison queue, the message stays."""
        if self._poison is None:
            return
        log.warning("%s goes to %s", message.label, self._poison.queue_name)
        await create_queue(self._poison)
        await self._poison.send_message(message.content)
        await message.delete()

    def _body(self, message: HeldMessage) -> bytes | None:
        if not self._options.base64:
            return message.content.encode()
        try:
            return base64.b64decode(message.content, validate=True)
        except ValueError:
            log.warning("%s is not base64, as messageEncoding of host.json wants it", message.label)
            return None


async def create_queue(queue: QueueClient) -> None:
    """Make a queue unless it is there."""
    with suppress(ResourceExistsError):
        await queue.create_queue()


def _severity(error: AzureError) -> int:
    missing = isinstance(error, HttpResponseError) and error.status_code == 404
    return logging.DEBUG if missing else logging.WARNING


def _line(error: AzureError) -> str:
    return str(error.message).partition("\n")[0]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
