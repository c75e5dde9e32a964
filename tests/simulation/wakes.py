"""No wake-up is forgotten: whoever asks is served, and whoever serves may die at any moment.

A wake-up is served by a run that began to look after it was sent, and that came to its end. Until then a message
for its cluster is in the queue, whatever a lease's row says about who cares for it. And once a holder writes, or
somebody's wish relies on it, another message comes soon after its lease: its own would come back much later.
"""

from __future__ import annotations

from reconciler.ports import Lease
from reconciler.wakeups import GUARD, PROBE
from tests.fakes.ledger import MemoryLedger
from tests.simulation.kernel import START, Kernel
from tests.simulation.queues import Message, SimQueue

NEARLY = 7.0  # two clocks that are nearly right
SOON = 60.0  # after the end of a lease; the message of a dead worker is invisible for ten minutes


class Wakes:
    """What was asked of the clusters, and when the runs began that served it."""

    def __init__(self, kernel: Kernel, queue: SimQueue, ledger: MemoryLedger, *, probe: bool) -> None:
        self._kernel, self._queue, self._ledger, self._probe = kernel, queue, ledger, probe
        self._asked: dict[str, float] = {}
        self._served: dict[str, float] = {}
        self._relied_on: set[tuple[str, int, float]] = set()
        self._trouble = self._thawed = float("-inf")
        queue.added, queue.gone = self._sent, self._gone

    def _sent(self, message: Message) -> None:
        about = message.about
        if about and about.reason not in (GUARD, PROBE):
            self._asked[about.cluster] = self._kernel.now

    def served(self, cluster: str, began: float) -> None:
        """A run that began to look then has come to its end."""
        self._served[cluster] = max(began, self._served.get(cluster, 0.0))

    def set_aside(self, message: Message) -> None:
        """A message failed for good. That is told, and a person or the timer asks anew."""
        if message.about:
            self._asked.pop(message.about.cluster, None)

    def _gone(self, message: Message) -> None:
        """A message was deleted: is there another, while its cluster is not served?"""
        if message.about is None:
            return
        cluster = message.about.cluster
        asked = self._asked.get(cluster, 0.0)
        # The probe looks after whose holder is dead, so that it is no wish of its own.
        cared_for = self._waiting(cluster) or (self._probe and self._ledger.lease(cluster).holder)
        if asked > self._served.get(cluster, 0.0) and not cared_for:
            self._kernel.violation(
                f"{cluster} was woken at {asked:.1f}: no run began after that, and none will. "
                f"The last message was {message.about.reason}"
            )

    def trouble(self) -> None:
        """A worker died, or storage failed: what was promised may come later."""
        self._trouble = max(self._trouble, self._kernel.now)

    def froze(self, until: float) -> None:
        """A worker stands still."""
        self._trouble, self._thawed = max(self._trouble, until), max(self._thawed, until)

    def relied_on(self, lease: Lease) -> None:
        """Should the holder of this lease die now, somebody looks after the cluster soon: there is a message.

        Who stood still between its look at the clock and the sending has sent it later than it meant to.
        """
        if self._kernel.now < self._thawed + SOON:
            return
        ends = (lease.until - START).total_seconds() if lease.until else 0.0
        if not self._comes_by(lease.cluster, ends + SOON):
            self._kernel.violation(
                f"should the holder of {lease.cluster} die now, nobody comes within {SOON:.0f} s of its lease"
            )
        key = lease.cluster, lease.fence, ends
        if key not in self._relied_on:
            self._relied_on.add(key)
            self._kernel.at(ends + SOON, lambda: self._look(lease, ends))

    def _look(self, lease: Lease, ends: float) -> None:
        """Somebody has done so."""
        row = self._ledger.lease(lease.cluster)
        same = (row.fence, row.holder, row.until) == (lease.fence, lease.holder, lease.until)
        if same and self._trouble < ends:
            self._kernel.violation(f"nobody has looked after {lease.cluster} since its holder died")

    def parked(self, lease: Lease, due: float) -> None:
        """The row says that a message comes then: others are dropped for that."""
        late = due > self._kernel.now + NEARLY and self._kernel.now >= self._thawed + SOON
        if late and not self._comes_by(lease.cluster, due + SOON):
            self._kernel.violation(f"{lease.cluster} counts on a message that never comes")

    def _comes_by(self, cluster: str, moment: float) -> bool:
        return any(message.visible <= moment for message in self._waiting(cluster))

    def _waiting(self, cluster: str) -> list[Message]:
        return [
            message
            for message in self._queue.messages.values()
            if message.about and message.about.cluster == cluster and message.about.reason != PROBE
        ]
