"""The port ``Cluster``: one suite for the fake and the real adapter, then what only a real API can do wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from reconciler import reading
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.errors import Denied, OutsideError, Rejected, RetryLater
from reconciler.model import ApiAccess
from reconciler.ports import Cluster
from sandbox.kubernetes import ClusterOptions, RunningCluster, start_cluster
from sandbox.tls import Authority
from tests.contract.servers import Answer, BackDoor, event_loop, scripted
from tests.fakes.cluster import FakeCluster

Json = dict[str, Any]
PAGE = 3


def document(name: str, **spec: Any) -> Json:
    """A Service as the API stores it."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "annotations": {"a": name}}
    metadata |= {"creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], **spec}}


class World(Protocol):
    """A cluster to ask, and the hand that changes it."""

    cluster: Cluster

    def put(self, service: Json) -> None:
        """Add or replace a Service."""

    def remove(self, namespace: str, name: str) -> None:
        """Take one out at once."""

    def become_another(self) -> None:
        """Let another cluster answer."""


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeCluster()
        self.cluster: Cluster = self.fake

    def put(self, service: Json) -> None:
        read = reading.service(service)
        assert read
        self.fake.put(read)

    def remove(self, namespace: str, name: str) -> None:
        self.fake.remove(namespace, name)

    def become_another(self) -> None:
        found = self.fake.get_service("default", "kubernetes")
        assert found
        self.fake.put(replace(found, uid="another"))


@dataclass
class RealWorld:
    cluster: KubernetesCluster
    running: RunningCluster
    authority: Authority
    door: BackDoor
    directory: Path

    def put(self, service: Json) -> None:
        at = service["metadata"]
        self.door.call("PUT", f"objects/services/{at['namespace']}/{at['name']}", service)

    def remove(self, namespace: str, name: str) -> None:
        self.door.call("DELETE", f"objects/services/{namespace}/{name}")

    def become_another(self) -> None:
        self.door.call("POST", "swap-uid")

    def access(self, token: str = "") -> ApiAccess:
        """By server, CA and token file; the reader's token unless told."""
        file = self.directory / "token"
        file.write_text(f"{token or self.running.reader_token}\n")
        return ApiAccess(server=self.running.url, ca_file=str(self.authority.ca_path), token_file=str(file))

    def put_many(self, count: int) -> None:
        for number in range(count):
            self.put(document(f"s{number}"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Any], Any]]:
    with event_loop() as loop:
        yield loop


@pytest.fixture
def real(authority: Authority, run: Callable[[Any], Any], tmp_path: Path) -> Iterator[RealWorld]:
    running = run(start_cluster(ClusterOptions(), authority))
    door = BackDoor(running.url, authority.ca_path)
    world = RealWorld(KubernetesCluster(ApiAccess()), running, authority, door, tmp_path)
    world.cluster = KubernetesCluster(world.access(), 5, page_size=PAGE)
    yield world
    world.cluster.close()
    door.close()
    run(running.stop())


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = FakeWorld() if request.param == "fake" else request.getfixturevalue("real")
    return found


# -- every cluster


def test_lists_the_load_balancer_services_and_no_others(world: World) -> None:
    """A ClusterIP Service in the list would be a tenant without a load balancer."""
    for name in ("a", "b"):
        world.put(document(name, loadBalancerIP="10.0.0.9"))
    world.put(document("c", type="ClusterIP"))
    listed = {service.key: service for service in world.cluster.list_services()}
    assert sorted(listed) == ["shop/a", "shop/b"]
    found = listed["shop/a"]
    assert (found.uid, found.annotations, found.load_balancer_ip) == ("uid-a", {"a": "a"}, "10.0.0.9")
    assert (found.created.isoformat(), found.live) == ("2026-01-02T03:04:05+00:00", True)


