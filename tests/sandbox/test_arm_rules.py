"""What ARM refuses, and what it fills in: private link services and what they lean on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.sandbox.arm_support import (
    BALANCER,
    NETWORK,
    NODE_SUBNET,
    OPTIONS,
    PLS_SUBNET,
    VNET,
    Arm,
    Json,
    load_balancer,
    nat,
    private_link_service,
    running_arm,
)

pytestmark = pytest.mark.sandbox

PLS = f"{NETWORK}/privateLinkServices/pls1"
GUID = "00000000-0000-0000-0000-000000000002"


@pytest.fixture
def arm() -> Iterator[Arm]:
    """A simulated ARM with an open NAT subnet and two frontends."""
    with running_arm(replace(OPTIONS, provisioning_seconds=0)) as found:
        found.open_subnet()
        found.frontends("a1", "a2")
        yield found


def frontend(name: str = "a1") -> str:
    """A frontend's id."""
    return f"{BALANCER}/frontendIPConfigurations/{name}"


def test_a_pls_has_what_arm_fills_in(arm: Arm) -> None:
    """Defaults, alias, and a NIC that holds the NAT addresses, which a dynamic configuration never shows."""
    body = private_link_service(
        frontend(), ipConfigurations=[nat("one", "10.225.0.9"), nat("two")], newThing={"kept": True}
    )
    body["properties"]["ipConfigurations"][0]["properties"]["subnet"]["properties"] = {"addressPrefix": "x"}
    shown = arm.put(PLS, body)
    properties = shown["properties"]
    assert list(shown) == ["name", "id", "etag", "type", "location", "properties"]
    assert not {"visibility", "autoApproval"} & set(properties)
    assert (properties["fqdns"], properties["enableProxyProtocol"]) == ([], False)
    assert properties["newThing"] == {"kept": True}
    one, two = (item["properties"] for item in properties["ipConfigurations"])
    assert one == {
        "provisioningState": "Succeeded",
        "privateIPAddress": "10.225.0.9",
        "privateIPAllocationMethod": "Static",
        "subnet": {"id": PLS_SUBNET},
        "primary": True,
        "privateIPAddressVersion": "IPv4",
    }
    assert "privateIPAddress" not in two
    [reference] = properties["networkInterfaces"]
    answer = arm.call("GET", reference["id"])
    assert answer.headers["x-sim-fidelity"] == "guess"
    nic = answer.json()["properties"]
    assert nic["privateLinkService"] == {"id": PLS}
    held = [item["properties"]["privateIPAddress"] for item in nic["ipConfigurations"]]
    assert held == ["10.225.0.9", "10.225.0.4"]
    arm.delete(PLS)
    assert arm.call("GET", reference["id"]).status_code == 404


def test_the_alias_stays_for_life_and_is_new_after_a_recreation(arm: Arm) -> None:
    """Consumers hold the alias: delete-and-create breaks them, an update does not."""
    first = arm.put(PLS, private_link_service(frontend()))["properties"]["alias"]
    second = arm.put(PLS, private_link_service(frontend("a2")))["properties"]["alias"]
    arm.delete(PLS)
    third = arm.put(PLS, private_link_service(frontend()))["properties"]["alias"]
    assert first == second != third


def test_a_pls_in_a_subnet_with_policies_is_refused_in_arms_words(arm: Arm) -> None:
    """The very refusal that the subnet write exists for."""
    body = private_link_service(frontend(), ipConfigurations=[nat("one", subnet=NODE_SUBNET)])
    assert arm.refusal("PUT", PLS, body) == (
        400,
        {
            "code": "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled",
            "message": f"Private link service {PLS} cannot be created in a subnet {NODE_SUBNET} since it has "
            "private link service network policies enabled.",
            "details": [],
        },
    )
    assert arm.call("GET", PLS).status_code == 404


def _with(**properties: Any) -> Callable[[], Json]:
    return lambda: private_link_service(frontend(), **properties)


