"""Event Grid's delivery to a webhook, such as a function's Event Grid trigger."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

import aiohttp

from sandbox.arm.options import Json

RETRY_SECONDS = (10.0, 30.0, 60.0, 300.0, 600.0)
"""Event Grid's first waits between tries; it goes on for 24 hours, the sandbox does not."""

_ANSWER_WITHIN = aiohttp.ClientTimeout(total=30)
_DELIVERED = (200, 201, 202, 203, 204)
_NOT_RETRIED = (400, 401, 403, 404, 413)


class WebhookSink:
    """POSTs each event to a URL, an array of one (Event Grid schema) or one object (CloudEvents).

    Tried again after each of `retries` (seconds) unless the answer is final; an event that nobody took is reported
    on stderr. No validation handshake: a function's own trigger needs none.
    """

    def __init__(self, url: str, retries: Sequence[float] = RETRY_SECONDS) -> None:
        self._url, self._retries = url, tuple(retries)

    async def __call__(self, event: Json) -> None:
        """Deliver one event."""
        for wait in (*self._retries, None):
            status = await self._post(event)
            if status in _DELIVERED:
                return
            if status in _NOT_RETRIED or wait is None:
                break
            await asyncio.sleep(wait)
        print(f"event {event['id']} was not taken: {status or 'no answer'}", file=sys.stderr)

    async def _post(self, event: Json) -> int | None:
        """The answer's status; None when there was no answer in time."""
        cloud = "specversion" in event
        kind = "application/cloudevents+json" if cloud else "application/json"
        headers = {"aeg-event-type": "Notification", "Content-Type": f"{kind}; charset=utf-8"}
        data = json.dumps(event if cloud else [event])
        try:
            async with (
                aiohttp.ClientSession(timeout=_ANSWER_WITHIN) as session,
                session.post(self._url, data=data, headers=headers) as answer,
            ):
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None
