"""The Python client against the simulated Kubernetes API: lists, pages, watches, patches, status."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from sandbox.kubernetes import ClusterOptions
from tests.sandbox.kubernetes_support import MERGE, SERVICES, Cluster, cluster_running, service

ALL = "/api/v1/services"
LOAD_BALANCERS = "spec.type=LoadBalancer"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_running(tmp_path) as running:
        yield running


def core(cluster: Cluster, token: str = "") -> Any:
    running = cluster.running
    configuration = client.Configuration(host=running.url, ssl_ca_cert=str(running.ca_path), retries=False)
    configuration.api_key = {"authorization": f"Bearer {token or running.token}"}
    return client.CoreV1Api(client.ApiClient(configuration))


def names(items: list[Any]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def test_pages_of_the_client_cover_the_selection(cluster: Cluster) -> None:
    """Bug caught: a page that loses, repeats or does not select Services."""
    api = core(cluster)
    for number in range(5):
        api.create_namespaced_service("default", service(f"web-{number}"))
    found, token, sizes = [], None, []
    while token != "":
        page = api.list_service_for_all_namespaces(limit=2, _continue=token, field_selector=LOAD_BALANCERS)
        found += [item.metadata.name for item in page.items]
        sizes.append(len(page.items))
        token = page.metadata._continue or ""
    assert found == [f"web-{number}" for number in range(5)]
    assert sizes == [2, 2, 1]


def test_later_pages_show_the_world_of_the_first(cluster: Cluster) -> None:
    """Bug caught: a Service created or changed between two pages tears the list."""
    for name in ("a", "b", "c"):
        cluster.create(name)
    first = cluster.ok("GET", f"{SERVICES}?limit=1")
    assert first["metadata"]["remainingItemCount"] == 3
    cluster.create("bb")
    cluster.ok("DELETE", f"{SERVICES}/c")
    rest = cluster.ok("GET", f"{SERVICES}?limit=10&continue={first['metadata']['continue']}")
    assert names(first["items"] + rest["items"]) == ["a", "b", "c", "kubernetes"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_an_expired_continue_token_is_410_with_a_way_on(cluster: Cluster) -> None:
    """Bug caught: an old token answered with a list that looks whole."""
    for name in ("a", "b"):
        cluster.create(name)
    token = cluster.ok("GET", f"{SERVICES}?limit=1")["metadata"]["continue"]
    cluster.ok("POST", "/_sandbox/compact")
    status, gone = cluster.call("GET", f"{SERVICES}?limit=1&continue={token}")
    assert (status, gone["reason"]) == (410, "Expired")
    rest = cluster.ok("GET", f"{SERVICES}?continue={gone['metadata']['continue']}")
    assert names(rest["items"]) == ["b", "kubernetes"]


@pytest.mark.parametrize("query", ["continue=garbage", "fieldSelector=spec.loadBalancerClass%3Dx", "limit=x"])
def test_list_options_nobody_understands_are_400(cluster: Cluster, query: str) -> None:
    """Bug caught: options that are ignored instead of refused."""
    status, answer = cluster.call("GET", f"{ALL}?{query}")
    assert (status, answer["reason"]) == (400, "BadRequest")


def test_metadata_only_lists_carry_no_spec(cluster: Cluster) -> None:
    """Bug caught: the cheap list of the probe that is not cheap."""
    made = cluster.create("web")
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    found = cluster.ok("GET", f"{ALL}?fieldSelector={LOAD_BALANCERS}", accept=accept)
    assert found["kind"] == "PartialObjectMetadataList"
    (item,) = found["items"]
    assert item == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": made["metadata"],
    }


def test_items_of_a_list_carry_no_kind(cluster: Cluster) -> None:
    """Bug caught: a simulator kinder than the real server, on which code comes to lean."""
    cluster.create("web")
    found = cluster.ok("GET", ALL)
    assert found["kind"] == "ServiceList"
    assert all("kind" not in item for item in found["items"])


def test_client_watches_a_service_through_its_life(cluster: Cluster) -> None:
    """Bug caught: events missing, out of order, or from before the given version."""
    api = core(cluster)
    cluster.create("before")
    start = api.list_service_for_all_namespaces().metadata.resource_version
    cluster.create("web")
    cluster.ok("PATCH", f"{SERVICES}/web", {"metadata": {"labels": {"a": "b"}}}, content=MERGE)
    cluster.ok("DELETE", f"{SERVICES}/web")
    watcher: Any = watch.Watch()  # type: ignore[no-untyped-call]
    stream = watcher.stream(api.list_service_for_all_namespaces, resource_version=start, timeout_seconds=1)
    assert [event["type"] for event in stream] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_with_a_selector_sees_services_leave_it(cluster: Cluster) -> None:
    """Bug caught: a Service that stops being a LoadBalancer stays in the watcher's picture."""
    cluster.create("web")
    start = cluster.ok("GET", ALL)["metadata"]["resourceVersion"]
    cluster.ok("PATCH", f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}}, content=MERGE)
    query = f"fieldSelector={LOAD_BALANCERS}&resourceVersion={start}&timeoutSeconds=0.2"
    assert [event["type"] for event in cluster.watched(query)] == ["DELETED"]