def _static(*addresses: str) -> Callable[[], Json]:
    return _with(ipConfigurations=[nat(f"n{index}", item) for index, item in enumerate(addresses)])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(_static("10.226.0.9"), "PrivateIPAddressNotInSubnet", id="outside"),
        pytest.param(_static("10.225.0.3"), "PrivateIPAddressInReservedRange", id="reserved"),
        pytest.param(_static("10.225.0.255"), "PrivateIPAddressInReservedRange", id="broadcast"),
        pytest.param(_static("10.225.0.9", "10.225.0.9"), "PrivateIPAddressIsAllocated", id="twice"),
        pytest.param(_static("here"), "InvalidRequestFormat", id="no-address"),
        pytest.param(
            lambda: private_link_service(frontend("x")), "InvalidResourceReference", id="no-frontend"
        ),
        pytest.param(lambda: private_link_service(BALANCER), "InvalidReferenceType", id="wrong-type"),
        pytest.param(
            _with(ipConfigurations=[nat("n", subnet=f"{VNET}/subnets/x")]),
            "InvalidResourceReference",
            id="no-subnet",
        ),
        pytest.param(
            lambda: private_link_service(frontend(), frontend("a2")),
            "Sim…FrontendIPConfigurationCount",
            id="2",
        ),
        pytest.param(private_link_service, "Sim…FrontendIPConfigurationCount", id="no-frontends"),
        pytest.param(_with(ipConfigurations=[]), "Sim…IpConfigurationCount", id="no-nat"),
        pytest.param(
            _with(ipConfigurations=[nat(f"n{index}") for index in range(9)]),
            "Sim…IpConfigurationCount",
            id="nine-nat",
        ),
        pytest.param(_with(ipConfigurations=[nat("n"), nat("N")]), "Sim…IpConfiguration", id="names"),
        pytest.param(
            _with(visibility={"subscriptions": ["contoso"]}), "Sim…InvalidSubscription", id="no-guid"
        ),
        pytest.param(
            _with(autoApproval={"subscriptions": [GUID] * 101}), "Sim…TooManySubscriptions", id="101"
        ),
        pytest.param(_with(visibility=["*"]), "InvalidRequestFormat", id="shape"),
    ],
)
def test_a_pls_that_cannot_be_is_refused_and_leaves_nothing(
    arm: Arm, body: Callable[[], Json], code: str
) -> None:
    """Each limit and reference on its own; codes with Sim… are ours, nobody knows ARM's."""
    status, error = arm.refusal("PUT", PLS, body())
    assert (status, error["code"]) == (400, code.replace("Sim…", "SimPrivateLinkService"))
    assert arm.call("GET", PLS).status_code == 404
    assert "networkInterfaces" not in str(arm.get(f"{NETWORK}/networkInterfaces"))


def test_a_frontend_takes_one_pls_and_only_a_second_is_refused(arm: Arm) -> None:
    """The move to a free frontend is accepted, onto a used one refused."""
    other = PLS.replace("pls1", "pls2")
    arm.put(PLS, private_link_service(frontend()))
    code = arm.refusal("PUT", other, private_link_service(frontend().upper()))[1]["code"]
    assert code == "SimFrontendIPConfigurationAlreadyHasPrivateLinkService"
    arm.put(PLS, private_link_service(frontend("a2")))
    arm.put(other, private_link_service(frontend()))


def test_an_address_that_the_pls_holds_dynamically_cannot_become_static(arm: Arm) -> None:
    """A user who pins the address he sees on the NIC meets this."""
    arm.put(PLS, private_link_service(frontend()))
    body = private_link_service(frontend(), ipConfigurations=[nat("nat0", "10.225.0.4")])
    assert arm.refusal("PUT", PLS, body)[1]["code"] == "PrivateIPAddressInUse"


