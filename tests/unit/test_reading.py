"""Answers of ARM and Kubernetes, read as nouns: what decides, and what odd answers are taken for."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import reading
from reconciler.model import Frontend
from tests.builders import (
    EXTERNAL,
    INTERNAL,
    VNET,
    connection,
    decide,
    deeds,
    frontend,
    network_id,
    pls,
    pls_id,
    pls_json,
    put_of,
    service,
    subnet_id,
)

UID = "a1234567890abcdef1234567890abcde"
PUBLIC: dict[str, Any] = {"publicIPAddress": {"id": network_id("publicIPAddresses", "ip")}}


def read_frontend(name: str, *rules: str, lb: str = EXTERNAL, **properties: Any) -> Frontend:
    """A frontend as ARM answers it inside its load balancer."""
    balancer = network_id("loadBalancers", lb)
    listed = [{"id": f"{balancer}/loadBalancingRules/{rule}"} for rule in rules]
    item = {
        "id": f"{balancer}/frontendIPConfigurations/{name}",
        "name": name,
        "properties": {**properties, "loadBalancingRules": listed},
    }
    found = reading.load_balancer({"id": balancer, "properties": {"frontendIPConfigurations": [item]}})
    assert found is not None
    (only,) = found.frontends
    return only


# Which IP version a frontend has


@pytest.mark.parametrize(
    ("name", "rules", "version"),
    [
        (UID, [], "IPv4"),
        (f"{UID}-IPv6", [], "IPv6"),
        (f"{UID}-ipv6", [], "IPv6"),
        (UID, [f"{UID}-TCP-80-IPv6"], "IPv6"),
        (UID, [f"{UID}-TCP-80"], "IPv4"),
    ],
)
@pytest.mark.parametrize("told", [{}, {"privateIPAddressVersion": "IPv4"}])
def test_the_names_tell_the_version_of_a_public_frontend(
    name: str, rules: list[str], version: str, told: dict[str, Any]
) -> None:
    """The provider says the version of internal ones only; of a dual-stack Service's it ends the names."""
    assert read_frontend(name, *rules, **PUBLIC, **told).ip_version == version


@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
def test_an_internal_frontend_has_the_version_that_it_says(version: str) -> None:
    """Its name may end in that of a subnet, which may be called anything."""
    read = read_frontend(f"{UID}-nets-IPv6", lb=INTERNAL, privateIPAddressVersion=version)
    assert read.ip_version == version


@pytest.mark.parametrize(
    ("told", "zone"),
    [({"name": "losangeles", "type": "EdgeZone"}, "losangeles"), (None, ""), ({"name": 7}, ""), ("la", "")],
)
def test_a_load_balancer_in_an_edge_zone_says_which(told: Any, zone: str) -> None:
    """Whatever else ARM answers there is none."""
    found = reading.load_balancer({"id": network_id("loadBalancers", INTERNAL), "extendedLocation": told})
    assert found is not None
    assert found.edge_zone == zone


def test_a_dual_stack_public_service_gets_its_pls_on_the_ipv4_frontend_alone() -> None:
    """Neither a second one on the IPv6 frontend nor a move of the first to it."""
    web = service(internal=False, ip_families=("IPv4", "IPv6"))
    four = frontend(web, lb=EXTERNAL)
    six = read_frontend(f"{four.name}-IPv6", f"{four.name}-TCP-80-IPv6", **PUBLIC)
    assert put_of(decide(web, frontends=[four, six])).frontend_id == four.id
    named = service(internal=False, ip_families=("IPv4", "IPv6"), settings={"name": "mine"})
    assert deeds(decide(named, frontends=[four, six], links=[pls(four, named, "mine")]).writes) == []


# Whether any Service changed


def test_the_digest_takes_any_text_and_knows_each_from_the_others() -> None:
    """JSON may hold half a surrogate pair, which UTF-8 has no bytes for: one odd Service is not an odd list."""
    digests = {reading.digest([(uid, "1"), ("u", "2")]) for uid in ("\ud800", "\udc00", "?", "\ufffd", "é")}
    assert len(digests) == 5


# What is no Private Link Service


@pytest.mark.parametrize(
    "identifier",
    [
        network_id("publicIPAddresses", "kubernetes-a1"),
        network_id("privateLinkServices", "x") + "/privateEndpointConnections/pe",
        network_id("privateLinkServices", "x").replace("Microsoft.Network", "Microsoft.Other"),
        "x",
    ],
)
def test_another_resource_is_no_private_link_service(identifier: str) -> None:
    """The provider tags public IPs as it tags PLSs: whatever passes for one of ours may be deleted."""
    assert reading.private_link_service({**pls_json("x", "", "shop/web"), "id": identifier}) is None


def test_the_id_of_a_private_link_service_has_no_case() -> None:
    """ARM spells it as whoever wrote first did."""
    spelled = pls_id("x").upper()
    assert reading.private_link_service({**pls_json("x", "", "shop/web"), "id": spelled}) is not None


def test_a_connection_is_one_only_below_its_private_link_service() -> None:
    """Its id is one that gets deleted."""
    foreign = {**connection("x", "a"), "id": network_id("virtualNetworks", "vnet")}
    beside, deeper = connection("y", "b"), connection("x", "c/d")
    own = {**connection("x", "e"), "id": connection("x", "e")["id"].upper()}
    raw = pls_json("x", "", "shop/web", privateEndpointConnections=[foreign, beside, deeper, own])
    read = reading.private_link_service(raw)
    assert read is not None
    assert [c.id for c in read.connections] == [own["id"]]


@pytest.mark.parametrize("properties", [None, [], "x"])
def test_a_subnet_without_its_properties_is_none(properties: Any) -> None:
    """Its policy is set by a PUT of all that was read; one of nothing would take its addresses away."""
    raw = {"id": subnet_id("default"), "name": "default", "properties": properties}
    assert reading.subnet(raw) is None
    assert reading.subnet({**raw, "properties": {}}) is not None


@pytest.mark.parametrize(
    "identifier", [VNET, pls_id("x"), f"{subnet_id('default')}/x/y", f"{VNET}/peerings/p"]
)
def test_what_is_no_subnet_is_not_written_back_as_one(identifier: str) -> None:
    """A plan is made of it: the id goes into a PUT, and its name into a command for a person."""
    assert reading.subnet({"id": identifier, "properties": {}}) is None
    assert reading.subnet({"id": subnet_id("default").upper(), "properties": {}}) is not None