def test_a_watch_from_a_forgotten_version_ends_with_410_in_the_stream(cluster: Cluster) -> None:
    """Bug caught: a watcher that is silently resumed over changes it never saw."""
    cluster.ok("POST", "/_sandbox/compact")
    (event,) = cluster.watched("resourceVersion=1")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_bookmarks_tell_how_far_a_quiet_watch_is(tmp_path: Path) -> None:
    """Bug caught: changes of other types leave the watcher's version behind until it is too old."""
    with cluster_running(tmp_path, ClusterOptions(bookmark_seconds=0.1)) as cluster:
        start = cluster.ok("GET", ALL)["metadata"]["resourceVersion"]
        cluster.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
        query = f"resourceVersion={start}&timeoutSeconds=0.5&allowWatchBookmarks=true"
        first = cluster.watched(query)[0]
        assert first["type"] == "BOOKMARK"
        assert int(first["object"]["metadata"]["resourceVersion"]) == int(start) + 1


def test_status_goes_through_its_own_path_only(cluster: Cluster) -> None:
    """Bug caught: either path writing the other's half of a Service."""
    api = core(cluster)
    cluster.create("web")
    body = {
        "status": {"loadBalancer": {"ingress": [{"ip": "10.224.0.7"}]}},
        "spec": {"externalIPs": ["9.9.9.9"]},
    }
    ignored = api.patch_namespaced_service("web", "default", {"status": body["status"]})
    assert ignored.status.load_balancer.ingress is None
    written = api.patch_namespaced_service_status("web", "default", body)
    assert written.status.load_balancer.ingress[0].ip == "10.224.0.7"
    assert "externalIPs" not in cluster.ok("GET", f"{SERVICES}/web")["spec"]


def test_strategic_status_patches_merge_conditions_by_type(cluster: Cluster) -> None:
    """Bug caught: our condition wipes out that of another controller."""
    api = core(cluster)
    cluster.create("web")
    for kind, status in (("Theirs", "True"), ("Ours", "False"), ("Ours", "True")):
        condition = {"type": kind, "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}
        found = api.patch_namespaced_service_status("web", "default", {"status": {"conditions": [condition]}})
    assert {(item.type, item.status) for item in found.status.conditions} == {
        ("Theirs", "True"),
        ("Ours", "True"),
    }


def test_patches_that_change_nothing_keep_the_version(cluster: Cluster) -> None:
    """Bug caught: no-op writes that wake every watcher."""
    made = cluster.create("web", annotations={"a": "1"})
    again = cluster.ok("PATCH", f"{SERVICES}/web", {"metadata": {"annotations": {"a": "1"}}}, content=MERGE)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_client_errors_carry_status_and_reason(cluster: Cluster) -> None:
    """Bug caught: bodies from which the client makes no ApiException."""
    with pytest.raises(ApiException) as wrong_token:
        core(cluster, "nobody").list_namespace()
    with pytest.raises(ApiException) as read_only:
        core(cluster, "reader-token").delete_namespaced_service("kubernetes", "default")
    with pytest.raises(ApiException) as missing:
        core(cluster).read_namespaced_service("nobody", "default")
    assert [raised.value.status for raised in (wrong_token, read_only, missing)] == [401, 403, 404]
    assert '"reason":"Forbidden"' in str(read_only.value.body)


def test_default_kubernetes_identifies_the_cluster(tmp_path: Path) -> None:
    """Bug caught: an identity that changes with every start, or that two clusters share."""
    uids = []
    for run, name in enumerate(("prod", "prod", "dev")):
        with cluster_running(tmp_path / str(run), ClusterOptions(name=name)) as cluster:
            uids.append(cluster.ok("GET", f"{SERVICES}/kubernetes")["metadata"]["uid"])
    assert uids[0] == uids[1] != uids[2]


def test_clusters_side_by_side_share_nothing(tmp_path: Path) -> None:
    """Bug caught: module-level state; stopping one cluster, watched or not, takes another with it."""
    with cluster_running(tmp_path / "dev", ClusterOptions(name="dev")) as dev:
        with cluster_running(tmp_path / "prod", ClusterOptions(name="prod")) as prod:
            prod.create("web")
            open_watch = prod.pool.request(
                "GET",
                f"{prod.running.url}{ALL}?watch=true",
                headers={"Authorization": f"Bearer {prod.running.token}"},
                preload_content=False,
            )
        assert len(open_watch.data.splitlines()) == 2
        assert names(dev.ok("GET", ALL)["items"]) == ["kubernetes"]
