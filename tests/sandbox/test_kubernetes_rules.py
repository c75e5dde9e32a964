"""What the simulated API server fills in, keeps and refuses, as the real one does."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.kubernetes_support import (
    JSON_PATCH,
    MERGE,
    SERVICES,
    STRATEGIC,
    Cluster,
    cluster_running,
    service,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_running(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """The module's cluster, whose Services go after each test."""
    yield shared
    for item in shared.ok("GET", SERVICES)["items"]:
        name = item["metadata"]["name"]
        if name != "kubernetes":
            shared.ok("DELETE", f"/_sandbox/objects/services/default/{name}")


def patch(cluster: Cluster, body: object, content: str = MERGE, path: str = "web") -> tuple[int, Any]:
    return cluster.call("PATCH", f"{SERVICES}/{path}", body, content=content)


def test_a_load_balancer_gets_the_real_servers_defaults(cluster: Cluster) -> None:
    """Bug caught: fields the product reads (traffic policy, node ports, families) that are absent here."""
    spec = cluster.create("web")["spec"]
    port = spec["ports"][0]
    assert (port["protocol"], port["targetPort"]) == ("TCP", 80)
    assert port["nodePort"] >= 30000
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["externalTrafficPolicy"], spec["internalTrafficPolicy"]) == ("Cluster", "Cluster")
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert spec["allocateLoadBalancerNodePorts"] is True


def test_dual_stack_services_get_an_address_of_each_family(cluster: Cluster) -> None:
    """Bug caught: dual stack read as single stack, which hides the product's IPv6 rules."""
    spec = cluster.create("web", ipFamilyPolicy="RequireDualStack")["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert "." in spec["clusterIPs"][0]
    assert ":" in spec["clusterIPs"][1]


def test_local_traffic_policy_gets_a_health_check_node_port(cluster: Cluster) -> None:
    """Bug caught: the port the load balancer's probe needs is never given, or stays after the policy goes."""
    assert cluster.create("web", externalTrafficPolicy="Local")["spec"]["healthCheckNodePort"] >= 30000
    _, found = patch(cluster, {"spec": {"externalTrafficPolicy": "Cluster"}})
    assert "healthCheckNodePort" not in found["spec"]


def test_a_service_that_stops_being_a_load_balancer_loses_what_made_it_one(cluster: Cluster) -> None:
    """Bug caught: stale ingress, node ports and policies that a real cluster would not show."""
    cluster.create("web")
    patch(cluster, {"status": {"loadBalancer": {"ingress": [{"ip": "10.224.0.5"}]}}}, path="web/status")
    _, found = patch(cluster, {"spec": {"type": "ClusterIP"}})
    assert found["status"] == {"loadBalancer": {}}
    assert "nodePort" not in found["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in found["spec"]


def test_addresses_are_given_once_and_given_back(cluster: Cluster) -> None:
    """Bug caught: two Services on one cluster IP, or addresses leaking with deleted Services."""
    first = cluster.create("web")["spec"]["clusterIP"]
    status, taken = cluster.call("POST", SERVICES, service("other", clusterIP=first))
    assert (status, taken["reason"]) == (422, "Invalid")
    cluster.ok("DELETE", f"{SERVICES}/web")
    assert cluster.create("other", clusterIP=first)["spec"]["clusterIP"] == first


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"type": "Bogus"}, "spec.type"),
        ({"ports": []}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 80}, {"port": 81}]}, "spec.ports[0].name"),
        ({"ports": [{"port": 80, "protocol": "X"}]}, "spec.ports[0].protocol"),
        ({"clusterIP": "here"}, "spec.clusterIPs[0]"),
        ({"loadBalancerSourceRanges": ["everywhere"]}, "spec.LoadBalancerSourceRanges[0]"),
        ({"externalTrafficPolicy": "Sometimes"}, "spec.externalTrafficPolicy"),
        ({"type": "ClusterIP", "loadBalancerClass": "x"}, "spec.loadBalancerClass"),
    ],
)
def test_invalid_services_are_422_naming_the_field(
    cluster: Cluster, spec: dict[str, Any], field: str
) -> None:
    """Bug caught: a Service in the sandbox that no real cluster would hold."""
    status, answer = cluster.call("POST", SERVICES, service("web", **spec))
    assert (status, answer["reason"]) == (422, "Invalid")
    assert field in [cause["field"] for cause in answer["details"]["causes"]]


