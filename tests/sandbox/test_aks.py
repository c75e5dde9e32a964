"""The sandbox's AKS against the SDK and the Kubernetes client: resources, kubeconfigs, tokens, power."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.containerservice import ContainerServiceClient
from kubernetes import client as kubernetes_client
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config_dict
from urllib3.exceptions import HTTPError

from reconciler.settings import load
from sandbox.arm.access import issue
from sandbox.arm.options import ArmOptions
from sandbox.up import Sandbox, SandboxOptions
from tests.sandbox.arm_support import OPTIONS, running_arm, until

pytestmark = pytest.mark.sandbox

SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
GROUP = "myResourceGroup"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    options = SandboxOptions(
        clusters=("prod", "dev"),
        provisioning_seconds=0.05,
        storage=False,
        cloud_provider=False,
        api="aks",
        managed_networks=("dev",),
    )
    with Sandbox.start(options) as running:
        yield running


@pytest.fixture
def credential(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagedIdentityCredential]:
    """The function app's identity, asked as on App Service."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, sandbox.settings[name])
    with ManagedIdentityCredential(retry_total=0) as found:
        yield found


@pytest.fixture
def aks(sandbox: Sandbox, credential: ManagedIdentityCredential) -> Iterator[Any]:
    """The SDK's operations on managed clusters; untyped: its overloads want models."""
    arm = sandbox.endpoints["arm"]
    with ContainerServiceClient(
        credential,
        arm["subscription"],
        base_url=arm["url"],
        credential_scopes=[f"{arm['url']}/.default"],
        connection_verify=arm["ca"],
        retry_total=0,
    ) as found:
        yield found.managed_clusters


@pytest.fixture
def prod(sandbox: Sandbox) -> Iterator[str]:
    """The id of prod's AKS resource; afterwards the resource and what is bound are as they were."""
    resource_id = str(sandbox.endpoints["clusters"]["prod"]["resourceId"])
    before = sandbox.arm_backdoor("GET", "resources", id=resource_id).body
    yield resource_id
    sandbox.arm_backdoor("PUT", "resources", before)
    for identity in sandbox.cluster_backdoor("prod", "GET", "bindings").body:
        if identity != "*":
            sandbox.cluster_backdoor("prod", "DELETE", f"bindings/{identity}")


def change(sandbox: Sandbox, resource_id: str, **properties: Any) -> None:
    answer = sandbox.arm_backdoor("PATCH", "resources", {"properties": properties}, id=resource_id)
    assert answer.status == 200, answer.body


def kubeconfig(sandbox: Sandbox, resource_id: str, action: str = "listClusterUserCredential") -> Any:
    answer = sandbox.arm("POST", f"{resource_id}/{action}")
    assert answer.status == 200, answer.body
    return yaml.safe_load(base64.b64decode(answer.body["kubeconfigs"][0]["value"]))


def services(sandbox: Sandbox, token: str, cluster: str = "prod") -> Any:
    """The Kubernetes client's view of a cluster with a bearer token."""
    known = sandbox.endpoints["clusters"][cluster]
    configuration = kubernetes_client.Configuration(
        host=known["server"], ssl_ca_cert=known["ca"], retries=False
    )
    configuration.api_key = {"authorization": f"Bearer {token}"}
    return kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(configuration))


def refusal(sandbox: Sandbox, token: str) -> tuple[int, str]:
    with pytest.raises(ApiException) as refused:
        services(sandbox, token).list_service_for_all_namespaces()
    return refused.value.status, json.loads(refused.value.body or "")["message"]


def settled(resource: Any) -> bool:
    return bool(resource["properties"]["provisioningState"] == "Succeeded")


def identity(token: str) -> str:
    middle = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["oid"])


