"""Which Services stand on which frontend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from reconciler import arm_ids
from reconciler.annotations import LB_IPV4, PIP_NAME
from reconciler.model import Frontend, PublicIp, Service
from reconciler.tenancy import by_frontend, needs_public_ips, prefixes_on, standing_on, uid_prefix
from tests.builders import EXTERNAL, after, frontend, load_balancers, network_id, service

ADDRESS = {LB_IPV4: "10.0.0.9"}
UID = "12345678-90ab-cdef-1234-567890abcdef"
PREFIX = "a1234567890abcdef1234567890abcde"


def tenants(
    services: Iterable[Service], *frontends: Frontend, ips: Iterable[PublicIp] = ()
) -> list[list[str]]:
    """The names of the tenants of each of these frontends."""
    seated = by_frontend(services, load_balancers(frontends), ips)
    return [[s.name for s in seated.get(arm_ids.key(f.id), ())] for f in frontends]


def test_the_uid_prefix_is_that_of_the_provider() -> None:
    """a + UID without dashes, cut to 32."""
    assert uid_prefix(UID) == PREFIX
    assert len(PREFIX) == 32


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        (PREFIX, True),
        (f"{PREFIX}-pls-subnet", True),
        (PREFIX.upper(), True),
        (f"{PREFIX}0", False),
        (f"x{PREFIX}", False),
        (PREFIX[:-1], False),
        ("", False),
    ],
)
def test_a_frontend_belongs_by_its_name_up_to_a_dash_or_the_end(name: str, belongs: bool) -> None:
    """A longer run of letters is another Service."""
    web = service(uid=UID)
    assert tenants([web], frontend(name=name)) == [["web"] if belongs else []]


def test_a_rules_name_makes_a_tenant_of_a_sharer() -> None:
    """The frontend's name is the first Service's; the rules name them all, oldest first."""
    old, young = service("old", age_days=9), service("young", age_days=1)
    assert tenants([young, old], frontend(young, old)) == [["old", "young"]]


def test_the_rules_of_a_frontend_tell_whose_it_is() -> None:
    """Whatever else is called like a rule."""
    web = service(uid=UID)
    assert prefixes_on(frontend(web, name="shared")) == frozenset({PREFIX})


def test_a_first_service_that_left_stands_no_longer_on_its_frontend() -> None:
    """The frontend keeps its name; only without any rule is that all there is to go by."""
    first, sharer = service(uid=UID), service("sharer")
    left = frontend(sharer, name=PREFIX)
    assert standing_on(left) == frozenset({uid_prefix(sharer.uid)})
    assert standing_on(replace(left, rule_names=())) == frozenset({uid_prefix(first.uid)})


def test_the_kind_must_fit_what_the_service_asks_for() -> None:
    """While it moves between balancers its old frontend still bears its name."""
    public, internal = service("web", internal=False), service("web")
    inside, outside = frontend(public), frontend(public, lb=EXTERNAL)
    assert tenants([public], inside, outside) == [[], ["web"]]
    assert tenants([internal], inside, outside) == [["web"], []]


def test_a_service_may_stand_on_several_load_balancers() -> None:
    """Both of one kind, as when it moves between internal ones."""
    web = service()
    assert tenants([web], frontend(web), frontend(web, lb="second-internal")) == [["web"], ["web"]]


@pytest.mark.parametrize(
    "web",
    [
        service(annotations=ADDRESS),
        service(annotations={LB_IPV4: " 10.0.0.9 "}),
        service(load_balancer_ip="10.0.0.9"),
        service(annotations=ADDRESS, load_balancer_ip="10.0.0.8"),
    ],
)
def test_an_internal_address_places_a_service_that_no_name_places(web: Service) -> None:
    """The annotation before the field."""
    other = frontend(name="other", private_ip="10.0.0.8")
    assert tenants([web], frontend(name="shared", private_ip="10.0.0.9"), other) == [["web"], []]


def test_a_name_goes_before_an_address() -> None:
    """An address that is wished but not given yet does not make a tenant of somebody else's frontend."""
    web = service(annotations=ADDRESS)
    assert tenants(
        [web], frontend(web, private_ip="10.0.0.1"), frontend(name="x", private_ip="10.0.0.9")
    ) == [
        ["web"],
        [],
    ]


