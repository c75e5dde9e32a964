"""The invariants of the end: what must hold once all troubles are over, told from the settings that were applied.

Nothing here asks the product what it would do: the wish is computed from the steps' own settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.documents import (
    OWNER_TAG,
    bag,
    belongs,
    connections_of,
    frontend_of,
    network,
    present,
    static_addresses,
    tag,
)
from tests.simulation.stage import ClusterFact, Facts, FrontendFact, ServiceFact
from tests.simulation.steps import Settings

Json = Mapping[str, Any]
SUBNETS = ("default", "pls-subnet")


def complaints(facts: Facts) -> list[str]:
    """What is not as it shall be, a line each."""
    return [line for cluster in facts.clusters.values() for line in _Judge(facts, cluster).all()]


def valid(settings: Settings) -> bool:
    """Whether the settings parse, keep the limits and name a subnet that is there."""
    count = 1 if settings.count is None else settings.count
    return 1 <= count <= 8 and len(settings.static) <= count and (settings.subnet or "default") in SUBNETS


def eligible(settings: Settings) -> bool:
    """Internal, or public without floating IP."""
    return settings.internal or not settings.floating


def has_settings(settings: Settings) -> bool:
    """Any setting of its own; the resource group is none."""
    own = (settings.name, settings.subnet, settings.count)
    lists = (settings.static, settings.fqdns, settings.visibility, settings.auto_approval, settings.proxy)
    return any(value is not None for value in own) or any(lists)


def wished(settings: Settings) -> tuple[object, ...]:
    """The PLS's settings that these annotations ask for."""
    visible = ("*",) if "*" in settings.visibility else settings.visibility
    count = 1 if settings.count is None else settings.count
    return (
        (settings.subnet or "default",) * count,
        frozenset(settings.static),
        bag(settings.fqdns),
        settings.proxy,
        bag(visible),
        bag(settings.auto_approval),
    )