def test_the_sdk_reads_clusters_as_aks_shows_them(sandbox: Sandbox, aks: Any, prod: str) -> None:
    """What a configuration can be completed from; ids in AKS's own casing, which nobody may rely on."""
    found = aks.get(GROUP, "PROD")
    assert (found.name, found.location, found.node_resource_group) == ("prod", "eastus", "MC_prod")
    assert (found.provisioning_state, found.power_state.code) == ("Succeeded", "Running")
    assert (found.aad_profile.managed, found.aad_profile.enable_azure_rbac) == (True, False)
    assert found.id != prod
    assert found.id.lower() == prod.lower()
    [pool] = found.agent_pool_profiles
    assert sandbox.arm("GET", pool.vnet_subnet_id).status == 200
    assert [item.name for item in aks.list()] == ["prod", "dev"]
    assert [item.name for item in aks.list_by_resource_group("MYRESOURCEGROUP")] == ["prod", "dev"]
    with pytest.raises(ResourceNotFoundError):
        aks.get(GROUP, "nobody")


def test_lists_of_clusters_come_in_pages() -> None:
    """Who reads one page only does not see all clusters."""
    with running_arm(replace(OPTIONS, clusters=("a", "b", "c"), page_size=2)) as arm:
        path = f"/subscriptions/{OPTIONS.subscription}/providers/Microsoft.ContainerService/managedClusters"
        first = arm.get(path)
        rest = arm.get(first["nextLink"])
    assert [item["name"] for item in first["value"] + rest["value"]] == ["a", "b", "c"]
    assert "nextLink" not in rest


def test_the_documents_cluster_is_another_name_of_the_first(sandbox: Sandbox, prod: str) -> None:
    """`az aks` lines of the documents work as they stand, and change the very cluster."""
    alias = prod.replace("/prod", "/myakscluster")
    assert sandbox.arm("GET", alias).body["properties"]["nodeResourceGroup"] == "MC_prod"
    change(sandbox, alias, disableLocalAccounts=True)
    assert sandbox.arm("GET", prod).body["properties"]["disableLocalAccounts"] is True


def test_a_network_that_aks_made_has_its_names(sandbox: Sandbox) -> None:
    """Then no agent pool names a subnet, and the node resource group tells."""
    known = sandbox.endpoints["clusters"]["dev"]
    [pool] = sandbox.arm("GET", known["resourceId"]).body["properties"]["agentPoolProfiles"]
    assert "vnetSubnetID" not in pool
    group = f"{known['resourceId'].split('/providers/')[0].replace(GROUP, 'MC_dev')}"
    [vnet] = sandbox.arm("GET", f"{group}/providers/Microsoft.Network/virtualNetworks").body["value"]
    assert vnet["name"] == known["vnet"]["name"]
    assert vnet["name"].startswith("aks-vnet-")
    assert [subnet["name"] for subnet in vnet["properties"]["subnets"]] == ["aks-subnet"]


def test_a_user_s_kubeconfig_leads_to_the_cluster_but_logs_nobody_in(aks: Any, sandbox: Sandbox) -> None:
    """With Entra integration: server and authority, and a log-in program."""
    [found] = aks.list_cluster_user_credentials(GROUP, "prod").kubeconfigs
    assert found.name == "clusterUser"
    document = yaml.safe_load(found.value)
    [cluster], [user] = document["clusters"], document["users"]
    known = sandbox.endpoints["clusters"]["prod"]
    assert cluster["cluster"]["server"] == known["server"]
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"])
    assert authority == Path(known["ca"]).read_bytes()
    assert user["user"]["exec"]["command"] == "kubelogin"
    [old] = aks.list_cluster_user_credentials(GROUP, "prod", format="azure").kubeconfigs
    assert yaml.safe_load(old.value)["users"][0]["user"]["auth-provider"]["name"] == "azure"


def test_an_identity_reads_services_and_nothing_else(
    sandbox: Sandbox, credential: ManagedIdentityCredential
) -> None:
    """A token for AKS's application; the request log knows its oid, refusals are RBAC's."""
    token = credential.get_token(SCOPE).token
    api = services(sandbox, token)
    assert [item.metadata.name for item in api.list_service_for_all_namespaces().items] == ["kubernetes"]
    with pytest.raises(ApiException) as refused:
        api.list_node()
    said = f'nodes is forbidden: User "{identity(token)}" cannot list resource "nodes"'
    assert refused.value.status == 403
    assert said in json.loads(refused.value.body or "")["message"]
    log = sandbox.cluster_backdoor("prod", "GET", "requests").body["value"]
    assert log[-1]["user"] == identity(token)


