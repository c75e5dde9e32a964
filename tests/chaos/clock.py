"""Time that skips what nobody waits for: real while something happens, a leap when nothing does.

The worker's clock is the real one plus a shift. The harness makes the shift larger only between two messages,
when no worker works, Azure is at rest and nothing is due; then it leaps to the next message's time. So a lease of
two minutes, a guard, ten minutes of invisibility and a day of grace cost nothing, while inside a run time passes
as it does in production: no lease is short of real seconds because a machine is slow, and no fence is relaxed.

Three times come from the storage service, whose clock cannot be shifted; each is put on the same axis:

- a delayed message: Azurite would hide it for real seconds. It is sent visible, with the delay written into it
  (``hold``, which the product's reader ignores, as it does any key it does not know), and the harness keeps it
  until then. One request with the same content otherwise; what dies around it dies around the real one.
- the stamp of the lease (the watermark's source): shifted as it is read. The shift is the same during a run.
- a message's insertion time: shifted by the harness as it takes the message from the queue, which it does before
  each leap. A message that slips in while it leaps looks younger than it is: a run too many, never one too few.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from reconciler.adapters.queues import StorageQueue
from reconciler.ports import Lease, Ledger
from reconciler.wiring import App
from reconciler.worker import Worker

HOLD = "hold"


class ShiftedClock:
    """The real time plus ``shift``; the port ``Clock``."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        """The present on the shifted axis, in UTC."""
        return datetime.now(UTC) + self.shift


class _HoldingClient:
    """A queue client whose delayed messages are visible at once and say how long they are to be held."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def send_message(self, content: str, *, visibility_timeout: int, time_to_live: int) -> None:
        message = {**json.loads(base64.b64decode(content)), HOLD: visibility_timeout}
        held = base64.b64encode(json.dumps(message).encode()).decode("ascii")
        self._inner.send_message(held, visibility_timeout=0, time_to_live=time_to_live)


class _StampedLedger:
    """A ledger whose lease stamps are on the shifted axis; the port ``Ledger``."""

    def __init__(self, inner: Ledger, clock: ShiftedClock) -> None:
        self._inner, self._clock = inner, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def lease(self, cluster: str) -> Lease:
        return self._shifted(self._inner.lease(cluster))

    def write_lease(self, lease: Lease) -> Lease:
        return self._shifted(self._inner.write_lease(lease))

    def _shifted(self, lease: Lease) -> Lease:
        return replace(lease, stamp=lease.stamp + self._clock.shift) if lease.stamp else lease


def on_clock(app: App, clock: ShiftedClock) -> Worker:
    """The worker of the product's wiring, on this clock."""
    queue = cast(StorageQueue, app.worker.queue)
    queue._client = cast(Any, _HoldingClient(queue._client))
    ledger = cast(Ledger, _StampedLedger(app.worker.ledger, clock))
    engine = replace(app.worker.engine, ledger=ledger, clock=clock)
    publishing = app.worker.publishing and replace(app.worker.publishing, clock=clock)
    return replace(app.worker, engine=engine, ledger=ledger, publishing=publishing)
