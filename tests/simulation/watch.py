"""The invariants that hold at every write, checked against the truth at that moment.

What a run may still do on the strength of what it has read is given by its own last reads: between the
last GET of a PLS and its PUT anybody may write, and ARM has no condition for a PLS that would prevent it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler import arm_ids
from reconciler.errors import OutsideError
from reconciler.model import ServiceRef
from reconciler.ports import Lease
from tests.fakes.ledger import MemoryLedger
from tests.simulation import leases, standing
from tests.simulation.arm import Subscription
from tests.simulation.documents import (
    OWNER_TAG,
    POLICY,
    belongs,
    connections_of,
    essence,
    frontend_of,
    group_of,
    identity,
    tag,
)
from tests.simulation.kernel import START, Flow, Kernel
from tests.simulation.kubernetes import Api
from tests.simulation.stage import WriteFact
from tests.simulation.troubles import Trouble
from tests.simulation.wakes import Wakes

Json = Mapping[str, Any]
GRACE, TOLERANCE = 900.0, 7.0
LEASE = 120.0
FRESH = 15.0  # the last look is at most 5 s old when the fence is asked, and calls take a while
MOST_REPEATS = 25  # of the same content to the same PLS within an hour, whatever goes wrong meanwhile


@dataclass
class Sight:
    """What one flow has read, and the lease it holds.

    ``first`` and ``began`` are when it first and last began to look, ``saw`` whether it has read the Services.
    ``got`` is how it last read each PLS, and when; ``planned`` how first: what its plan was made of. ``asked`` is the
    row of the lease, if it has read that just now.
    """

    began: float = 0.0
    first: float | None = None
    saw: bool = False
    got: dict[str, tuple[float, Json | None]] = field(default_factory=dict)
    planned: dict[str, Json | None] = field(default_factory=dict)
    lease: Lease | None = None
    asked: Lease | None = None


@dataclass
class Truth:
    """The outside as it really is: the groups by cluster's name, their APIs, Azure, the ledger; and what is not told so."""

    groups: dict[str, str]
    apis: dict[str, Api]
    arm: Subscription
    ledger: MemoryLedger
    troubles: dict[str, Trouble]


