"""The port ``Azure``: one suite for the fake and the real adapter, then what only a real ARM can do wrong."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

import pytest
from azure.core.credentials import AccessToken

from reconciler.adapters import arm_errors
from reconciler.adapters.arm import API_VERSION, ArmAccess, ArmAzure
from reconciler.adapters.arm_errors import Request
from reconciler.adapters.credentials import credential
from reconciler.errors import (
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    OutsideError,
    Rejected,
    RetryLater,
    Stale,
)
from reconciler.ports import Azure
from sandbox.arm import ArmOptions, RunningArm, start_arm
from sandbox.tls import Authority
from tests.contract.servers import Answer, BackDoor, Scripted, event_loop, scripted
from tests.fakes.azure import FakeAzure

Json = dict[str, Any]

SUBSCRIPTION = ArmOptions().subscription
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MC_prod"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/aks-vnet/subnets/pls-subnet"
NODE_SUBNET = f"{NETWORK}/virtualNetworks/aks-vnet/subnets/default"
BALANCER = f"{NETWORK}/loadBalancers/kubernetes-internal"
FRONTEND = f"{BALANCER}/frontendIPConfigurations/a1"
PUBLIC_IP = f"{NETWORK}/publicIPAddresses/ip1"
PLS = f"{NETWORK}/privateLinkServices/pls1"
CONNECTION = f"{PLS}/privateEndpointConnections/pe1.1234"


def load_balancer() -> Json:
    """An internal load balancer with one frontend, as ARM shows it."""
    properties = {"privateIPAddress": "10.224.0.9", "subnet": {"id": NODE_SUBNET}}
    frontend = {"id": FRONTEND, "name": "a1", "properties": properties}
    return {
        "id": BALANCER,
        "name": "kubernetes-internal",
        "type": "Microsoft.Network/loadBalancers",
        "location": "eastus",
        "sku": {"name": "Standard"},
        "etag": 'W/"1"',
        "properties": {"provisioningState": "Succeeded", "frontendIPConfigurations": [frontend]},
    }


def subnet(policy: str = "Disabled") -> Json:
    """The NAT subnet."""
    properties = {"addressPrefix": "10.225.0.0/24", "privateLinkServiceNetworkPolicies": policy}
    return {"id": SUBNET, "name": "pls-subnet", "etag": 'W/"7"', "properties": properties}


def wish(**tags: str) -> Json:
    """The body of a PLS with one static NAT address."""
    nat = {"subnet": {"id": SUBNET}, "privateIPAllocationMethod": "Static", "privateIPAddress": "10.225.0.77"}
    properties = {
        "loadBalancerFrontendIpConfigurations": [{"id": FRONTEND}],
        "ipConfigurations": [{"name": "nat", "properties": {**nat, "primary": True}}],
        "fqdns": ["a.example"],
        "visibility": {"subscriptions": ["*"]},
    }
    return {"location": "eastus", "tags": {"k8s": "x", **tags}, "properties": properties}


def stored_pls(pls_id: str = PLS) -> Json:
    """A PLS as ARM shows it."""
    body = {**wish(), "type": "Microsoft.Network/privateLinkServices", "etag": 'W/"3"'}
    properties = {**body["properties"], "provisioningState": "Succeeded", "privateEndpointConnections": []}
    return {**body, "id": pls_id, "name": pls_id.rsplit("/", 1)[1], "properties": properties}


def connected(pls: Json) -> Json:
    """The same PLS with an approved connection."""
    changed = copy.deepcopy(pls)
    state = {"status": "Approved"}
    endpoint = {"id": f"{NETWORK}/privateEndpoints/pe1"}
    properties = {"privateEndpoint": endpoint, "privateLinkServiceConnectionState": state}
    connection = {"id": CONNECTION, "name": "pe1.1234", "properties": properties}
    changed["properties"]["privateEndpointConnections"] = [connection]
    return changed


class World(Protocol):
    """Azure to ask, and the hand that changes it. It holds the load balancer and the open NAT subnet."""

    azure: Azure

    def store(self, resource: Json) -> None:
        """Put a resource as it is, unchecked; its group too."""

    def document(self, resource_id: str) -> Json:
        """A resource as stored."""

    def settle(self) -> None:
        """Wait until running operations ended."""


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeAzure(load_balancer(), subnet(), slow=True)
        self.azure: Azure = self.fake

    def store(self, resource: Json) -> None:
        self.fake.store(resource)

    def document(self, resource_id: str) -> Json:
        return self.fake.document(resource_id)

    def settle(self) -> None:
        self.fake.settle()


@dataclass
class RealWorld:
    azure: ArmAzure
    running: RunningArm
    authority: Authority
    door: BackDoor

    def store(self, resource: Json) -> None:
        self.door.call("PUT", "resources", resource)

    def document(self, resource_id: str) -> Json:
        found: Json = self.door.call("GET", "resources", id=resource_id)
        return found

    def settle(self) -> None:
        deadline = time.monotonic() + 10
        while "Updating" in json.dumps(self.door.call("GET", "state")):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def requests(self) -> list[Json]:
        """What ARM was asked since the last clear, tokens aside."""
        lines: list[Json] = self.door.call("GET", "requests")["value"]
        return [line for line in lines if "/msi/" not in line["path"]]

    def access(self, **changes: Any) -> ArmAccess:
        return ArmAccess(**{"endpoint": self.running.url, "ca_file": str(self.authority.ca_path), **changes})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Any], Any]]:
    with event_loop() as loop:
        yield loop


@pytest.fixture
def real(
    authority: Authority, run: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RealWorld]:
    """A fresh ARM; lists are paged by two; the adapter signs in as a managed identity."""
    running = run(start_arm(ArmOptions(provisioning_seconds=0.1, page_size=2), authority))
    monkeypatch.setenv("IDENTITY_ENDPOINT", running.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", running.identity_header)
    ca = str(authority.ca_path)
    azure = ArmAzure(ArmAccess(running.url, ca_file=ca), credential(ca_file=ca))
    world = RealWorld(azure, running, authority, BackDoor(running.url, authority.ca_path))
    world.store(load_balancer())
    changed = {"properties": {"privateLinkServiceNetworkPolicies": "Disabled"}}
    world.door.call("PATCH", "resources", changed, id=SUBNET)
    yield world
    azure.close()
    world.door.close()
    run(running.stop())


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = FakeWorld() if request.param == "fake" else request.getfixturevalue("real")
    return found


# -- every Azure


def test_lists_load_balancers_with_their_frontends(world: World) -> None:
    """Frontends are what everything hangs on."""
    [balancer] = world.azure.list_load_balancers(SUBSCRIPTION, "mc_PROD")
    [frontend] = balancer.frontends
    assert (balancer.id, frontend.id, frontend.private_ip) == (BALANCER, FRONTEND, "10.224.0.9")
    assert frontend.internal


def test_a_missing_group_has_no_load_balancers_and_no_public_ips(world: World) -> None:
    """A cluster that was just deleted is not an error for ever."""
    assert world.azure.list_load_balancers(SUBSCRIPTION, "nowhere") == ()
    assert world.azure.list_public_ips(SUBSCRIPTION, "nowhere") == ()


def test_a_missing_group_of_private_link_services_is_told(world: World) -> None:
    """A claim that names it has to be refused, so empty would be wrong here."""
    with pytest.raises(NotFound) as caught:
        world.azure.list_private_link_services_in(SUBSCRIPTION, "nowhere")
    assert caught.value.code == "ResourceGroupNotFound"


def test_lists_private_link_services_of_the_subscription_and_of_a_group(world: World) -> None:
    """Over all pages; a PLS missed is a PLS made twice or never collected."""
    other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Network"
    ids = [*(f"{NETWORK}/privateLinkServices/p{n}" for n in range(4)), f"{other}/privateLinkServices/p9"]
    for pls_id in ids:
        world.store(stored_pls(pls_id))
    assert sorted(p.id for p in world.azure.list_private_link_services(SUBSCRIPTION)) == sorted(ids)
    in_group = world.azure.list_private_link_services_in(SUBSCRIPTION, "OTHER")
    assert [p.id for p in in_group] == ids[4:]


def test_lists_public_ips(world: World) -> None:
    """Public frontends are matched by the address."""
    properties = {"ipAddress": "20.0.0.1", "provisioningState": "Succeeded"}
    kind = "Microsoft.Network/publicIPAddresses"
    world.store(
        {"id": PUBLIC_IP, "name": "ip1", "type": kind, "location": "eastus", "properties": properties}
    )
    assert [(p.name, p.address) for p in world.azure.list_public_ips(SUBSCRIPTION, "MC_prod")] == [
        ("ip1", "20.0.0.1")
    ]


def test_what_is_put_is_accepted_at_once_and_read_back(world: World) -> None:
    """The ledger needs guid and alias at once; the state says that it is not done."""
    accepted = world.azure.put_private_link_service(PLS, wish())
    assert accepted.provisioning_state == "Updating"
    world.settle()
    found = world.azure.get_private_link_service(PLS.upper())
    assert (found.id, found.frontend_id, found.fqdns) == (PLS, FRONTEND, ("a.example",))
    assert (found.visibility, found.nat_ips[0].address) == (("*",), "10.225.0.77")
    assert (found.alias, found.resource_guid) == (accepted.alias, accepted.resource_guid)
    assert found.provisioning_state == "Succeeded"
    assert found.alias
    assert found.resource_guid


def test_the_raw_json_put_back_changes_nothing_but_what_was_changed(world: World) -> None:
    """Foreign tags and the identity of a PLS survive an update."""
    first = world.azure.put_private_link_service(PLS, wish(team="blue"))
    world.settle()
    body = copy.deepcopy(dict(world.azure.get_private_link_service(PLS).raw))
    body["properties"]["fqdns"] = ["b.example"]
    again = world.azure.put_private_link_service(PLS, body)
    world.settle()
    found = world.azure.get_private_link_service(PLS)
    assert (found.fqdns, found.tag("TEAM")) == (("b.example",), "blue")
    assert (again.alias, again.resource_guid) == (first.alias, first.resource_guid)


def test_the_nat_addresses_are_those_of_the_network_interface(world: World) -> None:
    """Dynamic addresses are shown nowhere else."""
    world.azure.put_private_link_service(PLS, wish())
    world.settle()
    [interface] = world.azure.get_private_link_service(PLS).network_interfaces
    assert world.azure.nat_addresses(interface) == ("10.225.0.77",)
    with pytest.raises(NotFound):
        world.azure.nat_addresses(f"{NETWORK}/networkInterfaces/none")


def test_what_is_not_there_is_not_found_and_a_missing_group_is_told_apart(world: World) -> None:
    """A row is forgotten on ResourceNotFound; a missing group proves less."""
    with pytest.raises(NotFound) as caught:
        world.azure.get_private_link_service(PLS)
    assert caught.value.code == "ResourceNotFound"
    with pytest.raises(NotFound):
        world.azure.get_subnet(f"{SUBNET}x")
    nowhere = PLS.replace("MC_prod", "nowhere")
    with pytest.raises(NotFound) as caught:
        world.azure.get_private_link_service(nowhere)
    assert caught.value.code == "ResourceGroupNotFound"
    with pytest.raises(NotFound) as caught:
        world.azure.put_private_link_service(nowhere, wish())
    assert caught.value.code == "ResourceGroupNotFound"


def test_deleting_what_is_not_there_is_fine(world: World) -> None:
    """A repeated run must end in peace."""
    world.azure.delete_private_link_service(PLS)
    world.azure.delete_private_link_service(PLS.replace("MC_prod", "nowhere"))
    world.azure.delete_connection(CONNECTION)


def test_a_deleted_private_link_service_is_gone(world: World) -> None:
    """The plain path."""
    world.store(stored_pls())
    world.azure.delete_private_link_service(PLS)
    deadline = time.monotonic() + 10
    while world.azure.list_private_link_services(SUBSCRIPTION):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_connections_go_before_their_private_link_service(world: World) -> None:
    """ARM refuses the other order; that is no lasting refusal, the next run has the connections first."""
    world.azure.put_private_link_service(PLS, wish())
    world.settle()
    world.store(connected(world.document(PLS)))
    [connection] = world.azure.get_private_link_service(PLS).connections
    assert (connection.id, connection.status) == (CONNECTION, "Approved")
    with pytest.raises(RetryLater) as caught:
        world.azure.delete_private_link_service(PLS)
    assert caught.value.code == "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted"
    world.azure.delete_connection(CONNECTION)
    deadline = time.monotonic() + 10
    while world.azure.get_private_link_service(PLS).connections:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_subnet_is_replaced_only_as_it_was_read(world: World) -> None:
    """Two writers of one subnet: the later must not undo the earlier."""
    read = world.azure.get_subnet(SUBNET)
    assert (read.policy, read.name) == ("Disabled", "pls-subnet")
    body = copy.deepcopy(dict(read.raw))
    body["properties"]["privateLinkServiceNetworkPolicies"] = "Enabled"
    for etag in ('W/"other"', ""):
        with pytest.raises(Stale):
            world.azure.put_subnet(SUBNET, body, etag)
    world.azure.put_subnet(SUBNET, body, read.etag)
    world.settle()
    assert world.azure.get_subnet(SUBNET).policy == "Enabled"
    with pytest.raises(Stale):
        world.azure.put_subnet(SUBNET, body, read.etag)


# -- the real adapter: what goes over the wire


def test_nothing_is_waited_for_and_nothing_repeated(real: RealWorld) -> None:
    """A poll for a long-running operation would hold the function."""
    real.azure.put_private_link_service(PLS, wish())
    real.settle()
    real.azure.delete_private_link_service(PLS)
    lines = real.requests()
    assert [line["method"] for line in lines] == ["PUT", "DELETE"]
    assert all(line["query"] == f"api-version={API_VERSION}" for line in lines)


def test_threads_share_one_client_without_mixing_answers(real: RealWorld) -> None:
    """Sixteen threads read and write at once in a run."""
    ids = [f"{NETWORK}/privateLinkServices/p{number}" for number in range(48)]
    for pls_id in ids:
        real.store(stored_pls(pls_id))
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(real.azure.get_private_link_service, ids))
    assert [pls.id for pls in found] == ids


Expected = tuple[type[OutsideError], type[OutsideError]]  # of a read, of a write
FAULTS: list[tuple[Json, Expected]] = [
    ({"status": 401, "code": "ExpiredAuthenticationToken"}, (Denied, Denied)),
    ({"status": 403, "code": "AuthorizationFailed"}, (Denied, Denied)),
    ({"status": 409, "code": "AnotherOperationInProgress"}, (RetryLater, RetryLater)),
    ({"status": 409, "code": "MissingSubscriptionRegistration"}, (Denied, Denied)),
    ({"status": 400, "code": "PrivateIPAddressNotInSubnet"}, (Rejected, Rejected)),
    ({"status": 302, "headers": {"Location": "https://localhost:1/"}}, (Rejected, Rejected)),
    ({"status": 500}, (RetryLater, OutcomeUnknown)),
    ({"status": 503, "code": "ServerBusy"}, (RetryLater, OutcomeUnknown)),
    ({"mode": "reset-before"}, (RetryLater, OutcomeUnknown)),
    ({"mode": "reset-after"}, (RetryLater, OutcomeUnknown)),
    ({"mode": "truncate"}, (RetryLater, OutcomeUnknown)),
]


@pytest.mark.parametrize(("fault", "kinds"), FAULTS, ids=str)
def test_each_failure_has_its_kind_after_one_request(real: RealWorld, fault: Json, kinds: Expected) -> None:
    """No SDK error comes through, no retry hides a failure, and only unsure writes are unsure."""
    calls: tuple[Callable[[], object], ...] = (
        lambda: real.azure.get_subnet(SUBNET),
        lambda: real.azure.put_private_link_service(PLS, wish()),
    )
    for call, kind in zip(calls, kinds, strict=True):
        real.settle()
        real.door.clear()
        real.door.fault(**{"path": "/providers/", **fault})
        with pytest.raises(OutsideError) as caught:
            call()
        assert type(caught.value) is kind
        assert len(real.requests()) == 1


def test_a_throttled_call_returns_at_once_with_the_wait_asked_for(real: RealWorld) -> None:
    """Sleeping for Retry-After in the SDK would block the worker for minutes."""
    real.door.fault(path="/providers/", status=429, code="TooManyRequests", headers={"Retry-After": "300"})
    with pytest.raises(RetryLater) as caught:
        real.azure.put_private_link_service(PLS, wish())
    assert (caught.value.after, caught.value.throttled) == (300, True)
    assert type(caught.value) is RetryLater


def test_a_subscription_list_may_be_denied_while_a_group_is_read(real: RealWorld) -> None:
    """Then the caller looks group by group; it has to know."""
    real.door.fault(path=f"^/subscriptions/{SUBSCRIPTION}/providers/", status=403, code="AuthorizationFailed")
    with pytest.raises(Denied):
        real.azure.list_private_link_services(SUBSCRIPTION)
    assert real.azure.list_private_link_services_in(SUBSCRIPTION, "MC_prod") == ()


def test_an_unreachable_arm_has_certainly_not_written(real: RealWorld, authority: Authority) -> None:
    """Refused connections are not outcomes unknown: the PLS need not be read again."""
    azure = ArmAzure(real.access(endpoint="https://localhost:1"), StaticToken())
    with pytest.raises(RetryLater) as caught:
        azure.delete_private_link_service(PLS)
    assert type(caught.value) is RetryLater
    azure.close()


def test_a_silent_arm_ends_at_the_read_timeout(real: RealWorld) -> None:
    """And what it did with the write is unknown."""
    real.door.fault(path="/providers/", status=500, delay=2)
    azure = ArmAzure(real.access(read_seconds=0.3), credential(ca_file=str(real.authority.ca_path)))
    with pytest.raises(OutcomeUnknown):
        azure.put_private_link_service(PLS, wish())
    azure.close()


def test_an_untrusted_certificate_is_refused(
    real: RealWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without the check anybody on the way could read the token."""
    other = Authority.create(tmp_path_factory.mktemp("other"))
    azure = ArmAzure(real.access(ca_file=str(other.ca_path)), StaticToken())
    with pytest.raises(Denied, match="certificate"):
        azure.get_subnet(SUBNET)
    azure.close()


