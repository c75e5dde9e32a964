"""What a topic of the schema CloudEvents 1.0 takes."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

Json = dict[str, Any]

CONTENT_TYPES = ("application/cloudevents-batch+json", "application/cloudevents+json")
_REQUIRED = ("id", "source", "specversion", "type")
_TEXTS = (*_REQUIRED, "subject", "time", "datacontenttype", "dataschema")


def checked(body: bytes, *, batch: bool) -> list[Json]:
    """The events of a body; ValueError with a sentence where Event Grid would refuse them, all together."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise ValueError(f"The body is no JSON: {error}.") from error
    if isinstance(found, list) != batch:
        raise ValueError(
            "The body does not conform to its content type: an array for a batch, an object else."
        )
    events = found if batch else [found]
    for event in events:
        _check(event)
    return events


def _check(event: Any) -> None:
    if not isinstance(event, dict):
        raise ValueError("An event is no object.")
    if missing := [name for name in _REQUIRED if not event.get(name)]:
        raise ValueError(f"An event lacks {', '.join(missing)}.")
    if wrong := [name for name in _TEXTS if not isinstance(event.get(name, ""), str)]:
        raise ValueError(f"An event's {', '.join(wrong)} is no text.")
    if event["specversion"] != "1.0":
        raise ValueError(f"specversion is {event['specversion']!r}; wanted: '1.0'.")
    if "data" in event and "data_base64" in event:
        raise ValueError("An event has both data and data_base64.")
    if odd := [name for name in event if not re.fullmatch(r"[a-z0-9]+|data_base64", name)]:
        raise ValueError(f"CloudEvents allows no attribute {odd[0]!r}: lower-case letters and digits.")
    _check_time(event.get("time"))


def _check_time(time: str | None) -> None:
    if time is None:
        return
    try:
        zone = datetime.fromisoformat(time).tzinfo
    except ValueError as error:
        raise ValueError(f"time is {time!r}; wanted: as in RFC 3339.") from error
    if zone is None:
        raise ValueError(f"time is {time!r}, without a zone.")