def test_tokens_for_others_are_not_taken(sandbox: Sandbox, credential: ManagedIdentityCredential) -> None:
    """ARM's audience, another tenant, a token that ended: each is a bare 401."""
    for_arm = credential.get_token(f"{sandbox.endpoints['arm']['url']}/.default").token
    options = ArmOptions()
    audience = SCOPE.removesuffix("/.default")
    foreign, _ = issue(replace(options, tenant="another"), audience, "app", "issuer")
    ended, _ = issue(replace(options, token_seconds=-1), audience, "app", "issuer")
    valid, _ = issue(options, audience, "app", "issuer")
    for token in (for_arm, foreign, ended, "a.b.c"):
        assert refusal(sandbox, token) == (401, "Unauthorized")
    assert services(sandbox, valid).list_service_for_all_namespaces().items


def test_a_token_s_life_is_the_back_door_s(sandbox: Sandbox) -> None:
    """A clients' renewal can be watched without waiting for hours."""
    assert sandbox.arm_backdoor("POST", "tokens", {"seconds": -1}).status == 204
    try:
        assert sandbox.arm("GET", "/subscriptions").status == 401
    finally:
        sandbox.arm_backdoor("POST", "tokens", {"seconds": 36_000})
    assert sandbox.arm("GET", "/subscriptions").status == 200


def test_what_is_bound_to_an_identity_is_what_it_may_do(
    sandbox: Sandbox, prod: str, credential: ManagedIdentityCredential
) -> None:
    """Nothing, more than usual, and with Azure's words where Azure's roles decide."""
    token = credential.get_token(SCOPE).token
    oid = identity(token)
    sandbox.cluster_backdoor("prod", "PUT", f"bindings/{oid}", {"rules": []})
    forbidden = f'services is forbidden: User "{oid}" cannot list resource "services" in API group "" at the'
    assert refusal(sandbox, token) == (403, f"{forbidden} cluster scope")
    change(sandbox, prod, aadProfile={"enableAzureRBAC": True})
    assert refusal(sandbox, token)[1].endswith("Update role assignment to allow access.")
    rules = [{"verbs": ["list"], "resources": ["nodes"]}]
    sandbox.cluster_backdoor("prod", "PUT", f"bindings/{oid}", {"rules": rules})
    assert services(sandbox, token).list_node().items == []
    assert sandbox.cluster_backdoor("prod", "PUT", f"bindings/{oid}", {}).status == 400


def test_without_entra_a_user_is_an_administrator(
    sandbox: Sandbox, prod: str, credential: ManagedIdentityCredential
) -> None:
    """Why the user part of a kubeconfig must not be used: and no identity's token is taken."""
    change(sandbox, prod, aadProfile=None)
    api = new_client_from_config_dict(kubeconfig(sandbox, prod))  # type: ignore[no-untyped-call]
    assert kubernetes_client.CoreV1Api(api).list_node().items == []
    token = credential.get_token(SCOPE).token
    assert refusal(sandbox, token) == (401, "Unauthorized")
    resource = sandbox.arm("GET", prod).body
    resource["properties"]["aadProfile"] = {"managed": True}  # `az aks update --enable-aad`
    assert sandbox.arm("PUT", prod, resource).status == 200
    until(lambda: sandbox.arm("GET", prod).body, settled)
    assert services(sandbox, token).list_service_for_all_namespaces().items


def test_admin_credentials_go_with_the_local_accounts(aks: Any, sandbox: Sandbox, prod: str) -> None:
    """400 in AKS's words once these are off."""
    user = kubeconfig(sandbox, prod, "listClusterAdminCredential")["users"][0]
    assert user["name"] == f"clusterAdmin_{GROUP}_prod"
    change(sandbox, prod, disableLocalAccounts=True)
    with pytest.raises(HttpResponseError, match="Getting static credential is not allowed") as refused:
        aks.list_cluster_admin_credentials(GROUP, "prod")
    assert refused.value.status_code == 400


