"""What a pipeline has heard: the product's own events as the topic got them, held against docs/events.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
REFUSED, DELETED, OWNER_CHANGED = (f"PrivateLink.{word}" for word in ("Refused", "Deleted", "OwnerChanged"))


def in_the_end(events: Iterable[Json]) -> Json:
    """What each Service was told last, and whose each Private Link Service became; by their time, as a pipeline goes."""
    heard: Json = {}
    for event in sorted(events, key=lambda event: str(event["time"])):
        data = event["data"]
        if event["type"] == OWNER_CHANGED:
            heard[data["privateLinkService"].lower()] = data["service"]
        else:
            # Who is ready is not told anew why: that a sharer became the owner is OwnerChanged.
            why = data["reason"] if event["type"] == REFUSED else ""
            heard[data["service"]] = [event["type"], why, bool(data["alias"])]
        if event["type"] == DELETED:
            heard[data["privateLinkService"].lower()] = "gone"
    return heard


def hidden_doubles(events: Iterable[Json], writes: Mapping[str, int]) -> list[str]:
    """News that came under more ids than it can have come about: a double that cannot be told from fresh news.

    ``writes``: how often each Private Link Service (lower-case id) was written, each of which may bring news.
    """
    ids: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for event in events:
        data = event["data"]
        news = (event["type"], data["service"], data["reason"], data["privateLinkService"].lower())
        ids[news].add(event["id"])
    return [
        f"{' '.join(news)} under {len(found)} ids"
        for news, found in ids.items()
        if len(found) > max(1, writes.get(news[-1], 0))
    ]