class _Judge:
    """Looks at one cluster."""

    def __init__(self, facts: Facts, cluster: ClusterFact) -> None:
        self.facts, self.cluster = facts, cluster
        self.ours = {k: p for k, p in facts.links.items() if belongs(p, cluster.group)}
        self.on = {frontend_of(dict(p)).lower(): p for p in facts.links.values()}
        self.rows = {r.pls_id.lower(): r for r in cluster.ownership}

    def all(self) -> Iterator[str]:
        """Every complaint, with the cluster's name."""
        found = [*self.claims(), *self.leaks(), *self.ledger()]
        return (f"{self.cluster.name}: {line}" for line in found)

    def tenants(self, frontend: FrontendFact) -> list[ServiceFact]:
        """The live Services on a frontend of their kind."""
        return [
            s
            for s in self.cluster.services
            if s.live and s.form in frontend.forms and s.settings.internal == frontend.internal
        ]

    def told(self, reasons: tuple[str, ...], service: str = "", pls_id: str = "") -> bool:
        """Whether the last run says so of this Service, or of this PLS."""
        return any(
            f.get("reason") in reasons
            and (not service or f.get("service") == service)
            and (not pls_id or str(f.get("privateLinkService") or "").lower() == pls_id.lower())
            for f in self.cluster.findings
        )

    # -- every eligible claim has its PLS, every refused one is told

    def claims(self) -> Iterator[str]:
        """Frontend by frontend."""
        for service in self.cluster.services:
            seated = any(service.form in f.forms for f in self.cluster.frontends)
            if service.live and not seated and not self._blocked(service):
                yield f"{service.key} has no frontend yet"
        for frontend in self.cluster.frontends:
            tenants = self.tenants(frontend)
            asking = [t for t in tenants if t.settings.asks]
            link = self.on.get(frontend.id.lower())
            if not asking:
                continue
            if link is None:
                yield from self._without(frontend, asking)
            elif not belongs(link, self.cluster.group):
                yield from self._foreign(asking, link)
            else:
                yield from self._held(tenants, asking, link)

    def _blocked(self, service: ServiceFact) -> bool:
        """The provider first takes its predecessor's frontend away, and fails where a PLS stays there.

        And that is told, unless it is known by its address, and shares what is there.
        """
        living = {s.form for s in self.cluster.services if s.live}
        deserted = [f for f in self.cluster.frontends if f.forms.isdisjoint(living)]
        links = [(f, self.on[f.id.lower()]) for f in deserted if f.id.lower() in self.on]
        stays = any(not belongs(p, self.cluster.group) or self._kept(f, p) for f, p in links)
        return stays and (not service.settings.asks or self._known_unseated(service.key))

    def _known_unseated(self, key: str) -> bool:
        return self.told(("NoFrontend", "NotEligible"), key) or any(
            row.service.key == key for row in self.cluster.sharing
        )

    def _without(self, frontend: FrontendFact, asking: list[ServiceFact]) -> Iterator[str]:
        fit = [t for t in asking if valid(t.settings) and eligible(t.settings)]
        for tenant in asking:
            if tenant not in fit and not self.told(("NotEligible", "InvalidSettings"), tenant.key):
                yield f"{tenant.key} is refused and not told"
        if not fit:
            return
        excused = [t for t in fit if self._excused(frontend, t) or self._address_taken(frontend.id, t)]
        if not excused:
            yield f"no PLS on {frontend.name} for {[t.key for t in fit]}"

    def wished_id(self, frontend: FrontendFact, tenant: ServiceFact) -> str:
        """The id of the PLS that a Service asks for on a frontend without one."""
        name = tenant.settings.name or f"pls-{frontend.name}"
        group = tenant.settings.group or self.cluster.group
        return f"{network(group)}/privateLinkServices/{name}".lower()

    def _waiting(self) -> frozenset[str]:
        """The ids of PLSs that Services wish for: their rows may be there before they are."""
        return frozenset(self.wished_id(f, t) for f in self.cluster.frontends for t in self.tenants(f))

    def _taken_from_us(self) -> frozenset[str]:
        """PLSs that were ours until somebody took their tag away: we remember them, should it come back."""
        there = {k: p["properties"].get("resourceGuid") for k, p in self.facts.links.items()}
        return frozenset(
            k for k, row in self.rows.items() if row.resource_guid and there.get(k) == row.resource_guid
        )

    def _excused(self, frontend: FrontendFact, tenant: ServiceFact) -> bool:
        """The name is somebody else's: a PLS that is there, or an earlier claim. And that is told."""
        wish = self.wished_id(frontend, tenant)
        there = wish in self.facts.links
        return (there or self._claimed_elsewhere(wish, frontend)) and self.told(
            ("NameTaken", "Kept"), tenant.key
        )

    def _address_taken(self, frontend_id: str, tenant: ServiceFact) -> bool:
        """A static address that it asks for is another PLS's. And that is told."""
        subnet = f"{network(self.cluster.group)}/virtualNetworks/aks-vnet/subnets/{tenant.settings.subnet or 'default'}"
        asked = {(subnet.lower(), address) for address in tenant.settings.static}
        others = [p for key, p in self.on.items() if key != frontend_id.lower()]
        held = any(asked & static_addresses(dict(other)) for other in others)
        return held and self.told(("Rejected", "BackOff"), tenant.key)

    def _claimed_elsewhere(self, wish: str, frontend: FrontendFact) -> bool:
        """Some other claim wishes for the same id; or its row still stands for one that is there."""
        for cluster in self.facts.clusters.values():
            judge = _Judge(self.facts, cluster)
            for other in cluster.frontends:
                if other.id == frontend.id:
                    continue
                if any(judge.wished_id(other, t) == wish for t in judge.tenants(other) if t.settings.asks):
                    return True
        return False

    def _foreign(self, asking: list[ServiceFact], link: Json) -> Iterator[str]:
        reasons = ("ForeignPrivateLinkService", "NotEligible")
        for tenant in asking:
            if not self.told(reasons, tenant.key):
                yield f"{tenant.key} is not told of the foreign {link['id']}"

    def _held(self, tenants: list[ServiceFact], asking: list[ServiceFact], link: Json) -> Iterator[str]:
        owner = next((t for t in tenants if t.key == tag(link, OWNER_TAG).lower()), None)
        if owner is None:
            if not self.told(("OwnerMissing",), pls_id=link["id"]):
                yield f"{link['id']} has no owner on its frontend, and nobody is told"
            return
        yield from self._sharers(owner, asking)
        settings = owner.settings
        if not settings.asks:
            return
        if not eligible(settings) or not valid(settings):
            if not self.told(("NotEligible", "InvalidSettings"), owner.key):
                yield f"{owner.key} is refused and not told"
        elif self._misplaced(settings, link):
            if not self.told(("CannotRename", "CannotMoveResourceGroup"), owner.key):
                yield f"{owner.key} cannot have {link['id']} renamed, and is not told"
        elif self._address_taken(frontend_of(dict(link)), owner):
            return
        elif link["properties"]["provisioningState"] != "Succeeded" or present(link) != wished(settings):
            yield f"{link['id']} of {owner.key} is {link['properties']}, and shall be {wished(settings)}"

    def _sharers(self, owner: ServiceFact, asking: list[ServiceFact]) -> Iterator[str]:
        for tenant in asking:
            if tenant is owner:
                continue
            if not eligible(tenant.settings) or has_settings(tenant.settings):
                if not self.told(("NotOwner", "NotEligible"), tenant.key):
                    yield f"{tenant.key} is refused by {owner.key}'s and not told"
            elif not any(s.service.key == tenant.key and s.role == "shares" for s in self.cluster.sharing):
                yield f"{tenant.key} shares and is not in the ledger"

    def _misplaced(self, settings: Settings, link: Json) -> bool:
        name = settings.name is not None and settings.name.lower() != link["name"].lower()
        group = link["id"].split("/")[4].lower()
        return name or (settings.group is not None and settings.group.lower() != group)

    # -- nothing leaks

    def leaks(self) -> Iterator[str]:
        """Of ours, each serves somebody, or is kept for a reason that is told."""
        fronts = {f.id.lower(): f for f in self.cluster.frontends}
        for link in self.ours.values():
            frontend = fronts.get(frontend_of(dict(link)).lower())
            if frontend is None:
                if not self.told(("Orphan",), pls_id=link["id"]):
                    yield f"{link['id']} has lost its frontend"
            elif not self.tenants(frontend) and not self._kept(frontend, link):
                yield f"{link['id']} is left over"

    def _kept(self, frontend: FrontendFact, link: Json) -> bool:
        """Told, and for a reason.

        A live Service has rules here though it is of the other kind by now; or they name nobody we ever knew;
        or those who left it may not know that others are connected.
        """
        if self.told(("Orphan",), pls_id=link["id"]):
            return any(
                c["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
                for c in connections_of(dict(link))
            )
        moved = any(s.live and s.form in frontend.forms for s in self.cluster.services)
        known = {("a" + r.service.uid.replace("-", ""))[:32] for r in self.cluster.sharing}
        known |= {("a" + r.owner.uid.replace("-", ""))[:32] for r in self.cluster.ownership}
        return (moved or bool(frontend.forms - known)) and self.told(("Kept",), pls_id=link["id"])

    # -- ledger and Azure agree

    def ledger(self) -> Iterator[str]:
        """A row for each PLS of ours that says what it is, and no others but those of claims that wait."""
        for key, link in self.ours.items():
            row = self.rows.get(key)
            if row is None:
                yield f"{link['id']} is not in the ledger"
                continue
            properties = link["properties"]
            seen = (
                properties["resourceGuid"],
                frontend_of(dict(link)).lower(),
                properties["provisioningState"],
            )
            if (row.resource_guid, row.frontend_id.lower(), row.state) != seen:
                yield f"the ledger says {row}, Azure {seen}"
        for key in sorted(self.rows.keys() - self.ours.keys() - self._waiting() - self._taken_from_us()):
            yield f"the ledger has {self.rows[key]}, which is not ours or not there"
        for reservation in self.facts.reservations:
            if reservation.cluster == self.cluster.name and reservation.pls_id.lower() not in self.rows:
                yield f"{reservation} is left over"
