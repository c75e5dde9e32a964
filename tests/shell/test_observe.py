"""Observe: what is read, in which order, how often, and what is made of what cannot be read."""

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from reconciler import arm_ids
from reconciler.errors import Denied, NotFound, OutsideError, RetryLater
from reconciler.model import OWNER_TAG, Absent, Proof, Service, Unknown
from reconciler.ports import ClusterState
from tests import builders
from tests.builders import pls_id, pls_json, service
from tests.fakes.cluster import FakeCluster
from tests.shell import world as worlds

WEB = service("web", settings={"name": "pls-0"})
DOWN = RetryLater("down", after=7.0)


def owned_pls(owner: Service, name: str = "pls-0", **rest: Any) -> worlds.Json:
    """The Private Link Service of a Service, on its frontend."""
    return pls_json(name, builders.frontend(owner).id, owner.key, **rest)


def test_services_are_listed_after_azure_was_read() -> None:
    """A frontend made between the two lists would belong to a Service that the list does not know."""
    world = worlds.make(WEB)
    for listing in ("list_load_balancers", "list_private_link_services"):
        world.azure.meanwhile[listing] = lambda: time.sleep(0.03)
    world.look()
    asked = {"list_load_balancers", "list_private_link_services", "identity", "list_services"}
    order = [name for name in world.calls if name in asked]
    assert set(order[:2]) == {"list_load_balancers", "list_private_link_services"}
    assert set(order[2:]) == {"identity", "list_services"}


def test_one_look_sees_everything() -> None:
    """Each part of the world gets into the observation."""
    world = worlds.make(WEB)
    world.azure.store(owned_pls(WEB))
    look = world.look()
    seen = look.observed
    assert isinstance(seen.services, tuple)
    assert isinstance(seen.private_link_services, tuple)
    assert [s.key for s in seen.services] == ["shop/web"]
    assert [p.name for p in seen.private_link_services] == ["pls-0"]
    assert list(seen.subnets) == [arm_ids.key(builders.subnet_id("default"))]
    assert (look.complete, look.identity, look.failures) == (True, "uid-of-prod", ())
    assert look.digest == world.cluster.digest()


def test_public_ips_are_not_read_where_no_service_needs_them() -> None:
    """A request that most clusters do not need, in each run."""
    world = worlds.make(WEB)
    world.look()
    assert "list_public_ips" not in world.calls


def test_public_ips_are_read_in_the_groups_that_frontends_point_to() -> None:
    """A Service placed by an address in a group of its own would have no frontend."""
    asks = service("public", internal=False, load_balancer_ip="203.0.113.9")
    world = worlds.make()
    world.cluster.put(asks)
    address = builders.network_id("publicIPAddresses", "ip", "addresses")
    lb = builders.network_id("loadBalancers", "kubernetes")
    properties = {"publicIPAddress": {"id": address}}
    frontend = {"id": f"{lb}/frontendIPConfigurations/f", "name": "f", "properties": properties}
    world.azure.store({**worlds.balancer([frontend]), "id": lb, "name": "kubernetes"})
    world.azure.store({"id": address, "name": "ip", "properties": {"ipAddress": "203.0.113.9"}})
    found = world.look().observed.public_ips
    assert isinstance(found, tuple)
    assert [ip.address for ip in found] == ["203.0.113.9"]

    world.azure.fail("list_public_ips", Denied("no"))
    assert isinstance(world.look().observed.public_ips, Unknown)


def test_a_role_for_groups_only_is_read_group_by_group() -> None:
    """403 on the subscription must not stop the cluster, nor be taken for no Private Link Services."""
    other = service("other", settings={"resource-group": "annotated"})
    world = worlds.make(WEB, other)
    world.azure.store(owned_pls(WEB))
    gone = Denied("forbidden", code="AuthorizationFailed")
    world.azure.fail("list_private_link_services", gone)
    look = world.look()
    assert isinstance(look.observed.private_link_services, tuple)
    assert [p.name for p in look.observed.private_link_services] == ["pls-0"]
    assert look.observed.groups == {"mc_prod": None, "annotated": Absent.GROUP_NOT_FOUND}
    assert look.complete
    assert look.failures == ()


