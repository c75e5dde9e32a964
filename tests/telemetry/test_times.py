"""The time of an event: read in both schemas, whatever stands there, and never more than a figure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reconciler.events import in_utc, read_event

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GRID = {"id": "1", "subject": "s", "eventType": "t", "dataVersion": "1", "data": {}}
CLOUD = {"specversion": "1.0", "id": "1", "source": "x", "type": "t", "subject": "s"}


@pytest.mark.parametrize(
    "event",
    [{**GRID, "eventTime": "2026-06-01T12:00:00.0000000Z"}, {**CLOUD, "time": "2026-06-01T14:00:00.0+02:00"}],
    ids=["Event Grid", "CloudEvents"],
)
def test_both_schemas_state_it(event: dict[str, object]) -> None:
    """Which schema a subscription delivers is its own choice."""
    assert read_event(event).time == NOON


@pytest.mark.parametrize("event", [GRID, CLOUD], ids=["Event Grid", "CloudEvents"])
def test_an_event_without_it_is_one(event: dict[str, object]) -> None:
    """The field is optional in one of them; nothing is decided by it."""
    assert read_event(event).time is None


@pytest.mark.parametrize(
    ("given", "time"),
    [
        (NOON.replace(tzinfo=None), NOON),
        (NOON.astimezone(timezone(timedelta(hours=9))), NOON),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), None),
        ("2026-06-01T12:00:00.0000000Z", NOON),
        ("yesterday", None),
        (None, None),
    ],
)
def test_in_utc(given: object, time: datetime | None) -> None:
    """What SDKs hand over: naive, in any zone, at the end of days; text, or not a time at all."""
    assert in_utc(given) == time
