"""The real kubectl against the simulated Kubernetes API."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.kubernetes import Role, Rule
from sandbox.kubernetes.cluster import ClusterOptions
from tests.sandbox.kubectl_support import MANIFEST, Kubectl
from tests.sandbox.kubernetes_support import SERVICES, Cluster, cluster_running

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")

INGRESS = {"status": {"loadBalancer": {"ingress": [{"ip": "10.224.0.5"}]}}}


@pytest.fixture
def kubectl(tmp_path: Path) -> Iterator[Kubectl]:
    with cluster_running(tmp_path) as cluster:
        yield Kubectl(cluster, tmp_path)


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def test_apply_creates_then_configures_then_leaves_alone(kubectl: Kubectl) -> None:
    """Bug caught: OpenAPI or merge answers that make apply fail, or patch on every run."""
    assert kubectl.apply() == "service/web created\n"
    assert kubectl.apply() == "service/web unchanged\n"
    assert kubectl.apply(MANIFEST.replace("8080", "9090")) == "service/web configured\n"
    assert kubectl("get", "svc", "web", "-o", "jsonpath={.spec.ports[0].targetPort}") == "9090"


def test_apply_removes_an_annotation_left_out_of_the_manifest(kubectl: Kubectl) -> None:
    """Bug caught: strategic merge that ignores nulls in maps."""
    kubectl.apply()
    kubectl.apply(MANIFEST.replace('    service.beta.kubernetes.io/azure-pls-create: "true"\n', ""))
    found = json.loads(kubectl("get", "svc", "web", "-o", "json"))
    assert "service.beta.kubernetes.io/azure-pls-create" not in found["metadata"]["annotations"]


def test_get_shows_the_external_ip_column(kubectl: Kubectl) -> None:
    """Bug caught: lists without server-side tables show NAME and AGE only."""
    kubectl.apply()
    header, _, pending = rows(kubectl("get", "svc"))
    assert header == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert pending[3] == "<pending>"
    kubectl("patch", "svc", "web", "--subresource=status", "--type=merge", "-p", json.dumps(INGRESS))
    assert rows(kubectl("get", "svc", "web"))[1][3] == "10.224.0.5"


def test_get_selects_by_label_field_and_namespace(kubectl: Kubectl) -> None:
    """Bug caught: selectors that are ignored give wrong data, not an error."""
    kubectl("create", "namespace", "other")
    kubectl.apply()
    kubectl("label", "svc", "web", "tier=front")
    kubectl("create", "service", "clusterip", "plain", "--tcp=80", "-n", "other")
    assert (
        kubectl("get", "svc", "-A", "--field-selector=spec.type=LoadBalancer", "-o", "name")
        == "service/web\n"
    )
    assert kubectl("get", "svc", "-A", "-l", "tier in (front)", "-o", "name") == "service/web\n"
    assert kubectl("get", "svc", "-n", "other", "-o", "name") == "service/plain\n"


def test_annotate_and_three_kinds_of_patch_add_up(kubectl: Kubectl) -> None:
    """Bug caught: a patch type that replaces what it should merge, such as the list of ports."""
    kubectl.apply()
    kubectl("annotate", "svc", "web", "a=1")
    kubectl("patch", "svc", "web", "-p", '{"spec": {"ports": [{"name": "tls", "port": 443}]}}')
    kubectl("patch", "svc", "web", "--type=merge", "-p", '{"metadata": {"annotations": {"b": "2"}}}')
    kubectl("patch", "svc", "web", "--type=json", "-p", '[{"op": "remove", "path": "/spec/ports/0"}]')
    found = json.loads(kubectl("get", "svc", "web", "-o", "json"))
    assert {"a": "1", "b": "2"}.items() <= found["metadata"]["annotations"].items()
    assert [port["port"] for port in found["spec"]["ports"]] == [443]


def test_replace_and_edit_keep_the_cluster_ip(kubectl: Kubectl) -> None:
    """Bug caught: a PUT without the allocated fields loses or refuses them."""
    kubectl.apply()
    before = kubectl("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}")
    kubectl("replace", "-f", "-", stdin=MANIFEST)
    kubectl.environment["KUBE_EDITOR"] = "sed -i s/8080/7070/"
    kubectl("edit", "svc", "web")
    expected = f"{before} 7070"
    template = "jsonpath={.spec.clusterIP} {.spec.ports[0].targetPort}"
    assert kubectl("get", "svc", "web", "-o", template) == expected


def test_delete_waits_for_finalizers(kubectl: Kubectl) -> None:
    """Bug caught: an object with finalizers vanishes, or one without them stays."""
    kubectl.apply()
    hold = '{"metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}}'
    kubectl("patch", "svc", "web", "-p", hold)
    kubectl("delete", "svc", "web", "--wait=false")
    assert kubectl("get", "svc", "web", "-o", "jsonpath={.metadata.deletionTimestamp}")
    release = '{"metadata": {"$deleteFromPrimitiveList/finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}}'
    kubectl("patch", "svc", "web", "-p", release)
    assert kubectl("get", "svc", "web", "--ignore-not-found") == ""


def test_watch_prints_each_change(kubectl: Kubectl) -> None:
    """Bug caught: watch streams kubectl cannot read, or that begin too late."""
    kubectl.apply()
    command = ["kubectl", "get", "svc", "web", "-w", "--output-watch-events"]
    with subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline().split()[:2] for _ in range(2)]
        kubectl("annotate", "svc", "web", "a=1")
        seen.append(process.stdout.readline().split()[:2])
        kubectl("delete", "svc", "web")
        seen.append(process.stdout.readline().split()[:2])
        process.terminate()
    assert seen == [["EVENT", "NAME"], ["ADDED", "web"], ["MODIFIED", "web"], ["DELETED", "web"]]


def test_wait_sees_the_address_arrive(kubectl: Kubectl) -> None:
    """Bug caught: `kubectl wait`, as the documents use it, hangs on our watches."""
    kubectl.apply()
    address = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}=10.224.0.5"
    command = ["kubectl", "wait", "svc/web", address, "--timeout=20s"]
    with subprocess.Popen(command, env=kubectl.environment, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 10
        while not _watching(kubectl.cluster) and time.monotonic() < deadline:
            time.sleep(0.02)
        kubectl("patch", "svc", "web", "--subresource=status", "--type=merge", "-p", json.dumps(INGRESS))
        assert process.communicate(timeout=20)[0] == "service/web condition met\n"


def _watching(cluster: Cluster) -> bool:
    return any("watch=true" in line["path"] for line in cluster.ok("GET", "/_sandbox/requests")["value"])


def test_describe_shows_the_events_of_a_service(kubectl: Kubectl) -> None:
    """Bug caught: field selectors of Events, through which describe finds them."""
    kubectl.apply()
    uid = kubectl("get", "svc", "web", "-o", "jsonpath={.metadata.uid}")
    event = {
        "metadata": {"generateName": "web."},
        "involvedObject": {"kind": "Service", "namespace": "default", "name": "web", "uid": uid},
        "reason": "EnsuredLoadBalancer",
        "message": "Ensured load balancer",
        "type": "Normal",
        "source": {"component": "service-controller"},
    }
    kubectl.cluster.ok("POST", "/api/v1/namespaces/default/events", event)
    assert "Ensured load balancer" in kubectl("describe", "svc", "web")
    assert rows(kubectl("get", "events"))[1][1:4] == ["Normal", "EnsuredLoadBalancer", "service/web"]


def test_server_side_apply_dry_run_and_diff(kubectl: Kubectl) -> None:
    """Bug caught: a dry run that writes."""
    assert kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST) == "service/web serverside-applied\n"
    before = kubectl.cluster.ok("GET", f"{SERVICES}/web")
    changed = MANIFEST.replace("8080", "9090")
    assert "+    targetPort: 9090" in kubectl.run("diff", "-f", "-", stdin=changed).stdout
    kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert kubectl.cluster.ok("GET", f"{SERVICES}/web") == before


def test_unknown_fields_and_refusals_are_readable(kubectl: Kubectl) -> None:
    """Bug caught: Status bodies that kubectl cannot turn into a sentence."""
    misspelt = kubectl.run("apply", "-f", "-", stdin=MANIFEST.replace("ports:", "prots:"))
    assert 'unknown field "spec.prots"' in misspelt.stderr
    unquoted = kubectl.run("apply", "-f", "-", stdin=MANIFEST.replace('"true"', "true"))
    assert "cannot unmarshal bool into Go struct field" in unquoted.stderr
    missing = kubectl.run("get", "svc", "nobody")
    assert missing.stderr == 'Error from server (NotFound): services "nobody" not found\n'


def test_discovery_and_access(kubectl: Kubectl) -> None:
    """Bug caught: discovery documents or access reviews kubectl does not understand."""
    assert "Server Version: v1.32" in kubectl("version")
    listed = kubectl("api-resources", "-o", "name").split()
    assert {"services", "namespaces", "events"} <= set(listed)
    assert kubectl("auth", "can-i", "delete", "services") == "yes\n"
    assert "sandbox-admin" in kubectl("auth", "whoami")
    assert "readyz check passed" in kubectl("get", "--raw", "/readyz?verbose")
    assert "/openapi/v2" in json.loads(kubectl("get", "--raw", "/"))["paths"]
    reader = Kubectl(kubectl.cluster, kubectl.home, "reader-token")
    assert reader.run("auth", "can-i", "delete", "services").stdout == "no\n"
    allowed = [line for line in rows(reader("auth", "can-i", "--list")) if line[0] == "services"]
    assert allowed == [["services", "[]", "[]", "[get", "list", "watch]"]]
    assert "cannot delete resource" in reader.run("delete", "svc", "kubernetes").stderr


def test_a_role_of_ones_own(tmp_path: Path) -> None:
    """Bug caught: rules on sub-resources that are not told from those on the resource."""
    rule = Rule(("get", "patch"), ("services/status",))
    options = ClusterOptions(roles={"status-token": Role("status-writer", (rule,))})
    with cluster_running(tmp_path, options) as cluster:
        admin = Kubectl(cluster, tmp_path)
        admin.apply()
        writer = Kubectl(cluster, tmp_path, "status-token")
        patch = f"{SERVICES}/web/status"
        assert (
            cluster.call(
                "PATCH", patch, INGRESS, token="status-token", content="application/merge-patch+json"
            )[0]
            == 200
        )
        assert writer.run("annotate", "svc", "web", "a=1").returncode == 1


def test_a_namespace_takes_its_services_with_it(kubectl: Kubectl) -> None:
    """Bug caught: namespaces that vanish above their contents, or never."""
    kubectl("create", "namespace", "team")
    kubectl("create", "service", "loadbalancer", "web", "--tcp=80", "-n", "team")
    kubectl("delete", "namespace", "team", "--timeout=20s")
    assert kubectl("get", "svc", "-A", "-o", "name") == "service/kubernetes\n"
    refused = kubectl.run("create", "service", "loadbalancer", "web", "--tcp=80", "-n", "team")
    assert 'namespaces "team" not found' in refused.stderr


def test_somebody_else_is_asked_for_with_their_rights_only(kubectl: Kubectl) -> None:
    """Bug caught: `--as` ignored, so that every check of rights says yes."""
    assert kubectl("auth", "can-i", "list", "services", "--as=sandbox-reader") == "yes\n"
    assert kubectl.run("auth", "can-i", "list", "services", "--as=nobody").stdout == "no\n"
    assert 'User "nobody" cannot list resource "services"' in kubectl.run("get", "svc", "--as=nobody").stderr
    reader = Kubectl(kubectl.cluster, kubectl.home, "reader-token")
    assert 'cannot impersonate resource "users"' in reader.run("get", "svc", "--as=nobody").stderr


def test_a_config_map_comes_as_protobuf_and_others_are_told_to_come_as_json(kubectl: Kubectl) -> None:
    """Bug caught: `kubectl create configmap`, which sends no JSON; a refusal that speaks of broken JSON."""
    kubectl("create", "configmap", "settings", "--from-literal=a=b")
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data.a}") == "b"
    refused = kubectl.run("create", "deployment", "web", "--image=nginx").stderr
    assert "the sandbox reads no protobuf of kind Deployment: send JSON or YAML" in refused


STORED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {a: "1", b: "2"}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: one}
spec: {holderIdentity: me}
---
apiVersion: v1
kind: Endpoints
metadata: {name: one}
subsets:
- addresses: [{ip: 10.1.0.1}, {ip: 10.1.0.2}, {ip: 10.1.0.3}, {ip: 10.1.0.4}]
  ports: [{port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: one}
spec:
  replicas: 2
  selector: {matchLabels: {app: one}}
  template: {metadata: {labels: {app: one}}, spec: {containers: [{name: c, image: nginx}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: c, image: nginx}]}
"""


@pytest.mark.parametrize(
    ("kind", "header", "row"),
    [
        ("cm", "NAME DATA AGE", "one 2"),
        ("lease", "NAME HOLDER AGE", "one me"),
        ("ep", "NAME ENDPOINTS AGE", "one 10.1.0.1:80,10.1.0.2:80,10.1.0.3:80 + 1 more..."),
        ("deploy", "NAME READY UP-TO-DATE AVAILABLE AGE", "one 0/2 0 0"),
        ("pod", "NAME READY STATUS RESTARTS AGE", "one 0/1 Pending 0"),
    ],
)
def test_other_types_have_the_columns_of_a_real_cluster(
    kubectl: Kubectl, kind: str, header: str, row: str
) -> None:
    """Bug caught: NAME and AGE for all that is stored as sent."""
    kubectl.apply(STORED)
    shown = rows(kubectl("get", kind))
    assert (" ".join(shown[0]), " ".join(shown[1]).startswith(row)) == (header, True)
