"""The marked back door of the simulated Kubernetes API: raw edits, faults, the request log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.sandbox.kubernetes_support import SERVICES, Cluster, cluster_running

ALL = "/api/v1/services"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_running(tmp_path) as running:
        yield running


def test_raw_edits_pass_every_rule(cluster: Cluster) -> None:
    """Bug caught: odd objects of real clusters that a scenario cannot bring about."""
    odd = {
        "metadata": {"name": "odd", "annotations": {"a": "b"}},
        "spec": {"type": "LoadBalancer", "ports": None},
    }
    cluster.ok("PUT", "/_sandbox/objects/services/default/odd", odd)
    cluster.ok("PATCH", "/_sandbox/objects/services/default/odd", {"metadata": {"uid": "chosen"}})
    found = cluster.ok("GET", f"{SERVICES}/odd")
    assert found["metadata"]["uid"] == "chosen"
    assert found["spec"] == {"type": "LoadBalancer", "ports": None}
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    assert len(cluster.ok("GET", ALL, accept=accept)["rows"]) == 2


def test_forced_removal_asks_no_finalizer(cluster: Cluster) -> None:
    """Bug caught: a scenario of a vanished Service that cannot be played."""
    made = cluster.create("web")
    made["metadata"]["finalizers"] = ["a.b/c"]
    cluster.ok("PUT", f"{SERVICES}/web", made)
    cluster.ok("DELETE", "/_sandbox/objects/services/default/web")
    assert cluster.call("GET", f"{SERVICES}/web")[0] == 404


def test_another_cluster_can_answer_in_its_place(cluster: Cluster) -> None:
    """Bug caught: the identity guard of the product cannot be tried."""
    before = cluster.ok("GET", f"{SERVICES}/kubernetes")["metadata"]["uid"]
    swapped = cluster.ok("POST", "/_sandbox/swap-uid")["uid"]
    assert cluster.ok("GET", f"{SERVICES}/kubernetes")["metadata"]["uid"] == swapped != before


def test_state_shows_every_object(cluster: Cluster) -> None:
    """Bug caught: a dump that lags behind the API."""
    made = cluster.create("web")
    state = cluster.ok("GET", "/_sandbox/state")
    assert {"web", "kubernetes"} == {item["metadata"]["name"] for item in state["objects"]["services"]}
    assert state["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_fault_answers_as_often_as_told(cluster: Cluster) -> None:
    """Bug caught: faults that hit other calls, or that never end."""
    cluster.inject(path="/services", method="GET", times=2, status=429, message="slow down")
    assert cluster.call("GET", "/api/v1/namespaces")[0] == 200
    answers = [cluster.call("GET", ALL)[0] for _ in range(3)]
    assert answers == [429, 429, 200]


def test_a_fault_for_ever_lasts_until_cleared(cluster: Cluster) -> None:
    """Bug caught: clearing that leaves something armed."""
    cluster.inject(path="^/api/", times=None, status=503, code="Down")
    assert [cluster.call("GET", ALL)[1]["reason"] for _ in range(3)] == ["Down"] * 3
    cluster.ok("DELETE", "/_sandbox/faults")
    assert cluster.call("GET", ALL)[0] == 200


def test_resets_happen_before_or_after_the_deed(cluster: Cluster) -> None:
    """Bug caught: the two unknown outcomes of a lost connection are one and the same."""
    for mode, made in (("reset-before", 404), ("reset-after", 200)):
        cluster.inject(path=SERVICES, method="POST", mode=mode)
        with pytest.raises(urllib3.exceptions.ProtocolError):
            cluster.create("web")
        assert cluster.call("GET", f"{SERVICES}/web")[0] == made


def test_truncated_garbage_and_halved_lists(cluster: Cluster) -> None:
    """Bug caught: broken lists that are not broken in the way their name says."""
    for name in ("a", "b", "c"):
        cluster.create(name)
    cluster.inject(path=ALL, mode="truncate")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        cluster.call("GET", ALL)
    cluster.inject(path=ALL, mode="garbage")
    with pytest.raises(ValueError, match="Expecting value"):
        cluster.call("GET", ALL)
    cluster.inject(path=ALL, mode="half-list")
    half = cluster.ok("GET", f"{ALL}?limit=4")
    assert len(half["items"]) == 2
    assert "continue" not in half["metadata"]


def test_a_hanging_server_can_be_given_up_on(cluster: Cluster) -> None:
    """Bug caught: a hang that answers, or that keeps the cluster from stopping."""
    cluster.inject(path=ALL, mode="hang")
    with pytest.raises(urllib3.exceptions.TimeoutError):
        cluster.pool.request("GET", cluster.running.url + ALL, timeout=0.2)


@pytest.mark.parametrize("fault", [{"mode": "typo"}, {"paht": "x"}, {"path": "("}, [], 7])
def test_a_fault_that_is_none_is_refused(cluster: Cluster, fault: object) -> None:
    """Bug caught: a misspelt fault that is armed for nothing, so that a test passes in vain."""
    answer = cluster.pool.request("POST", cluster.running.url + "/_sandbox/faults", json=fault)
    assert answer.status == 400


def test_the_log_tells_who_asked_what_and_what_came(cluster: Cluster) -> None:
    """Bug caught: tests that count requests counting back doors, or missing resets."""
    cluster.ok("GET", ALL)
    cluster.call("GET", ALL, token="nobody")
    cluster.inject(path=ALL, mode="reset-after")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        cluster.call("GET", ALL)
    lines = cluster.ok("GET", "/_sandbox/requests")["value"]
    assert [(line["path"], line["status"], line["user"]) for line in lines] == [
        (ALL, 200, "sandbox-admin"),
        (ALL, 401, ""),
        (ALL, 0, "sandbox-admin"),
    ]
    cluster.ok("DELETE", "/_sandbox/requests")
    assert cluster.ok("GET", "/_sandbox/requests")["value"] == []


def test_default_kubernetes_returns_when_deleted(cluster: Cluster) -> None:
    """Bug caught: `kubectl delete svc --all` leaves a cluster without an identity."""
    before = cluster.ok("GET", f"{SERVICES}/kubernetes")["metadata"]["uid"]
    cluster.ok("DELETE", f"{SERVICES}/kubernetes")
    assert cluster.ok("GET", f"{SERVICES}/kubernetes")["metadata"]["uid"] != before
