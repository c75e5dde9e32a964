"""The composition root: what is made once, what is tried again, and what is said where it cannot be."""

import json
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from reconciler import settings, wiring
from reconciler.adapters.event_topic import EventTopic
from reconciler.adapters.tables import TableLedger
from reconciler.aks_known import Configured
from reconciler.dashboard.board import Board
from reconciler.errors import RetryLater, SettingsError
from reconciler.model import ApiAccess
from reconciler.resolution import UnresolvedCluster
from reconciler.wiring import App, Clusters, Lazy
from sandbox.storage import Storage
from sandbox.tls import Authority
from tests import builders
from tests.contract.azure_world import StaticToken
from tests.contract.servers import Answer, scripted
from tests.fakes.aks import FakeAks, resource_id
from tests.fakes.documents import MemoryDocuments
from tests.shell import world as worlds
from tests.shell.world import Clock

CLUSTERS = """[{"name": "prod", "mode": "sync", "api": {"type": "kubeconfig", "path": "{apiVersion: v1}"},
  "subscription": "00000000-0000-0000-0000-000000000001", "location": "eastus",
  "loadBalancerResourceGroup": "MC_prod", "vnet": {"resourceGroup": "MC_prod", "name": "v"},
  "defaultSubnet": "default"}]"""


def an_app() -> App:
    """A whole app, in memory."""
    world = worlds.make()
    board = Board(
        world.ledger, MemoryDocuments(), lambda: (Configured(world.configs), True), world.engine.pool
    )
    return App(world.worker, world.api, board)


def test_the_app_is_made_once() -> None:
    """Each invocation would open connections and create tables anew."""
    made: list[App] = []

    def make() -> App:
        made.append(an_app())
        return made[-1]

    lazy = Lazy(make)
    assert lazy() is lazy()
    assert len(made) == 1


def test_an_app_that_could_not_be_made_is_tried_again() -> None:
    """Storage was down at the cold start; the instance must not stay broken for that."""
    failures = [RetryLater("storage is down"), SettingsError("CLUSTERS: is not set")]

    def make() -> App:
        if failures:
            raise failures.pop(0)
        return an_app()

    lazy = Lazy(make)
    with pytest.raises(RetryLater):
        lazy()
    with pytest.raises(SettingsError):
        lazy()
    assert isinstance(lazy(), App)


def test_who_waits_for_a_try_shares_its_failure() -> None:
    """Storage hangs at the cold start of sixteen messages: one after another they would wait for minutes."""
    tries, come = [0], threading.Semaphore(0)

    def make() -> App:
        tries[0] += 1
        if tries == [1]:
            for _ in range(16):
                assert come.acquire(timeout=10)
            time.sleep(0.2)  # they wait by then, most of them even on a slow machine
        raise RetryLater("storage hangs")

    lazy = Lazy(make)

    def use(_: int) -> str:
        come.release()
        with pytest.raises(RetryLater) as caught:
            lazy()
        return str(caught.value)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(use, range(16))) == ["storage hangs"] * 16
    assert tries[0] < 8
    before = tries[0]
    assert use(0) == "storage hangs"
    assert tries[0] == before + 1


def test_connections_to_a_cluster_are_kept_for_a_while() -> None:
    """A client costs a TLS handshake; a kubeconfig replaced on disk must get into force."""
    clock = Clock()
    clusters = Clusters(5, clock.now)
    prod = builders.configured(access=ApiAccess(server="https://127.0.0.1:1"))
    same_place = replace(prod, name="twin")
    other = builders.configured(access=ApiAccess(server="https://127.0.0.1:2"))
    first = clusters(prod)
    assert clusters(same_place) is first
    assert clusters(other) is not first
    clock.time += timedelta(seconds=wiring.REOPEN_SECONDS)
    assert clusters(prod) is first
    clock.forward(1)
    assert clusters(prod) is not first


def test_a_cluster_that_is_no_longer_asked_for_is_let_go() -> None:
    """A kubeconfig in a blob that is renewed each day would leave its connections behind each day."""
    clock = Clock()
    clusters = Clusters(5, clock.now)

    def opened(port: int) -> weakref.ref[object]:
        access = ApiAccess(server=f"https://127.0.0.1:{port}")
        return weakref.ref(clusters(builders.configured(access=access)))

    old = opened(1)
    assert old() is not None
    clock.forward(wiring.REOPEN_SECONDS + 1)
    new = opened(2)
    assert old() is None
    assert new() is not None


def test_a_cluster_that_is_not_resolved_is_not_opened() -> None:
    """Nor is the one opened before it stopped asked any more: the probe comes every 30 seconds."""
    clusters = Clusters(5, Clock().now)
    prod = builders.configured(access=ApiAccess(server="https://127.0.0.1:1"))
    assert not isinstance(clusters(prod), UnresolvedCluster)
    with pytest.raises(RetryLater, match="it is stopped"):
        clusters(replace(prod, unresolved="it is stopped")).digest()


def test_an_aks_cluster_that_azure_does_not_tell_of_is_configured_all_the_same() -> None:
    """Timer, status and plan have to know of it; and a deployment without one asks Azure for nothing."""
    document = json.dumps(
        [{"name": "shop", "mode": "sync", "api": {"type": "aks", "resourceId": resource_id("shop")}}]
    )
    down = FakeAks()
    down.fail("managed_cluster", RetryLater("Azure is down"))
    (found,) = wiring.configs_of(settings.load({"CLUSTERS": document}), down)().values()
    assert (found.name, found.unresolved) == ("shop", "Azure is down")
    unasked = FakeAks()
    wiring.configs_of(settings.load({"CLUSTERS": CLUSTERS}), unasked)()
    assert unasked.calls == []


