"""The adapter of AKS on the wire: what it asks of ARM, and what it takes from a kubeconfig."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from reconciler.adapters import aks as adapter
from reconciler.adapters.aks import API_VERSION, ArmAks
from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.kubernetes_errors import broken
from reconciler.errors import Denied, NotFound, OutsideError, Rejected, RetryLater
from reconciler.ports import Aks
from sandbox.arm import ControlPlane
from sandbox.tls import Authority
from tests.contract.azure_world import SUBSCRIPTION, RealWorld, StaticToken
from tests.contract.servers import Answer, Scripted
from tests.fakes import aks as builders
from tests.fakes.aks import FakeAks

PROD = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/myResourceGroup/providers/Microsoft.ContainerService/managedClusters/prod"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SECRET = "the administrator's own key"


@pytest.fixture
def real(real_arm: RealWorld) -> ArmAks:
    """The adapter, beside the one of ARM and through the same connections."""
    return ArmAks(real_arm.azure.client)


@pytest.fixture
def told(script: Scripted, authority: Authority) -> Iterator[ArmAks]:
    """The adapter against a server that answers what it is told."""
    azure = ArmAzure(ArmAccess(script.url, ca_file=str(authority.ca_path)), StaticToken())
    yield ArmAks(azure.client)
    azure.close()


def test_a_cluster_of_the_sandbox_is_read_alone_and_in_lists_of_several_pages(
    real: ArmAks, real_arm: RealWorld
) -> None:
    """With this provider's own version; ids are spelt as AKS spells them, and compare all the same."""
    for number in range(4):
        made = builders.cluster(f"more{number}", tags={"pls": "on"})
        real_arm.store(made | {"id": PROD.replace("/prod", f"/more{number}"), "etag": "e"})
    real_arm.door.clear()
    alone = real.managed_cluster(PROD.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))
    assert (alone.name, alone.location, alone.node_resource_group) == ("prod", "eastus", "MC_prod")
    assert (alone.entra, alone.power, alone.state) == (True, "Running", "Succeeded")
    assert [s.rsplit("/", 4)[1:] for s in alone.subnets] == [
        ["virtualNetworks", "aks-vnet", "subnets", "default"]
    ]
    listed = {cluster.name: cluster for cluster in real.managed_clusters(SUBSCRIPTION)}
    assert listed["prod"] == alone
    assert (len(listed), dict(listed["more3"].tags)) == (5, {"pls": "on"})
    versions = [line["query"] for line in real_arm.requests()]
    assert len(versions) == 1 + 3
    assert all(f"api-version={API_VERSION}" in query for query in versions)


def test_networks_of_the_node_group_are_read_with_the_version_of_networks(
    real: ArmAks, real_arm: RealWorld
) -> None:
    """Another provider, another version."""
    (network,) = real.virtual_networks(SUBSCRIPTION, "MC_prod")
    assert (network.id.rsplit("/", 1)[1], sorted(network.subnets)) == ("aks-vnet", ["default", "pls-subnet"])
    (line,) = real_arm.requests()
    assert API_VERSION not in line["query"]


def test_the_address_of_a_cluster_comes_with_its_authority_and_nothing_else(
    real: ArmAks, real_arm: RealWorld
) -> None:
    """Also from a cluster without Entra integration, whose answer holds an administrator's token."""
    plane = ControlPlane("https://localhost:1234", PEM, SECRET, lambda shape: None)
    for profile in ({"managed": True, "tenantID": "t"}, None):
        changed = {"properties": {"aadProfile": profile}}
        real_arm.door.call("PATCH", "resources", changed, id=PROD)
        real_arm.running.connect("prod", plane)
        found = real.endpoint(PROD)
        assert (found.server, found.ca_pem) == ("https://localhost:1234", PEM)
        assert SECRET not in repr(found)
    asked = [line["query"] for line in real_arm.requests() if line["method"] == "POST"]
    assert asked == [f"api-version={API_VERSION}"] * 2


def test_a_cluster_that_is_not_there_is_not_found(real: ArmAks) -> None:
    """A 404 of its own, whether it is asked for or for its address."""
    for ask in (real.managed_cluster, real.endpoint):
        with pytest.raises(NotFound):
            ask(f"{PROD}x")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "AuthorizationFailed", Denied), (429, "TooManyRequests", RetryLater), (500, "", RetryLater)],
)
def test_a_refused_credential_has_its_kind_after_one_request(
    real: ArmAks, real_arm: RealWorld, status: int, code: str, kind: type[OutsideError]
) -> None:
    """It is asked for by POST, and is no write: its outcome is in no doubt."""
    real_arm.door.fault(path="listClusterUserCredential", status=status, code=code)
    with pytest.raises(OutsideError) as caught:
        real.endpoint(PROD)
    assert type(caught.value) is kind
    assert "asking for the address of managedClusters/prod in myResourceGroup" in str(caught.value)
    assert len(real_arm.requests()) == 1


def test_a_missing_role_is_named_with_its_scope(real: ArmAks, real_arm: RealWorld) -> None:
    """So that it can be granted as it stands there."""
    real_arm.door.fault(path="listClusterUserCredential", status=403, code="AuthorizationFailed")
    with pytest.raises(Denied, match=f"role Azure Kubernetes Service Cluster User Role on {PROD}"):
        real.endpoint(PROD)


