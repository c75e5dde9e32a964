"""The facts of the simulation: Kubernetes, Azure and the ledger as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tests.fakes.ledger import MemoryLedger
from tests.simulation.arm import Subscription
from tests.simulation.documents import FRONTENDS, network
from tests.simulation.kubernetes import Api
from tests.simulation.stage import ClusterFact, Facts, FrontendFact, Json, ServiceFact, WriteFact


def look(
    groups: Mapping[str, str],
    apis: Mapping[str, Api],
    arm: Subscription,
    ledger: MemoryLedger,
    writes: Iterable[WriteFact],
) -> Facts:
    """Everything; ``groups`` and ``apis`` are by cluster's name."""
    return Facts(
        links={p["id"].lower(): p for p in arm.links()},
        clusters={
            name: ClusterFact(
                name=name,
                group=group,
                services=_services(apis[name]),
                frontends=_frontends(arm, group),
                ownership=ledger.ownership(name),
                sharing=ledger.sharing(name),
                findings=tuple(ledger.state(name).last_run.get("findings", ())),
            )
            for name, group in groups.items()
        },
        reservations=tuple(ledger.reservations(list(ledger._reservations)).values()),
        writes=tuple(writes),
    )


def _services(api: Api) -> tuple[ServiceFact, ...]:
    return tuple(
        ServiceFact(n, s["metadata"]["uid"], api.settings[n], bool(s["metadata"].get("deletionTimestamp")))
        for n, s in sorted(api.services.items())
    )


def _frontends(arm: Subscription, group: str) -> tuple[FrontendFact, ...]:
    return tuple(fact for lb in arm.of_kind("loadBalancers", network(group)) for fact in frontends_of(lb))


def frontends_of(balancer: Json) -> Iterator[FrontendFact]:
    """The frontends of a load balancer's JSON, with who has rules on them."""
    rules = balancer["properties"].get("loadBalancingRules") or ()
    for item in balancer["properties"][FRONTENDS]:
        on = [
            r["name"][:32]
            for r in rules
            if r["properties"]["frontendIPConfiguration"]["id"].lower() == item["id"].lower()
        ]
        internal = not item["properties"].get("publicIPAddress")
        yield FrontendFact(item["id"], item["name"], internal, frozenset(on))
