"""Event Grid: what an event says, and which clusters it wakes. Both schemas; untrusted throughout.

Events that lead to work: writes and deletes of load balancers in a configured group, failed deletes of
those, and writes, deletes and tag writes of a Private Link Service in a configured group or in the
ledger. A private endpoint connection is part of its Private Link Service.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconciler import arm_ids
from reconciler.model import ClusterConfig

MAX_BYTES = 256 * 1024
MAX_EVENTS = 100
DONE = ("resourcewritesuccess", "resourcedeletesuccess")
FAILED_DELETE = "resourcedeletefailure"


@dataclass(frozen=True, slots=True)
class Event:
    """What matters of an event: its type (``Microsoft.Resources.…``) and the resource id it is about.

    ``time`` is what it states, None where it states none; nothing is decided by it.
    """

    id: str
    type: str
    subject: str
    time: datetime | None = field(default=None, compare=False)


def read_events(body: bytes | str) -> tuple[Event, ...]:
    """The events of a message: one event or a list, in the Event Grid or the CloudEvents schema.

    Raises ValueError with a reason a person can read.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(f"the message has {len(body)} bytes, more than an event can have")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the message is not JSON: {error}") from error
    items = data if isinstance(data, list) else [data]
    if len(items) > MAX_EVENTS:
        raise ValueError(f"the message has {len(items)} events, more than Event Grid sends at once")
    return tuple(read_event(item) for item in items)


def read_event(item: Any) -> Event:
    """One event. Raises ValueError."""
    if not isinstance(item, Mapping):
        raise ValueError("an event must be a JSON object")
    fields = dict(item)
    is_cloud = "specversion" in fields
    if not all(
        isinstance(fields.get(name), str) for name in ("type" if is_cloud else "eventType", "subject")
    ):
        # The SDK would make text of whatever stands there.
        raise ValueError("type and subject must be text")
    # By ourselves: the SDK takes a CloudEvent's time with an offset for UTC.
    time = in_utc(fields.get("time" if is_cloud else "eventTime"))
    # Imported with the first event: a cold start that serves a wake-up or a request does without.
    from azure.core.messaging import CloudEvent
    from azure.eventgrid import EventGridEvent

    try:
        if is_cloud:
            cloud: CloudEvent[Any] = CloudEvent.from_dict(fields)
            return Event(str(cloud.id), str(cloud.type), str(cloud.subject), time)
        event = EventGridEvent.from_dict(fields)
        return Event(str(event.id), str(event.event_type), str(event.subject), time)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # Not the SDK's words: they quote what they could not read, and an event holds somebody's claims.
        raise ValueError(f"the event has neither of Event Grid's schemas ({type(error).__name__})") from None


def in_utc(time: object) -> datetime | None:
    """The time of an event, as text or as an SDK parsed it: aware, in UTC; None for what is none."""
    try:
        told = datetime.fromisoformat(time) if isinstance(time, str) else time
        if not isinstance(told, datetime):
            return None
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # no time; the year 1 or 9999 in another zone
        return None


def clusters_woken(
    event: Event,
    configs: Iterable[ClusterConfig],
    holder: Callable[[str], str],
) -> tuple[str, ...]:
    """The names of the clusters an event is about, sorted. ``holder`` looks a PLS id up in the ledger."""
    resource = arm_ids.parse(event.subject)
    kind = event.type.lower().rpartition(".")[2]
    if resource is None or resource.provider.lower() != arm_ids.NETWORK.lower():
        return ()
    clusters = tuple(configs)
    place = (resource.subscription.lower(), resource.resource_group.lower())
    if resource.kind.lower() == "loadbalancers" and kind in (*DONE, FAILED_DELETE):
        return tuple(sorted(c.name for c in clusters if _load_balancers(c) == place))
    if resource.kind.lower() == "privatelinkservices" and kind in DONE:
        pls_id = arm_ids.private_link_service(resource.subscription, resource.resource_group, resource.name)
        names = {c.name for c in clusters if place in (_load_balancers(c), _private_link_services(c))}
        return tuple(sorted(names | ({holder(pls_id)} & {c.name for c in clusters})))
    return ()


def _load_balancers(config: ClusterConfig) -> tuple[str, str]:
    return config.subscription.lower(), config.load_balancer_resource_group.lower()


def _private_link_services(config: ClusterConfig) -> tuple[str, str]:
    return config.subscription.lower(), config.pls_resource_group.lower()