@pytest.mark.parametrize(
    "spec",
    [{"clusterIP": "10.0.200.200", "clusterIPs": ["10.0.200.200"]}, {"loadBalancerClass": "example.com/x"}],
)
def test_what_is_set_once_stays(cluster: Cluster, spec: dict[str, Any]) -> None:
    """Bug caught: immutable fields that move under the product's feet."""
    cluster.create("web")
    status, answer = patch(cluster, {"spec": spec})
    assert status == 422
    assert "may not change once set" in answer["message"]


def test_a_load_balancer_ip_is_not_judged(cluster: Cluster) -> None:
    """Bug caught: a check the real server does not make keeps bad input from the product."""
    assert (
        cluster.create("web", loadBalancerIP="not an address")["spec"]["loadBalancerIP"] == "not an address"
    )


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"name": "Web"}, 422),
        ({"name": "1web"}, 422),
        ({"name": "web", "annotations": {"a": "x" * (256 * 1024)}}, 422),
        ({"name": "web", "annotations": {"not a key": ""}}, 422),
        ({"name": "web", "labels": {"a": "not a label value"}}, 422),
        ({"name": "web", "annotations": {"a": True}}, 400),
        ({"name": "web", "annotations": {"a": "ü\n\u0007 " * 1000}}, 201),
        ({"name": "web", "namespace": "elsewhere"}, 400),
        ({}, 422),
    ],
)
def test_metadata_is_judged_as_the_real_server_does(
    cluster: Cluster, metadata: dict[str, Any], status: int
) -> None:
    """Bug caught: annotation values stopped, or let through, that a real cluster treats otherwise."""
    body = service("") | {"metadata": metadata}
    assert cluster.call("POST", SERVICES, body)[0] == status


def test_generated_names_differ_and_names_are_taken_once(cluster: Cluster) -> None:
    """Bug caught: a second Event or Service overwriting the first."""
    body = service("") | {"metadata": {"generateName": "web-"}}
    made = {cluster.ok("POST", SERVICES, body)["metadata"]["name"] for _ in range(3)}
    assert len(made) == 3
    status, answer = cluster.call("POST", SERVICES, service(made.pop()))
    assert (status, answer["reason"]) == (409, "AlreadyExists")


def test_a_service_made_again_is_another_one(cluster: Cluster) -> None:
    """Bug caught: uids that follow from names; proof of deletion rests on them."""
    first = cluster.create("web")["metadata"]["uid"]
    cluster.ok("DELETE", f"{SERVICES}/web")
    assert cluster.create("web")["metadata"]["uid"] != first


def test_stale_writers_are_told(cluster: Cluster) -> None:
    """Bug caught: lost updates through PUT or PATCH, deletes of another object."""
    made = cluster.create("web")
    patch(cluster, {"metadata": {"labels": {"a": "b"}}})
    version = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    assert cluster.call("PUT", f"{SERVICES}/web", made)[0] == 409
    assert patch(cluster, version)[0] == 409
    assert patch(cluster, {"metadata": {"uid": "another"}})[0] == 422
    precondition = {"preconditions": {"uid": "another"}}
    assert cluster.call("DELETE", f"{SERVICES}/web", precondition)[0] == 409
    assert cluster.call("GET", f"{SERVICES}/web")[0] == 200


def test_dry_runs_answer_and_write_nothing(cluster: Cluster) -> None:
    """Bug caught: a dry run that takes a name, an address or an object away."""
    assert cluster.call("POST", f"{SERVICES}?dryRun=All", service("web"))[0] == 201
    assert cluster.call("GET", f"{SERVICES}/web")[0] == 404
    made = cluster.create("web")
    cluster.ok("PATCH", f"{SERVICES}/web?dryRun=All", {"metadata": {"labels": {"a": "b"}}}, content=MERGE)
    cluster.ok("DELETE", f"{SERVICES}/web?dryRun=All")
    assert cluster.ok("GET", f"{SERVICES}/web") == made


