"""What the port ``Azure`` promises, asked of the fake and of the real adapter against the sandbox."""

from __future__ import annotations

import copy
import time

import pytest

from reconciler.errors import NotFound, RetryLater, Stale
from tests.contract.azure_world import (
    BALANCER,
    CONNECTION,
    FRONTEND,
    NETWORK,
    PLS,
    PUBLIC_IP,
    SUBNET,
    SUBSCRIPTION,
    World,
    connected,
    stored_pls,
    wish,
)


def test_lists_load_balancers_with_their_frontends(azure_world: World) -> None:
    """Frontends are what everything hangs on."""
    [balancer] = azure_world.azure.list_load_balancers(SUBSCRIPTION, "mc_PROD")
    [frontend] = balancer.frontends
    assert (balancer.id, frontend.id, frontend.private_ip) == (BALANCER, FRONTEND, "10.224.0.9")
    assert frontend.internal


def test_a_missing_group_has_no_load_balancers_and_no_public_ips(azure_world: World) -> None:
    """A cluster that was just deleted is not an error for ever."""
    assert azure_world.azure.list_load_balancers(SUBSCRIPTION, "nowhere") == ()
    assert azure_world.azure.list_public_ips(SUBSCRIPTION, "nowhere") == ()


def test_a_missing_group_of_private_link_services_is_told(azure_world: World) -> None:
    """A claim that names it has to be refused, so empty would be wrong here."""
    with pytest.raises(NotFound) as caught:
        azure_world.azure.list_private_link_services_in(SUBSCRIPTION, "nowhere")
    assert caught.value.code == "ResourceGroupNotFound"


def test_lists_private_link_services_of_the_subscription_and_of_a_group(azure_world: World) -> None:
    """Over all pages; a PLS missed is a PLS made twice or never collected."""
    other = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Network"
    ids = [*(f"{NETWORK}/privateLinkServices/p{n}" for n in range(4)), f"{other}/privateLinkServices/p9"]
    for pls_id in ids:
        azure_world.store(stored_pls(pls_id))
    assert sorted(p.id for p in azure_world.azure.list_private_link_services(SUBSCRIPTION)) == sorted(ids)
    in_group = azure_world.azure.list_private_link_services_in(SUBSCRIPTION, "OTHER")
    assert [p.id for p in in_group] == ids[4:]


def test_lists_public_ips(azure_world: World) -> None:
    """Public frontends are matched by the address."""
    properties = {"ipAddress": "20.0.0.1", "provisioningState": "Succeeded"}
    kind = "Microsoft.Network/publicIPAddresses"
    azure_world.store(
        {"id": PUBLIC_IP, "name": "ip1", "type": kind, "location": "eastus", "properties": properties}
    )
    assert [(p.name, p.address) for p in azure_world.azure.list_public_ips(SUBSCRIPTION, "MC_prod")] == [
        ("ip1", "20.0.0.1")
    ]


def test_what_is_put_is_accepted_at_once_and_read_back(azure_world: World) -> None:
    """The ledger needs guid and alias at once; the state says that it is not done."""
    accepted = azure_world.azure.put_private_link_service(PLS, wish())
    assert accepted.provisioning_state == "Updating"
    azure_world.settle()
    found = azure_world.azure.get_private_link_service(PLS.upper())
    assert (found.id, found.frontend_id, found.fqdns) == (PLS, FRONTEND, ("a.example",))
    assert (found.visibility, found.nat_ips[0].address) == (("*",), "10.225.0.77")
    assert (found.alias, found.resource_guid) == (accepted.alias, accepted.resource_guid)
    assert found.provisioning_state == "Succeeded"
    assert found.alias
    assert found.resource_guid


def test_the_raw_json_put_back_changes_nothing_but_what_was_changed(azure_world: World) -> None:
    """Foreign tags and the identity of a PLS survive an update."""
    first = azure_world.azure.put_private_link_service(PLS, wish(team="blue"))
    azure_world.settle()
    body = copy.deepcopy(dict(azure_world.azure.get_private_link_service(PLS).raw))
    body["properties"]["fqdns"] = ["b.example"]
    again = azure_world.azure.put_private_link_service(PLS, body)
    azure_world.settle()
    found = azure_world.azure.get_private_link_service(PLS)
    assert (found.fqdns, found.tag("TEAM")) == (("b.example",), "blue")
    assert (again.alias, again.resource_guid) == (first.alias, first.resource_guid)


