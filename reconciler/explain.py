"""Why a Service has its Private Link Service, or none: each check in order, with the value that decided it. Pure.

No rule is written down a second time: claims, seats and verdicts come from the functions that the plan is made with,
and whatever stands in the way of a write from the findings of that plan. The last word is the Service's
:class:`reconciler.telling.Telling`: what its condition, the dashboard and published events say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reconciler import arm_ids
from reconciler import explain_values as values
from reconciler.claims import Wish, read_claim
from reconciler.explain_values import Check
from reconciler.model import Frontend, LoadBalancer, Observed, PrivateLinkService, Service, Unknown, known
from reconciler.plan import Finding, Plan, Reason, Write
from reconciler.planning import needs
from reconciler.planning.verdicts import judge, subnet_of
from reconciler.planning.world import World
from reconciler.telling import Telling, tellings


@dataclass(frozen=True, slots=True)
class Explanation:
    """All checks up to the one that decides. ``telling`` is None where the Service is told nothing.

    ``found``: the cluster has the Service, or something of it is left. ``unread``: the cluster could not be read.
    """

    cluster: str
    service: str
    found: bool
    unread: bool
    checks: tuple[Check, ...]
    telling: Telling | None

    @property
    def ready(self) -> bool:
        """It has a Private Link Service that works."""
        return bool(self.telling and self.telling.ready)

    @property
    def verdict(self) -> str:
        """The last word."""
        if self.telling:
            return f"{self.telling.reason}: {self.telling.message}"
        decisive = next((check for check in self.checks if check.outcome == "no"), None)
        why = f" ({decisive.name}: {decisive.value})" if decisive else ""
        return f"It is told nothing{why}."


def explain(
    observed: Observed, plan: Plan, key: str, *, other: Service | Unknown | None = None, paused: bool = False
) -> Explanation:
    """Explain one Service (``namespace/name``) of one cluster by one look and its plan.

    ``other`` is the Service as read by its name where it is not among those of type LoadBalancer; Unknown where
    that could not be read.
    """
    world, idle = World(observed), paused or observed.cluster.mode == "plan"
    # What is only planned, and not going to be written, is not on its way.
    rows = [row for row in plan.ownership if not idle or arm_ids.key(row.pls_id) in world.by_id]
    told = () if plan.unread else tellings(rows, plan.sharing, plan.findings)
    telling = next((t for t in told if t.service == key), None)
    unseen = other.reason if isinstance(other, Unknown) else ""
    read = other if isinstance(other, Service) else None
    service = next((s for s in known(observed.services) if s.key == key), read)
    case = _Case(observed, plan, world, key, telling, unseen)
    checks = [*case.way(service), *case.planned(paused)]
    found = service is not None or telling is not None or bool(case.writes)
    return Explanation(observed.cluster.name, key, found, plan.unread, tuple(checks), telling)


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON values."""
    told = explanation.telling
    return {
        "cluster": explanation.cluster,
        "service": explanation.service,
        "found": explanation.found,
        "ready": explanation.ready,
        "reason": told.reason if told else "",
        "message": told.message if told else "",
        "privateLinkService": told.pls_id if told else "",
        "frontend": told.frontend_id if told else "",
        "alias": told.alias if told else "",
        "verdict": explanation.verdict,
        "checks": [{"check": c.name, "value": c.value, "outcome": c.outcome} for c in explanation.checks],
    }


def _decided(checks: Iterable[Check]) -> Iterator[Check]:
    """Up to the first that says no."""
    for check in checks:
        yield check
        if check.outcome == "no":
            return