def test_an_address_of_another_pls_is_taken_and_its_holder_named(arm: Arm) -> None:
    """The holder's id is what a person needs to find it."""
    pinned = [nat("nat0", "10.225.0.9")]
    arm.put(PLS, private_link_service(frontend(), ipConfigurations=pinned))
    body = private_link_service(frontend("a2"), ipConfigurations=pinned)
    error = arm.refusal("PUT", PLS.replace("pls1", "pls2"), body)[1]
    assert error["code"] == "PrivateIPAddressIsAllocated"
    assert "10.225.0.9 which is already allocated to resource" in error["message"]
    assert "/networkInterfaces/pls1.nic." in error["message"]


def test_a_load_balancer_keeps_nine_pls_and_basic_ones_away(arm: Arm) -> None:
    """Eight per load balancer, Standard only."""
    names = [f"f{index}" for index in range(9)]
    arm.frontends(*names)
    for name in names[:8]:
        arm.put(f"{NETWORK}/privateLinkServices/{name}", private_link_service(frontend(name)))
    code = arm.refusal("PUT", PLS, private_link_service(frontend("f8")))[1]["code"]
    assert code == "SimTooManyPrivateLinkServicesOnLoadBalancer"
    basic = f"{NETWORK}/loadBalancers/basic"
    arm.put(basic, {**load_balancer("b"), "sku": {"name": "Basic"}})
    code = arm.refusal("PUT", PLS, private_link_service(f"{basic}/frontendIPConfigurations/b"))[1]["code"]
    assert code == "SimPrivateLinkServiceRequiresStandardLoadBalancer"


def test_a_pls_needs_an_ipv4_frontend_without_nat_rules(arm: Arm) -> None:
    """Private or public makes no difference."""
    address = f"{NETWORK}/publicIPAddresses/v6"
    body = {"location": "eastus", "properties": {"publicIPAddressVersion": "IPv6"}}
    assert ":" in arm.put(address, body)["properties"]["ipAddress"]
    public = load_balancer("a1")
    public["properties"]["frontendIPConfigurations"].append(
        {"name": "six", "properties": {"publicIPAddress": {"id": address}}}
    )
    rule = {"name": "ssh", "properties": {"frontendIPConfiguration": {"id": frontend()}}}
    public["properties"]["inboundNatRules"] = [rule]
    arm.put(BALANCER, public)
    code = arm.refusal("PUT", PLS, private_link_service(frontend("six")))[1]["code"]
    assert code == "SimPrivateLinkServiceIPv6NotSupported"
    code = arm.refusal("PUT", PLS, private_link_service(frontend()))[1]["code"]
    assert code == "SimPrivateLinkServiceFrontendWithInboundNatRules"


def test_what_a_pls_uses_cannot_go_before_it(arm: Arm) -> None:
    """Frontend, load balancer and subnet outlive the PLS; policies stay off while it is there."""
    arm.put(PLS, private_link_service(frontend()))
    status, error = arm.refusal("DELETE", BALANCER)
    assert (status, error["code"]) == (400, "CannotDeleteLoadBalancerWithPrivateLinkService")
    assert error["message"] == (
        f"Cannot delete load balancer {BALANCER} since it is referenced by private link service {PLS}. "
        "Please delete private link service prior to deleting load balancer."
    )
    code = arm.refusal("PUT", BALANCER, load_balancer("a2"))[1]["code"]
    assert code == "InUseFrontendIpConfigurationCannotBeDeleted"
    assert arm.refusal("DELETE", PLS_SUBNET)[1]["code"] == "InUseSubnetCannotBeDeleted"
    subnet = arm.get(PLS_SUBNET)
    subnet["properties"]["privateLinkServiceNetworkPolicies"] = "Enabled"
    code = arm.refusal("PUT", PLS_SUBNET, subnet)[1]["code"]
    assert code == "PrivateLinkServiceNetworkPoliciesCannotBeEnabledOnPrivateLinkServiceSubnet"
    arm.delete(PLS)
    arm.put(PLS_SUBNET, subnet)
    arm.delete(BALANCER)