def test_one_unread_group_is_unknown_alone() -> None:
    """A forbidden annotated group stops what needs it, not the cluster."""
    other = service("other", settings={"resource-group": "secret"})
    world = worlds.make(WEB, other)
    world.azure.fail("list_private_link_services", Denied("forbidden"))
    world.azure.fail("list_private_link_services_in", Denied("not yours"), match="secret")
    look = world.look()
    assert look.observed.groups == {"mc_prod": None, "secret": Unknown("not yours")}
    assert look.complete


def test_groups_of_the_ledger_are_read_too() -> None:
    """Else a PLS in a group that no annotation names any more would never be collected."""
    world = worlds.make(WEB)
    world.azure.make_group(builders.SUBSCRIPTION, "former")
    world.ledger.put_ownership([builders.row(pls_id("old", "former"), WEB, builders.frontend(WEB).id)])
    world.azure.fail("list_private_link_services", Denied("forbidden"))
    assert set(world.look().observed.groups) == {"mc_prod", "former"}


@pytest.mark.parametrize("method", ["list_services", "identity"])
@pytest.mark.parametrize("error", [DOWN, Denied("401"), NotFound("what?"), OutsideError("garbage")])
def test_a_cluster_that_does_not_answer_is_unknown(method: str, error: OutsideError) -> None:
    """Unknown, never empty: an empty list would delete everything. And nothing rests on it."""
    world = worlds.make(WEB)
    world.azure.store(owned_pls(WEB))
    world.cluster.fail(method, error)
    look = world.look()
    assert isinstance(look.observed.services, Unknown)
    assert (look.complete, look.digest) == (False, "")
    assert look.failures == (error,)
    assert not {"get_subnet", "get_service", "get_private_link_service"} & set(world.calls)


@pytest.mark.parametrize("method", ["list_load_balancers", "list_private_link_services"])
def test_azure_that_does_not_answer_is_unknown(method: str) -> None:
    """The load balancers' list of a throttled subscription is not an empty one."""
    world = worlds.make(WEB)
    world.azure.fail(method, DOWN)
    look = world.look()
    assert not look.complete
    assert look.failures == (DOWN,)


def test_another_cluster_under_the_same_address_is_unknown() -> None:
    """A kubeconfig that points elsewhere would have all Services proven gone."""
    world = worlds.make(WEB)
    world.ledger.write_state(ClusterState("prod", identity="the-first"))
    look = world.look()
    assert isinstance(look.observed.services, Unknown)
    assert "the-first" in look.observed.services.reason
    assert "identity=uid-of-prod" in look.observed.services.reason
    assert look.identity == "uid-of-prod"


def test_without_its_ledger_nothing_is_looked_at() -> None:
    """A ledger that fails must not be taken for an empty one: reservations and owners are in it."""
    world = worlds.make(WEB)
    world.azure.fail("ownership", DOWN)
    with pytest.raises(RetryLater):
        world.look()


def test_a_plan_without_storage_says_that_it_remembers_nothing() -> None:
    """Else it would claim that a claim is new, or a frontend is seen gone for the first time."""
    observed = worlds.make(WEB).look(ledger=False).observed
    assert not observed.remembers
    assert worlds.make(WEB).look().observed.remembers


@pytest.mark.parametrize(
    ("now_there", "proof"),
    [
        (None, Proof.GONE),
        (replace(WEB, uid="another"), Proof.GONE),
        (replace(WEB, type="ClusterIP"), Proof.GONE),
        (replace(WEB, deleting=True), Proof.DELETING),
        (replace(WEB, load_balancer_class="mine"), Proof.PRESENT),
    ],
)
def test_who_is_missing_is_read_by_name(now_there: Service | None, proof: Proof) -> None:
    """Only what the API says about the very Service proves it gone."""
    world = worlds.make(WEB)
    world.azure.store(owned_pls(WEB))
    world.run()  # the ledger learns the owner's UID
    world.remove(WEB)
    if now_there:
        world.cluster.put(now_there)
    assert world.look().observed.proofs[WEB.ref] is proof


def test_a_service_that_cannot_be_read_by_name_proves_nothing() -> None:
    """An error is no 404."""
    world = worlds.make(WEB)
    world.azure.store(owned_pls(WEB))
    world.run()
    world.remove(WEB)
    world.cluster.fail("get_service", Denied("403"))
    assert world.look().observed.proofs == {WEB.ref: Proof.UNKNOWN}


