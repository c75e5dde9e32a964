"""The ports: what the engine asks of the outside, as contracts. Adapters and fakes both keep them.

Every method raises only :class:`reconciler.errors.OutsideError` and its kinds, never an SDK's own
errors. No method retries or waits for a long-running operation: the caller comes back later.
"""

from __future__ import annotations

from reconciler.ports.outside import (
    Accepted,
    Aks,
    Azure,
    Clock,
    Cluster,
    Publisher,
)
from reconciler.ports.storage import (
    ClusterState,
    Documents,
    HistoryEntry,
    Lease,
    Ledger,
    Publication,
    Queue,
    WakeUp,
)

__all__ = [
    "Accepted",
    "Aks",
    "Azure",
    "Clock",
    "Cluster",
    "ClusterState",
    "Documents",
    "HistoryEntry",
    "Lease",
    "Ledger",
    "Publication",
    "Publisher",
    "Queue",
    "WakeUp",
]
