"""What the real in-tree controller did on the same input, step by step, and what we plan on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler import arm_ids, reading
from reconciler.model import ClusterConfig, Limits, Observed, Proof
from reconciler.plan import DeleteConnection, DeletePls, Plan, PutPls, PutSubnet, Severity
from reconciler.planning import plan
from tests.builders import needed_proofs

VECTORS = json.loads((Path(__file__).parent / "peer-vectors.json").read_text())
NOW = datetime(2026, 6, 1, tzinfo=UTC)

# Where we do better on purpose: scenario → (step, what we decide there). Each is a row of
# docs/decisions/0001-deviations-from-the-in-tree-controller.md.
DEVIATIONS = {
    "name-empty": (0, "refuse"),
    "upd-rg": (1, "refuse"),
    "owner-tag-removed": (2, "refuse"),
    "name-taken": (1, "refuse"),
}


def config() -> ClusterConfig:
    """The configuration that the recorded controller had."""
    peer = VECTORS["cluster"]
    return ClusterConfig(
        name="vectors",
        cluster_name=peer["clusterName"],
        subscription=peer["subscriptionId"],
        location=peer["location"],
        load_balancer_resource_group=peer["loadBalancerResourceGroup"],
        pls_resource_group=peer["privateLinkServiceResourceGroup"],
        vnet_resource_group=peer["vnet"]["resourceGroup"],
        vnet_name=peer["vnet"]["name"],
        default_subnet=peer["defaultSubnet"],
        mode="sync",
        in_tree="absent",
    )


def observe(step: Mapping[str, Any]) -> Observed:
    """A step's input. Without a ledger; a Service missing from it counts as proven gone."""
    services = [reading.service(s) for s in step["observed"]["services"]]
    balancers = [reading.load_balancer(b) for b in step["observed"]["loadBalancers"]]
    pls = [reading.private_link_service(p) for p in step["before"]["privateLinkServices"]]
    subnets = [reading.subnet(s) for s in step["before"]["subnets"]]
    observed = Observed(
        cluster=config(),
        now=NOW,
        services=tuple(s for s in services if s),
        load_balancers=tuple(b for b in balancers if b),
        private_link_services=tuple(p for p in pls if p),
        subnets={arm_ids.key(s.id): s for s in subnets if s},
    )
    there = {s.key for s in services if s}
    proofs = {r: Proof.PRESENT if r.key in there else Proof.GONE for r in needed_proofs(observed)}
    fields = {name: getattr(observed, name) for name in Observed.__dataclass_fields__}
    return Observed(**{**fields, "proofs": proofs})


def comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that count, sets unordered, ids in lower case; absent, null and empty are the same."""
    properties = body.get("properties") or {}

    def subscriptions(name: str) -> list[str]:
        return sorted((properties.get(name) or {}).get("subscriptions") or [])

    configurations = [
        (
            c["properties"].get("privateIPAllocationMethod"),
            c["properties"].get("privateIPAddress") or "",
            c["properties"].get("privateIPAddressVersion"),
            bool(c["properties"].get("primary")),
            c["properties"]["subnet"]["id"].lower(),
        )
        for c in properties.get("ipConfigurations") or []
    ]
    frontends = properties.get("loadBalancerFrontendIpConfigurations") or []
    return {
        "location": body.get("location"),
        "tags": {k.lower(): v for k, v in (body.get("tags") or {}).items()},
        "ipConfigurations": sorted(configurations),
        "frontends": sorted(f["id"].lower() for f in frontends),
        "fqdns": sorted(properties.get("fqdns") or []),
        "enableProxyProtocol": bool(properties.get("enableProxyProtocol")),
        "visibility": subscriptions("visibility"),
        "autoApproval": subscriptions("autoApproval"),
    }


def our_writes(result: Plan) -> list[tuple[str, str, Any]]:
    """Our writes in order, in the vectors' terms."""
    rows: list[tuple[str, str, Any]] = []
    for write in (*result.writes, *result.after):
        if isinstance(write, PutPls):
            rows.append(("PUT", write.pls_id.lower(), comparable(write.body)))
        elif isinstance(write, PutSubnet):
            rows.append(
                (
                    "PUT",
                    write.subnet_id.lower(),
                    write.body["properties"]["privateLinkServiceNetworkPolicies"],
                )
            )
        elif isinstance(write, DeletePls):
            rows.append(("DELETE", write.pls_id.lower(), None))
        elif isinstance(write, DeleteConnection):
            rows.append(("DELETE", write.connection_id.lower(), None))
    return rows


def peer_writes(step: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """The peer's writes, in the same terms."""
    rows: list[tuple[str, str, Any]] = []
    for write in step["controller"]["writes"]:
        body = write.get("body")
        if write["method"] == "PUT" and "subnets" in write["kind"]:
            body = body["properties"]["privateLinkServiceNetworkPolicies"]
        elif write["method"] == "PUT":
            body = comparable(body)
        rows.append((write["method"], write["path"].lower(), body))
    return rows


def refused(result: Plan) -> list[str]:
    """The Services that our plan refuses."""
    return sorted({f.service for f in result.findings if f.severity is Severity.ERROR and f.service})


STEPS = [
    pytest.param(scenario, number, id=f"{scenario['id']}-{number}")
    for scenario in VECTORS["scenarios"]
    for number, step in enumerate(scenario["steps"])
    if step["expect"]["decision"] != "outOfBand"
]


@pytest.mark.parametrize(("scenario", "number"), STEPS)
def test_same_decision_and_same_bodies_as_the_peer(scenario: dict[str, Any], number: int) -> None:
    """The plan's writes equal the peer's, body for body, and the same Services are refused."""
    step = scenario["steps"][number]
    if DEVIATIONS.get(scenario["id"], (-1, ""))[0] == number:
        pytest.skip("a deliberate deviation: asserted below")
    result = plan(observe(step), Limits())
    order = {"PUT": 1, "DELETE": 0}
    key = lambda row: (order[row[0]], row[1])  # noqa: E731
    assert sorted(our_writes(result), key=key) == sorted(peer_writes(step), key=key)
    assert refused(result) == sorted(step["expect"]["refused"])


@pytest.mark.parametrize("name", sorted(DEVIATIONS))
def test_each_deviation_is_as_documented(name: str) -> None:
    """Where we do better: nothing is written, and the Service is told why."""
    number, decision = DEVIATIONS[name]
    scenario = next(s for s in VECTORS["scenarios"] if s["id"] == name)
    step = scenario["steps"][number]
    result = plan(observe(step), Limits())
    assert decision == "refuse"
    assert our_writes(result) == []
    touched = next(iter(step["action"].values()))
    assert refused(result) == [f"t/{touched[0]}"]


def test_every_deviation_of_the_vectors_is_in_our_table() -> None:
    """A scenario marked as deviating upstream of us cannot slip through unasserted."""
    assert {s["id"] for s in VECTORS["scenarios"] if s.get("deviation")} == set(DEVIATIONS)


@pytest.mark.parametrize(("scenario", "number"), STEPS)
def test_after_the_peer_our_plan_is_empty(scenario: dict[str, Any], number: int) -> None:
    """What the peer left behind needs no write of ours: the two do not fight."""
    step = scenario["steps"][number]
    if scenario["id"] in DEVIATIONS or step["expect"]["decision"] == "delete":
        pytest.skip("no peer's result to keep")
    settled = {**step, "before": {**step["before"], **step["after"]}}
    result = plan(observe(settled), Limits())
    assert [w for w in (*result.writes, *result.after) if not isinstance(w, PutSubnet)] == []
