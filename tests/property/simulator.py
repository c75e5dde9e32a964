"""A world small enough to be drawn at random, in which the writes of a plan come true at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler import arm_ids, bookkeeping, reading
from reconciler.bookkeeping import Outcome, Result
from reconciler.model import (
    Absent,
    ClusterConfig,
    Limits,
    LoadBalancer,
    Observed,
    Ownership,
    Proof,
    Reservation,
    Service,
    ServiceRef,
    Sharing,
    Subnet,
    Unknown,
)
from reconciler.plan import DeleteConnection, DeletePls, Plan, PutPls, PutSubnet, Write
from reconciler.planning import needs, plan
from reconciler.ports import Accepted
from tests.builders import CONFIG, LIMITS, NOW, needed_proofs

Store = dict[str, dict[str, Any]]


@dataclass
class Simulation:
    """``links`` are the PLSs' JSON by lower-case id; ``views`` the subnets; the rest is the ledger."""

    services: tuple[Service, ...]
    load_balancers: tuple[LoadBalancer, ...]
    links: Store
    views: dict[str, Subnet | Absent | Unknown]
    config: ClusterConfig = CONFIG
    limits: Limits = LIMITS
    ownership: tuple[Ownership, ...] = ()
    sharing: tuple[Sharing, ...] = ()
    reservations: dict[str, Reservation] = field(default_factory=dict)
    sightings: dict[str, datetime] = field(default_factory=dict)
    now: datetime = NOW

    def look(self) -> Observed:
        """One complete look, with all that a run reads besides."""
        links = [reading.private_link_service(item) for item in self.links.values()]
        seen = Observed(
            cluster=self.config,
            now=self.now,
            services=self.services,
            load_balancers=self.load_balancers,
            private_link_services=tuple(link for link in links if link),
            subnets=self.views,
            ownership=self.ownership,
            sharing=self.sharing,
            reservations=self.reservations,
            sightings=self.sightings,
        )
        absent = frozenset(map(arm_ids.key, needs.unconfirmed(seen)))
        proofs = {ref: self._proof(ref) for ref in needed_proofs(seen)}
        return replace(seen, absent_pls=absent, proofs=proofs)

    def _proof(self, ref: ServiceRef) -> Proof:
        same = [s for s in self.services if s.key == ref.key and ref.uid in ("", s.uid)]
        if not same or same[0].type != "LoadBalancer":
            return Proof.GONE
        return Proof.DELETING if same[0].deleting else Proof.PRESENT

    def step(self) -> Plan:
        """Look, plan, let everything come true, and move on to the next look."""
        seen = self.look()
        result = plan(seen, self.limits)
        self._finish_transit()
        for write in result.writes:
            self._carry_out(write)
        noted = bookkeeping.intents(result, self.now)
        outcomes = [Outcome(w, Result.ACCEPTED, accepted=Accepted("Succeeded")) for w in result.writes]
        self.ownership = tuple(
            sorted(
                bookkeeping.settle(result.ownership, noted, outcomes, self.now),
                key=lambda r: r.pls_id.lower(),
            )
        )
        self.sharing = result.sharing
        self.sightings = dict(result.sightings)
        for gone in result.forget:
            self.reservations.pop(arm_ids.key(gone), None)
        self.now = max(result.come_back or self.now, self.now) + timedelta(seconds=5)
        return result

    def _finish_transit(self) -> None:
        for key, item in list(self.links.items()):
            state = item["properties"]["provisioningState"]
            if state == "Deleting":
                del self.links[key]
            elif state in ("Creating", "Updating"):
                item["properties"]["provisioningState"] = "Succeeded"
        self.load_balancers = tuple(replace(b, provisioning_state="Succeeded") for b in self.load_balancers)

    def _carry_out(self, write: Write) -> None:
        match write:
            case PutPls():
                self._put(write)
            case PutSubnet():
                view = self.views[arm_ids.key(write.subnet_id)]
                assert isinstance(view, Subnet)
                policy = write.body["properties"]["privateLinkServiceNetworkPolicies"]
                self.views[arm_ids.key(write.subnet_id)] = replace(view, policy=policy, raw=write.body)
            case DeletePls():
                assert not self.links[arm_ids.key(write.pls_id)]["properties"]["privateEndpointConnections"]
                del self.links[arm_ids.key(write.pls_id)]
            case DeleteConnection():
                properties = self.links[arm_ids.key(write.pls_id)]["properties"]
                properties["privateEndpointConnections"] = [
                    c for c in properties["privateEndpointConnections"] if c["id"] != write.connection_id
                ]

    def _put(self, write: PutPls) -> None:
        key, name = arm_ids.key(write.pls_id), arm_ids.last_name(write.pls_id)
        before = self.links.get(key, {}).get("properties", {})
        own = {
            "provisioningState": "Succeeded",
            "resourceGuid": before.get("resourceGuid", f"guid-{name}-{self.now:%H%M%S}"),
            "alias": before.get("alias", f"{name}.alias"),
            "privateEndpointConnections": before.get("privateEndpointConnections", []),
        }
        properties = {**write.body["properties"], **own}
        self.links[key] = {**write.body, "id": write.pls_id, "name": name, "properties": properties}
        if write.created:
            row = next(r for r in self.ownership_of(write))
            self.reservations[key] = row

    def ownership_of(self, write: PutPls) -> list[Reservation]:
        """The reservation that goes before a create."""
        uid = next(s.uid for s in self.services if s.key == write.service)
        return [Reservation(write.pls_id, self.config.name, uid, write.frontend_id)]