def test_finalizers_hold_a_deleted_service_and_none_may_be_added(cluster: Cluster) -> None:
    """Bug caught: deletion that cannot be told apart from absence, or never ends."""
    cluster.create("web")
    patch(cluster, {"metadata": {"finalizers": ["a.b/c"]}})
    waiting = cluster.ok("DELETE", f"{SERVICES}/web")
    assert waiting["metadata"]["deletionTimestamp"]
    assert cluster.ok("DELETE", f"{SERVICES}/web")["metadata"] == waiting["metadata"]
    assert patch(cluster, {"metadata": {"finalizers": ["a.b/c", "d.e/f"]}})[0] == 422
    assert patch(cluster, {"metadata": {"finalizers": None}}, path="web/status")[0] == 200
    assert cluster.call("GET", f"{SERVICES}/web")[0] == 404


@pytest.mark.parametrize(
    ("body", "content", "status"),
    [
        ([{"op": "test", "path": "/spec/type", "value": "NodePort"}], JSON_PATCH, 422),
        ([{"op": "remove", "path": "/spec/nothing"}], JSON_PATCH, 422),
        ([{"op": "replace", "path": "/spec/ports/0/port", "value": 81}], JSON_PATCH, 200),
        ({"spec": {"ports": [{"port": 81, "name": "b"}, {"port": 80, "name": "a"}]}}, STRATEGIC, 200),
        ({"spec": {"ports": [{"port": 80, "$patch": "delete"}]}}, STRATEGIC, 422),
        ({"spec": {"ports": [7]}}, MERGE, 422),
        ([], MERGE, 400),
        ({}, "text/plain", 415),
    ],
)
def test_patches_apply_or_say_why_not(cluster: Cluster, body: object, content: str, status: int) -> None:
    """Bug caught: a 500 or a silent no-op where the real server refuses."""
    cluster.create("web")
    answered, answer = patch(cluster, body, content)
    assert answered == status, answer


def test_events_must_be_about_their_own_namespace(cluster: Cluster) -> None:
    """Bug caught: Events accepted here that a real cluster refuses."""
    events = "/api/v1/namespaces/default/events"
    body = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "other"}}
    assert cluster.call("POST", events, body)[0] == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/gadgets", 404),
        ("POST", "/api/v1/services", 405),
        ("PUT", SERVICES, 405),
        ("POST", "/api/v1/namespaces/nowhere/services", 404),
        ("DELETE", "/api/v1/namespaces/default", 403),
    ],
)
def test_wrong_paths_and_methods_are_status_objects(
    cluster: Cluster, method: str, path: str, status: int
) -> None:
    """Bug caught: HTML or bare text where clients expect a Status."""
    answered, body = cluster.call(method, path, service("web") if method != "GET" else None)
    assert (answered, body["kind"], body["code"]) == (status, "Status", status)


def test_a_path_outside_the_api_is_bare_text(cluster: Cluster) -> None:
    """Bug caught: a kinder answer than the real server's, which is no Status there."""
    headers = {"Authorization": f"Bearer {cluster.running.token}"}
    answer = cluster.pool.request("GET", f"{cluster.running.url}/nowhere", headers=headers)
    assert (answer.status, answer.data) == (404, b"404 page not found\n")


def test_a_service_that_came_past_the_rules_can_be_written(cluster: Cluster) -> None:
    """Bug caught: a 500 for an object that the back door stored without status and defaults."""
    bare = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    cluster.ok("PUT", "/_sandbox/objects/services/default/web", bare)
    assert patch(cluster, {"metadata": {"labels": {"a": "b"}}})[0] == 200
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "10.224.0.5"}]}}}
    assert patch(cluster, ingress, path="web/status")[0] == 200