def test_a_service_being_deleted_is_listed_as_such(world: World) -> None:
    """The deletionTimestamp is a proof; losing it would keep its PLS for ever."""
    deleting = document("a")
    deleting["metadata"] |= {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": ["x/y"]}
    world.put(deleting)
    assert [service.deleting for service in world.cluster.list_services()] == [True]


def test_reads_a_service_of_any_type_by_name(world: World) -> None:
    """A type changed to ClusterIP is a proof too, so such a Service must be found."""
    world.put(document("a", type="ClusterIP"))
    found = world.cluster.get_service("shop", "a")
    assert found is not None
    assert (found.uid, found.type) == ("uid-a", "ClusterIP")


def test_a_service_that_is_gone_is_none(world: World) -> None:
    """None is the proof that deletes rest on."""
    world.put(document("a"))
    world.remove("shop", "a")
    assert world.cluster.get_service("shop", "a") is None
    assert world.cluster.get_service("nowhere", "a") is None


def test_the_identity_is_the_uid_of_default_kubernetes(world: World) -> None:
    """Another cluster behind the same address must be noticed."""
    found = world.cluster.get_service("default", "kubernetes")
    assert found is not None
    assert world.cluster.identity() == found.uid
    world.become_another()
    assert world.cluster.identity() != found.uid


def test_the_digest_changes_with_any_load_balancer_service_and_only_then(world: World) -> None:
    """A missed change is a lost wake-up; a false one is a pass for nothing every thirty seconds."""
    world.put(document("a"))
    world.put(document("b"))
    before = world.cluster.digest()
    listed = world.cluster.list_services()
    assert before == reading.digest((s.uid, s.resource_version) for s in listed)
    world.put(document("c", type="ClusterIP"))
    assert world.cluster.digest() == before
    changed = document("a")
    changed["metadata"]["annotations"]["a"] = "other"
    world.put(changed)
    after = world.cluster.digest()
    assert after != before
    world.remove("shop", "b")
    assert world.cluster.digest() not in (before, after)


# -- the real adapter: ways in


def test_every_way_in_works_and_the_reader_role_suffices(real: RealWorld) -> None:
    """Kubeconfig by path, by content and context; server with CA file or CA data."""
    real.put_many(1)
    path = real.running.kubeconfig(real.directory / "kubeconfig", token=real.running.reader_token)
    server = real.access()
    ca = real.authority.ca_path.read_text()
    for access in (
        ApiAccess(kubeconfig=str(path)),
        ApiAccess(kubeconfig_content=path.read_text(), context=real.running.name),
        server,
        ApiAccess(server=server.server, ca_data=ca, token_file=server.token_file),
    ):
        cluster = KubernetesCluster(access)
        assert len(cluster.list_services()) == 1
        cluster.close()


def test_a_token_replaced_in_its_file_is_used_at_once(real: RealWorld) -> None:
    """Projected tokens are replaced every hour; one read at start would end in 401."""
    real.access("stale")
    with pytest.raises(Denied, match="401"):
        real.cluster.list_services()
    real.access()
    assert real.cluster.list_services() == ()


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


def test_environment_proxies_do_not_get_the_token(real: RealWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for the internet is none for a private API."""
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert KubernetesCluster(real.access()).list_services() == ()


def test_an_untrusted_certificate_is_refused(real: RealWorld, tmp_path: Path) -> None:
    """Without the check anybody on the way could read the token."""
    other = Authority.create(tmp_path / "other")
    access = ApiAccess(server=real.running.url, ca_file=str(other.ca_path))
    with pytest.raises(Denied, match="certificate"):
        KubernetesCluster(access).list_services()


# -- the real adapter: lists


def test_a_list_is_read_to_its_last_page(real: RealWorld) -> None:
    """Half a list would look like deleted Services."""
    real.put_many(2 * PAGE + 1)
    assert len(real.cluster.list_services()) == 2 * PAGE + 1
    asked = [line["path"] for line in real.door.call("GET", "requests")["value"]]
    assert sum("/api/v1/services" in path for path in asked) == 3


def test_an_expired_list_begins_again(real: RealWorld) -> None:
    """A 410 half way must neither end the list nor mix two states of it."""
    real.put_many(PAGE + 1)
    real.door.fault(path="continue=", status=410, times=3)
    assert len(real.cluster.list_services()) == PAGE + 1


def test_a_list_that_keeps_expiring_is_given_up(real: RealWorld) -> None:
    """Else a busy cluster would hold the worker until its lease ends."""
    real.put_many(PAGE + 1)
    real.door.fault(path="continue=", status=410, times=-1)
    with pytest.raises(RetryLater):
        real.cluster.list_services()


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
@pytest.mark.parametrize(("fault", "kind", "check"), FAULTS, ids=lambda value: str(value)[:60])
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


def test_a_dripping_server_ends_at_the_time_limit(authority: Authority) -> None:
    """Each byte resets a read timeout; the limit is on the whole."""

    def drip() -> Iterator[bytes]:
        for _ in range(300):
            yield b" "
            time.sleep(0.05)

    with scripted(authority) as server:
        server.answers[""] = Answer(body=drip())
        cluster = KubernetesCluster(ApiAccess(server=server.url, ca_file=str(authority.ca_path)), 0.5)
        with pytest.raises(RetryLater, match="within"):
            cluster.list_services()
        cluster.close()
