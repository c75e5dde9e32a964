"""A cluster that cannot be read is reported and untouched; the other one goes on."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

LIST = "/api/v1/services.*fieldSelector"  # what the product asks, and the cloud provider does not
TROUBLE: dict[str, dict[str, Any]] = {
    "401": {"status": 401, "code": "Unauthorized"},
    "403": {"status": 403, "code": "Forbidden", "message": "services is forbidden"},
    "410": {"status": 410, "code": "Expired"},
    "429": {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": "1"}},
    "500": {"status": 500, "code": "InternalError"},
    "503": {"status": 503, "code": "ServiceUnavailable"},
    "reset": {"mode": "reset-before"},
    "cut off": {"mode": "truncate"},
    "garbage": {"mode": "garbage"},
    "a page of HTML": {"mode": "garbage", "message": "<html>log in here</html>"},
    "another kind of JSON": {"mode": "garbage", "message": '{"kind": "Pizza", "items": "none"}'},
    "no answer": {"mode": "hang", "delay": 30.0},
}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """Two clusters with a Private Link Service each; their wish is a counter in `fqdns`."""
    options = SandboxOptions(
        clusters=("good", "bad"), provisioning_seconds=0.3, extra_settings={"KUBERNETES_TIMEOUT": "1"}
    )
    world = start(options)
    for cluster in ("good", "bad"):
        world.make_ready(cluster, "app", pls_fqdns="0")
        world.quiet_plan(cluster)
    return world


def test_each_cluster_has_its_own(world: World) -> None:
    """Same names, same tags, two resource groups."""
    assert world.status("good")["identity"] != world.status("bad")["identity"]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_cluster_in_trouble_is_reported_and_untouched_while_the_other_goes_on(
    world: World, trouble: str
) -> None:
    """And when it answers again it catches up with what was asked of it meanwhile."""
    ids = {cluster: world.pls_id(f"MC_{cluster}", "pls-app") for cluster in ("good", "bad")}
    with world.cluster_fault("bad", path=LIST, times=None, **TROUBLE[trouble]):
        world.annotate("bad", "app", {"pls-fqdns": f"bad-{trouble.replace(' ', '-')}"})
        world.resync("bad")
        found = world.finding("bad", "UnknownView")
        assert found["severity"] == "error"
        assert world.status("bad")["lastRun"]["complete"] is False
        world.forget_requests()
        world.annotate("good", "app", {"pls-fqdns": f"good-{trouble.replace(' ', '-')}"})
        world.ready(ids["good"], lambda has: has["fqdns"][0].startswith(f"good-{trouble.split()[0]}"))
        assert {w.name for w in world.link_writes()} == {"pls-app"}
        assert not [r for r in world.requests() if r["method"] != "GET" and "/MC_bad/" in r["path"]]
    world.resync("bad")
    world.ready(ids["bad"], lambda has: has["fqdns"][0].startswith(f"bad-{trouble.split()[0]}"))


def test_a_cluster_that_failed_is_looked_at_again_by_itself(world: World) -> None:
    """Nobody has to ask; the message that failed is parked, not lost."""
    world.run_now("bad")
    with world.cluster_fault("bad", path=LIST, times=None, status=503, code="ServiceUnavailable"):
        world.annotate("bad", "app", {"pls-fqdns": "later"})
        world.finding("bad", "UnknownView")
    world.ready(world.pls_id("MC_bad", "pls-app"), lambda has: has["fqdns"] == ["later"])


def test_half_a_list_that_claims_to_be_whole_deletes_nothing(world: World) -> None:
    """Absence from a list is no proof: every Service is read by its name before its PLS may go."""
    ids = [world.make_ready("bad", f"half-{i}") for i in range(3)]
    world.quiet_plan("bad")
    world.forget_requests()
    with world.cluster_fault("bad", path=LIST, times=None, mode="half-list"):
        report = world.run_now("bad")
        kept = [f for f in report["findings"] if f["reason"] == "Kept"]
        assert report["writes"] == []
        assert kept
    assert world.link_writes() == []
    assert all(world.pls(pls_id) for pls_id in ids)
    assert world.run_now("bad")["findings"] == []


def test_another_cluster_under_the_same_address_is_untouched_until_a_person_accepts_it(world: World) -> None:
    """A kubeconfig that points elsewhere would otherwise delete everything."""
    pls_id = world.pls_id("MC_bad", "pls-app")
    world.run_now("bad")
    before = world.status("bad")["identity"]
    assert world.sandbox.cluster_backdoor("bad", "POST", "swap-uid").status in (200, 204)
    world.annotate("bad", "app", {"pls-fqdns": "swapped"})
    found = world.finding("bad", "UnknownView")
    assert before in found["sentence"]
    world.forget_requests()
    world.run_now("bad")
    assert world.link_writes() == []
    offered = world.status("bad")["offeredIdentity"]
    assert offered
    assert offered in found["sentence"]
    wrong = world.sandbox.function("POST", f"/api/release?cluster=bad&identity={before}")
    assert (wrong.status, wrong.body["error"]["code"]) == (409, "OtherIdentity")
    assert world.sandbox.function("POST", f"/api/release?cluster=bad&identity={offered}").status == 202
    world.ready(pls_id, lambda has: has["fqdns"] == ["swapped"])
    assert world.status("bad")["identity"] == offered
    assert any("was accepted" in entry["sentence"] for entry in world.history("bad"))