def test_a_cluster_is_stopped_and_started_by_the_sdk(aks: Any, sandbox: Sandbox, prod: str) -> None:
    """In between it refuses connections, still has its kubeconfig, and loses nothing."""
    token = sandbox.endpoints["clusters"]["prod"]["token"]
    sandbox.cluster("prod", "POST", "/api/v1/namespaces", {"metadata": {"name": "kept"}})
    with pytest.raises(HttpResponseError, match="not currently stopped"):
        aks.begin_start(GROUP, "prod")
    aks.begin_stop(GROUP, "prod").result()
    assert aks.get(GROUP, "prod").power_state.code == "Stopped"
    with pytest.raises(HTTPError, match="refused"):
        services(sandbox, token).list_namespace()
    assert kubeconfig(sandbox, prod)["clusters"]
    with pytest.raises(HttpResponseError, match="not currently running"):
        aks.begin_stop(GROUP, "prod")
    aks.begin_start(GROUP, "prod").result()
    assert "kept" in [item.metadata.name for item in services(sandbox, token).list_namespace().items]


def test_a_stop_takes_its_time(prod: str) -> None:
    """While it is under way the state says so, and another one is refused."""
    with running_arm(replace(OPTIONS, provisioning_seconds=2)) as slow:
        asked = slow.call("POST", f"{prod}/stop")
        assert asked.status_code == 202
        assert slow.get(prod)["properties"]["provisioningState"] == "Stopping"
        assert slow.refusal("POST", f"{prod}/stop")[1]["code"] == "OperationNotAllowed"
        assert slow.call("GET", asked.headers["Location"]).status_code == 202
        assert (
            "/providers/Microsoft.ContainerService/locations/eastus/" in asked.headers["Azure-AsyncOperation"]
        )
        assert slow.done(asked)["status"] == "Succeeded"
        assert slow.call("GET", asked.headers["Location"]).status_code == 204
        assert slow.get(prod)["properties"]["provisioningState"] == "Succeeded"


def test_the_back_door_stops_a_cluster_at_once(sandbox: Sandbox, prod: str) -> None:
    """Open connections are dropped, too; others do not notice."""
    token = sandbox.endpoints["clusters"]["prod"]["token"]
    kept_alive = services(sandbox, token)
    kept_alive.list_namespace()
    change(sandbox, prod, powerState={"code": "Stopped"})
    for _ in range(2):
        with pytest.raises(HTTPError):
            kept_alive.list_namespace()
    assert sandbox.cluster("dev", "GET", "/api/v1/namespaces").status == 200
    change(sandbox, prod, powerState={"code": "Running"})
    assert services(sandbox, token).list_namespace().items


def test_the_configuration_names_aks_resources_and_nothing_they_tell(sandbox: Sandbox) -> None:
    """The product reads it, and has to ask AKS for the rest."""
    document = yaml.safe_load((sandbox.state / "clusters.yaml").read_text())
    for entry in document["clusters"]:
        known = sandbox.endpoints["clusters"][entry["name"]]
        assert entry["api"] == {"type": "aks", "resourceId": known["resourceId"]}
        assert set(entry) == {"name", "mode", "clusterName", "api", "inTree"}
    connection = "UseDevelopmentStorage=true"
    settings = load({**sandbox.settings, "AzureWebJobsStorage": connection})
    assert [cluster.name for cluster in settings.clusters.clusters] == ["prod", "dev"]


def test_the_resource_and_its_api_server_tell_the_same_version(sandbox: Sandbox, prod: str) -> None:
    """Bug caught: `az aks show` and `kubectl version` that speak of two clusters."""
    resource = sandbox.arm("GET", prod).body
    server = sandbox.cluster("prod", "GET", "/version").body
    assert f"v{resource['properties']['currentKubernetesVersion']}" == server["gitVersion"]
