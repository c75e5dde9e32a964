"""Poison messages in status: counted while they come, shown for a day."""

from datetime import timedelta

from reconciler.poison import counted, shown
from reconciler.ports import ClusterState
from tests.builders import NOW

HOUR = timedelta(hours=1)


def test_those_of_one_day_are_counted_together() -> None:
    """Somebody who looks once a day sees them all."""
    state = ClusterState("prod")
    for hours in (0, 20, 40):
        state = counted(state, NOW + hours * HOUR)
    assert shown(state, NOW + 41 * HOUR) == {"count": 3, "last": "2026-06-03T04:00:00Z"}


def test_after_a_quiet_day_nothing_is_shown_and_counting_begins_anew() -> None:
    """Else an alert on the count would ring for ever."""
    state = counted(counted(ClusterState("prod"), NOW), NOW)
    assert shown(state, NOW + 24 * HOUR) == shown(ClusterState("prod"), NOW) == {"count": 0, "last": None}
    assert counted(state, NOW + 24 * HOUR).poisoned == 1
