"""Functions hosts that die in the middle of a run, or start with wrong settings."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.hosts import SHORT_LOCKS, host, lease, let_time_pass, putting
from tests.scenarios.world import World


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """No functions: each test starts its own."""
    return start(SandboxOptions(clusters=("prod", "dev"), provisioning_seconds=0.3, functions=False))


def test_a_run_that_was_killed_is_finished_by_another_host(world: World, tmp_path: Path) -> None:
    """Nobody writes before its lease has ended, other clusters go on, and then nothing is lost."""
    lost = {"path": "/pls-app", "method": "PUT", "mode": "reset-before", "delay": 5.0}
    with world.arm_fault(**lost), host(world, tmp_path) as first:
        pls_id = world.make("prod", "app", pls_fqdns="x.example")
        world.wait("the PUT is under way", lambda: putting(world, pls_id))
        first.running.process.send_signal(signal.SIGKILL)
        first.running.process.wait()
    assert lease(world, "prod")["holder"]
    assert world.waiting_messages("reconcile") >= 1  # the guard, due when the lease has ended
    world.forget_requests()
    with host(world, tmp_path) as second:
        assert second.call("POST", "/api/resync?cluster=prod").status == 202
        world.wait("the wish is noted", lambda: lease(world, "prod").get("wanted"))
        world.make_ready("dev", "beside")
        assert not putting(world, pls_id)
        let_time_pass(world, "prod")
        assert second.call("POST", "/admin/functions/on_probe", {"input": ""}).status == 202
        world.ready(pls_id, lambda has: has["fqdns"] == ["x.example"])
        world.wait("the lease is free again", lambda: not lease(world, "prod").get("holder"))


@pytest.mark.parametrize("moment", ["with events in hand", "while it looks"])
def test_events_outlive_the_host_that_had_them(world: World, tmp_path: Path, moment: str) -> None:
    """No timer, no probe: what it had not done comes back to another host when the messages' locks end."""
    name = moment.split()[-1]
    fqdn = f"{name}.example"
    with ExitStack() as stack, host(world, tmp_path, "first", SHORT_LOCKS) as first:
        pls_id = world.make_ready("prod", name)
        hosts.settle(world, "prod", first)
        if moment == "while it looks":
            stack.enter_context(world.arm_fault(path="/MC_prod/.*/loadBalancers$", method="GET", delay=3.0))
        hosts.send(world, hosts.balancer_events(world, "prod", 40))
        world.wait("a run has begun", lambda: hosts.runs(world, "prod", [first]))
        if moment == "with events in hand":
            world.wait("the run has ended", lambda: not lease(world, "prod").get("holder"))
        world.annotate("prod", name, {"pls-fqdns": fqdn})  # of which no event tells
        hosts.send(world, hosts.balancer_events(world, "prod", 1))
        first.signal(signal.SIGKILL)
        first.running.process.wait()
    with host(world, tmp_path, "second", SHORT_LOCKS):
        if lease(world, "prod").get("holder"):
            let_time_pass(world, "prod")
        world.ready(pls_id, lambda has: has["fqdns"] == [fqdn])


def test_wrong_settings_are_told_over_http_each_by_its_name(world: World, tmp_path: Path) -> None:
    """In one message, to those with a key; health says only that it fails. Mended, it works."""
    wrong = {"BRAKE_SHARE": "much", "LEASE_SECONDS": "1", "GRACE_SECONDS": "-5", "SUBNET_POLICY": "maybe"}
    wrong["CLUSTERS"] = "/nowhere/clusters.yaml"
    with host(world, tmp_path, **wrong) as started:
        health = started.call("GET", "/api/health")
        assert (health.status, health.body) == (503, {"status": "failing"})
        for method, path in (("GET", "status"), ("GET", "plan"), ("POST", "resync"), ("GET", "history")):
            reply = started.call(method, f"/api/{path}")
            assert (reply.status, reply.body["error"]["code"]) == (500, "WrongSettings")
            for name in wrong:
                assert f"{name}:" in reply.body["error"]["message"]
    with host(world, tmp_path) as started:
        assert started.call("GET", "/api/health").body == {"status": "ok"}


def test_a_clusters_file_with_many_mistakes_names_each(world: World, tmp_path: Path) -> None:
    """By the cluster and the field, in the host and on the command line alike."""
    clusters = tmp_path / "clusters.yaml"
    clusters.write_text(
        "clusters:\n- name: a\n  mode: sync\n- name: b\n  mode: maybe\n  inTree: sometimes\n  colour: red\n"
    )
    with host(world, tmp_path, CLUSTERS=str(clusters)) as started:
        told = started.call("GET", "/api/status").body["error"]["message"]
    done = world.reconciler("plan", "--config", str(clusters))
    assert done.returncode == 1
    for text in (told, done.stderr):
        for word in ("subscription", "mode", "inTree", "colour"):
            assert word in text
        assert all(line.startswith("CLUSTERS") for line in told.splitlines())