@dataclass(frozen=True, slots=True)
class _Case:
    """One Service in one look."""

    observed: Observed
    plan: Plan
    world: World
    key: str
    telling: Telling | None
    unseen: str  # why it could not be read by its name; "" where it could

    def way(self, service: Service | None) -> list[Check]:
        """To the frontends of the Service, and on each of them; a no on one is none on another."""
        to_there = list(_decided(self._to_frontends(service)))
        if service is None or to_there[-1].outcome == "no":
            return to_there
        on_each = (self._on(service, *seat) for seat in self._seats(service))
        return [*to_there, *(check for checks in on_each for check in _decided(checks))]

    def planned(self, paused: bool) -> Iterator[Check]:
        """What is about to be written, wherever the way ended."""
        for write in self.writes:
            held, later = write in self.plan.held, write in self.plan.after
            yield Check(
                "plan", f"{write.sentence}{' (held back)' if held else ' (after)' if later else ''}", "tells"
            )
        if self.writes:
            mode = self.observed.cluster.mode
            value = "no: the cluster is paused" if paused else f"mode {mode}"
            yield values.passed("is written", value, mode != "plan" and not paused)

    @property
    def writes(self) -> tuple[Write, ...]:
        """The plan's writes for the Service, or for the Private Link Service that it uses."""
        every = (*self.plan.writes, *self.plan.after, *self.plan.held)
        return tuple(write for write in every if write.service == self.key or self._uses(write.pls_id))

    def _uses(self, pls_id: str) -> bool:
        return bool(self.telling and pls_id and arm_ids.same(self.telling.pls_id, pls_id))

    def _to_frontends(self, service: Service | None) -> Iterator[Check]:
        yield self._readable()
        yield values.there(service, self.unseen)
        if service is None:
            return
        config = self.observed.cluster
        yield values.wishes(service)
        yield values.asking(service, config.pls_prefix)
        claim = read_claim(service, config.pls_prefix, config.default_subnet)
        yield values.eligible(service, claim)
        yield values.settings(claim)
        if not self._seats(service):
            yield self._no_frontend()

    def _readable(self) -> Check:
        if self.plan.unread:
            return values.passed("cluster", " ".join(f.sentence for f in self.plan.findings), False)
        services, balancers = len(known(self.observed.services)), len(self.world.load_balancers)
        seen = f"{services} Services of type LoadBalancer, {balancers} load balancers"
        return values.passed("cluster", f"read: {seen}, {len(self.world.pls)} Private Link Services", True)

    def _seats(self, service: Service) -> list[tuple[LoadBalancer, Frontend]]:
        pairs = (pair for _, pair in sorted(self.world.frontends.items()))
        return [pair for pair in pairs if service in self.world.on(pair[1])]

    def _no_frontend(self) -> Check:
        reasons = {Reason.NO_FRONTEND, Reason.UNKNOWN_VIEW}
        said = [f.sentence for f in self.plan.findings if f.reason in reasons and f.service in (self.key, "")]
        return values.passed("frontend", " ".join(said) or "none", False)

    def _on(self, service: Service, balancer: LoadBalancer, frontend: Frontend) -> Iterator[Check]:
        where = f"{frontend.name} on {balancer.name} ({balancer.sku}, {balancer.provisioning_state})"
        yield values.passed("frontend", where, True)
        pls = self.world.on_frontend.get(arm_ids.key(frontend.id))
        ours = pls is not None and self.world.ours(pls)
        incumbent = None if pls else self.world.incumbent(frontend)
        verdicts = judge(self.observed, frontend.id, self.world.on(frontend), pls, ours, incumbent)
        yield Check("Services on it", ", ".join(t.service.key for t in verdicts.tenants), "tells")
        yield values.link(pls, ours)
        tenant = next(t for t in verdicts.tenants if t.service is service)
        yield values.part(tenant, verdicts, pls)
        wish = tenant.claim.wish
        if tenant.role == "owner" and isinstance(wish, Wish):
            if pls is None:
                yield Check("PLS to be", needs.wished_id(self.observed.cluster, frontend, wish), "tells")
            yield values.nat_subnet(subnet_of(self.observed, wish), wish)
        yield from self._hurdles(pls)

    def _hurdles(self, pls: PrivateLinkService | None) -> Iterator[Check]:
        mine = [f for f in self.plan.findings if self._about(f, pls)]
        for name, clear, reasons in values.HURDLES:
            found = [finding for finding in mine if finding.reason in reasons]
            yield from (values.hurdle(name, finding) for finding in found)
            if not found:
                yield values.passed(name, clear, True)

    def _about(self, finding: Finding, pls: PrivateLinkService | None) -> bool:
        """Whether it is about this Service, or nobody else and the PLS that it uses."""
        if finding.service:
            return finding.service == self.key
        if finding.reason is Reason.BRAKE:
            return any(write in self.plan.held for write in self.writes)
        return self._uses(finding.pls_id) or bool(pls and arm_ids.same(finding.pls_id, pls.id))
