"""Private endpoints: both ends of a connection, approval, rejection, removal, and who may ask."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.sandbox.arm_support import (
    CONSUMER,
    CONSUMER_SUBNET,
    NETWORK,
    OPTIONS,
    Arm,
    Json,
    private_endpoint,
    private_link_service,
    running_arm,
)

pytestmark = pytest.mark.sandbox

FOREIGN_SUBSCRIPTION = OPTIONS.consumer_subscriptions[0]
FOREIGN_GROUP = f"/subscriptions/{FOREIGN_SUBSCRIPTION}/resourceGroups/theirs"
FOREIGN = f"{FOREIGN_GROUP}/providers/Microsoft.Network"
ENDPOINT = f"{CONSUMER}/privateEndpoints/pe1"


@pytest.fixture
def arm() -> Iterator[Arm]:
    """A simulated ARM without waiting."""
    with running_arm(replace(OPTIONS, provisioning_seconds=0)) as found:
        yield found


@pytest.fixture
def pls(arm: Arm) -> str:
    """A PLS that nobody sees but its own subscription."""
    return arm.service()


def consumer_side(arm: Arm, endpoint: str = ENDPOINT) -> Json:
    """The state of the endpoint's only connection, as the consumer reads it."""
    properties = arm.get(endpoint)["properties"]
    sides = (*properties["privateLinkServiceConnections"], *properties["manualPrivateLinkServiceConnections"])
    [connection] = sides
    state: Json = connection["properties"]["privateLinkServiceConnectionState"]
    return state


def provider_side(arm: Arm, pls: str) -> list[Json]:
    """The PLS's connections."""
    connections: list[Json] = arm.get(f"{pls}/privateEndpointConnections")["value"]
    assert connections == arm.get(pls)["properties"]["privateEndpointConnections"]
    return connections


def answer(status: str, description: str = "") -> Json:
    """The body that approves or rejects."""
    state = {"status": status, "description": description}
    return {"properties": {"privateLinkServiceConnectionState": state}}


def foreign_endpoint(arm: Arm) -> tuple[str, str]:
    """A subnet and an endpoint id in another subscription."""
    arm.call("PUT", FOREIGN_GROUP, {"location": "eastus"})
    subnets = [{"name": "s", "properties": {"addressPrefix": "10.9.0.0/24"}}]
    space = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}, "subnets": subnets}
    arm.put(f"{FOREIGN}/virtualNetworks/v", {"location": "eastus", "properties": space})
    return f"{FOREIGN}/virtualNetworks/v/subnets/s", f"{FOREIGN}/privateEndpoints/pe9"


def test_an_endpoint_by_id_is_connected_at_once(arm: Arm, pls: str) -> None:
    """Whoever may write the PLS approves by asking, whatever its lists say."""
    arm.put(ENDPOINT, private_endpoint(pls))
    assert consumer_side(arm) == {
        "status": "Approved",
        "description": "Auto Approved",
        "actionsRequired": "None",
    }
    [connection] = provider_side(arm, pls)
    assert connection["name"].startswith("pe1.")
    properties = connection["properties"]
    assert properties["privateEndpoint"] == {"id": ENDPOINT}
    assert properties["linkIdentifier"].isdecimal()
    [nic] = arm.get(ENDPOINT)["properties"]["networkInterfaces"]
    [address] = arm.get(nic["id"])["properties"]["ipConfigurations"]
    assert address["properties"]["privateIPAddress"] == "10.1.0.4"
    assert address["properties"]["subnet"] == {"id": CONSUMER_SUBNET}


def test_a_manual_request_waits_and_follows_the_answers(arm: Arm, pls: str) -> None:
    """Pending carries the request's message; both ends show each decision, and a decision may be changed."""
    arm.put(ENDPOINT, private_endpoint(pls, manual=True, message="let me in"))
    assert consumer_side(arm)["status"] == "Pending"
    [connection] = provider_side(arm, pls)
    assert connection["properties"]["privateLinkServiceConnectionState"]["description"] == "let me in"
    for status in ("Approved", "Rejected"):
        reply = arm.call("PUT", connection["id"], answer(status, "because"))
        assert reply.status_code == 200
        assert "Azure-AsyncOperation" not in reply.headers
        assert consumer_side(arm) == {"status": status, "description": "because", "actionsRequired": "None"}
    assert arm.refusal("PUT", connection["id"], answer("Nonsense"))[0] == 400
    assert (
        arm.refusal("PUT", f"{pls}/privateEndpointConnections/x", answer("Approved"))[1]["code"] == "NotFound"
    )


