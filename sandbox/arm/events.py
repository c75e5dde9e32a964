"""Event Grid: what a finished write or delete looks like as an event, and how delivery goes wrong on request."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import sys
import uuid
from collections import deque
from collections.abc import Callable

from sandbox.arm.ids import parse, same
from sandbox.arm.options import ArmOptions, EventSink
from sandbox.arm.state import Json
from sandbox.arm.world import Change

_ENDS = {"Succeeded": "Success", "Failed": "Failure", "Canceled": "Cancel"}
_KEPT = 10_000
_CLAIM_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"


def event_grid_event(options: ArmOptions, change: Change, at: dt.datetime) -> Json:
    """The event in Event Grid's own schema, as a system topic of the subscription sends it."""
    scope = _scope(change)
    return {
        "subject": change.resource_id,
        "eventType": _event_type(change),
        "eventTime": _time(at),
        "id": str(uuid.uuid4()),
        "data": _data(options, change, scope, at),
        "dataVersion": "2",
        "metadataVersion": "1",
        "topic": scope,
    }


def cloud_event(event: Json) -> Json:
    """The same event as CloudEvents 1.0."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["topic"],
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "data": event["data"],
    }


class EventGrid:
    """Delivers events to sinks; drops, duplicates and delays them as the options say."""

    def __init__(self, options: ArmOptions) -> None:
        self._options = options
        self._random = random.Random(options.events.seed)
        self._sinks: list[EventSink] = [options.on_event] if options.on_event else []
        self._tasks: set[asyncio.Task[None]] = set()
        self.published: deque[Json] = deque(maxlen=_KEPT)

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Deliver from now on to `sink` too; call the result to end that."""
        self._sinks.append(sink)
        return lambda: self._sinks.remove(sink)

    def publish(self, change: Change) -> None:
        """Make the event of a change and hand it to every sink; the topic is one subscription's."""
        if not same(f"/subscriptions/{self._options.subscription}", _scope(change)):
            return
        event = event_grid_event(self._options, change, dt.datetime.now(dt.UTC))
        if self._options.events.schema == "cloudevents":
            event = cloud_event(event)
        self.published.append(event)
        for sink in list(self._sinks):
            for seconds in self._deliveries():
                task = asyncio.get_running_loop().create_task(_deliver(sink, event, seconds))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    @property
    def under_way(self) -> int:
        """How many deliveries have not ended yet."""
        return len(self._tasks)

    async def stop(self) -> None:
        """End deliveries that are under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _deliveries(self) -> list[float]:
        """When (seconds from now) an event is delivered: not at all, once, or twice."""
        chaos = self._options.events
        copies = 2 if self._random.random() < chaos.duplicate else 1
        return [
            self._random.uniform(*chaos.delay)
            for _ in range(copies)
            if not self._random.random() < chaos.drop
        ]


async def _deliver(sink: EventSink, event: Json, seconds: float) -> None:
    await asyncio.sleep(seconds)
    try:
        await sink(event)
    except Exception as error:
        # A sink is the tester's own code: its failure must be seen, and must not stop the others.
        print(f"event {event['id']} was not delivered: {error!r}", file=sys.stderr)


def _event_type(change: Change) -> str:
    noun = {"delete": "Delete", "action": "Action"}.get(change.action.rpartition("/")[2], "Write")
    return f"Microsoft.Resources.Resource{noun}{_ENDS[change.status]}"


def _data(options: ArmOptions, change: Change, scope: str, at: dt.datetime) -> Json:
    data: Json = {
        "authorization": {
            "scope": change.resource_id,
            "action": change.action,
            "evidence": {
                "role": "Contributor",
                "roleAssignmentScope": scope,
                "roleAssignmentId": uuid.uuid5(uuid.NAMESPACE_URL, scope).hex,
                "roleDefinitionId": "b24988ac618042a0ab8820f7382dd24c",
                "principalId": change.caller.object_id.replace("-", ""),
                "principalType": "ServicePrincipal",
            },
        },
        "claims": _claims(options, change, at),
        "correlationId": str(uuid.uuid4()),
    }
    if change.existed:
        data["httpRequest"] = {
            "clientRequestId": str(uuid.uuid4()),
            "clientIpAddress": "127.0.0.1",
            "method": change.method,
            "url": change.url,
        }
    return data | {
        "resourceProvider": change.action.split("/", 1)[0],
        "resourceUri": change.resource_id,
        "operationName": change.action,
        "status": change.status,
        "subscriptionId": scope.rsplit("/", 1)[1],
        "tenantId": options.tenant,
    }


def _claims(options: ArmOptions, change: Change, at: dt.datetime) -> Json:
    now = int(at.timestamp())
    return {
        "aud": "https://management.azure.com/",
        "iss": f"https://sts.windows.net/{options.tenant}/",
        "iat": str(now),
        "nbf": str(now),
        "exp": str(now + options.token_seconds),
        "appid": change.caller.app_id,
        _CLAIM_OBJECT_ID: change.caller.object_id,
        "http://schemas.microsoft.com/identity/claims/tenantid": options.tenant,
        "ver": "1.0",
    }


def _scope(change: Change) -> str:
    parsed = parse(change.resource_id)
    return f"/subscriptions/{parsed.subscription if parsed else ''}"


def _time(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
