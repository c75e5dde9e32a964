"""Properties of plans over random clusters: they converge, they touch only what is ours, order is nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import arm_ids
from reconciler.claims import read_claim
from reconciler.model import Observed, Ownership, Unknown, known
from reconciler.plan import DeleteConnection, DeletePls, Plan, PutPls, PutSubnet, target
from reconciler.planning import plan
from reconciler.telling import tellings
from reconciler.tenancy import by_frontend
from tests.builders import LIMITS, VNET
from tests.property.simulator import Simulation
from tests.property.worlds import worlds

ROUNDS = 12
RUN = settings(max_examples=150, deadline=None, database=None, derandomize=True)


def ours(item: Mapping[str, Any], rows: tuple[Ownership, ...]) -> bool:
    """Said anew, in other words than the product's: our tag, and our load balancers' group."""
    tag = str(item["tags"].get("k8s-azure-cluster-name", "")).strip().lower()
    places = [f["id"].lower() for f in item["properties"]["loadBalancerFrontendIpConfigurations"]]
    guid = item["properties"]["resourceGuid"]
    known = any(r.resource_guid == guid and r.pls_id.lower() == item["id"].lower() for r in rows)
    return tag == "kubernetes" and ("/resourcegroups/mc_prod/" in places[0] if places else known)


def check_targets(result: Plan, links: Mapping[str, Mapping[str, Any]], rows: tuple[Ownership, ...]) -> None:
    """Each write goes to a PLS of ours, to an id where there is none, or to a subnet of the cluster's."""
    for write in (*result.writes, *result.after, *result.held):
        key = arm_ids.key(target(write))
        match write:
            case PutSubnet():
                assert key.startswith(VNET.lower())
            case PutPls() if write.created:
                assert key not in links
            case PutPls() | DeletePls() | DeleteConnection():
                assert ours(links[arm_ids.key(write.pls_id)], rows), write


@RUN
@given(worlds())
def test_a_plans_outcome_leads_to_an_empty_plan_and_touches_only_ours(world: Simulation) -> None:
    """Replayed until nothing is due: no write is left, and what is not ours is as it was."""
    foreign = {k: copy.deepcopy(v) for k, v in world.links.items() if not ours(v, world.ownership)}
    stable = {k for k, v in foreign.items() if v["properties"]["provisioningState"] == "Succeeded"}
    result = Plan("")
    for _ in range(ROUNDS):
        links, rows = copy.deepcopy(world.links), world.ownership
        result = world.step()
        check_targets(result, links, rows)
        if not result.writes and result.come_back is None:
            break
    assert result.writes == ()
    assert result.come_back is None
    assert {k: world.links[k] for k in stable} == {k: foreign[k] for k in stable}
    nobody_is_left_without_a_word(world, result)
    if world.config.mode == "upsert-only":
        assert not any(isinstance(w, DeletePls | DeleteConnection) for w in result.held)


def nobody_is_left_without_a_word(world: Simulation, result: Plan) -> None:
    """Who asks stands on a frontend with a PLS in the end, or a finding says why not."""
    served = {
        f["id"].lower()
        for item in world.links.values()
        for f in item["properties"]["loadBalancerFrontendIpConfigurations"]
    }
    told = {f.service for f in result.findings}
    for frontend_id, tenants in by_frontend(world.services, world.load_balancers, ()).items():
        for tenant in tenants:
            claim = read_claim(tenant, world.config.pls_prefix, world.config.default_subnet)
            if claim.asks and frontend_id not in served:
                assert tenant.key in told, (tenant.key, result.findings)


@settings(RUN, max_examples=500)
@given(worlds())
def test_nobody_is_told_ready_of_a_pls_that_is_not_there(world: Simulation) -> None:
    """Whatever the ledger remembers, and whatever keeps the PLS from being made again."""
    seen = world.look()
    result = plan(seen, world.limits)
    there = {
        arm_ids.key(link.id)
        for link in known(seen.private_link_services)
        if link.provisioning_state == "Succeeded"
    }
    told = tellings(result.ownership, result.sharing, result.findings)
    assert {arm_ids.key(one.pls_id) for one in told if one.ready} <= there


@RUN
@given(worlds(), st.sampled_from(["services", "load_balancers", "private_link_services"]))
def test_an_unknown_view_writes_nothing_and_forgets_nothing(world: Simulation, view: str) -> None:
    """Whatever else is known."""
    unread: dict[str, Any] = {view: Unknown("503")}
    seen = replace(world.look(), **unread)
    result = plan(seen, world.limits)
    assert (result.writes, result.after, result.held, result.forget) == ((), (), (), ())
    assert (result.ownership, result.sharing) == (seen.ownership, seen.sharing)
    assert result.findings


def _shuffled(seen: Observed, draw: st.DataObject) -> Observed:
    def mixed(items: Any) -> tuple[Any, ...]:
        return tuple(draw.draw(st.permutations(list(items))))

    balancers = mixed(seen.load_balancers)
    return replace(
        seen,
        services=mixed(seen.services),
        load_balancers=tuple(replace(b, frontends=mixed(b.frontends)) for b in balancers),
        private_link_services=mixed(seen.private_link_services),
        subnets=dict(mixed(seen.subnets.items())),
        proofs=dict(mixed(seen.proofs.items())),
    )


@RUN
@given(worlds(), st.data())
def test_the_order_of_lists_does_not_change_the_plan(world: Simulation, draw: st.DataObject) -> None:
    """Writes and their digest are the same, findings and rows as sets."""
    seen = world.look()
    one, other = plan(seen, world.limits), plan(_shuffled(seen, draw), world.limits)
    assert (one.writes, one.after, one.held, one.digest) == (
        other.writes,
        other.after,
        other.held,
        other.digest,
    )
    assert sorted(map(repr, one.findings)) == sorted(map(repr, other.findings))
    assert sorted(map(repr, one.ownership)) == sorted(map(repr, other.ownership))
    assert sorted(map(repr, one.sharing)) == sorted(map(repr, other.sharing))
    assert (one.come_back, one.sightings, set(one.forget)) == (
        other.come_back,
        other.sightings,
        set(other.forget),
    )


@RUN
@given(worlds())
def test_a_plan_can_be_shown_and_is_the_same_each_time(world: Simulation) -> None:
    """Plans are values: same look, same plan; its bodies are JSON."""
    seen = world.look()
    result = plan(seen, world.limits)
    assert result == plan(seen, world.limits)
    for write in (*result.writes, *result.after):
        if isinstance(write, PutPls | PutSubnet):
            json.dumps(write.body)


@pytest.mark.parametrize("tag", [None, "other", "kubernetes2"])
def test_the_check_itself_knows_ours_from_theirs(tag: str | None) -> None:
    """The properties above cannot pass by calling everything ours."""
    item = {
        "id": "x",
        "tags": {"k8s-azure-cluster-name": tag} if tag else {},
        "properties": {"loadBalancerFrontendIpConfigurations": [{"id": "/x"}], "resourceGuid": ""},
    }
    assert not ours(item, ())
    assert LIMITS.brake_minimum == 3