@pytest.mark.parametrize(
    "pls_id", ["", "pls1", f"{PLS}/../../x", f"{GROUP}/providers/Microsoft.Network/privateLinkServices/.."]
)
def test_what_is_no_id_is_not_sent(real: RealWorld, pls_id: str) -> None:
    """Names come from annotations: a path that climbs would reach other resources."""
    with pytest.raises(Rejected):
        real.azure.delete_private_link_service(pls_id)
    with pytest.raises(Rejected):
        real.azure.list_private_link_services_in(SUBSCRIPTION, "..")
    assert real.requests() == []


def test_odd_characters_in_a_name_stay_in_the_path(real: RealWorld) -> None:
    """A name like `p?x#y{z}` must not become a query, a fragment or a placeholder."""
    with pytest.raises(OutsideError):
        real.azure.get_private_link_service(f"{PLS}?x=/#{{y}}%2e")
    [line] = real.requests()
    assert line["query"] == f"api-version={API_VERSION}"
    assert line["path"].endswith("pls1?x=/#{y}%2e")


# -- the real adapter: who we are


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500}, RetryLater),
        ({"status": 429}, RetryLater),
        ({"mode": "reset-before"}, RetryLater),
        ({"status": 400}, Denied),
    ],
    ids=str,
)
def test_a_token_that_cannot_be_had_is_denied_or_later(
    real: RealWorld, fault: Json, kind: type[OutsideError]
) -> None:
    """A busy identity service passes; a missing identity needs a person. No write is in doubt for either."""
    real.door.fault(path="/msi/token", **fault)
    azure = ArmAzure(real.access(), credential(ca_file=str(real.authority.ca_path)))
    with pytest.raises(kind) as caught:
        azure.delete_private_link_service(PLS)
    assert type(caught.value) is kind
    assert real.requests() == []
    azure.close()


