"""Whether a cluster has arrived at what is wished, and since when it is on its way. Pure.

It is settled when a complete look finds nothing to write, nothing in transit and nothing that backs off. What
waits for a person, or is left to the in-tree controller, counts as settled: nothing more happens by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.plan import Plan, Reason

SINCE = "unsettledSince"  # where a run's report says it


def settled(plan: Plan) -> bool:
    """Nothing to write and nothing in transit. What waits for a person or the in-tree controller counts."""
    refused = {f.pls_id for f in plan.findings if f.reason in (Reason.REJECTED, Reason.MOVE_NOT_POSSIBLE)}
    waiting = any(
        f.reason is Reason.WAITING or (f.reason is Reason.BACK_OFF and f.pls_id not in refused)
        for f in plan.findings
    )
    return not plan.writes and not plan.after and not waiting


def unsettled_before(last_run: Mapping[str, Any]) -> datetime | None:
    """Since when it has been on its way, by the report of the last run; None where it was settled."""
    try:
        since = datetime.fromisoformat(str(last_run.get(SINCE)))
    except ValueError:  # none, or the row was edited by hand
        return None
    return since if since.tzinfo else since.replace(tzinfo=UTC)


def unsettled_after(plan: Plan, last_run: Mapping[str, Any], wished: datetime) -> datetime | None:
    """The same after a complete look with this plan, which a wake-up of the moment ``wished`` has led to."""
    if settled(plan):
        return None
    return min(unsettled_before(last_run) or wished, wished)
