"""What is told of a message that failed for good: what it is about, never what it holds."""

import base64
import json
import traceback
from typing import Any

import pytest

from reconciler.dead_letters import understood, unreadable
from reconciler.events import read_events

SECRET = "eyJhbGciOiJSUzI1NiJ9-of-a-person"
CLAIMS = {"claims": {"name": SECRET}, "authorization": {"evidence": {"roleAssignmentId": SECRET}}}
EVENT = {
    "id": "1",
    "subject": "/subscriptions/s/resourceGroups/g",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2026-01-01T00:00:00Z",
    "data": CLAIMS,
    "dataVersion": "2",
    "topic": "/subscriptions/s",
}
CLOUD = {"specversion": "1.0", "id": "1", "source": "/s", "type": "T", "subject": "/x", "data": CLAIMS}
BROKEN: tuple[Any, ...] = (
    {k: v for k, v in EVENT.items() if k != "subject"},
    {**EVENT, "eventType": CLAIMS},
    {**EVENT, "eventTime": SECRET},
    {**EVENT, SECRET: SECRET},
    {**CLOUD, SECRET: SECRET},
    {**CLOUD, "time": SECRET},
    {**CLOUD, "data_base64": SECRET},
    {k: v for k, v in CLOUD.items() if k != "source"},
    {"specversion": SECRET, **CLAIMS},
    CLAIMS,
    [SECRET],
    SECRET,
)


def test_a_wake_up_is_told_by_its_cluster_and_reason() -> None:
    """As JSON and as it is on the wire."""
    body = json.dumps({"cluster": "prod", "reason": "event", "note": SECRET}).encode()
    for written in (body, base64.b64encode(body), body.decode()):
        told = understood(written)
        assert (told.cluster, told.words) == ("prod", "wake-up of cluster prod event")


def test_an_event_is_told_by_type_and_subject() -> None:
    """In both schemas, alone or in a list; a long list is cut."""
    told = understood(json.dumps([EVENT, CLOUD, EVENT, EVENT, EVENT]))
    assert len(told.events) == 5
    assert told.words.startswith(f"event {EVENT['eventType']} {EVENT['subject']}; event T /x; ")
    assert told.words.count("event ") == 3


@pytest.mark.parametrize("item", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("cut", [0, 7])
def test_nothing_a_message_holds_is_told(item: Any, cut: int) -> None:
    """Neither as poison nor by the sentence that refuses it: claims would lie in logs and in the history."""
    body = json.dumps(item)
    body = body[: len(body) - cut]
    assert SECRET not in understood(body).words
    if refusal := refused(body):
        assert SECRET not in "".join(traceback.format_exception(refusal))


def refused(body: str) -> ValueError | None:
    """How a message of the events' queue is refused, if it is."""
    try:
        read_events(body)
    except ValueError as error:
        return error
    return None


def test_two_unreadable_messages_are_told_apart() -> None:
    """By size and hash, which whoever kept a copy can compare."""
    assert unreadable(b"x" * 70) != unreadable("y" * 70)
    assert unreadable(b"\xff") == "1 bytes that cannot be read, SHA-256 a8100ae6aa1940d0"
