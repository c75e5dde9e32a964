"""What the simulated API server says when it refuses, word for word as the real one: people search for these sentences."""

import json
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

IP_EXPECTED = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
ONLY_LOCAL = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
NO_STANDARD_NAME = "name is neither a standard finalizer name nor is it fully qualified"
SAME_PORT = (
    'core.ServicePort{Name:"", Protocol:"TCP", AppProtocol:(*string)(nil), Port:80,'
    ' TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}'
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the Service `web` (10.0.100.1), which every refusal leaves as it is."""
    with cluster_running(tmp_path_factory.mktemp("cluster")) as running:
        running.create("web", clusterIP="10.0.100.1", ports=[{"name": "http", "port": 80, "nodePort": 30800}])
        yield running


def refusal(cluster: Cluster, body: object, content: str = MERGE, path: str = "web") -> tuple[int, str]:
    before = cluster.ok("GET", f"{SERVICES}/web")
    status, answer = cluster.call("PATCH", f"{SERVICES}/{path}", body, content=content)
    assert cluster.ok("GET", f"{SERVICES}/web") == before
    return status, answer["message"]


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"clusterIP": "10.0.0.7"}, ['spec.clusterIPs[0]: Invalid value: []string{"10.0.0.7"}: may not change once set']),
        (
            {"clusterIPs": ["10.0.0.7"]},
            [
                'spec.clusterIPs[0]: Invalid value: []string{"10.0.0.7"}: may not change once set',
                'spec.clusterIPs: Invalid value: []string{"10.0.0.7"}: first value must match `clusterIP`',
            ],
        ),
        ({"loadBalancerClass": "a.b/c"}, ['spec.loadBalancerClass: Invalid value: "a.b/c": may not change once set']),
        (
            {"type": "Foo"},
            [
                'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName",'
                ' "LoadBalancer", "NodePort"',
            ],
        ),
        ({"ports": []}, ["spec.ports: Required value"]),
        (
            {"ports": [{"port": 0, "targetPort": 70000}]},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            {"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 80}]},
            ['spec.ports[1].name: Duplicate value: "a"', f"spec.ports[1]: Duplicate value: {SAME_PORT}"],
        ),
        (
            {"ports": [{"port": 80, "targetPort": "Web_Of_Many_Names"}]},
            [
                'spec.ports[0].targetPort: Invalid value: "Web_Of_Many_Names": must be no more than 15 characters',
                'spec.ports[0].targetPort: Invalid value: "Web_Of_Many_Names": must contain only alpha-numeric'
                " characters (a-z, 0-9), and hyphens (-)",
            ],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 80}]},
            [
                "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range."
                " The range of valid ports is 30000-32767"
            ],
        ),
        ({"sessionAffinity": "Foo"}, ['spec.sessionAffinity: Unsupported value: "Foo": supported values: "ClientIP", "None"']),
        (
            {"loadBalancerSourceRanges": ["10.0.0.1"]},
            [
                'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1":'
                " must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            ],
        ),
        (
            {"externalIPs": ["a", "127.0.0.1"]},
            [
                f'spec.externalIPs[0]: Invalid value: "a": {IP_EXPECTED}',
                'spec.externalIPs[1]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
            ],
        ),
        ({"healthCheckNodePort": 32000}, [f"spec.healthCheckNodePort: Invalid value: 32000: {ONLY_LOCAL}"]),
        (
            {"ipFamilies": ["IPv6"]},
            [
                'spec.ipFamilies[0]: Invalid value: []core.IPFamily{"IPv6"}: may not change once set',
                'spec.clusterIPs[0]: Invalid value: "10.0.100.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
            ],
        ),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
    ],
)  # fmt: skip
def test_a_change_that_a_service_cannot_have_is_refused_in_kubernetes_words(
    cluster: Cluster, spec: dict[str, Any], causes: list[str]
) -> None:
    """Bug caught: a Service changed here that a real cluster refuses to change, or told in other words."""
    said = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
    assert refusal(cluster, {"spec": spec}) == (422, f'Service "web" is invalid: {said}')


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"finalizers": ["mine"]}, f'metadata.finalizers[0]: Invalid value: "mine": {NO_STANDARD_NAME}'),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            'metadata.finalizers: Invalid value: []string{"orphan", "foregroundDeletion"}:'
            " finalizer orphan and foregroundDeletion cannot be both set",
        ),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        ),
        ({"uid": "another"}, 'metadata.uid: Invalid value: "another": field is immutable'),
    ],
)
def test_metadata_is_refused_in_kubernetes_words(
    cluster: Cluster, metadata: dict[str, Any], said: str
) -> None:
    """Bug caught: a finalizer or owner stored here with which no real cluster would hold the object."""
    assert refusal(cluster, {"metadata": metadata}) == (422, f'Service "web" is invalid: {said}')


def test_an_ingress_must_be_an_address_or_a_name(cluster: Cluster) -> None:
    """Bug caught: a status that the cloud provider could never have written."""
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "x"}, {"hostname": "10.0.0.1"}]}}}
    field = "status.loadBalancer.ingress"
    assert refusal(cluster, status, path="web/status") == (
        422,
        f'Service "web" is invalid: [{field}[0].ip: Invalid value: "x": {IP_EXPECTED},'
        f' {field}[1].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address]',
    )


@pytest.mark.parametrize(
    ("body", "content", "status", "said"),
    [
        (
            {"metadata": {"annotations": {"a": True}}},
            STRATEGIC,
            422,
            ' "" is invalid: patch: Invalid value: "map[metadata:map[annotations:map[a:true]]]": unrecognized type: string',
        ),
        (
            {"spec": {"ports": "many"}},
            STRATEGIC,
            422,
            ' "" is invalid: patch: Invalid value: "map[spec:map[ports:many]]": cannot restore slice from string',
        ),
        ([], STRATEGIC, 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ({"a": 1}, JSON_PATCH, 400, "json: cannot unmarshal object into Go value of type jsonpatch.Patch"),
        (
            [{"op": "grow", "path": "/spec"}],
            JSON_PATCH,
            422,
            "the server rejected our request due to an error in our request",
        ),
    ],
)  # fmt: skip
def test_a_patch_that_makes_no_service_is_refused_in_kubernetes_words(
    cluster: Cluster, body: object, content: str, status: int, said: str
) -> None:
    """Bug caught: the sentence of a create for a patch: it is the patch that is wrong, not an object."""
    assert refusal(cluster, body, content) == (status, said)


def test_a_merge_patch_shows_the_object_that_it_made(cluster: Cluster) -> None:
    """Bug caught: JSON patches told as strategic ones; they end in Go's JSON decoder."""
    status, said = refusal(cluster, {"metadata": {"annotations": {"a": True}}})
    shown, _, why = said.removeprefix(' "" is invalid: patch: Invalid value: ').rpartition(": json: ")
    assert status == 422
    assert json.loads(json.loads(shown))["metadata"]["annotations"] == {"a": True}
    assert why == "cannot unmarshal bool into Go struct field ObjectMeta.metadata.annotations of type string"


def test_an_unknown_field_is_refused_by_strict_validation_and_by_apply(cluster: Cluster) -> None:
    """Bug caught: fields dropped in silence where kubectl's apply stops."""
    body: dict[str, Any] = {"spec": {"prots": []}}
    strict = refusal(cluster, body, STRATEGIC, "web?fieldValidation=Strict")
    assert strict == (
        422,
        ' "" is invalid: patch: Invalid value: "map[spec:map[prots:[]]]":'
        ' strict decoding error: unknown field "spec.prots"',
    )
    applied = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, **body}
    assert refusal(cluster, applied, "application/apply-patch+yaml", "web?fieldManager=me") == (
        500,
        "failed to create typed patch object (default/web; /v1, Kind=Service):"
        " .spec.prots: field not declared in schema",
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"clusterIP": "10.0.100.1"}, "provided IP is already allocated"),
        (
            {"clusterIP": "1.2.3.4"},
            "the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.0.0.0/16",
        ),
    ],
)
def test_an_address_that_is_not_to_be_had_is_told(cluster: Cluster, spec: dict[str, Any], said: str) -> None:
    """Bug caught: addresses of other networks given away."""
    status, answer = cluster.call("POST", SERVICES, service("other", **spec))
    address = spec["clusterIP"]
    assert status == 422
    assert answer["message"] == (
        f'Service "other" is invalid: spec.clusterIPs: Invalid value: []string{{"{address}"}}:'
        f" failed to allocate IP {address}: {said}"
    )


