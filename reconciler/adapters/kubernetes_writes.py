"""What is written to a cluster, as requests: patches of Services, Events. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model import CONDITION, Condition, Json, ServiceEvent, ServiceRef

COMPONENT = "private-link-reconciler"
# Conditions are joined by their type: those of others stay. A merge patch would replace the list.
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
COUNTED_EVERY = timedelta(hours=1)
_MOST_MESSAGE = 1024  # of an Event; the newer API refuses longer ones


@dataclass(frozen=True, slots=True)
class Request:
    """One request; a body of None is none."""

    method: str
    path: str
    body: Json | None
    content_type: str


def service_path(service: ServiceRef) -> str:
    """Where a Service is."""
    return f"/api/v1/namespaces/{service.namespace}/services/{service.name}"


def status_patch(service: ServiceRef, condition: Condition | None) -> Request:
    """Our condition set, or removed. The UID keeps it from a Service that was made anew under the name."""
    told: Json = {"type": CONDITION, "$patch": "delete"} if condition is None else _complete(condition)
    body = {"metadata": {"uid": service.uid}, "status": {"conditions": [told]}}
    return Request("PATCH", f"{service_path(service)}/status", body, STRATEGIC)


def _complete(condition: Condition) -> Json:
    """All of it: the API checks nothing, and clients fail on a condition without its time."""
    return {
        "type": CONDITION,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": condition.since,
    }


def annotations_patch(service: ServiceRef, annotations: Mapping[str, str | None]) -> Request:
    """These annotations set, or removed where None."""
    body = {"metadata": {"uid": service.uid, "annotations": dict(annotations)}}
    return Request("PATCH", service_path(service), body, MERGE)


def event_creation(event: ServiceEvent) -> Request:
    """A new Event. Its name says what it tells, so that the same one cannot be made twice."""
    at = f"{event.at:%Y-%m-%dT%H:%M:%SZ}"
    service = event.service
    body = {
        "metadata": {"name": _name(event), "namespace": service.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "namespace": service.namespace,
            "name": service.name,
            "uid": service.uid,
        },
        "reason": event.reason,
        "message": _message(event),
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    return Request("POST", _events(event), body, "application/json")


def event_look(event: ServiceEvent) -> Request:
    """The Event that is there already: a patch of nothing answers it, and needs no right to read."""
    return Request("PATCH", f"{_events(event)}/{_name(event)}", {}, MERGE)


def event_count(event: ServiceEvent, found: Json) -> Request | None:
    """One more of the Event that was found; None where it was counted within the hour."""
    last = _time(found.get("lastTimestamp"))
    if last and event.at - last < COUNTED_EVERY:
        return None
    count = found.get("count")
    body = {
        "count": (count if isinstance(count, int) else 1) + 1,
        "lastTimestamp": f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
    }
    return Request("PATCH", f"{_events(event)}/{_name(event)}", body, MERGE)


def _events(event: ServiceEvent) -> str:
    return f"/api/v1/namespaces/{event.service.namespace}/events"


def _name(event: ServiceEvent) -> str:
    told = "\n".join((event.service.uid, event.reason, event.message))
    return f"{event.service.name[:200]}.{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:16]}"


def _message(event: ServiceEvent) -> str:
    text = event.message
    return text if len(text) <= _MOST_MESSAGE else f"{text[: _MOST_MESSAGE - 1]}…"


def _time(value: Any) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