class Turning(FakeCluster):
    """A cluster whose address leads elsewhere from the first read of a Service by its name."""

    def get_service(self, namespace: str, name: str) -> Service | None:
        self.elsewhere()
        return super().get_service(namespace, name)

    def elsewhere(self) -> None:
        self.put(Service("default", "kubernetes", "another", builders.NOW, type="ClusterIP"))


class Failing(Turning):
    """A cluster that no longer tells who it is."""

    def elsewhere(self) -> None:
        self.fail("identity", DOWN)


@pytest.mark.parametrize("cluster", [Turning(uid="uid-of-prod"), Failing(uid="uid-of-prod")])
def test_proofs_count_only_if_the_same_cluster_answers_after_them(cluster: Turning) -> None:
    """A name or a balancer that turned to another cluster after the first read would prove all gone."""
    world = worlds.make(WEB)
    world.run()
    world.clusters["prod"] = cluster  # without the Service
    run = world.run()
    assert run.look.observed.proofs == {WEB.ref: Proof.UNKNOWN}
    assert ("delete_private_link_service", "pls-0") not in world.written()
    assert len(run.look.failures) == 1
    assert run.come_back


def test_an_owner_tag_in_another_case_does_not_keep_its_pls_for_ever() -> None:
    """The API refuses to look for a name that no Service can have, and that would be no proof."""
    world = worlds.make(WEB)
    world.azure.store(owned_pls(WEB, tags={OWNER_TAG: "Shop/WEB"}))
    world.run()
    world.remove(WEB)
    world.run()
    assert world.written() == [("delete_private_link_service", "pls-0")]


def test_rows_whose_pls_is_not_listed_are_read_by_id() -> None:
    """A list may leave one out; only a 404 of its own id says that it is gone."""
    world = worlds.make()
    for name in ("there", "gone", "unread"):
        world.ledger.put_ownership([builders.row(pls_id(name, "far"), WEB, builders.frontend(WEB).id)])
    world.azure.store(owned_pls(WEB, "there", group="far"))
    world.azure.fail("list_private_link_services", Denied("forbidden"))
    world.azure.fail("list_private_link_services_in", Denied("forbidden"), match="far")
    world.azure.fail("get_private_link_service", DOWN, match="unread")
    seen = world.look().observed
    assert isinstance(seen.private_link_services, tuple)
    assert [p.name for p in seen.private_link_services] == ["there"]
    assert seen.absent_pls == {arm_ids.key(pls_id("gone", "far"))}


def test_a_row_that_names_a_public_ip_deletes_none() -> None:
    """The provider tags public IPs with the cluster's name, and they have a guid: as our PLSs."""
    world = worlds.make()
    address = builders.network_id("publicIPAddresses", "kubernetes-a1")
    world.azure.store(pls_json("x", "", "shop/web", group="any") | {"id": address})
    gone = replace(builders.row(address, WEB), resource_guid="guid-x")
    world.ledger.put_ownership([gone])
    for _ in range(3):
        world.run()
        world.clock.forward(3600)
    assert world.written() == []


def test_a_missing_subnet_is_absent_and_an_unread_one_unknown() -> None:
    """The first refuses the claim, the second only waits."""
    there, missing, unread = (
        service(name, settings={"ip-configuration-subnet": name}) for name in ("default", "none", "broken")
    )
    world = worlds.make(there, missing, unread)
    world.azure.fail("get_subnet", DOWN, match="broken")
    seen = world.look().observed.subnets
    kinds = {key.rsplit("/", 1)[-1]: value for key, value in seen.items()}
    assert kinds["none"] is Absent.NOT_FOUND
    assert isinstance(kinds["broken"], Unknown)
    assert not isinstance(kinds["default"], Absent | Unknown)


def test_a_release_holds_only_until_its_time() -> None:
    """A forgotten release must not let another mass delete pass next month."""
    world = worlds.make()
    until = builders.after(hours=1)
    world.ledger.write_state(ClusterState("prod", released="abc", released_until=until))
    assert world.look().observed.released == "abc"
    world.clock.forward(3600)
    assert world.look().observed.released == ""


def test_a_sighting_of_the_future_counts_from_now() -> None:
    """A clock that was wrong, or a row edited by hand: what was never seen has not been seen long ago."""
    world = worlds.make()
    past, future = builders.after(minutes=-5), builders.after(days=365)
    world.ledger.write_state(ClusterState("prod", sightings={"gone:a": past, "gone:b": future}))
    assert world.look().observed.sightings == {"gone:a": past, "gone:b": builders.NOW}