def test_a_port_keeps_its_node_port_by_its_name(cluster: Cluster) -> None:
    """Bug caught: another node port for a port that only changed its number, which the load balancer would follow."""
    body = {"spec": {"ports": [{"name": "http", "port": 81}]}}
    found = cluster.ok("PATCH", f"{SERVICES}/web?dryRun=All", body, content=MERGE)
    assert found["spec"]["ports"][0]["nodePort"] == 30800


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        (
            "POST",
            "",
            b"x",
            400,
            "the object provided is unrecognized (must be of type Service): couldn't get version/kind;"
            " json parse error: invalid character 'x' looking for beginning of value (78)",
        ),
        (
            "POST",
            "",
            b"",
            400,
            "the object provided is unrecognized (must be of type Service): couldn't get version/kind;"
            " json parse error: unexpected end of JSON input (<empty>)",
        ),
        (
            "POST",
            "",
            b'{"kind":"Pod","apiVersion":"v1"}',
            400,
            'Pod in version "v1" cannot be handled as a Service:'
            " converting (v1.Pod) to (core.Service): unknown conversion",
        ),
        (
            "PUT",
            "/web",
            b'{"metadata":{"name":"web","namespace":"other"}}',
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        ("GET", "?fieldSelector=foo=bar", b"", 400, "field label not supported: foo"),
        (
            "GET",
            "?labelSelector=a+b",
            b"",
            400,
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("GET", "?limit=many", b"", 400, 'strconv.ParseInt: parsing "many": invalid syntax'),
        ("GET", "?watch=1&resourceVersion=x", b"", 400, 'strconv.ParseUint: parsing "x": invalid syntax'),
    ],
)
def test_requests_that_make_no_sense_are_refused_in_kubernetes_words(
    cluster: Cluster, method: str, path: str, body: bytes, status: int, said: str
) -> None:
    """Bug caught: sentences of our own parsers, in which nobody recognizes Kubernetes."""
    headers = {"Authorization": "Bearer admin-token", "Content-Type": "application/json"}
    url = f"{cluster.running.url}{SERVICES}{path}"
    answer = cluster.pool.request(method, url, body=body, headers=headers)
    assert (answer.status, json.loads(answer.data)["message"]) == (status, said)