def test_the_nat_addresses_are_those_of_the_network_interface(azure_world: World) -> None:
    """Dynamic addresses are shown nowhere else."""
    azure_world.azure.put_private_link_service(PLS, wish())
    azure_world.settle()
    [interface] = azure_world.azure.get_private_link_service(PLS).network_interfaces
    found = azure_world.azure.list_nat_addresses(SUBSCRIPTION, "mc_PROD")
    assert found[interface.lower()] == ("10.225.0.77",)
    assert azure_world.azure.list_nat_addresses(SUBSCRIPTION, "none") == {}


def test_what_is_not_there_is_not_found_and_a_missing_group_is_told_apart(azure_world: World) -> None:
    """A row is forgotten on ResourceNotFound; a missing group proves less."""
    with pytest.raises(NotFound) as caught:
        azure_world.azure.get_private_link_service(PLS)
    assert caught.value.code == "ResourceNotFound"
    with pytest.raises(NotFound):
        azure_world.azure.get_subnet(f"{SUBNET}x")
    nowhere = PLS.replace("MC_prod", "nowhere")
    with pytest.raises(NotFound) as caught:
        azure_world.azure.get_private_link_service(nowhere)
    assert caught.value.code == "ResourceGroupNotFound"
    with pytest.raises(NotFound) as caught:
        azure_world.azure.put_private_link_service(nowhere, wish())
    assert caught.value.code == "ResourceGroupNotFound"


def test_deleting_what_is_not_there_is_fine(azure_world: World) -> None:
    """A repeated run must end in peace."""
    azure_world.azure.delete_private_link_service(PLS)
    azure_world.azure.delete_private_link_service(PLS.replace("MC_prod", "nowhere"))
    azure_world.azure.delete_connection(CONNECTION)


def test_a_deleted_private_link_service_is_gone(azure_world: World) -> None:
    """The plain path."""
    azure_world.store(stored_pls())
    azure_world.azure.delete_private_link_service(PLS)
    deadline = time.monotonic() + 10
    while azure_world.azure.list_private_link_services(SUBSCRIPTION):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_connections_go_before_their_private_link_service(azure_world: World) -> None:
    """ARM refuses the other order; that is no lasting refusal, the next run has the connections first."""
    azure_world.azure.put_private_link_service(PLS, wish())
    azure_world.settle()
    azure_world.store(connected(azure_world.document(PLS)))
    [connection] = azure_world.azure.get_private_link_service(PLS).connections
    assert (connection.id, connection.status) == (CONNECTION, "Approved")
    with pytest.raises(RetryLater) as caught:
        azure_world.azure.delete_private_link_service(PLS)
    assert caught.value.code == "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted"
    azure_world.azure.delete_connection(CONNECTION)
    deadline = time.monotonic() + 10
    while azure_world.azure.get_private_link_service(PLS).connections:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_subnet_is_replaced_only_as_it_was_read(azure_world: World) -> None:
    """Two writers of one subnet: the later must not undo the earlier."""
    read = azure_world.azure.get_subnet(SUBNET)
    assert (read.policy, read.name) == ("Disabled", "pls-subnet")
    body = copy.deepcopy(dict(read.raw))
    body["properties"]["privateLinkServiceNetworkPolicies"] = "Enabled"
    for etag in ('W/"other"', ""):
        with pytest.raises(Stale):
            azure_world.azure.put_subnet(SUBNET, body, etag)
    azure_world.azure.put_subnet(SUBNET, body, read.etag)
    azure_world.settle()
    assert azure_world.azure.get_subnet(SUBNET).policy == "Enabled"
    with pytest.raises(Stale):
        azure_world.azure.put_subnet(SUBNET, body, read.etag)
