"""Messages that failed for good: how many of a cluster, and for how long status shows that there were some."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.ports import ClusterState
from reconciler.rendering import instant

SHOWN = timedelta(days=1)


def counted(state: ClusterState, now: datetime) -> ClusterState:
    """The state after one more. Those before a quiet day are no longer counted."""
    count = state.poisoned if _recent(state, now) else 0
    return replace(state, poisoned=count + 1, poisoned_at=now)


def shown(state: ClusterState, now: datetime) -> dict[str, Any]:
    """For status: ``count`` and ``last``; 0 and None once the last is more than a day ago."""
    recent = _recent(state, now)
    return {"count": state.poisoned if recent else 0, "last": instant(state.poisoned_at if recent else None)}


def _recent(state: ClusterState, now: datetime) -> bool:
    return state.poisoned_at is not None and now - state.poisoned_at < SHOWN
