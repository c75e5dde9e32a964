"""The adapter of ``Cluster``: ways in, pages, and whatever is no full answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import kube_config

from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.errors import Denied, OutsideError, Rejected, RetryLater
from reconciler.model import ApiAccess, Service
from sandbox.kubernetes import ClusterOptions, start_cluster
from sandbox.tls import Authority
from tests.contract.cluster_world import PAGE, Json, RealWorld
from tests.contract.servers import Answer, BackDoor, Scripted


def test_every_way_in_works_and_the_reader_role_suffices(real_cluster: RealWorld) -> None:
    """Kubeconfig by path, by content and context; server with CA file or CA data."""
    real_cluster.put_many(1)
    path = real_cluster.running.kubeconfig(
        real_cluster.directory / "kubeconfig", token=real_cluster.running.reader_token
    )
    server = real_cluster.access()
    ca = real_cluster.authority.ca_path.read_text()
    for access in (
        ApiAccess(kubeconfig=str(path)),
        ApiAccess(kubeconfig_content=path.read_text(), context=real_cluster.running.name),
        server,
        ApiAccess(server=server.server, ca_data=ca, token_file=server.token_file),
    ):
        cluster = KubernetesCluster(access)
        assert len(cluster.list_services()) == 1
        cluster.close()


def test_clusters_with_the_same_authority_are_opened_at_the_same_time(
    real_cluster: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client library writes an embedded authority into a file: no other thread reads it half written."""

    def slow(*values: Any) -> Any:
        time.sleep(0.05)  # widens the moment between the file's being known and its being written
        return open(*values)

    monkeypatch.setattr(kube_config, "open", slow, raising=False)
    path = real_cluster.running.kubeconfig(real_cluster.directory / "kubeconfig")
    meeting = threading.Barrier(4)
    with ThreadPoolExecutor(4) as threads:
        opened = [KubernetesCluster(ApiAccess(kubeconfig=str(path))) for _ in range(4)]
        found = [threads.submit(_listed, meeting, cluster) for cluster in opened]
        assert {listed.result() for listed in found} == {()}


def _listed(meeting: threading.Barrier, cluster: KubernetesCluster) -> tuple[Service, ...]:
    meeting.wait(10)
    return cluster.list_services()


def test_a_token_replaced_in_its_file_is_used_at_once(real_cluster: RealWorld) -> None:
    """Projected tokens are replaced every hour; one read at start would end in 401."""
    real_cluster.access("stale")
    with pytest.raises(Denied, match="401"):
        real_cluster.cluster.list_services()
    real_cluster.access()
    assert real_cluster.cluster.list_services() == ()


@pytest.mark.parametrize(
    "access",
    [
        ApiAccess(kubeconfig="/nowhere/kubeconfig"),
        ApiAccess(kubeconfig_content="users: [ {token: secret-token"),
        ApiAccess(kubeconfig_content="kind: Config"),
        ApiAccess(in_cluster=True),
        ApiAccess(server="http://localhost:1"),
        ApiAccess(server="https://localhost:1", token_file="/nowhere/token"),
    ],
)
def test_an_access_that_cannot_work_says_so_and_tells_no_secret(access: ApiAccess) -> None:
    """One cluster's wrong setting is that cluster's error, not a crash of all."""
    with pytest.raises((Denied, Rejected)) as caught:
        KubernetesCluster(access).list_services()
    assert "secret-token" not in str(caught.value)


