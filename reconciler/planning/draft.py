"""A plan in the making: what the rules add to, until it is a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from reconciler import arm_ids
from reconciler.model import Limits, Observed, Ownership, Proof, Sharing
from reconciler.plan import Finding, Plan, Reason, Severity, Write, release_digest
from reconciler.planning.acquaintance import Acquaintance

# How long the release of a held list holds for each Private Link Service on it.
RELEASE_LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delete:
    """The delete of one PLS: what goes now, what in a later run, and whether the brake counts it."""

    pls_id: str
    counts: bool
    writes: tuple[Write, ...]
    after: tuple[Write, ...]

    @property
    def release(self) -> str:
        """The sighting that says since when a person has let it go."""
        return f"released:{arm_ids.key(self.pls_id)}"


class Draft:
    """Collects writes, findings and rows. ``moved`` are ids (lower case) used up by a move."""

    def __init__(self, observed: Observed, limits: Limits) -> None:
        self.observed = observed
        self.limits = limits
        self.writes: list[Write] = []
        self.after: list[Write] = []
        self.deletes: list[Delete] = []
        self.findings: list[Finding] = []
        self.ownership: dict[str, Ownership] = {}
        self.sharing: list[Sharing] = []
        self.forget: list[str] = []
        self.sightings: dict[str, datetime] = {}
        self.come_back: datetime | None = None
        self.moved: set[str] = set()
        self.wished: dict[str, str] = {}
        self.managed = 0

    @cached_property
    def acquaintance(self) -> Acquaintance:
        """Who was a tenant of what; asked for only where somebody is gone."""
        return Acquaintance(self.observed)

    def find(
        self,
        reason: Reason,
        severity: Severity,
        sentence: str,
        *,
        service: str = "",
        frontend_id: str = "",
        pls_id: str = "",
    ) -> None:
        """Add a finding."""
        self.findings.append(Finding(reason, severity, sentence, service, frontend_id, pls_id))

    def seen_since(self, sighting: str) -> datetime:
        """Since when this passing condition holds; remembers it for the next run."""
        self.sightings[sighting] = self.observed.sightings.get(sighting, self.observed.now)
        return self.sightings[sighting]

    def look_again(self, at: datetime) -> None:
        """The next look is due at ``at`` at the latest."""
        soonest = max(at, self.observed.now + timedelta(seconds=1))
        self.come_back = min(self.come_back, soonest) if self.come_back else soonest

    def delete(
        self, pls_id: str, writes: Sequence[Write], after: Sequence[Write], proofs: Iterable[Proof]
    ) -> None:
        """Plan the delete of one PLS; the brake counts it unless a Service is being deleted."""
        counts = Proof.DELETING not in proofs
        self.deletes.append(Delete(pls_id, counts, tuple(writes), tuple(after)))

    def finish(self) -> Plan:
        """The plan as a value, deletes filtered by the mode and held back by the brake."""
        held: list[Write] = []
        if self.observed.cluster.mode == "upsert-only":
            self._report_deletes()
        else:
            held = self._brake()
        order = {"DeleteConnection": 0, "DeletePls": 1, "PutSubnet": 2, "PutPls": 3}
        return Plan(
            cluster=self.observed.cluster.name,
            writes=tuple(sorted(self.writes, key=lambda w: order[type(w).__name__])),
            after=tuple(self.after),
            held=tuple(held),
            findings=tuple(dict.fromkeys(self.findings)),  # what holds for two frontends of a Service: once
            ownership=tuple(self.ownership.values()),
            sharing=tuple(self.sharing),
            forget=tuple(self.forget),
            sightings=self.sightings,
            come_back=self.come_back,
        )

    def untouched(self) -> Plan:
        """A plan that leaves Azure and the ledger as they are and only reports."""
        return Plan(
            cluster=self.observed.cluster.name,
            findings=tuple(self.findings),
            ownership=self.observed.ownership,
            sharing=self.observed.sharing,
            sightings=self.observed.sightings,
            unread=True,
        )

    def _report_deletes(self) -> None:
        for delete in self.deletes:
            self.find(
                Reason.MODE,
                Severity.WARNING,
                f"Private Link Service {delete.pls_id} would be deleted, but the mode is upsert-only; delete it by "
                "hand, or let the mode be sync.",
                pls_id=delete.pls_id,
            )

    def _brake(self) -> list[Write]:
        """Over a share of the cluster's PLSs in one run, deletes without a deleted Service are held.

        What a person released stays released for a while: connections go in one run, the PLS in a later one.
        """
        counted = [d for d in self.deletes if d.counts and not self._let_go(d)]
        over = (
            len(counted) >= self.limits.brake_minimum
            and len(counted) > self.limits.brake_share * self.managed
        )
        release = release_digest(d.pls_id for d in counted)
        if over and self.observed.released == release:
            for delete in counted:
                self.seen_since(delete.release)
            over = False
        held = counted if over else []
        for delete in self.deletes:
            if delete not in held:
                self.writes += delete.writes
                self.after += delete.after
        if held:
            self.find(
                Reason.BRAKE,
                Severity.ERROR,
                f"{len(held)} of {self.managed} Private Link Services of cluster "
                f"{self.observed.cluster.name} would be deleted at once though no Service is being "
                f"deleted; they are held back. If that is right, release exactly this list: {release}.",
            )
        return [write for delete in held for write in delete.writes]

    def _let_go(self, delete: Delete) -> bool:
        since = self.observed.sightings.get(delete.release)
        if since is None or self.observed.now - since > RELEASE_LASTS:
            return False
        self.seen_since(delete.release)
        return True

    def record(self, row: Ownership) -> None:
        """The ownership row of a PLS as it shall be."""
        self.ownership[arm_ids.key(row.pls_id)] = row
