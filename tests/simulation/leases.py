"""Who may write, seen from outside: a complaint about a lease's row, or about a write, "" where there is none.

Two holders never overlap, nobody ends another's lease, and no write starts in the last seconds of one. The
tolerance is for workers' clocks that are a little wrong, and for what was on its way when the row changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.ports import Lease

# Of a lease of 120 s the last 20 are for what is in flight.
LAST_START = timedelta(seconds=100)
TOLERANCE = timedelta(seconds=7)
NOTES = frozenset(
    ["put_ownership", "forget_ownership", "replace_sharing", "reserve", "write_state", "add_history"]
)


def trespass(before: Lease, after: Lease, mine: Lease | None, now: datetime) -> str:
    """What is wrong with a row that replaces another; ``mine`` is the lease that its writer took before."""
    if not before.holder or before.holder == after.holder or (mine and mine.holder == before.holder):
        return ""
    if not after.holder:
        return f"the lease of {before.cluster} was ended by who does not hold it"
    left = (before.until or now) - now
    if left > TOLERANCE:
        return f"the lease of {before.cluster} was taken {left.total_seconds():.0f} s before its end"
    return ""


def late_write(mine: Lease, row: Lease, now: datetime) -> str:
    """What is wrong with a write that starts now, under the lease ``mine``, while the table has ``row``."""
    if row.fence != mine.fence:
        return f"a write for {row.cluster} under fence {mine.fence}, the lease has {row.fence}"
    held = now - (mine.stamp or now)
    if held > LAST_START + TOLERANCE:
        return f"a write for {row.cluster} {held.total_seconds():.0f} s after its lease was written"
    return ""


def late_note(mine: Lease, row: Lease, taken: datetime, now: datetime) -> str:
    """The same of a write into the ledger, where a lease that has run out is asked for first; ``taken`` is since when."""
    if row.fence != mine.fence and now - taken > TOLERANCE:
        return f"the ledger of {row.cluster} was written under fence {mine.fence}, the lease has {row.fence}"
    return ""