def test_a_version_of_the_future_is_told_as_client_go_expects_it(cluster: Cluster) -> None:
    """Bug caught: informers that begin anew instead of waiting, since they do not know the cause."""
    current = int(cluster.ok("GET", SERVICES)["metadata"]["resourceVersion"])
    status, answer = cluster.call("GET", f"{SERVICES}?resourceVersion={current + 5}")
    assert (status, answer["reason"]) == (504, "Timeout")
    assert answer["message"] == f"Timeout: Too large resource version: {current + 5}, current: {current}"
    assert answer["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_a_list_at_an_exact_version_is_that_version_or_none(cluster: Cluster) -> None:
    """Bug caught: today's list under yesterday's version."""
    current = cluster.ok("GET", SERVICES)["metadata"]["resourceVersion"]
    exact = f"{SERVICES}?resourceVersionMatch=Exact&resourceVersion="
    assert cluster.ok("GET", exact + current)["metadata"]["resourceVersion"] == current
    status, answer = cluster.call("GET", f"{exact}1")
    assert (status, answer["message"]) == (410, "The resourceVersion for the provided list is too old.")


def test_answers_name_no_server_and_carry_an_audit_id(cluster: Cluster) -> None:
    """Bug caught: the web framework's name in front of every client."""
    headers = {"Authorization": "Bearer admin-token"}
    answer = cluster.pool.request("GET", cluster.running.url + SERVICES, headers=headers)
    assert "Server" not in answer.headers
    assert answer.headers["Audit-Id"]
    assert answer.headers["Cache-Control"] == "no-cache, private"