def test_an_address_does_not_place_a_service_where_only_gone_ones_stand() -> None:
    """That frontend goes with them, also that of a predecessor of the same name; a living one holds it."""
    web, before, other = service(uid=UID, annotations=ADDRESS), service("web"), service("other")
    left = frontend(before, private_ip="10.0.0.9")
    assert tenants([web], left) == [[]]
    assert tenants([web, replace(before, deleting=True)], left) == [[]]
    assert tenants([web, other], frontend(before, other, private_ip="10.0.0.9")) == [["other", "web"]]
    assert tenants([web], frontend(before, web, private_ip="10.0.0.9")) == [["web"]]


def test_no_address_matches_no_frontend_without_one() -> None:
    """An empty wish is not equal to an unknown address."""
    assert tenants([service()], frontend(name="x", private_ip="")) == [[]]


def _public(name: str, address: str) -> tuple[Frontend, PublicIp]:
    ip = PublicIp(network_id("publicIPAddresses", name), name, address)
    return frontend(name=f"f-{name}", lb=EXTERNAL, public_ip_id=ip.id.upper()), ip


@pytest.mark.parametrize(
    "changes",
    [
        {"annotations": {LB_IPV4: "1.2.3.4"}},
        {"load_balancer_ip": "1.2.3.4"},
        {"annotations": {PIP_NAME: " One "}},
    ],
    ids=["annotation", "field", "name"],
)
def test_a_public_address_or_its_resources_name_places_a_public_service(changes: dict[str, Any]) -> None:
    """Looked up in the public IP resource, whose id and name have no case."""
    web = service(
        internal=False,
        annotations=changes.get("annotations"),
        load_balancer_ip=changes.get("load_balancer_ip", ""),
    )
    (one, first), (two, second) = _public("one", "1.2.3.4"), _public("two", "5.6.7.8")
    assert tenants([web], one, two, ips=[first, second]) == [["web"], []]
    assert needs_public_ips([web], load_balancers([one, two]))


def test_an_address_and_a_name_place_a_service_once_on_each_frontend_they_mean() -> None:
    """They may mean the same public IP, or two."""
    (one, first), (two, second) = _public("one", "1.2.3.4"), _public("two", "5.6.7.8")
    both = service("both", internal=False, annotations={LB_IPV4: "1.2.3.4", PIP_NAME: "two"})
    same = service("same", internal=False, age_days=1, annotations={LB_IPV4: "1.2.3.4", PIP_NAME: "one"})
    assert tenants([both, same], one, two, ips=[first, second]) == [["both", "same"], ["both"]]


def test_public_addresses_are_only_needed_where_they_place_somebody() -> None:
    """Not for internal Services, nor where a name places it, nor for one that names none."""
    on, _ = _public("one", "1.2.3.4")
    named = service("named", internal=False, annotations={PIP_NAME: "one"})
    plain = service("plain", internal=False)
    balancers = load_balancers([on, frontend(named, lb=EXTERNAL)])
    assert not needs_public_ips([named, plain, service(annotations=ADDRESS)], balancers)
    assert not needs_public_ips(
        [service("gone", internal=False, load_balancer_ip="x", deleting=True)], balancers
    )


def test_a_name_on_a_frontend_of_another_kind_places_nobody() -> None:
    """A Service that turned public and shares an address is still named by its old frontend inside."""
    turned = service(internal=False, load_balancer_ip="1.2.3.4", ip_families=("IPv4", "IPv6"))
    shared, ip = _public("one", "1.2.3.4")
    for left in (frontend(turned), frontend(turned, lb=EXTERNAL, ip_version="IPv6")):
        assert needs_public_ips([turned], load_balancers([left, shared]))
        assert tenants([turned], left, shared, ips=[ip]) == [[], ["web"]]


def test_tenants_are_sorted_by_age_then_namespace_then_name() -> None:
    """The election and its tie go by this order."""
    created = after(days=-1)
    services = [
        service("b", namespace="y", created=created),
        service("a", namespace="y", created=created),
        service("z", namespace="x", created=created),
        service("old", created=after(days=-2)),
        service("newer", created=after(days=-1, microseconds=1)),
    ]
    assert tenants(services, frontend(*services)) == [["old", "z", "a", "b", "newer"]]


def test_an_ipv6_frontend_has_no_tenants() -> None:
    """Neither by name nor by address."""
    web = service()
    assert tenants([web], frontend(web, ip_version="IPv6")) == [[]]
