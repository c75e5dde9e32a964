"""Functions hosts that die in the middle of a run, or start with wrong settings."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableEntity, UpdateMode

from sandbox.functions.process import RunningFunctions, start_functions
from sandbox.up import SandboxOptions
from sandbox.up_client import Reply, SandboxClient
from tests.scenarios.conftest import Start
from tests.scenarios.world import ROOT, World

Json = dict[str, Any]


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """No functions: each test starts its own."""
    return start(SandboxOptions(clusters=("prod", "dev"), provisioning_seconds=0.3, functions=False))


@dataclass(frozen=True)
class Host:
    """A functions host of our own."""

    running: RunningFunctions
    client: SandboxClient

    def call(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call with the master key."""
        return self.client.function(method, path, body)


@contextmanager
def host(world: World, folder: Path, **settings: str) -> Iterator[Host]:
    """A host with the sandbox's settings, and these over them."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**inherited, **world.sandbox.settings, **settings}
    keys = folder / "keys.json"
    with start_functions(ROOT, environment, keys, folder / "log") as running:
        known = {"url": running.url, "keys": json.loads(keys.read_text())}
        yield Host(running, SandboxClient({**world.sandbox.endpoints, "functions": known}))


def lease(world: World, cluster: str) -> TableEntity:
    """The lease row of a cluster."""
    with world.tables() as service:
        rows = service.get_table_client("leases").list_entities()
        return next(row for row in rows if row["PartitionKey"] == cluster)


def let_time_pass(world: World, cluster: str) -> None:
    """Move the end of the lease into the past, as a minute of waiting would."""
    row = lease(world, cluster)
    row["until"] = datetime.now(UTC) - timedelta(seconds=1)
    with world.tables() as service:
        service.get_table_client("leases").update_entity(row, mode=UpdateMode.MERGE)


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


def putting(world: World, pls_id: str) -> bool:
    """Whether a PUT of the PLS was sent since the log was cleared."""
    return any(r["method"] == "PUT" and r["path"].lower() == pls_id.lower() for r in world.requests())


def test_wrong_settings_are_told_over_http_each_by_its_name(world: World, tmp_path: Path) -> None:
    """In one message, to those with a key; health says only that it fails. Mended, it works."""
    wrong = {"BRAKE_SHARE": "much", "LEASE_SECONDS": "1", "GRACE_SECONDS": "-5", "SUBNET_POLICY": "maybe"}
    with host(world, tmp_path, **wrong, CLUSTERS="/nowhere/clusters.yaml") as started:
        health = started.call("GET", "/api/health")
        assert (health.status, health.body) == (503, {"status": "failing"})
        for method, path in (("GET", "status"), ("GET", "plan"), ("POST", "resync"), ("GET", "history")):
            reply = started.call(method, f"/api/{path}")
            assert (reply.status, reply.body["error"]["code"]) == (500, "WrongSettings")
            for name in (*wrong, "CLUSTERS"):
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
