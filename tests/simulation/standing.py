"""Who stands on a frontend, in truth; who left it, and when; and whether those whom the ledger knows are still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.model import ServiceRef
from tests.simulation.arm import Subscription
from tests.simulation.documents import FRONTENDS
from tests.simulation.kubernetes import NAMESPACE, Api, seat_of


def tenants(arm: Subscription, api: Api, frontend_id: str) -> dict[str, float]:
    """The live Services with rules on a frontend of their kind, and since when they stand there as they do."""
    seats = {seat_of(service): name for name, service in sorted(api.services.items())}
    found: dict[str, float] = {}
    for seat, since in _seats(arm, frontend_id):
        if seat in seats:
            name = seats[seat]
            found[f"{NAMESPACE}/{name}"] = max(since, api.live_since.get(name, 0.0))
    return found


def deserted_since(arm: Subscription, api: Api, frontend_id: str) -> float:
    """Since when a frontend is gone, or the last of those who have rules on it."""
    if arm.frontend(frontend_id) is None:
        return arm.gone_since.get(frontend_id.lower(), 0.0)
    return max((api.left.get(seat, 0.0) for seat, _ in _seats(arm, frontend_id)), default=0.0)


def any_is_there(api: Api, known: Iterable[ServiceRef]) -> bool:
    """Whether one of these is a live Service still, wherever it stands."""
    living = {s["metadata"]["uid"] for s in api.services.values() if seat_of(s)}
    return any(ref.uid in living for ref in known)


def _seats(arm: Subscription, frontend_id: str) -> Iterator[tuple[tuple[str, bool], float]]:
    """For each rule on it, of whom it is, and since when it is there."""
    balancer_id = frontend_id.split(f"/{FRONTENDS}/", 1)[0]
    balancer, internal = arm.find(balancer_id), balancer_id.lower().endswith("-internal")
    for rule in balancer["properties"]["loadBalancingRules"] if balancer else ():
        if rule["properties"]["frontendIPConfiguration"]["id"].lower() == frontend_id.lower():
            since = arm.rule_since.get(f"{balancer_id}/{rule['name']}".lower(), 0.0)
            yield (rule["name"][:32], internal), since
