"""Event Grid's subscription: each write or delete becomes a base64 message in the storage queue `lb-events`."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient

QUEUE = "lb-events"
_NOT_SUBSCRIBED = "Microsoft.Resources.ResourceAction"


def queue_sink(connection_string: str, queue: str = QUEUE) -> Callable[[dict[str, Any]], Awaitable[None]]:
    """Make the queue; the result takes an event and puts it there."""
    client = QueueClient.from_connection_string(connection_string, queue)
    with suppress(ResourceExistsError):
        client.create_queue()

    async def deliver(event: dict[str, Any]) -> None:
        if str(event.get("eventType", event.get("type", ""))).startswith(_NOT_SUBSCRIBED):
            return
        message = base64.b64encode(json.dumps(event).encode()).decode()
        await asyncio.to_thread(client.send_message, message)

    return deliver