def test_environment_proxies_do_not_get_the_token(
    real_cluster: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy for the internet is none for a private API."""
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert KubernetesCluster(real_cluster.access()).list_services() == ()


def test_an_untrusted_certificate_is_refused(real_cluster: RealWorld, tmp_path: Path) -> None:
    """Without the check anybody on the way could read the token."""
    other = Authority.create(tmp_path / "other")
    access = ApiAccess(server=real_cluster.running.url, ca_file=str(other.ca_path))
    with pytest.raises(Denied, match="certificate"):
        KubernetesCluster(access).list_services()


# -- lists


def test_a_list_is_read_to_its_last_page(real_cluster: RealWorld) -> None:
    """Half a list would look like deleted Services."""
    real_cluster.put_many(2 * PAGE + 1)
    assert len(real_cluster.cluster.list_services()) == 2 * PAGE + 1
    asked = [line["path"] for line in real_cluster.door.call("GET", "requests")["value"]]
    assert sum("/api/v1/services" in path for path in asked) == 3


def test_an_expired_list_begins_again(real_cluster: RealWorld) -> None:
    """A 410 half way must neither end the list nor mix two states of it."""
    real_cluster.put_many(PAGE + 1)
    real_cluster.door.fault(path="continue=", status=410, times=3)
    assert len(real_cluster.cluster.list_services()) == PAGE + 1


def test_a_list_that_keeps_expiring_is_given_up(real_cluster: RealWorld) -> None:
    """Else a busy cluster would hold the worker until its lease ends."""
    real_cluster.put_many(PAGE + 1)
    real_cluster.door.fault(path="continue=", status=410, times=-1)
    with pytest.raises(RetryLater):
        real_cluster.cluster.list_services()


Check = Callable[[OutsideError], bool]
FAULTS: list[tuple[Json, type[OutsideError], Check]] = [
    ({"status": 401}, Denied, lambda e: "401" in str(e)),
    ({"status": 403, "message": "no\x07 list"}, Denied, lambda e: "no list" in str(e)),
    ({"status": 404}, RetryLater, lambda e: True),
    ({"status": 400}, Rejected, lambda e: True),
    (
        {"status": 429, "headers": {"Retry-After": "7"}},
        RetryLater,
        lambda e: isinstance(e, RetryLater) and e.after == 7 and e.throttled,
    ),
    ({"status": 500}, RetryLater, lambda e: isinstance(e, RetryLater) and not e.throttled),
    ({"status": 503, "headers": {"Retry-After": "2"}}, RetryLater, lambda e: getattr(e, "after", 0) == 2),
    (
        {"status": 302, "headers": {"Location": "https://localhost:1/"}},
        Rejected,
        lambda e: "redirect" in str(e),
    ),
    ({"mode": "truncate"}, RetryLater, lambda e: True),
    ({"mode": "garbage"}, RetryLater, lambda e: True),
    ({"mode": "garbage", "message": "[]"}, RetryLater, lambda e: True),
    ({"mode": "garbage", "message": '{"kind": "Status", "items": []}'}, RetryLater, lambda e: True),
    (
        {"mode": "garbage", "message": '{"kind": "%s", "metadata": {}, "items": null}'},
        RetryLater,
        lambda e: True,
    ),
    ({"mode": "garbage", "message": '{"kind": "%s", "items": []}'}, RetryLater, lambda e: True),
    (
        {
            "mode": "garbage",
            "message": '{"kind": "%s", "metadata": {}, "items": [{"metadata": {"name": "a"}}]}',
        },
        RetryLater,
        lambda e: "UID" in str(e),
    ),
    ({"mode": "reset-before"}, RetryLater, lambda e: True),
    ({"mode": "reset-after"}, RetryLater, lambda e: True),
]


@pytest.mark.parametrize("method", ["list_services", "digest"])
@pytest.mark.parametrize(("fault", "kind", "check"), FAULTS, ids=[str(fault)[:60] for fault, _, _ in FAULTS])
def test_what_is_no_full_answer_is_an_error(
    shared: RealWorld, method: str, fault: Json, kind: type[OutsideError], check: Check
) -> None:
    """On the last page too: nothing but a full list may come back."""
    name = "ServiceList" if method == "list_services" else "PartialObjectMetadataList"
    message = str(fault.get("message", "")).replace("%s", name)
    shared.door.fault(**{"path": "continue=", **fault, "message": message})
    with pytest.raises(kind) as caught:
        getattr(shared.cluster, method)()
    assert type(caught.value) is kind
    assert check(caught.value), caught.value
    assert "127.0.0.1" in str(caught.value)


@pytest.fixture(scope="module")
def shared(
    authority: Authority, run: Callable[[Any], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealWorld]:
    """One cluster of two pages for the tests that only add a fault."""
    running = run(start_cluster(ClusterOptions(), authority))
    door = BackDoor(running.url, authority.ca_path)
    directory = tmp_path_factory.mktemp("access")
    world = RealWorld(KubernetesCluster(ApiAccess()), running, authority, door, directory)
    world.cluster = KubernetesCluster(world.access(), 5, page_size=PAGE)
    world.put_many(PAGE + 1)
    yield world
    world.cluster.close()
    door.close()
    run(running.stop())


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404},
        {"status": 404, "code": "NotFound", "message": 'namespaces "shop" not found'},
        {"mode": "garbage", "message": "404 page not found"},
        {
            "mode": "garbage",
            "message": '{"kind": "Service", "metadata": {"name": "b", "namespace": "shop", "uid": "u"}}',
        },
        {"status": 403},
        {"mode": "reset-before"},
    ],
    ids=str,
)
def test_only_the_apis_own_not_found_proves_a_service_gone(shared: RealWorld, fault: Json) -> None:
    """A proxy's 404 must not delete a PLS."""
    shared.door.fault(path="services/s0", **fault)
    with pytest.raises((RetryLater, Denied)):
        shared.cluster.get_service("shop", "s0")
    assert shared.cluster.get_service("shop", "s0")


@pytest.mark.parametrize("name", ["", "..", "a/status", "A", "s0?x=y", "a" * 300, "s0\n"])
def test_a_name_no_service_can_have_is_not_asked_for(shared: RealWorld, name: str) -> None:
    """Owner tags are written by anybody: one must not lead the request elsewhere, nor count as a proof."""
    with pytest.raises(Rejected):
        shared.cluster.get_service("shop", name)


def test_a_silent_server_ends_at_the_time_limit(shared: RealWorld) -> None:
    """A hanging cluster would hold the lease and the others' worker."""
    shared.door.fault(path="continue=", mode="hang", delay=30)
    hurried = KubernetesCluster(shared.access(), 0.5, page_size=PAGE)
    with pytest.raises(RetryLater):
        hurried.list_services()
    hurried.close()


def test_a_dripping_server_ends_at_the_time_limit(script: Scripted, authority: Authority) -> None:
    """Each byte resets a read timeout; the limit is on the whole."""

    def drip() -> Iterator[bytes]:
        for _ in range(300):
            yield b" "
            time.sleep(0.05)

    script.answers[""] = Answer(body=drip())
    cluster = KubernetesCluster(ApiAccess(server=script.url, ca_file=str(authority.ca_path)), 0.5)
    with pytest.raises(RetryLater, match="within"):
        cluster.list_services()
    cluster.close()


def test_a_redirect_to_what_is_no_address_is_an_error_of_ours(script: Scripted, authority: Authority) -> None:
    """The library takes it apart before it sees that it is not to be followed."""
    script.answers[""] = Answer(302, headers={"Location": "https://["})
    cluster = KubernetesCluster(ApiAccess(server=script.url, ca_file=str(authority.ca_path)), 5)
    with pytest.raises(RetryLater):
        cluster.list_services()
    cluster.close()


def test_the_api_says_what_our_identity_may_do(real_cluster: RealWorld) -> None:
    """Asked, not tried: the doctor must not write."""
    running, folder = real_cluster.running, real_cluster.directory
    paths = {
        "reader": running.kubeconfig(folder / "reader", token=running.reader_token),
        "admin": running.kubeconfig(folder / "admin"),
    }
    reader, admin = (KubernetesCluster(ApiAccess(kubeconfig=str(path))) for path in paths.values())
    assert reader.may("list", "services")
    assert not reader.may("patch", "services/status")
    assert admin.may("patch", "services/status")
    reader.close()
    admin.close()
