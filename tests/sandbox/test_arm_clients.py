"""The Azure SDK's own client against the simulated ARM: what the product uses, over HTTPS."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.network import NetworkManagementClient

from tests.sandbox.arm_support import (
    BALANCER,
    OPTIONS,
    SUBSCRIPTION,
    Arm,
    load_balancer,
    private_endpoint,
    private_link_service,
    running_arm,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def arm() -> Iterator[Arm]:
    """One simulated ARM for the module; without Retry-After the SDK polls as often as it is told to."""
    with running_arm(replace(OPTIONS, retry_after=0)) as found:
        yield found


@pytest.fixture
def client(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The network client with a managed identity, as on App Service; untyped: its overloads want models."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", arm.running.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", arm.running.identity_header)
    with (
        ManagedIdentityCredential(connection_verify=arm.ca, retry_total=0) as credential,
        NetworkManagementClient(
            credential,
            SUBSCRIPTION,
            base_url=arm.url,
            credential_scopes=[f"{arm.url}/.default"],
            connection_verify=arm.ca,
            retry_total=0,
            polling_interval=0.05,
        ) as found,
    ):
        yield found


def test_the_network_client_takes_a_pls_through_its_whole_life(client: Any) -> None:
    """Subnet, load balancer, PLS, endpoint, approval and the deletes, each polled by the SDK itself."""
    subnets, services = client.subnets, client.private_link_services
    subnet = subnets.get("MC_prod", "aks-vnet", "pls-subnet").as_dict()
    subnet["properties"]["privateLinkServiceNetworkPolicies"] = "Disabled"
    match = {"If-Match": subnet["etag"]}
    subnets.begin_create_or_update("MC_prod", "aks-vnet", "pls-subnet", subnet, headers=match).result()
    with pytest.raises(HttpResponseError) as stale:
        subnets.begin_create_or_update("MC_prod", "aks-vnet", "pls-subnet", subnet, headers=match)
    assert stale.value.status_code == 412

    balancers = client.load_balancers
    balancers.begin_create_or_update("MC_prod", "kubernetes-internal", load_balancer("a1")).result()
    body = private_link_service(f"{BALANCER}/frontendIPConfigurations/a1")
    created = services.begin_create_or_update("MC_prod", "Pls1", body).result()
    assert created.alias.startswith("pls1.")
    assert [item.name for item in services.list("mc_PROD")] == ["Pls1"]
    assert [item.name for item in services.list_by_subscription()] == ["Pls1"]

    endpoint = private_endpoint(created.id)
    client.private_endpoints.begin_create_or_update("myOtherResourceGroup", "pe1", endpoint).result()
    [connection] = services.list_private_endpoint_connections("MC_prod", "pls1")
    with pytest.raises(HttpResponseError, match="has 1 private endpoint connection"):
        services.begin_delete("MC_prod", "pls1")
    rejected = {"properties": {"privateLinkServiceConnectionState": {"status": "Rejected"}}}
    answer = services.update_private_endpoint_connection("MC_prod", "pls1", connection.name, rejected)
    assert answer.private_link_service_connection_state.status == "Rejected"
    services.begin_delete_private_endpoint_connection("MC_prod", "pls1", connection.name).result()
    services.begin_delete("MC_prod", "pls1").result()
    with pytest.raises(ResourceNotFoundError) as gone:
        services.get("MC_prod", "pls1")
    assert "(ResourceNotFound)" in str(gone.value)
    services.begin_delete("MC_prod", "pls1").result()


def test_a_public_ip_has_its_address_once_it_is_provisioned(client: Any) -> None:
    """The address is absent from the answer to the PUT, and never changes afterwards."""
    addresses = client.public_ip_addresses
    body = {"location": "eastus", "sku": {"name": "Standard"}, "properties": {}}
    started = addresses.begin_create_or_update("MC_prod", "ip1", body, polling=False).result()
    assert started.ip_address is None
    ended = addresses.begin_create_or_update("MC_prod", "ip2", body).result()
    assert ended.ip_address.startswith("20.51.")
