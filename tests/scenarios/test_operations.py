"""What people who run it do and rely on: brake, pause, history, and what wakes a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World, ok

Json = dict[str, Any]


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """No timers: each wake-up is a test's own. Orphans are collected after a second."""
    return start(
        SandboxOptions(
            clusters=("prod", "dev", "mass"),
            provisioning_seconds=0.3,
            timers=False,
            extra_settings={"GRACE_SECONDS": "1"},
        )
    )


def last_run(world: World, cluster: str) -> str:
    """The id of a cluster's last run."""
    return str((world.status(cluster)["lastRun"] or {}).get("run"))


def run_again(world: World, cluster: str, before: str) -> None:
    """Wait until a cluster had another run since. Its reason may be told by a later run already."""
    world.wait(f"{cluster} is looked at", lambda: last_run(world, cluster) != before)


def fire(world: World, function: str) -> None:
    """Let a timer fire."""
    assert world.sandbox.function("POST", f"/admin/functions/{function}", {"input": ""}).status == 202


def made(world: World, cluster: str, name: str, pls_fqdns: str = "x.example") -> str:
    """A Service with its PLS, asked for by hand."""
    pls_id = world.make(cluster, name, pls_fqdns=pls_fqdns)
    world.address(cluster, name)
    world.resync(cluster)
    world.ready(pls_id)
    return pls_id


def test_the_probe_wakes_a_cluster_whose_services_changed_and_no_other(world: World) -> None:
    """A changed annotation writes nothing to a load balancer, so no event tells of it."""
    pls_id = made(world, "prod", "probed", pls_fqdns="old.example")
    made(world, "dev", "probed")
    for cluster in ("prod", "dev"):
        world.quiet_plan(cluster)
        world.run_now(cluster)
    world.annotate("prod", "probed", {"pls-fqdns": "new.example"})
    fire(world, "on_probe")
    world.ready(pls_id, lambda has: has["fqdns"] == ["new.example"])
    assert world.status("dev")["lastRun"]["reason"] != "probe"


def test_the_timer_looks_at_every_cluster_and_repairs_what_no_event_told(world: World) -> None:
    """A raw edit behind Azure's back sends no event at all."""
    pls_id = made(world, "prod", "timed", pls_fqdns="right.example")
    world.quiet_plan("prod")
    edit = {"properties": {"fqdns": ["wrong.example"]}}
    ok(world.sandbox.arm_backdoor("PATCH", "resources", edit, id=pls_id))
    for cluster in ("dev", "mass"):
        world.run_now(cluster)
    before = {cluster: last_run(world, cluster) for cluster in ("dev", "mass")}
    fire(world, "on_timer")
    world.ready(pls_id, lambda has: has["fqdns"] == ["right.example"])
    for cluster, run in before.items():
        run_again(world, cluster, run)


def test_a_paused_cluster_is_left_alone_until_it_is_resumed(world: World) -> None:
    """Neither events nor timers nor people get through; afterwards everything is caught up."""
    pls_id = made(world, "dev", "paused", pls_fqdns="before.example")
    world.quiet_plan("dev")
    ok(world.sandbox.function("POST", "/api/pause?cluster=dev"))
    assert world.status("dev")["paused"] is True
    world.annotate("dev", "paused", {"pls-fqdns": "after.example"})
    world.forget_requests()
    before = world.runs("on_reconcile")
    fire(world, "on_probe")
    fire(world, "on_timer")
    for way in ("", "&wait=true"):
        refused = world.sandbox.function("POST", f"/api/resync?cluster=dev{way}")
        assert (refused.status, refused.body["error"]["code"]) == (409, "Paused")
    world.wait("the wake-ups were served", lambda: world.runs("on_reconcile") >= before + 6)
    assert not [r for r in world.requests() if "/MC_dev/" in r["path"] and r["method"] != "GET"]
    assert [w["verb"] for w in world.plan("dev")["writes"]] == ["update"]
    ok(world.sandbox.function("POST", "/api/resume?cluster=dev"), 202)
    world.ready(pls_id, lambda has: has["fqdns"] == ["after.example"])
    told = [e["sentence"] for e in world.history("dev") if e["kind"] == "person"]
    assert told[:2] == ["the cluster was resumed", "the cluster was paused"]