class Watch:
    """Sees every write of the reconciler before it acts."""

    def __init__(self, kernel: Kernel, truth: Truth, wakes: Wakes) -> None:
        self.kernel, self.truth, self.wakes = kernel, truth, wakes
        self.writes: list[WriteFact] = []
        self.clocks_wrong_until = 0.0
        self.frozen_until = 0.0
        self.reserved_late: set[str] = set()
        self.made_meanwhile: set[str] = set()
        self._sights: dict[Flow, Sight] = {}
        self._repeats: dict[tuple[str, int], Counter[str]] = {}
        self._taken: dict[str, datetime] = {}

    @property
    def calm(self) -> bool:
        """Whether the workers' clocks are right, or nearly so."""
        return self.kernel.now > self.clocks_wrong_until

    # -- what flows read

    def _sight(self) -> Sight:
        flow = self.kernel.current
        if flow is None:
            raise RuntimeError("only a flow looks")
        if len(self._sights) > 500:
            self._sights = {f: s for f, s in self._sights.items() if not f.done}
        return self._sights.setdefault(flow, Sight())

    def froze(self, until: float) -> None:
        """A process stands still: until a while after, what it looked at is old."""
        self.frozen_until = max(self.frozen_until, until + FRESH)
        self.wakes.froze(until)

    def looks(self) -> None:
        """A run begins to observe."""
        sight = self._sight()
        sight.began = self.kernel.now
        sight.first = sight.began if sight.first is None else sight.first

    def saw(self) -> None:
        """A run has read the Services, which are the last."""
        self._sight().saw = True

    def got(self, pls_id: str, document: Json | None) -> None:
        """A run read a PLS by its id."""
        sight, key = self._sight(), arm_ids.key(pls_id)
        sight.got[key] = self.kernel.now, document
        sight.planned.setdefault(key, document)

    def asks(self, row: Lease) -> None:
        """A run read the lease row."""
        self._sight().asked = row

    def leased(self, before: Lease, row: Lease) -> None:
        """A run wrote the lease row: it takes or renews its lease, notes a wish in another's, or ends."""
        sight = self._sight()
        self._complain(leases.trespass(before, row, sight.lease, self.kernel.time()))
        if row.holder and (row.holder != before.holder or (sight.lease and sight.lease.holder == row.holder)):
            sight.lease = row
        if row.fence != before.fence:
            self._taken[row.cluster] = self.kernel.time()
        if row.holder and row.wanted and self.calm:
            self.wakes.relied_on(row)
        if row.parked and self.calm:
            self.wakes.parked(row, (row.parked - START).total_seconds())
        if row.covered != before.covered and sight.first is not None and sight.saw:
            self.wakes.served(row.cluster, sight.first)

    def _complain(self, what: str) -> None:
        """Where clocks are wrong, leases are, too."""
        if what and self.calm:
            self.kernel.violation(what)

    # -- before a write

    def begins(self, cluster: str, target: str) -> None:
        """The request of a write leaves: only who holds the lease of the cluster sends any, and looked just now."""
        read = self._sight().got.get(arm_ids.key(target))
        if self.calm and self.kernel.now > self.frozen_until and read and self.kernel.now - read[0] > FRESH:
            self.kernel.violation(f"a write to {target} on a look {self.kernel.now - read[0]:.0f} s old")
        mine, now = self._sight().lease, self.truth.ledger.lease(cluster)
        if mine is None or mine.cluster != cluster:
            self.kernel.violation(f"a write for {cluster} by who never took its lease")
            return
        self._complain(leases.late_write(mine, now, self.kernel.time()))
        if self.calm:
            self.wakes.relied_on(mine)

    def reserved(self, pls_id: str) -> None:
        """A reservation was made. One that was on its way while another took over, and forgot the PLS, stays."""
        mine = self._sight().lease
        if mine and mine.fence != self.truth.ledger.lease(mine.cluster).fence:
            self.reserved_late.add(arm_ids.key(pls_id))

    def begins_note(self, method: str) -> None:
        """The request of a write into the ledger leaves: by who holds the lease, or who never takes one.

        Who asked whether it still does, and stood still with the answer in its hand, knows no better.
        """
        sight = self._sight()
        mine, asked = sight.lease, sight.asked
        sight.asked = None
        if mine and method in leases.NOTES and not (asked and asked.fence == mine.fence):
            row = self.truth.ledger.lease(mine.cluster)
            self._complain(leases.late_note(mine, row, self._taken[mine.cluster], self.kernel.time()))

    def begins_put(self, cluster: str, pls_id: str) -> None:
        """The request of a PUT of a PLS leaves: noted, and reserved where it creates one.

        What a frozen worker has sent arrives, though another may hold its lease and have forgotten by then. So may
        one whose clock is wrong, while the holder is at work.
        """
        self.begins(cluster, pls_id)
        mine, row = self._sight().lease, self.truth.ledger.lease(cluster)
        if not self.calm and mine and mine.fence != row.fence:
            return
        key = arm_ids.key(pls_id)
        if key not in {arm_ids.key(row.pls_id) for row in self.truth.ledger.ownership(cluster)}:
            self.kernel.violation(f"{cluster} wrote {pls_id} before the ledger knew")
        held = self.truth.ledger.reservations([key]).get(key)
        if self._last_read(cluster, key) is None and (held is None or held.cluster != cluster):
            self.kernel.violation(f"{cluster} made {pls_id} without a reservation: {held}")

    def before_put(self, cluster: str, pls_id: str, body: Json) -> None:
        """A PUT acts: of ours or of nothing, with the content its owner wishes for."""
        key, group = arm_ids.key(pls_id), self.truth.groups[cluster]
        read = self._last_read(cluster, key)
        if read is None and self.truth.arm.find(pls_id) is not None:
            self.made_meanwhile.add(key)  # after our last look: ARM has no condition for it
        if read is not None and not belongs(read, group):
            self.kernel.violation(f"{cluster} wrote {pls_id}, which is not its own: {dict(read)}")
        self._unchanged(cluster, key, essence)
        if not belongs(body, group):
            self.kernel.violation(f"{cluster} made {pls_id} somebody else's: {dict(body)}")
        undone = {
            k: v for k, v in (read or {}).get("tags", {}).items() if (body.get("tags") or {}).get(k) != v
        }
        if undone:
            self.kernel.violation(f"{cluster} took the tags {undone} away from {pls_id}")
        moved = read is not None and frontend_of(dict(read)).lower() != frontend_of(dict(body)).lower()
        if read is not None and moved and self._hidden(cluster) is None:
            tenants, began = self._tenants(cluster, frontend_of(dict(read))), self._sight().began
            others = [t for t, since in tenants.items() if since < began and t != tag(read, OWNER_TAG)]
            if others:
                self.kernel.violation(f"{cluster} moved {pls_id} away from {others}")
        self._count(f"{cluster} {key}", body)

    def _unchanged(self, cluster: str, key: str, of: Callable[[Json], object]) -> None:
        """The last read is as what the plan was made of: what somebody did meanwhile is not undone."""
        planned, read = self._sight().planned.get(key), self._last_read(cluster, key)
        if (planned and of(planned)) != (read and of(read)):
            self.kernel.violation(f"{cluster} writes {key}, which changed since it was looked at")

    def _last_read(self, cluster: str, key: str) -> Json | None:
        sight = self._sight()
        if key not in sight.got:
            self.kernel.violation(f"{cluster} wrote {key} without reading it first")
        return sight.got.get(key, (0.0, None))[1]

    def _count(self, what: str, body: Json) -> None:
        hour = int(self.kernel.now // 3600)
        counts = self._repeats.setdefault((what, hour), Counter())
        content = repr([(k, body[k]) for k in sorted(body) if k not in ("etag",)])
        counts[content] += 1
        if counts[content] > MOST_REPEATS:
            self.kernel.violation(f"hot loop: {what} was written {counts[content]} times in an hour")

    def before_subnet(self, cluster: str, subnet_id: str, body: Json, etag: str) -> None:
        """A PUT of a subnet of the cluster's own network that changes nothing but the policy, unless ARM refuses it."""
        now = self.truth.arm.find(subnet_id)
        if group_of(subnet_id) != self.truth.groups[cluster].lower() or now is None:
            self.kernel.violation(f"{cluster} wrote {subnet_id}, which is not its own")
            return
        if etag and etag != now["etag"]:
            return
        kept = {k: v for k, v in now["properties"].items() if k not in (POLICY, "provisioningState")}
        lost = [k for k, v in kept.items() if body["properties"].get(k) != v]
        if lost:
            self.kernel.violation(f"{cluster} changed {lost} of {subnet_id}")

    def before_delete(self, cluster: str, pls_id: str) -> None:
        """A delete, of a PLS or of a connection of it: ours, and on proof."""
        key = arm_ids.key(pls_id)
        read, sight = self._last_read(cluster, key), self._sight()
        if read is None:
            return
        if not belongs(read, self.truth.groups[cluster]):
            self.kernel.violation(f"{cluster} deleted {pls_id}, which is not its own: {dict(read)}")
        self._unchanged(cluster, key, identity)
        frontend_id = frontend_of(dict(read))
        living = [t for t, since in self._tenants(cluster, frontend_id).items() if since < sight.began]
        hidden = self._hidden(cluster)
        if living and hidden is None:
            self.kernel.violation(f"{cluster} deleted {pls_id}, which serves {living}")
        if self.calm and standing.any_is_there(self.truth.apis[cluster], self._known(cluster, key)):
            self._without_proof(cluster, key, frontend_id, hidden)

    def _known(self, cluster: str, key: str) -> list[ServiceRef]:
        """Those of whom the ledger says that they use or used a PLS."""
        ledger = self.truth.ledger
        owners = [row.owner for row in ledger.ownership(cluster) if arm_ids.key(row.pls_id) == key]
        return [*owners, *(r.service for r in ledger.sharing(cluster) if arm_ids.key(r.pls_id) == key)]

    def _without_proof(self, cluster: str, key: str, frontend_id: str, hidden: float | None) -> None:
        """Not all who used it are gone: then it goes after the grace, and only if nobody was connected."""
        arm, api = self.truth.arm, self.truth.apis[cluster]
        since = standing.deserted_since(arm, api, frontend_id) if hidden is None else hidden
        gone = self.kernel.now - since
        planned = self._sight().planned.get(key)
        states = (
            c["properties"]["privateLinkServiceConnectionState"] for c in connections_of(dict(planned or {}))
        )
        if gone < GRACE - TOLERANCE or any(state["status"] == "Approved" for state in states):
            self.kernel.violation(f"{cluster} deleted {key} {gone:.0f} s after its frontend or tenants went")

    def _hidden(self, cluster: str) -> float | None:
        """Since when Azure hides the cluster's load balancers, None where it does not, nor did a moment ago."""
        trouble = self.truth.troubles[cluster]
        return trouble.hidden_since if self.kernel.now < trouble.hidden_until + LEASE else None

    def _tenants(self, cluster: str, frontend_id: str) -> dict[str, float]:
        return standing.tenants(self.truth.arm, self.truth.apis[cluster], frontend_id)

    # -- after it

    @contextmanager
    def writing(self, by: str, method: str, target: str) -> Iterator[None]:
        """Note the write, and whether ARM accepted it."""
        try:
            yield
        except OutsideError:
            self.wrote(by, method, target, accepted=False)
            raise
        self.wrote(by, method, target, accepted=True)

    def wrote(self, by: str, method: str, target: str, *, accepted: bool) -> None:
        """A write reached ARM."""
        self.kernel.note(f"{by} {method} {target.rsplit('/', 1)[-1]} {'ok' if accepted else 'refused'}")
        self.writes.append(WriteFact(self.kernel.now, by, method, target, accepted))