@pytest.mark.parametrize("wrong", ["/subscriptions/x", "/", "", f"{PROD}/../../secrets"])
def test_what_is_no_id_is_refused_before_any_request(told: ArmAks, script: Scripted, wrong: str) -> None:
    """A path of somebody's choice would be sent with our token."""
    with pytest.raises(Rejected):
        told.endpoint(wrong)
    assert script.seen == []


def credentials(server: Any = "https://a.example", authority: Any = PEM, **more: Any) -> dict[str, Any]:
    """A kubeconfig as ARM hands it out, with an administrator's key."""
    ca = base64.b64encode(authority.encode()).decode() if isinstance(authority, str) else authority
    cluster = {"server": server, "certificate-authority-data": ca, **more}
    user = {"client-key-data": SECRET, "token": SECRET}
    return {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


def answered(content: Any) -> bytes:
    """The answer with this text, or this kubeconfig."""
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    value = base64.b64encode(text.encode()).decode()
    return json.dumps({"kubeconfigs": [{"name": "clusterUser", "value": value}]}).encode()


ODD: dict[str, bytes] = {
    "nothing": b"{}",
    "no kubeconfig": b'{"kubeconfigs": []}',
    "no list": b'{"kubeconfigs": {"value": 1}}',
    "no text": b'{"kubeconfigs": [{"value": 7}]}',
    "no base64": b'{"kubeconfigs": [{"value": "%%%"}]}',
    "no YAML": answered(f"a: [{SECRET}"),
    "a list": answered(f"- {SECRET}"),
    "no cluster": answered({"clusters": [], "users": []}),
    "in the open": answered(credentials("http://a.example")),
    "no host": answered(credentials("https://")),
    "with a password": answered(credentials(f"https://u:{SECRET.split()[0]}@a.example")),
    "with a query": answered(credentials("https://a.example?x=1")),
    "no address": answered(credentials(["https://a.example"])),
    "endless address": answered(credentials("https://" + "a" * 3000)),
    "no authority": answered(credentials(authority=None)),
    "no certificate": answered(credentials(authority=SECRET)),
    "an object of Python": answered("!!python/object/apply:os.system ['true']"),
}


@pytest.mark.parametrize("answer", ODD)
def test_an_odd_kubeconfig_is_no_address_and_is_not_quoted(
    told: ArmAks, script: Scripted, answer: str
) -> None:
    """It is said what is missing; what is there may be a key to the cluster."""
    script.answers[""] = Answer(body=ODD[answer])
    with pytest.raises(RetryLater) as caught:
        told.endpoint(PROD)
    assert "holds no https address with a certificate authority" in str(caught.value)
    assert SECRET not in repr(caught.value) + str(caught.value.__cause__)


def test_a_kubeconfig_of_any_size_is_not_read(
    told: ArmAks, script: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsing YAML costs a hundred times its size."""
    script.answers[""] = Answer(body=answered(credentials()))
    assert told.endpoint(PROD).server == "https://a.example"
    monkeypatch.setattr(adapter, "_KUBECONFIG_LIMIT", 100)
    with pytest.raises(RetryLater, match="holds no https address"):
        told.endpoint(PROD)


def test_a_list_is_not_followed_to_another_host(told: ArmAks, script: Scripted) -> None:
    """Our token for all of Azure would go with it."""
    page = {"value": [], "nextLink": "https://elsewhere.example/more"}
    script.answers[""] = Answer(body=json.dumps(page).encode())
    with pytest.raises(Rejected, match="another address"):
        told.managed_clusters(SUBSCRIPTION)


def test_an_item_without_an_id_fails_the_list(told: ArmAks, script: Scripted) -> None:
    """A shorter list would take a cluster out of the configuration."""
    script.answers[""] = Answer(body=json.dumps({"value": [builders.cluster(), {}]}).encode())
    with pytest.raises(RetryLater, match="without an id"):
        told.managed_clusters(SUBSCRIPTION)


@pytest.fixture(params=["fake", "real"])
def port(request: pytest.FixtureRequest) -> Aks:
    """The fake and the adapter, each with the cluster prod and its network."""
    if request.param == "fake":
        shown = builders.cluster("prod", nodeResourceGroup="MC_prod")
        return FakeAks(shown | {"id": PROD}, builders.network("MC_prod", "aks-vnet", "default", "pls-subnet"))
    found: Aks = request.getfixturevalue("real")
    return found


def test_the_fake_answers_as_the_adapter_does(port: Aks) -> None:
    """What the tests of resolving rest on."""
    (listed,) = port.managed_clusters(SUBSCRIPTION)
    alone = port.managed_cluster(PROD.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))
    assert listed == alone
    assert (alone.name, alone.node_resource_group, alone.entra) == ("prod", "MC_prod", True)
    (network,) = port.virtual_networks(SUBSCRIPTION, "mc_PROD")
    assert sorted(network.subnets) == ["default", "pls-subnet"]
    assert port.managed_clusters("00000000-0000-0000-0000-000000000002") == ()
    with pytest.raises(NotFound):
        port.managed_cluster(f"{PROD}x")


@pytest.mark.parametrize(
    ("host", "private"),
    [("x.0a.privatelink.eastus.azmk8s.io", True), ("x.hcp.eastus.azmk8s.io", False)],
)
def test_a_private_cluster_out_of_reach_says_what_reaches_it(host: str, private: bool) -> None:
    """Its name is not known outside of its network, which looks like a mistake in a name."""
    said = str(broken(f"The Kubernetes API at {host}", OSError("Failed to resolve")))
    assert ("private DNS zone is linked to" in said) is private