def test_without_any_identity_the_way_out_is_told(real: RealWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a laptop: az login."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("PATH", "")
    azure = ArmAzure(real.access(), credential(ca_file=str(real.authority.ca_path)))
    with pytest.raises(Denied, match="az login"):
        azure.get_subnet(SUBNET)
    azure.close()


# -- the real adapter: answers that are none


class StaticToken:
    """A credential without an identity service."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token."""
        return AccessToken("secret", int(time.time()) + 3600)


@pytest.fixture
def script(authority: Authority) -> Iterator[Scripted]:
    with scripted(authority) as server:
        yield server


@pytest.fixture
def odd(script: Scripted, authority: Authority) -> Iterator[ArmAzure]:
    """The adapter against the scripted server."""
    azure = ArmAzure(ArmAccess(script.url, ca_file=str(authority.ca_path)), StaticToken())
    yield azure
    azure.close()


def test_the_next_page_is_not_fetched_from_elsewhere(
    script: Scripted, odd: ArmAzure, authority: Authority
) -> None:
    """The token would go with the request."""
    with scripted(authority) as elsewhere:
        for link in (f"{elsewhere.url}/x", script.url.replace("https", "http"), "//localhost:1/x"):
            script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": link}).encode())
            with pytest.raises(Rejected, match="another address"):
                odd.list_private_link_services(SUBSCRIPTION)
        assert elsewhere.seen == []


def test_the_next_page_may_be_told_with_the_port_or_without_the_host(script: Scripted, odd: ArmAzure) -> None:
    """ARM does send links with an explicit port."""
    last = json.dumps({"value": [stored_pls()]}).encode()
    script.answers["/next"] = Answer(body=last)
    for link in (f"{script.url}/next?token={{x}}", "/next"):
        script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": link}).encode())
        assert [pls.id for pls in odd.list_private_link_services(SUBSCRIPTION)] == [PLS]


def test_a_list_without_an_end_is_given_up(script: Scripted, odd: ArmAzure) -> None:
    """A link to itself would otherwise run for ever."""
    script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": "/again"}).encode())
    with pytest.raises(RetryLater, match="pages"):
        odd.list_private_link_services(SUBSCRIPTION)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"value": null}',
        b'{"value": [1]}',
        b'{"value": [{}]}',
        b"[" * 99_999,
    ],
    ids=lambda body: str(body)[:20],
)
def test_a_success_that_cannot_be_read_is_not_taken_for_empty(
    script: Scripted, odd: ArmAzure, body: bytes
) -> None:
    """An empty list of PLSs would have them all made anew."""
    script.answers[""] = Answer(body=body)
    with pytest.raises(RetryLater):
        odd.list_private_link_services(SUBSCRIPTION)
    with pytest.raises(RetryLater):
        odd.get_subnet(SUBNET)