def test_a_pls_goes_only_after_its_connections_rejected_ones_too(arm: Arm, pls: str) -> None:
    """The delete path of the reconciler: connections, then the PLS; the endpoint is left Disconnected."""
    arm.put(ENDPOINT, private_endpoint(pls))
    [connection] = provider_side(arm, pls)
    arm.call("PUT", connection["id"], answer("Rejected"))
    status, error = arm.refusal("DELETE", pls)
    assert (status, error["code"]) == (
        400,
        "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted",
    )
    assert error["message"] == (
        f"Private link service {pls} cannot be deleted since it has 1 private endpoint connection. Please delete "
        "all private endpoint connections before deleting the private link service."
    )
    arm.delete(connection["id"])
    assert arm.call("DELETE", connection["id"]).status_code == 204
    assert consumer_side(arm)["status"] == "Disconnected"
    arm.delete(pls)
    assert arm.call("GET", ENDPOINT).status_code == 200


def test_a_connection_goes_with_its_endpoint(arm: Arm, pls: str) -> None:
    """The consumer's delete frees the PLS."""
    arm.put(ENDPOINT, private_endpoint(pls))
    arm.delete(ENDPOINT)
    assert provider_side(arm, pls) == []


def test_connections_survive_an_update_of_the_pls(arm: Arm, pls: str) -> None:
    """A full PUT without the read-only parts cuts nobody off."""
    arm.put(ENDPOINT, private_endpoint(pls))
    before = [item["name"] for item in provider_side(arm, pls)]
    [frontend] = arm.get(pls)["properties"]["loadBalancerFrontendIpConfigurations"]
    arm.put(pls, private_link_service(frontend["id"], fqdns=["a.example"]))
    assert [item["name"] for item in provider_side(arm, pls)] == before


@pytest.mark.parametrize(
    ("visibility", "approval", "outcome"),
    [
        ([], [], None),
        (["*"], [], "Pending"),
        ([FOREIGN_SUBSCRIPTION], [], "Pending"),
        (["*"], [FOREIGN_SUBSCRIPTION.upper()], "Approved"),
        ([], [FOREIGN_SUBSCRIPTION], None),
    ],
)
def test_another_subscription_asks_by_alias_and_the_lists_decide(
    arm: Arm, pls: str, visibility: list[str], approval: list[str], outcome: str | None
) -> None:
    """Visibility lets one ask, auto-approval connects; auto-approval alone does nothing."""
    [frontend] = arm.get(pls)["properties"]["loadBalancerFrontendIpConfigurations"]
    lists = {"visibility": {"subscriptions": visibility}, "autoApproval": {"subscriptions": approval}}
    alias = arm.put(pls, private_link_service(frontend["id"], **lists))["properties"]["alias"]
    subnet, endpoint = foreign_endpoint(arm)
    body = private_endpoint(alias, manual=True, message="hello", subnet=subnet)
    check = f"/subscriptions/{FOREIGN_SUBSCRIPTION}/providers/Microsoft.Network/locations/eastus"
    seen = arm.call("POST", f"{check}/checkPrivateLinkServiceVisibility", {"privateLinkServiceAlias": alias})
    assert seen.json() == {"visible": outcome is not None}
    if outcome is None:
        assert arm.refusal("PUT", endpoint, body)[1]["code"] == "SimPrivateLinkServiceNotVisible"
        return
    arm.put(endpoint, body)
    assert consumer_side(arm, endpoint)["status"] == outcome
    listed = arm.get(f"{check}/autoApprovedPrivateLinkServices")["value"]
    assert listed == ([{"privateLinkService": pls}] if outcome == "Approved" else [])


def test_a_request_that_names_nothing_or_says_too_much_is_refused(arm: Arm, pls: str) -> None:
    """Alias, id and message are checked before anything exists."""
    bad = {
        "SimPrivateLinkServiceAliasNotFound": private_endpoint("x.y.azure.privatelinkservice", manual=True),
        "InvalidResourceReference": private_endpoint(f"{NETWORK}/privateLinkServices/x"),
        "SimRequestMessageTooLong": private_endpoint(pls, manual=True, message="x" * 141),
    }
    for code, body in bad.items():
        assert arm.refusal("PUT", ENDPOINT, body)[1]["code"] == code
    assert arm.call("GET", ENDPOINT).status_code == 404