def test_a_resource_that_is_not_provisioned_cannot_be_referenced() -> None:
    """A PLS right after the subnet's policy write has to wait for it."""
    with running_arm(replace(OPTIONS, provisioning_seconds=30)) as arm:
        arm.call("PUT", BALANCER, load_balancer("a1"))
        subnet = arm.get(PLS_SUBNET)
        subnet["properties"]["privateLinkServiceNetworkPolicies"] = "Disabled"
        arm.call("PUT", PLS_SUBNET, subnet)
        status, error = arm.refusal("PUT", PLS, private_link_service(frontend()))
        assert (status, error["code"]) == (400, "ReferencedResourceNotProvisioned")
        assert "PutSubnetOperation" in error["message"]


def test_subnets_keep_their_defaults_unknown_properties_and_users(arm: Arm) -> None:
    """A full PUT of a subnet as read must lose nothing."""
    subnet = arm.get(NODE_SUBNET)
    assert subnet["properties"]["privateLinkServiceNetworkPolicies"] == "Enabled"
    assert subnet["properties"]["ipConfigurations"] == [{"id": frontend("a1")}, {"id": frontend("a2")}]
    subnet["properties"]["natGateway"] = {"id": "x"}
    assert arm.put(NODE_SUBNET, subnet)["properties"]["natGateway"] == {"id": "x"}
    assert [item["name"] for item in arm.get(VNET)["properties"]["subnets"]] == ["default", "pls-subnet"]
    new = f"{VNET}/subnets/new"
    prefix = {"properties": {"addressPrefix": "10.225.0.0/25"}}
    assert arm.refusal("PUT", new, prefix)[1]["code"] == "NetcfgSubnetRangesOverlap"
    prefix = {"properties": {"addressPrefix": "10.1.0.0/25"}}
    assert arm.refusal("PUT", new, prefix)[1]["code"] == "NetcfgSubnetRangeOutsideVnet"


def test_frontends_share_no_address_and_keep_theirs(arm: Arm) -> None:
    """Dynamic addresses count up from .4 and stay through later writes; a taken one is refused."""
    body = load_balancer("a2", "a3")
    body["properties"]["frontendIPConfigurations"][1]["properties"] |= {
        "privateIPAllocationMethod": "Static",
        "privateIPAddress": "10.224.0.4",
    }
    shown = arm.put(BALANCER, body)["properties"]["frontendIPConfigurations"]
    found = {item["name"]: item["properties"]["privateIPAddress"] for item in shown}
    assert found == {"a2": "10.224.0.5", "a3": "10.224.0.4"}
    other = f"{NETWORK}/loadBalancers/other"
    body["properties"]["frontendIPConfigurations"].pop(0)
    assert arm.refusal("PUT", other, body)[1]["code"] == "PrivateIPAddressIsAllocated"


def test_rules_show_on_their_frontends(arm: Arm) -> None:
    """The cloud provider names rules after the Service: tenants of a frontend are read from them."""
    body = load_balancer("a1")
    rule = {"name": "a1-TCP-80", "properties": {"frontendIPConfiguration": {"id": frontend()}}}
    body["properties"]["loadBalancingRules"] = [rule]
    shown = arm.put(BALANCER, body)["properties"]
    [back] = shown["frontendIPConfigurations"][0]["properties"]["loadBalancingRules"]
    assert (
        back
        == {"id": f"{BALANCER}/loadBalancingRules/a1-TCP-80"}
        == {"id": shown["loadBalancingRules"][0]["id"]}
    )