def test_a_write_whose_answer_cannot_be_read_is_in_doubt(script: Scripted, odd: ArmAzure) -> None:
    """It was a success, of something."""
    script.answers[""] = Answer(body=b"<html>")
    with pytest.raises(OutcomeUnknown):
        odd.put_private_link_service(PLS, wish())


def test_a_404_that_is_not_arms_proves_nothing(script: Scripted, odd: ArmAzure) -> None:
    """A proxy's 404, or an api-version that a cloud does not know, must not look like a deleted PLS."""
    script.answers[""] = Answer(404, b"<html>not here</html>")
    with pytest.raises(RetryLater):
        odd.get_private_link_service(PLS)
    script.answers[""] = Answer(404, b'{"error": {"code": "InvalidResourceType", "message": "api-version"}}')
    with pytest.raises(Rejected):
        odd.list_private_link_services(SUBSCRIPTION)


def test_the_audience_is_the_clouds(script: Scripted, authority: Authority) -> None:
    """Another cloud's tokens are for another audience than its endpoint."""
    asked: list[str] = []

    class Noting(StaticToken):
        def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            asked.extend(scopes)
            return super().get_token(*scopes)

    script.answers[""] = Answer(body=b'{"value": []}')
    for audience in ("", "https://arm.example/"):
        access = ArmAccess(f"{script.url}/", audience, str(authority.ca_path))
        azure = ArmAzure(access, Noting())
        assert azure.list_private_link_services(SUBSCRIPTION) == ()
        azure.close()
    assert asked == [f"{script.url}/.default", "https://arm.example/.default"]


