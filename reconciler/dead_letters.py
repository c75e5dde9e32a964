"""What may be told of a message that failed for good, in logs and in the history.

Only what we understand of it: an event carries the claims of whoever caused it, and whatever else lies in a
queue may be worse.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reconciler.events import Event, read_events
from reconciler.messages import read_wake_up

_TOLD_EVENTS = 3
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as far as it could be read: the cluster it names ("" for none), its events, and words for people."""

    words: str
    cluster: str = ""
    events: tuple[Event, ...] = ()


def understood(body: bytes | str) -> DeadLetter:
    """What a message of any of our queues is about."""
    try:
        wake_up = read_wake_up(body)
        return DeadLetter(_words("wake-up of cluster", wake_up.cluster, wake_up.reason), wake_up.cluster)
    except ValueError:
        pass
    try:
        events = read_events(body)
    except ValueError:
        return DeadLetter(unreadable(body))
    told = [_words("event", event.type, event.subject) for event in events[:_TOLD_EVENTS]]
    return DeadLetter("; ".join(told) or "no event", events=events)


def unreadable(body: bytes | str) -> str:
    """Words for a message that nobody understands: enough to tell it from another, nothing of what it holds."""
    raw = body.encode("utf-8", "replace") if isinstance(body, str) else body
    return f"{len(raw)} bytes that cannot be read, SHA-256 {hashlib.sha256(raw).hexdigest()[:16]}"


def _words(*words: str) -> str:
    return " ".join(word[:_LONGEST] for word in words)