def test_an_authority_given_as_text_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package has no place for a file; for Azure, for its tokens, and for our own events."""
    trusted: list[str] = []

    def credential(*, client_id: str, ca_file: str) -> StaticToken:
        trusted.append(ca_file)
        return StaticToken()

    monkeypatch.setattr(wiring, "credential", credential)
    own = Authority.create(tmp_path)
    with scripted(own) as script:
        script.answers[""] = Answer(body=b'{"value": []}')
        environ = {"CLUSTERS": CLUSTERS, "ARM_ENDPOINT": script.url}
        out = wiring.outward(settings.load({**environ, "ARM_CA_DATA": own.ca_path.read_text()}))
        assert out.azure.list_load_balancers("s", "g") == ()
        assert trusted == [out.ca_file]
        assert Path(out.ca_file).read_text() == own.ca_path.read_text()


def test_ids_differ() -> None:
    """Two holders of one id would both believe that the lease is theirs."""
    assert len({wiring.new_id() for _ in range(1000)}) == 1000


def test_without_storage_there_is_a_plan_but_no_app() -> None:
    """And the message names the setting."""
    loaded = settings.load({"CLUSTERS": CLUSTERS})
    assert wiring.planning_engine(loaded, wiring.outward(loaded)).ledger is None
    for make in (wiring.app, wiring.ledger):
        with pytest.raises(SettingsError, match="AzureWebJobsStorage: is not set"):
            make(loaded)


def test_wrong_settings_are_told_at_start_and_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The functions must be indexed all the same, or nobody could ask them what is wrong."""
    wiring.report_mistakes({"CLUSTERS": CLUSTERS})
    assert caplog.records == []
    wiring.report_mistakes({"CLUSTERS": "[]", "MAX_WRITES": "many"})
    assert "CLUSTERS: " in caplog.text
    assert "MAX_WRITES: " in caplog.text


def test_settings_reach_the_engine() -> None:
    """A limit that is set and not passed on is worse than none."""
    environ = {
        "CLUSTERS": CLUSTERS,
        "MAX_WRITES": "7",
        "MAX_WRITES_PER_NETWORK": "3",
        "GRACE_SECONDS": "11",
        "SUBNET_POLICY": "report",
        "WRITE_BACK": "off",
    }
    loaded = settings.load(environ)
    engine = wiring.planning_engine(loaded, wiring.outward(loaded))
    assert (engine.gate.total, engine.gate.per_network) == (7, 3)
    assert (engine.limits.grace_seconds, engine.limits.subnet_policy) == (11, "report")
    assert engine.write_back == "off"
    assert engine.clock.now().utcoffset() == timedelta(0)


@pytest.mark.azurite
def test_the_app_makes_its_tables_and_queue(azurite: Storage) -> None:
    """On a fresh storage account the first message must not fail."""
    environ = {
        "CLUSTERS": CLUSTERS,
        "AzureWebJobsStorage": azurite.connection_string,
        "RECONCILE_QUEUE": "wiring-test",
        "LEASE_SECONDS": "90",
    }
    made = wiring.app(settings.load(environ))
    assert isinstance(made.worker.ledger, TableLedger)
    assert made.worker.lease_seconds == 90
    assert made.worker.publishing is None
    assert list(made.worker.configs()) == ["prod"]
    assert made.api.resync({}).body == {"queued": ["prod"], "paused": []}
    assert made.api.health().status == 200
    assert wiring.app(settings.load(environ)).api.health().status == 200


@pytest.mark.azurite
def test_a_topic_that_is_set_gets_our_events(azurite: Storage) -> None:
    """With records of their own: the status document is another's."""
    topic = "https://pls.eastus-1.eventgrid.azure.net/api/events"
    environ = {"CLUSTERS": CLUSTERS, "AzureWebJobsStorage": azurite.connection_string}
    made = wiring.app(settings.load({**environ, "EVENTS_TOPIC_ENDPOINT": topic}))
    told = made.worker.publishing
    assert told is not None
    assert isinstance(told.publisher, EventTopic)
    told.records.write("wiring-topic", {"version": 1})
    assert made.worker.documents is not None
    assert made.worker.documents.read("wiring-topic") is None


@pytest.mark.azurite
def test_clusters_in_a_blob_are_read_at_each_run(azurite: Storage, caplog: pytest.LogCaptureFixture) -> None:
    """A new cluster needs no restart, and a bad upload takes nobody out of service."""
    account = BlobServiceClient.from_connection_string(azurite.connection_string)
    account.create_container("wiring-test")
    blob = account.get_blob_client("wiring-test", "clusters.json")
    blob.upload_blob(CLUSTERS)
    environ = {
        "CLUSTERS_BLOB": "wiring-test/clusters.json",
        "AzureWebJobsStorage": azurite.connection_string,
    }
    configs = wiring.configs_of(settings.load(environ), FakeAks())
    assert list(configs()) == ["prod"]
    blob.upload_blob(CLUSTERS.replace('"prod"', '"dev"'), overwrite=True)
    assert list(configs()) == ["dev"]
    blob.upload_blob("[]", overwrite=True)
    assert list(configs()) == ["dev"]
    assert "last good copy" in caplog.text
