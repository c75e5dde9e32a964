"""Server-side apply: who owns a field, who may change it, and what goes with the last who asked for it."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.kubectl_support import MANIFEST, Kubectl
from tests.sandbox.kubernetes_support import MERGE, SERVICES, Cluster, cluster_running

APPLY = "application/apply-patch+yaml"
WEB = f"{SERVICES}/web"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_running(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def wish(*, annotations: dict[str, str] | None = None, ports: tuple[int, ...] = (80,)) -> dict[str, Any]:
    """What somebody asks for: annotations and ports, each port with its number as target."""
    metadata = {"name": "web"} | ({"annotations": annotations} if annotations else {})
    spec = {"ports": [{"name": f"p{port}", "port": port, "targetPort": port} for port in ports]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def apply(cluster: Cluster, body: dict[str, Any], manager: str, query: str = "") -> tuple[int, Any]:
    return cluster.call("PATCH", f"{WEB}?fieldManager={manager}{query}", body, content=APPLY)


def rows(cluster: Cluster) -> dict[tuple[str, str], Any]:
    """`fieldsV1` by manager and operation."""
    found = cluster.ok("GET", WEB)["metadata"].get("managedFields", [])
    return {(row["manager"], row["operation"]): row["fieldsV1"] for row in found}


def test_an_applied_object_tells_who_owns_what(cluster: Cluster) -> None:
    """Bug caught: fields counted that nobody asked for, such as defaults and addresses."""
    assert apply(cluster, wish(annotations={"a": "1"}), "me")[0] == 201
    port: dict[str, Any] = {".": {}, "f:name": {}, "f:port": {}, "f:targetPort": {}}
    assert rows(cluster) == {
        ("me", "Apply"): {
            "f:metadata": {"f:annotations": {"f:a": {}}},
            "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': port}},
        }
    }


def test_a_field_of_somebody_else_is_a_conflict_unless_taken_by_force(cluster: Cluster) -> None:
    """Bug caught: the last who applies wins in silence."""
    apply(cluster, wish(annotations={"a": "1", "b": "1"}), "first")
    status, answer = apply(cluster, wish(annotations={"a": "2"}), "second")
    assert (status, answer["reason"]) == (409, "Conflict")
    assert answer["message"] == (
        'Apply failed with 1 conflict: conflict with "first": .metadata.annotations.a'
    )
    assert answer["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "first"',
            "field": ".metadata.annotations.a",
        }
    ]
    assert apply(cluster, wish(annotations={"a": "2"}), "second", "&force=true")[0] == 200
    assert rows(cluster)["first", "Apply"]["f:metadata"] == {"f:annotations": {"f:b": {}}}


def test_several_conflicts_are_listed_by_their_owners(cluster: Cluster) -> None:
    """Bug caught: only the first one told, so that people find the next after mending it."""
    apply(cluster, wish(), "first")
    cluster.ok("PATCH", f"{WEB}?fieldManager=editor", {"metadata": {"labels": {"a": "1"}}}, content=MERGE)
    asked = wish()
    asked["metadata"]["labels"] = {"a": "2"}
    asked["spec"]["ports"][0]["targetPort"] = 8080
    assert apply(cluster, asked, "second")[1]["message"] == (
        "Apply failed with 2 conflicts: "
        'conflicts with "editor" using v1:\n- .metadata.labels.a\n'
        'conflicts with "first":\n- .spec.ports[port=80,protocol="TCP"].targetPort'
    )


def test_what_a_later_apply_leaves_out_goes_with_its_last_owner(cluster: Cluster) -> None:
    """Bug caught: an annotation taken out of the manifest that stays, or one that another still asks for and goes."""
    apply(cluster, wish(annotations={"mine": "1", "ours": "1"}, ports=(80, 443)), "first")
    apply(cluster, {**wish(annotations={"ours": "1"}), "spec": {}}, "second")
    found = apply(cluster, wish(ports=(80,)), "first")[1]
    assert found["metadata"]["annotations"] == {"ours": "1"}
    assert [port["port"] for port in found["spec"]["ports"]] == [80]
    assert found["spec"]["type"] == "ClusterIP"


def test_other_writes_take_the_fields_that_they_change(cluster: Cluster) -> None:
    """Bug caught: an apply that takes back, without a word, what somebody edited by hand."""
    apply(cluster, wish(annotations={"a": "1"}), "first")
    edit = {"metadata": {"annotations": {"a": "2", "c": "3"}}}
    cluster.ok("PATCH", f"{WEB}?fieldManager=editor", edit, content=MERGE)
    assert rows(cluster)["editor", "Update"] == {"f:metadata": {"f:annotations": {"f:a": {}, "f:c": {}}}}
    assert (
        'conflict with "editor" using v1'
        in apply(cluster, wish(annotations={"a": "1"}), "first")[1]["message"]
    )


def test_an_apply_that_changes_nothing_writes_nothing(cluster: Cluster) -> None:
    """Bug caught: a new version, and an event for every watcher, with each apply."""
    first = apply(cluster, wish(annotations={"a": "1"}), "first")[1]
    apply(cluster, {**wish(annotations={"b": "1"}), "spec": {}}, "second")
    before = cluster.ok("GET", WEB)
    assert apply(cluster, wish(annotations={"a": "1"}), "first")[1] == before
    assert before["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]


def test_a_status_is_applied_through_its_own_path(cluster: Cluster) -> None:
    """Bug caught: conditions of one controller owned by nobody, or with another's."""
    apply(cluster, wish(), "first")
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    body = {**wish(), "status": {"conditions": [condition]}}
    path = f"{WEB}/status?fieldManager=controller"
    found = cluster.ok("PATCH", path, body, content=APPLY)
    (row,) = [row for row in found["metadata"]["managedFields"] if row["manager"] == "controller"]
    assert row["subresource"] == "status"
    assert list(row["fieldsV1"]) == ["f:status"]
    body["status"] = {"conditions": [condition | {"status": "False"}]}
    status, answer = cluster.call("PATCH", f"{WEB}/status?fieldManager=other", body, content=APPLY)
    assert status == 409
    assert '.status.conditions[type="Ready"].status' in answer["message"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
def test_kubectl_tells_conflicts_with_its_own_apply_of_the_other_side(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bug caught: a conflict that kubectl cannot explain, or none where a real cluster has one."""
    kubectl = Kubectl(cluster, tmp_path_factory.mktemp("home"))
    kubectl.apply()
    changed = MANIFEST.replace("8080", "9090")
    refused = kubectl.run("apply", "--server-side", "-f", "-", stdin=changed).stderr
    assert (
        'conflict with "kubectl-client-side-apply" using v1: .spec.ports[port=80,protocol="TCP"].targetPort'
        in refused
    )
    assert "--force-conflicts" in refused
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed)
    shown = json.loads(kubectl("get", "svc", "web", "-o", "json", "--show-managed-fields"))
    assert shown["spec"]["ports"][0]["targetPort"] == 9090
    assert "kubectl" in {row["manager"] for row in shown["metadata"]["managedFields"]}