def test_tags_are_limited_and_can_be_merged_alone(arm: Arm) -> None:
    """`az tag update` on a PLS, which has no PATCH: how a person hands a PLS over."""
    body = private_link_service(frontend())
    arm.put(PLS, {**body, "tags": {"k8s-azure-owner-service": "ns/one", "mine": "1"}})
    merge = {"operation": "Merge", "properties": {"tags": {"k8s-azure-owner-service": "ns/two"}}}
    before = arm.get(PLS)
    assert arm.call("PATCH", PLS, {"tags": {}}).status_code == 405
    assert arm.call("PATCH", f"{PLS}/providers/Microsoft.Resources/tags/default", merge).status_code == 200
    after = arm.get(PLS)
    assert after["tags"] == {"k8s-azure-owner-service": "ns/two", "mine": "1"}
    assert after["properties"] == before["properties"]
    too_long = {**body, "tags": {"a/b": "c"}}
    assert arm.refusal("PUT", PLS, too_long)[1]["code"] == "InvalidTagNameCharacters"
    assert "tags" not in arm.put(PLS, body)


def test_auto_approval_beyond_visibility_is_refused_when_asked_to_be_strict() -> None:
    """Documents and practice disagree, so both can be simulated."""
    wider = _with(visibility={"subscriptions": []}, autoApproval={"subscriptions": [GUID]})()
    for strict, status in ((True, 400), (False, 201)):
        options = replace(OPTIONS, provisioning_seconds=0, strict_auto_approval=strict)
        with running_arm(options) as arm:
            arm.open_subnet()
            arm.frontends("a1")
            assert arm.call("PUT", PLS, wider).status_code == status


def test_a_network_bears_only_so_many_pls_writes_at_once_when_asked() -> None:
    """The 429 that is no quota: a client that learns its parallelism learns it from here."""
    with running_arm(replace(OPTIONS, pls_writes_per_network=1)) as arm:
        arm.open_subnet()
        arm.frontends("a1", "a2")
        arm.slow()
        first = arm.call("PUT", PLS, private_link_service(frontend("a1")))
        other = PLS.replace("pls1", "pls2")
        answer = arm.call("PUT", other, private_link_service(frontend("a2")))
        assert answer.json()["error"]["code"] == "RetryableErrorDueToAnotherOperation"
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        arm.done(first)
        arm.put(other, private_link_service(frontend("a2")))


def test_writes_below_one_load_balancer_or_network_run_one_at_a_time_when_asked() -> None:
    """Of two on a load balancer the second is told 409; on another load balancer, but in the network, 429."""
    elsewhere = f"{NETWORK}/loadBalancers/other"
    with running_arm(replace(OPTIONS, contention="parent")) as arm:
        arm.open_subnet()
        arm.frontends("a1", "a2")
        [there] = arm.frontends("b1", balancer=elsewhere)
        arm.slow()
        first = arm.call("PUT", PLS, private_link_service(frontend("a1")))
        second, third = PLS.replace("pls1", "pls2"), PLS.replace("pls1", "pls3")
        assert arm.refusal("PUT", second, private_link_service(frontend("a2")))[1]["code"] == (
            "AnotherOperationInProgress"
        )
        assert arm.refusal("PUT", third, private_link_service(there))[1]["code"] == (
            "RetryableErrorDueToAnotherOperation"
        )
        arm.done(first)
        arm.put(third, private_link_service(there))


def test_a_public_ip_in_use_stays_and_serves_one_frontend(arm: Arm) -> None:
    """The cloud provider deletes public IPs only after their frontend."""
    address = f"{NETWORK}/publicIPAddresses/ip1"
    arm.put(address, {"location": "eastus", "properties": {}})
    item = {"properties": {"publicIPAddress": {"id": address}}}
    body = {"location": "eastus", "properties": {"frontendIPConfigurations": [{"name": "f1", **item}]}}
    public = f"{NETWORK}/loadBalancers/kubernetes"
    arm.put(public, body)
    user = f"{public}/frontendIPConfigurations/f1"
    assert arm.get(address)["properties"]["ipConfiguration"] == {"id": user}
    assert arm.refusal("DELETE", address)[1]["code"] == "PublicIPAddressCannotBeDeleted"
    other = f"{NETWORK}/loadBalancers/other"
    assert arm.refusal("PUT", other, body)[1]["code"] == "PublicIPAddressInUse"
    arm.delete(public)
    arm.delete(address)