def test_the_history_lists_each_write_with_its_reason_and_service(world: World) -> None:
    """Newest first; what a person asks who did what, and why."""
    pls_id = made(world, "dev", "told", pls_fqdns="one.example")
    world.quiet_plan("dev")
    world.annotate("dev", "told", {"pls-fqdns": "two.example"})
    world.run_now("dev")
    world.ready(pls_id, lambda has: has["fqdns"] == ["two.example"])
    world.edit_by_hand(pls_id, lambda pls: pls["properties"].update(fqdns=["hand.example"]))
    world.ready(pls_id, lambda has: has["fqdns"] == ["two.example"])
    world.delete_service("dev", "told")
    world.resync("dev")
    world.wait_until_gone("dev", "told")
    written = [e for e in world.history("dev") if e["kind"] == "write" and e["privateLinkService"] == pls_id]
    assert [e["reason"] for e in reversed(written)] == ["Create", "Update", "Repair", "ServiceGone"]
    assert {e["service"] for e in written} == {"default/told"}
    assert {e["result"] for e in written} == {"accepted"}
    assert all(e["at"] and e["run"] and "pls-told" in e["sentence"] for e in written)


def test_many_frontends_that_vanish_at_once_are_held_back_until_a_person_releases_them(world: World) -> None:
    """A wrong list of load balancers must not delete everything; what is released is exactly what was read."""
    ids = [world.make("mass", f"many-{i}") for i in range(4)]
    for i in range(4):
        world.address("mass", f"many-{i}")
    world.resync("mass")
    for pls_id in ids:
        world.ready(pls_id)
    world.quiet_plan("mass")
    for pls_id in ids:
        ok(world.sandbox.arm_backdoor("POST", "remove-frontend", {"id": world.frontend_of(pls_id)}), 204)
    world.resync("mass")
    held = world.wait("the brake holds", lambda: _held(world, 4), lambda: world.status("mass"))
    assert {w["target"].lower() for w in held["held"]} == {pls_id.lower() for pls_id in ids}
    assert world.finding("mass", "Brake")
    world.run_now("mass")
    assert all(world.pls(pls_id) for pls_id in ids)
    wrong = world.sandbox.function("POST", "/api/release?cluster=mass&digest=000000000000")
    assert (wrong.status, wrong.body["error"]["code"]) == (409, "OtherDigest")
    ok(world.sandbox.function("POST", f"/api/release?cluster=mass&digest={held['heldDigest']}"), 202)
    for pls_id in ids:
        world.gone(pls_id)
    world.wait("nothing is held any more", lambda: not world.status("mass")["held"])
    again = world.sandbox.function("POST", f"/api/release?cluster=mass&digest={held['heldDigest']}")
    assert (again.status, again.body["error"]["code"]) == (409, "NothingHeld")


def _held(world: World, count: int) -> Json | None:
    status = world.status("mass")
    return status if len(status["held"]) == count else None


def test_services_deleted_by_their_people_are_no_case_for_the_brake(world: World) -> None:
    """A namespace that goes may take all of its Services along."""
    names = [f"leaving-{i}" for i in range(4)]
    ids = [world.make("mass", name) for name in names]
    for name in names:
        world.address("mass", name)
    world.resync("mass")
    for pls_id in ids:
        world.ready(pls_id)
    world.quiet_plan("mass")
    for name in names:
        world.delete_service("mass", name)
    world.resync("mass")
    for name in names:
        world.wait_until_gone("mass", name)
    assert not any(world.pls(pls_id) for pls_id in ids)
