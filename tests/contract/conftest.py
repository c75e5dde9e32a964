"""Fixtures of the contract tests: the outside, faked and real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.credentials import credential
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.model import ApiAccess
from sandbox.arm import ArmOptions, start_arm
from sandbox.kubernetes import ClusterOptions, start_cluster
from sandbox.kubernetes.access import annotator, status_writer
from sandbox.tls import Authority
from tests.contract import azure_world as azure
from tests.contract import cluster_world as clusters
from tests.contract.servers import BackDoor, Scripted, event_loop, scripted

Run = Callable[[Any], Any]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates for every server of the session."""
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def run() -> Iterator[Run]:
    """Runs a coroutine on a loop in another thread."""
    with event_loop() as loop:
        yield loop


@pytest.fixture
def script(authority: Authority) -> Iterator[Scripted]:
    """A server that answers what it is told."""
    with scripted(authority) as server:
        yield server


@pytest.fixture
def real_arm(authority: Authority, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[azure.RealWorld]:
    """A fresh ARM; lists are paged by two; the adapter signs in as a managed identity."""
    running = run(start_arm(ArmOptions(provisioning_seconds=0.1, page_size=2), authority))
    monkeypatch.setenv("IDENTITY_ENDPOINT", running.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", running.identity_header)
    ca = str(authority.ca_path)
    adapter = ArmAzure(ArmAccess(running.url, ca_file=ca), credential(ca_file=ca))
    world = azure.RealWorld(adapter, running, authority, BackDoor(running.url, authority.ca_path))
    world.store(azure.load_balancer())
    changed = {"properties": {"privateLinkServiceNetworkPolicies": "Disabled"}}
    world.door.call("PATCH", "resources", changed, id=azure.SUBNET)
    yield world
    adapter.close()
    world.door.close()
    run(running.stop())


@pytest.fixture(params=["fake", "real"])
def azure_world(request: pytest.FixtureRequest) -> azure.World:
    """Both, one after the other."""
    found: azure.World = azure.FakeWorld() if request.param == "fake" else request.getfixturevalue("real_arm")
    return found


@pytest.fixture
def real_cluster(authority: Authority, run: Run, tmp_path: Path) -> Iterator[clusters.RealWorld]:
    """A fresh cluster; lists are paged by three."""
    roles = {clusters.WRITER: status_writer(), clusters.ANNOTATOR: annotator()}
    running = run(start_cluster(ClusterOptions(roles=roles), authority))
    door = BackDoor(running.url, authority.ca_path)
    world = clusters.RealWorld(KubernetesCluster(ApiAccess()), running, authority, door, tmp_path)
    world.cluster = KubernetesCluster(world.access(), 5, page_size=clusters.PAGE)
    yield world
    world.cluster.close()
    door.close()
    run(running.stop())


@pytest.fixture(params=["fake", "real"])
def cluster_world(request: pytest.FixtureRequest) -> clusters.World:
    """Both, one after the other; the adapter bears the token that may write the most."""
    if request.param == "real":
        request.getfixturevalue("real_cluster").access(clusters.ANNOTATOR)
    found: clusters.World = (
        clusters.FakeWorld() if request.param == "fake" else request.getfixturevalue("real_cluster")
    )
    return found
