"""The OpenAPI documents, judged by the real kubectl: explain, its own validation, its merges."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.sandbox.kubectl_support import MANIFEST, Kubectl
from tests.sandbox.kubernetes_support import Cluster, cluster_running

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_running(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def kubectl(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return Kubectl(cluster, tmp_path_factory.mktemp("home"))


def listed(**port: object) -> str:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one"}, "spec": {"ports": [port]}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "two"}, "data": {"a": "b"}}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [service, config]})


def test_a_file_of_kind_list_is_applied_as_any_other(kubectl: Kubectl) -> None:
    """Bug caught: without OpenAPI 2 in protobuf kubectl cannot validate a List and refuses it."""
    assert kubectl.apply(listed(port=80)) == "service/one created\nconfigmap/two created\n"
    assert kubectl.apply(listed(port=80)) == "service/one unchanged\nconfigmap/two unchanged\n"


def test_a_field_misspelt_in_a_list_is_named(kubectl: Kubectl) -> None:
    """Bug caught: schemas that kubectl reads and that allow anything."""
    refused = kubectl.run("apply", "-f", "-", stdin=listed(prot=80))
    assert 'unknown field "prot" in io.k8s.api.core.v1.ServicePort' in refused.stderr
    assert 'missing required field "port" in io.k8s.api.core.v1.ServicePort' in refused.stderr


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("svc", ["KIND:       Service", "metadata\t<ObjectMeta>", "behavior of a service"]),
        ("svc.spec.ports", ["FIELD: ports <[]ServicePort>", "port\t<integer> -required-"]),
        ("svc.spec.ports.targetPort", ["<IntOrString>", "IANA_SVC_NAME"]),
        ("svc.metadata.annotations", ["<map[string]string>", "unstructured key value map"]),
        ("deploy.spec.template.spec.containers.image", ["GROUP:      apps", "Container image name"]),
    ],
)
def test_explain_tells_types_and_descriptions(kubectl: Kubectl, field: str, said: list[str]) -> None:
    """Bug caught: `<no description>` everywhere, and only the first level known of most types."""
    explained = kubectl("explain", field)
    assert [text for text in said if text not in explained] == []


def test_apply_leaves_the_port_of_somebody_else(kubectl: Kubectl) -> None:
    """Bug caught: documents that make kubectl send lists as a whole, so that a port added by hand goes with the next apply."""
    kubectl.apply()
    kubectl("patch", "svc", "web", "-p", '{"spec": {"ports": [{"name": "tls", "port": 443}]}}')
    kubectl.apply(MANIFEST.replace("8080", "9090"))
    assert kubectl("get", "svc", "web", "-o", "jsonpath={.spec.ports[*].name}").split() == ["http", "tls"]


def test_the_documents_name_the_keys_by_which_lists_are_merged(cluster: Cluster) -> None:
    """Bug caught: clients without Kubernetes' types of their own that replace lists, since nothing says how to merge."""
    (link,) = [link for root, link in cluster.ok("GET", "/openapi/v3")["paths"].items() if root == "api/v1"]
    schemas = cluster.ok("GET", link["serverRelativeURL"])["components"]["schemas"]
    ports = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert (ports["x-kubernetes-patch-strategy"], ports["x-kubernetes-patch-merge-key"]) == ("merge", "port")
    finalizers = schemas["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"]["finalizers"]
    assert finalizers["x-kubernetes-patch-strategy"] == "merge"


def test_documents_may_be_kept_by_their_hash(cluster: Cluster) -> None:
    """Bug caught: every kubectl call fetching all schemas again."""
    link = cluster.ok("GET", "/openapi/v3")["paths"]["api/v1"]["serverRelativeURL"]
    headers = {"Authorization": "Bearer admin-token"}
    answer = cluster.pool.request("GET", cluster.running.url + link, headers=headers)
    assert answer.headers["Cache-Control"] == "public, immutable"
    assert answer.headers["ETag"] == f'"{link.partition("=")[2]}"'


def test_apply_keeps_the_order_of_the_manifest(kubectl: Kubectl) -> None:
    """Bug caught: a port written first in the file that comes last in the cluster, and a diff for ever."""
    kubectl.apply()
    first = "  ports:\n  - {name: early, port: 70, targetPort: 70}\n"
    kubectl.apply(MANIFEST.replace("  ports:\n", first))
    assert kubectl("get", "svc", "web", "-o", "jsonpath={.spec.ports[*].name}").split()[:2] == [
        "early",
        "http",
    ]