# -- the table of errors


def _refused(status: int, error: Any, method: str = "PUT", **headers: str) -> OutsideError:
    body = json.dumps({"error": error}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return arm_errors.refused(Request(method, "privateLinkServices/pls1"), status, named, body)


@pytest.mark.parametrize(
    ("status", "error", "kind", "code"),
    [
        (400, {"code": "ReferencedResourceNotProvisioned"}, RetryLater, "ReferencedResourceNotProvisioned"),
        (
            429,
            {"code": "RetryableErrorDueToAnotherOperation"},
            RetryLater,
            "RetryableErrorDueToAnotherOperation",
        ),
        (400, {"code": "Canceled"}, RetryLater, "Canceled"),
        (409, {"code": "Conflict", "details": [{"code": "ScopeLocked"}]}, Denied, "ScopeLocked"),
        (
            400,
            {"code": "X", "details": [{"code": "Y", "details": [{"code": "InUseThing"}]}]},
            Rejected,
            "InUseThing",
        ),
        (400, {"code": "X", "details": [{"code": "NotFound"}]}, Rejected, "X"),
        (403, {"code": "RequestDisallowedByPolicy"}, Rejected, "RequestDisallowedByPolicy"),
        (403, {"code": "linkedauthorizationfailed"}, Denied, "linkedauthorizationfailed"),
        (404, {"code": "SubscriptionNotFound"}, Denied, "SubscriptionNotFound"),
        (409, {"code": "InvalidResourceLocation"}, Conflict, "InvalidResourceLocation"),
        (409, {"code": "SomethingNew"}, RetryLater, "SomethingNew"),
        (412, {"code": "PreconditionFailed"}, Stale, "PreconditionFailed"),
        (504, {"code": "GatewayTimeout"}, OutcomeUnknown, "GatewayTimeout"),
        (400, "garbage", Rejected, ""),
        (400, {"code": 7, "details": {"a": 1}}, Rejected, ""),
    ],
)
def test_the_code_decides_and_else_the_status(
    status: int, error: Any, kind: type[OutsideError], code: str
) -> None:
    """A busy resource under 400 is not a refusal, a lock under 409 is not a wait."""
    found = _refused(status, error)
    assert (type(found), found.code) == (kind, code)


def test_a_busy_resource_is_no_quota() -> None:
    """Else one busy PLS would hold back the whole subscription."""
    busy = _refused(429, {"code": "RetryableErrorDueToAnotherOperation"})
    quota = _refused(429, {"code": "Whatever"})
    assert isinstance(busy, RetryLater)
    assert isinstance(quota, RetryLater)
    assert (busy.throttled, quota.throttled) == (False, True)


def test_the_wait_is_read_from_header_date_or_words_and_bounded() -> None:
    """ARM uses all three; an hour is the most that one answer may ask."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    words = {"code": "TooManyRequests", "message": "Please try again after '10' seconds."}
    waits = [
        _refused(429, {}, Retry_After="7"),
        _refused(429, words),
        _refused(429, {}, Retry_After=later),
        _refused(429, {}, Retry_After="999999999"),
        _refused(429, {}, Retry_After="soon"),
        _refused(429, {}, retry_after_ms="1500"),
    ]
    found = [error.after for error in waits if isinstance(error, RetryLater)]
    assert found[:2] == [7, 10]
    assert found[2] is not None
    assert 50 < found[2] <= 60
    assert found[3:] == [3600, None, 1.5]


def test_the_sentence_is_one_short_printable_line() -> None:
    """It ends in logs, in events and on screens."""
    message = "a\x00\x1b[31m\nb\u202e" + "x" * 10_000
    words = str(_refused(400, {"code": "Bad\nCode", "message": message}))
    assert words.startswith("Azure answered 400 Bad Code, writing privateLinkServices/pls1: a [31m b x")
    assert words.isprintable()
    assert len(words) < 700
