"""What the port ``Cluster`` promises, asked of the fake and of the real adapter against the sandbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler import reading
from reconciler.errors import NotFound, Rejected, Stale
from reconciler.model import Condition, Service, ServiceEvent, ServiceRef
from tests.contract.cluster_world import Json, World, document


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


# -- writing


PROVISIONED = Condition("True", "Provisioned", "it is ready", "2026-01-02T03:04:05Z")


def served(name: str, **spec: Any) -> Json:
    """A Service that the API lets be patched."""
    return document(name, ports=[{"port": 80, "protocol": "TCP"}], **spec)


def told(world: World, name: str = "a") -> Condition | None:
    """Our condition, as the list shows it."""
    return {s.name: s for s in world.cluster.list_services()}[name].condition


def test_our_condition_is_set_and_read_back(cluster_world: World) -> None:
    """What is written and what is read must be the same words, or each run writes again."""
    cluster_world.put(served("a"))
    assert told(cluster_world) is None
    answered = cluster_world.cluster.patch_status(REF, PROVISIONED)
    assert told(cluster_world) == answered.condition == PROVISIONED


def bare(service: Service) -> Service:
    """Without what was written."""
    return replace(service, annotations={}, condition=None, resource_version="", external_traffic_policy="")


def test_what_is_written_to_a_service_changes_nothing_else(cluster_world: World) -> None:
    """A Service's annotations are its owner's; a lost one would be a lost wish."""
    cluster_world.put(served("a", loadBalancerIP="10.0.0.9"))
    (before,) = cluster_world.cluster.list_services()
    cluster_world.cluster.patch_status(REF, PROVISIONED)
    cluster_world.cluster.patch_annotations(REF, {"x/alias": "one"})
    (after,) = cluster_world.cluster.list_services()
    assert after.annotations == {**before.annotations, "x/alias": "one"}
    assert bare(after) == bare(before)


def test_the_answer_tells_the_version_that_the_list_shows(cluster_world: World) -> None:
    """The probe rests on it: another version would be taken for somebody's change."""
    cluster_world.put(served("a"))
    answered = cluster_world.cluster.patch_status(REF, PROVISIONED)
    again = cluster_world.cluster.patch_annotations(REF, {"x/alias": "one"})
    (listed,) = cluster_world.cluster.list_services()
    assert answered.resource_version != again.resource_version == listed.resource_version


def test_the_same_once_more_keeps_the_version(cluster_world: World) -> None:
    """Two deployments that say the same must not wake each other."""
    cluster_world.put(served("a"))
    first = cluster_world.cluster.patch_status(REF, PROVISIONED)
    assert cluster_world.cluster.patch_status(REF, PROVISIONED) == first
    one = cluster_world.cluster.patch_annotations(REF, {"x/alias": "one"})
    assert cluster_world.cluster.patch_annotations(REF, {"x/alias": "one"}) == one


def test_what_was_written_is_removed(cluster_world: World) -> None:
    """And only that: removing what is not there is fine, too."""
    cluster_world.put(served("a"))
    cluster_world.cluster.patch_status(REF, PROVISIONED)
    cluster_world.cluster.patch_annotations(REF, {"x/alias": "one"})
    for _ in range(2):
        cluster_world.cluster.patch_status(REF, None)
        cluster_world.cluster.patch_annotations(REF, {"x/alias": None})
    (listed,) = cluster_world.cluster.list_services()
    assert (listed.condition, listed.annotations) == (None, {"a": "a"})


@pytest.mark.parametrize("gone", [True, False])
def test_a_service_that_is_gone_or_another_is_left_alone(cluster_world: World, gone: bool) -> None:
    """What was true of the old one is not of the one that bears its name now."""
    cluster_world.put(served("a"))
    if gone:
        cluster_world.remove("shop", "a")
    ref = REF if gone else replace(REF, uid="of-the-one-before")
    expected = NotFound if gone else Stale
    with pytest.raises(expected):
        cluster_world.cluster.patch_status(ref, PROVISIONED)
    with pytest.raises(expected):
        cluster_world.cluster.patch_annotations(ref, {"x/alias": "one"})
    assert [s.condition for s in cluster_world.cluster.list_services()] == ([] if gone else [None])


def test_the_same_event_is_counted_once_an_hour(cluster_world: World) -> None:
    """A repair that goes on for a night must not fill the cluster with Events."""
    cluster_world.put(served("a"))
    for seconds in (0, 1, 3599, 3601, 3700):
        cluster_world.cluster.record_event(replace(EVENT, at=EVENT.at + timedelta(seconds=seconds)))
    cluster_world.cluster.record_event(replace(EVENT, message="another"))
    assert sorted(cluster_world.events()) == [("Repaired", "again", 2), ("Repaired", "another", 1)]


def test_an_event_in_a_namespace_that_is_gone_is_not_there(cluster_world: World) -> None:
    """It is no reason to stop telling the others."""
    with pytest.raises(NotFound):
        cluster_world.cluster.record_event(replace(EVENT, service=ServiceRef("nowhere", "a", "uid")))


REF = ServiceRef("shop", "a", "uid-a")
EVENT = ServiceEvent(REF, "Repaired", "again", datetime(2026, 1, 2, tzinfo=UTC))
