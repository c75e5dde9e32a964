"""What the adapter writes to a cluster, and what the API's refusals of it mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.errors import Denied, NotFound, OutsideError, Rejected, RetryLater, Stale
from reconciler.model import CONDITION, Condition, ServiceEvent, ServiceRef
from tests.contract.cluster_world import ANNOTATOR, WRITER, Json, RealWorld, document

REF = ServiceRef("shop", "a", "uid-a")
CONDITION_TOLD = Condition("True", "Provisioned", "ready", "2026-01-02T03:04:05Z")
EVENT = ServiceEvent(
    REF, "PrivateLinkServiceRefused", "no such subnet", datetime(2026, 1, 2, tzinfo=UTC), True
)


@pytest.fixture
def cluster(real_cluster: RealWorld) -> KubernetesCluster:
    """With one Service, and the role of ``infra/rbac/services-status.yaml``."""
    served = document("a", ports=[{"port": 80, "protocol": "TCP"}])
    served["status"] = {
        "conditions": [{"type": "Theirs", "status": "True"}],
        "loadBalancer": {"ingress": [{"ip": "10.224.0.9"}]},
    }
    real_cluster.put(served)
    real_cluster.access(WRITER)
    return real_cluster.cluster


def stored(world: RealWorld, plural: str) -> Json:
    """The one object of a type in the namespace shop, as it is kept."""
    kept: list[Json] = world.door.call("GET", "state")["objects"][plural]
    (found,) = [item for item in kept if item["metadata"]["namespace"] == "shop"]
    return found


def test_the_role_for_results_suffices_and_others_fields_stay(
    real_cluster: RealWorld, cluster: KubernetesCluster
) -> None:
    """The cloud provider's address and other controllers' conditions are theirs; a condition is complete."""
    cluster.patch_status(REF, CONDITION_TOLD)
    status = stored(real_cluster, "services")["status"]
    assert status["loadBalancer"]["ingress"][0]["ip"] == "10.224.0.9"
    assert {c["type"] for c in status["conditions"]} == {"Theirs", CONDITION}
    assert status["conditions"][-1] == {
        "type": CONDITION,
        "status": "True",
        "reason": "Provisioned",
        "message": "ready",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    cluster.patch_status(REF, None)
    status = stored(real_cluster, "services")["status"]
    assert [c["type"] for c in status["conditions"]] == ["Theirs"]


def test_an_event_is_about_the_service(real_cluster: RealWorld, cluster: KubernetesCluster) -> None:
    """``kubectl describe`` asks for kind, name, namespace and UID, and shows the component."""
    cluster.record_event(EVENT)
    found = stored(real_cluster, "events")
    assert found["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Service",
        "namespace": "shop",
        "name": "a",
        "uid": "uid-a",
    }
    assert (found["type"], found["reason"], found["message"]) == ("Warning", EVENT.reason, EVENT.message)
    assert found["source"]["component"] == found["reportingComponent"] == "private-link-reconciler"


def test_a_long_message_of_an_event_is_cut(real_cluster: RealWorld, cluster: KubernetesCluster) -> None:
    """The API's newer form refuses more than 1,024 characters, and Azure's errors are long."""
    cluster.record_event(ServiceEvent(REF, "Long", "x" * 3000, EVENT.at))
    assert len(stored(real_cluster, "events")["message"]) == 1024


def test_a_reader_is_denied_in_the_words_of_its_role(
    real_cluster: RealWorld, cluster: KubernetesCluster
) -> None:
    """This, and only this, turns the telling of results off."""
    real_cluster.access()
    writes: list[Callable[[], object]] = [
        lambda: cluster.patch_status(REF, CONDITION_TOLD),
        lambda: cluster.patch_annotations(REF, {"x/alias": "one"}),
        lambda: cluster.record_event(EVENT),
    ]
    for write in writes:
        with pytest.raises(Denied, match=r"cannot (patch|create) resource") as caught:
            write()
        assert caught.value.code == "Forbidden"


def test_annotations_need_more_than_the_status(real_cluster: RealWorld, cluster: KubernetesCluster) -> None:
    """Whoever gives the small role gives the big one with intent."""
    with pytest.raises(Denied):
        cluster.patch_annotations(REF, {"x/alias": "one"})
    real_cluster.access(ANNOTATOR)
    assert cluster.patch_annotations(REF, {"x/alias": "one"}).annotations["x/alias"] == "one"


REFUSALS: list[tuple[Json, type[OutsideError]]] = [
    (
        {"status": 403, "code": "Forbidden", "message": 'admission webhook "guard" denied the request: no'},
        Rejected,
    ),
    (
        {
            "status": 403,
            "code": "Forbidden",
            "message": 'events "a.1" is forbidden: unable to create new content in namespace shop because it is '
            "being terminated",
        },
        Rejected,
    ),
    ({"status": 404, "code": "NotFound", "message": 'namespaces "shop" not found'}, NotFound),
    ({"status": 409, "code": "Conflict", "message": "the object has been modified"}, Stale),
    ({"status": 422, "code": "Invalid", "message": "spec.ports: Required value"}, Rejected),
    ({"status": 429, "headers": {"Retry-After": "3"}}, RetryLater),
    ({"status": 500}, RetryLater),
    ({"status": 401, "code": "Unauthorized"}, Denied),
    ({"mode": "reset-after"}, RetryLater),
    ({"mode": "truncate"}, RetryLater),
    ({"mode": "garbage", "message": "[]"}, RetryLater),
]


@pytest.mark.parametrize(("fault", "kind"), REFUSALS, ids=[str(fault)[:60] for fault, _ in REFUSALS])
def test_what_a_refusal_of_a_write_means(
    real_cluster: RealWorld, cluster: KubernetesCluster, fault: Json, kind: type[OutsideError]
) -> None:
    """A webhook or a namespace on its way out refuses one Service, not the telling of results as such."""
    real_cluster.door.fault(path="status", method="PATCH", **fault)
    with pytest.raises(kind) as caught:
        cluster.patch_status(REF, CONDITION_TOLD)
    assert type(caught.value) is kind
    assert not (kind is Denied and caught.value.code == "Forbidden")


@pytest.mark.parametrize("name", ["A", "..", "a/status"])
def test_what_no_service_can_be_called_is_not_written_to(cluster: KubernetesCluster, name: str) -> None:
    """A path is made of it."""
    with pytest.raises(Rejected):
        cluster.patch_status(ServiceRef("shop", name, "uid"), CONDITION_TOLD)
