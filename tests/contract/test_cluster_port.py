"""What the port ``Cluster`` promises, asked of the fake and of the real adapter against the sandbox."""

from __future__ import annotations

import pytest

from reconciler import reading
from reconciler.errors import Rejected
from tests.contract.cluster_world import World, document


def test_lists_the_load_balancer_services_and_no_others(cluster_world: World) -> None:
    """A ClusterIP Service in the list would be a tenant without a load balancer."""
    for name in ("a", "b"):
        cluster_world.put(document(name, loadBalancerIP="10.0.0.9"))
    cluster_world.put(document("c", type="ClusterIP"))
    listed = {service.key: service for service in cluster_world.cluster.list_services()}
    assert sorted(listed) == ["shop/a", "shop/b"]
    found = listed["shop/a"]
    assert (found.uid, found.annotations, found.load_balancer_ip) == ("uid-a", {"a": "a"}, "10.0.0.9")
    assert (found.created.isoformat(), found.live) == ("2026-01-02T03:04:05+00:00", True)


def test_a_service_being_deleted_is_listed_as_such(cluster_world: World) -> None:
    """The deletionTimestamp is a proof; losing it would keep its PLS for ever."""
    deleting = document("a")
    deleting["metadata"] |= {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": ["x/y"]}
    cluster_world.put(deleting)
    assert [service.deleting for service in cluster_world.cluster.list_services()] == [True]


def test_reads_a_service_of_any_type_by_name(cluster_world: World) -> None:
    """A type changed to ClusterIP is a proof too, so such a Service must be found."""
    cluster_world.put(document("a", type="ClusterIP"))
    found = cluster_world.cluster.get_service("shop", "a")
    assert found is not None
    assert (found.uid, found.type) == ("uid-a", "ClusterIP")


def test_a_service_that_is_gone_is_none(cluster_world: World) -> None:
    """None is the proof that deletes rest on."""
    cluster_world.put(document("a"))
    cluster_world.remove("shop", "a")
    assert cluster_world.cluster.get_service("shop", "a") is None
    assert cluster_world.cluster.get_service("nowhere", "a") is None


@pytest.mark.parametrize("name", ["A", "a/b", "..", ""])
def test_what_no_service_can_be_called_is_not_gone(cluster_world: World, name: str) -> None:
    """The API has no such Service either, but an owner tag with a slip is no proof."""
    with pytest.raises(Rejected):
        cluster_world.cluster.get_service("shop", name)


def test_the_identity_is_the_uid_of_default_kubernetes(cluster_world: World) -> None:
    """Another cluster behind the same address must be noticed."""
    found = cluster_world.cluster.get_service("default", "kubernetes")
    assert found is not None
    assert cluster_world.cluster.identity() == found.uid
    cluster_world.become_another()
    assert cluster_world.cluster.identity() != found.uid


def test_the_digest_changes_with_any_load_balancer_service_and_only_then(cluster_world: World) -> None:
    """A missed change is a lost wake-up; a false one is a pass for nothing every thirty seconds."""
    cluster_world.put(document("a"))
    cluster_world.put(document("b"))
    before = cluster_world.cluster.digest()
    listed = cluster_world.cluster.list_services()
    assert before == reading.digest((s.uid, s.resource_version) for s in listed)
    cluster_world.put(document("c", type="ClusterIP"))
    assert cluster_world.cluster.digest() == before
    changed = document("a")
    changed["metadata"]["annotations"]["a"] = "other"
    cluster_world.put(changed)
    after = cluster_world.cluster.digest()
    assert after != before
    cluster_world.remove("shop", "b")
    assert cluster_world.cluster.digest() not in (before, after)
