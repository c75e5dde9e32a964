"""The wire form of a wake-up. Pure.

A message is base64 of JSON: the Functions host expects base64, and raw text with a control character in
it would break every later read of the queue.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

from reconciler.ports import WakeUp


def encode(wake_up: WakeUp) -> str:
    """The content of the message on the wire."""
    message = {"cluster": wake_up.cluster, "reason": wake_up.reason}
    if wake_up.due:
        message["due"] = wake_up.due.astimezone(UTC).isoformat()
    if wake_up.since:
        message["since"] = wake_up.since.astimezone(UTC).isoformat()
    return base64.b64encode(json.dumps(message).encode()).decode("ascii")


def read_wake_up(text: str | bytes) -> WakeUp:
    """The wake-up of a message, as the Functions host hands it over (JSON) or as it is on the wire (base64).

    Raises ValueError with the reason where it is no wake-up; unknown keys are ignored.
    """
    try:
        message = json.loads(_plain(text))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ValueError(f"the message is {type(message).__name__}, not an object")
    cluster, reason = message.get("cluster"), message.get("reason", "")
    if not isinstance(cluster, str) or not cluster:
        raise ValueError("the message names no cluster")
    if not isinstance(reason, str):
        raise ValueError("the reason of the message is not text")
    return WakeUp(cluster, reason, _due(message.get("due")), _since(message.get("since")))


def _plain(text: str | bytes) -> bytes:
    """JSON objects begin with a brace, which is no base64: what decodes was encoded."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    try:
        return base64.b64decode(raw, validate=True) if raw.strip() else raw
    except ValueError:
        return raw


def _due(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        due = datetime.fromisoformat(value) if isinstance(value, str) else None
        if due is None or due.tzinfo is None:
            raise ValueError("no time with a zone")
        return due.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the due time of the message cannot be read: {error}") from error


def _since(value: object) -> datetime | None:
    """For measuring alone: what cannot be read is none, and no reason to set the message aside."""
    with suppress(ValueError):
        return _due(value)
    return None
