"""Answers of ARM and Kubernetes, read as nouns: what decides, and what odd answers are taken for."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler import reading
from reconciler.model import Frontend
from tests.builders import EXTERNAL, INTERNAL, decide, deeds, frontend, network_id, pls, put_of, service

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


def test_a_dual_stack_public_service_gets_its_pls_on_the_ipv4_frontend_alone() -> None:
    """Neither a second one on the IPv6 frontend nor a move of the first to it."""
    web = service(internal=False, ip_families=("IPv4", "IPv6"))
    four = frontend(web, lb=EXTERNAL)
    six = read_frontend(f"{four.name}-IPv6", f"{four.name}-TCP-80-IPv6", **PUBLIC)
    assert put_of(decide(web, frontends=[four, six])).frontend_id == four.id
    named = service(internal=False, ip_families=("IPv4", "IPv6"), settings={"name": "mine"})
    assert deeds(decide(named, frontends=[four, six], links=[pls(four, named, "mine")]).writes) == []