@pytest.mark.parametrize("findings", [5, "x", {"a": 1}, [5, {"reason": [1], "service": {}}]])
def test_a_last_run_edited_by_hand_fails_no_run(findings: Any) -> None:
    """It only tells which findings are news."""
    world = worlds.make(WEB)
    world.ledger.write_state(ClusterState("prod", last_run={"findings": findings}))
    world.handle()
    assert isinstance(world.ledger.state("prod").last_run["findings"], list)


def test_dynamic_nat_addresses_are_read_once() -> None:
    """They cost a request and never change: the ledger remembers them."""
    world = worlds.make(WEB)
    for _ in range(4):
        world.run()
        world.clock.forward(60)
    assert world.calls.count("list_nat_addresses") == 1
    assert world.ledger.ownership("prod")[0].nat_ips == ("10.0.0.4",)


def test_a_group_whose_interfaces_cannot_be_read_hides_none_of_another() -> None:
    """One list per group, of however many: and what one group denies, another still tells."""
    services = worlds.some(30)
    world = worlds.make(*services)
    for number, owner in enumerate(services):
        group = "denied" if number < 25 else "readable"
        interface = builders.network_id("networkInterfaces", f"nic-{number}", group)
        at = {"privateIPAddress": "10.0.0.4"}
        world.azure.store({"id": interface, "properties": {"ipConfigurations": [{"properties": at}]}})
        world.azure.store(owned_pls(owner, f"pls-{number}", networkInterfaces=[{"id": interface}]))
    world.azure.fail("list_nat_addresses", Denied("not in this network"), match="denied")
    world.forget_calls()
    world.run()
    assert world.calls.count("list_nat_addresses") == 2
    assert sum(row.nat_ips == ("10.0.0.4",) for row in world.ledger.ownership("prod")) == 5


def test_an_interface_that_cannot_be_read_stops_nothing() -> None:
    """An address for the status is worth no outage."""
    world = worlds.make(WEB)
    world.run()
    world.azure.fail("list_nat_addresses", Denied("no right to read interfaces"))
    run = world.run()
    assert run.look.complete
    assert run.plan.writes == ()


@pytest.mark.parametrize("ledger", [True, False])
def test_a_quiet_look_costs_the_same_for_many_as_for_one(ledger: bool) -> None:
    """A request per PLS and run would use up ARM's quota in a cluster of hundreds."""

    def cost(number: int) -> Counter[str]:
        world = worlds.make(*worlds.some(number))
        for _ in range(4):
            world.run()
            world.clock.forward(60)
        world.forget_calls()
        if ledger:
            assert world.run().plan.writes == ()
        else:
            world.look(ledger=False)
        calls = Counter(world.calls)
        if not ledger:
            del calls["list_nat_addresses"]  # nobody remembers them
        return calls

    assert cost(1) == cost(50)


def test_a_cluster_that_is_not_resolved_is_unknown_without_a_call() -> None:
    """A stopped cluster does not answer, and its half-known places must not be asked for."""
    world = worlds.make(WEB, unresolved="the AKS cluster aks1 is stopped")
    world.azure.store(owned_pls(WEB))
    before = list(world.ledger.ownership("prod"))
    look = world.look()
    unknown = Unknown("the AKS cluster aks1 is stopped")
    seen = look.observed
    assert (seen.services, seen.load_balancers, seen.private_link_services) == (unknown,) * 3
    assert (look.complete, list(seen.ownership)) == (False, before)
    outside = {name for name in world.calls if name not in worlds.LEDGER_METHODS}
    assert outside == set()


def test_a_cluster_that_is_not_resolved_is_left_untouched_and_told_once() -> None:
    """One reason is one finding, however many views rest on it."""
    world = worlds.make(WEB)
    world.run()
    world.drain(5)
    world.remove(WEB)
    stopped = replace(world.config, unresolved="the AKS cluster aks1 is stopped")
    world.forget_calls()
    run = world.run(config=stopped)
    assert [f.sentence for f in run.plan.findings] == [
        "Cluster prod is left untouched: the AKS cluster aks1 is stopped."
    ]
    assert (run.plan.writes, world.written()) == ((), [])
    assert world.run().plan.writes != ()
