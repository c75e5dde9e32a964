"""Desired state: built from the claim, compared by the peer's rule, laid over what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler import reading
from reconciler.claims import Wish
from reconciler.desired import (
    Desired,
    content_hash,
    create_body,
    desired,
    differences,
    tag_body,
    update_body,
)
from reconciler.model import CLUSTER_TAG, OWNER_TAG, NatIp, PrivateLinkService
from tests.builders import CONFIG, configured, frontend, pls, pls_id, service, subnet_id

WEB = service()
ON = frontend(WEB)


def goal(name: str = "mine", config: Any = CONFIG, **wish: Any) -> Desired:
    """The desired state of a wish."""
    wanted = Wish(None, None, **{"subnet": "default", **wish})
    return desired(config, wanted, pls_id(name), ON.id, subnet_id(wanted.subnet), WEB.key)


def there(**properties: Any) -> PrivateLinkService:
    """A PLS that equals the default goal, but for these properties."""
    return pls(ON, WEB, "mine", **properties)


def nat(address: str = "", primary: bool = False, subnet: str = "default", name: str = "n") -> NatIp:
    """A NAT IP as observed."""
    return NatIp(name, subnet_id(subnet), address, primary)


def named(changes: Any) -> list[str]:
    """The properties of changes."""
    return [c.property for c in changes]


# Building


def test_static_addresses_come_first_then_dynamic_ones_and_the_first_is_primary() -> None:
    """Names as the peer makes them."""
    ips = goal(ip_count=3, static_ips=("10.0.0.9", "10.0.0.8")).nat_ips
    assert [(ip.address, ip.primary) for ip in ips] == [("10.0.0.9", True), ("10.0.0.8", False), ("", False)]
    assert [ip.name for ip in ips] == [
        "default-mine-static-10.0.0.9",
        "default-mine-static-10.0.0.8",
        "default-mine-dynamic-0",
    ]


def test_long_names_are_cut_before_the_suffix_so_that_they_stay_distinct() -> None:
    """Eighty characters at most, and no two alike."""
    names = [ip.name for ip in goal("p" * 80, ip_count=8, static_ips=("10.0.0.9",)).nat_ips]
    assert max(map(len, names)) == 80
    assert len(set(names)) == 8


def test_configured_tags_go_beside_the_clusters_and_the_owners() -> None:
    """They cannot replace them."""
    tags = goal(config=configured(tags={"env": "prod", OWNER_TAG: "x/y"})).tags
    assert tags == {"env": "prod", CLUSTER_TAG: "kubernetes", OWNER_TAG: "shop/web"}


def test_the_body_of_a_create_reads_back_as_the_goal() -> None:
    """What we send is what we would be content with."""
    wanted = goal(ip_count=2, static_ips=("10.0.0.9",), fqdns=("a",), proxy_protocol=True, visibility=("*",))
    read = reading.private_link_service({**create_body(wanted), "id": wanted.pls_id, "name": "mine"})
    assert read is not None
    assert differences(wanted, read) == ()
    assert "privateIPAddress" not in str(create_body(goal())["properties"]["ipConfigurations"]).replace(
        "privateIPAddressVersion", ""
    )


# Comparing


def test_equal_is_equal() -> None:
    """The base of all the differences below."""
    assert differences(goal(), there()) == ()


@pytest.mark.parametrize(
    ("seen", "same"),
    [
        ([nat("", True, name="whatever")], True),
        ([nat("", True, subnet="DEFAULT")], True),
        ([nat("", True, subnet="other")], False),
        ([nat("", True), nat()], False),
        ([nat("10.0.0.9", True)], False),
        ([nat()], False),
        ([], False),
    ],
    ids=["name", "case", "subnet", "count", "static", "no primary", "none"],
)
def test_one_dynamic_nat_ip_by_the_peers_rule(seen: list[NatIp], same: bool) -> None:
    """Count, subnets, static set and primary; never names or dynamic addresses."""
    assert (differences(goal(), replace(there(), nat_ips=tuple(seen))) == ()) is same


@pytest.mark.parametrize(
    ("seen", "same"),
    [
        ([nat("10.0.0.9", True), nat("10.0.0.8")], True),
        ([nat("10.0.0.8"), nat("10.0.0.9", True)], True),
        ([nat("10.0.0.9"), nat("10.0.0.8", True)], False),
        ([nat("10.0.0.9", True), nat("10.0.0.7")], False),
        ([nat("10.0.0.9", True), nat()], False),
    ],
    ids=["equal", "order", "another primary", "another address", "one dynamic"],
)
def test_static_nat_ips_by_the_peers_rule(seen: list[NatIp], same: bool) -> None:
    """The set of addresses and which is primary."""
    wanted = goal(ip_count=2, static_ips=("10.0.0.9", "10.0.0.8"))
    assert (differences(wanted, replace(there(), nat_ips=tuple(seen))) == ()) is same


@pytest.mark.parametrize(
    ("wished", "seen", "same"),
    [
        (("a", "b"), ("b", "a"), True),
        (("a", "a"), ("a",), False),
        (("a",), ("A",), False),
        ((), ("a",), False),
    ],
    ids=["order", "twice", "case", "removed"],
)
@pytest.mark.parametrize("name", ["fqdns", "visibility", "auto_approval"])
def test_lists_are_multisets_and_case_sensitive(
    name: str, wished: tuple[str, ...], seen: tuple[str, ...], same: bool
) -> None:
    """A removed annotation brings the default back."""
    wish: dict[str, Any] = {name: wished}
    observed: dict[str, Any] = {name: seen}
    assert (differences(goal(**wish), replace(there(), **observed)) == ()) is same


def test_cluster_and_owner_tags_are_set_only_where_missing() -> None:
    """A hand-edited owner stands; a missing one is a difference."""
    assert differences(goal(), there(tags={OWNER_TAG: "x/y", CLUSTER_TAG: "KUBERNETES"})) == ()
    assert named(differences(goal(), there(tags={OWNER_TAG: None}))) == [f"tags.{OWNER_TAG}"]


def test_names_of_tags_have_no_case() -> None:
    """As ARM's have none."""
    assert differences(goal(), there(tags={OWNER_TAG: None, OWNER_TAG.upper(): "shop/web"})) == ()


@pytest.mark.parametrize(("seen", "same"), [("Prod", True), ("test", False)])
def test_values_of_configured_tags_have_no_case(seen: str, same: bool) -> None:
    """As the peer compares them (``reconcileTags``): moving from it rewrites no PLS for a tag's spelling."""
    wanted = goal(config=configured(tags={"env": "prod"}))
    assert (differences(wanted, there(tags={"env": seen})) == ()) is same


def test_a_frontends_id_has_no_case() -> None:
    """ARM spells ids back as it likes."""
    assert differences(goal(), replace(there(), frontend_id=ON.id.upper() + "/")) == ()


# Laying over


def test_an_update_keeps_what_it_does_not_know_and_drops_what_is_read_only() -> None:
    """Foreign tags and properties survive, an extended location and zones too."""
    seen = there(tags={"team": "blue"}, accessMode="Restricted", fqdns=["old"])
    seen = replace(seen, raw={**seen.raw, "extendedLocation": {"name": "edge"}})
    body = update_body(goal(fqdns=("new",)), seen)
    assert body["extendedLocation"] == {"name": "edge"}
    assert body["tags"]["team"] == "blue"
    assert body["properties"]["accessMode"] == "Restricted"
    assert body["properties"]["fqdns"] == ["new"]
    assert not {"etag", "type", "name", "id"} & set(body)
    assert not {
        "alias",
        "provisioningState",
        "networkInterfaces",
        "privateEndpointConnections",
        "resourceGuid",
    } & set(body["properties"])


def test_an_update_replaces_ip_configurations_only_where_they_differ() -> None:
    """Their names are never compared, and a needless rename would replace the addresses."""
    seen = there(fqdns=["old"])
    kept = update_body(goal(), seen)["properties"]["ipConfigurations"]
    assert kept == seen.raw["properties"]["ipConfigurations"]
    changed = update_body(goal(ip_count=2), seen)["properties"]["ipConfigurations"]
    assert [c["name"] for c in changed] == ["default-mine-dynamic-0", "default-mine-dynamic-1"]


def test_an_update_reads_back_as_the_goal_and_leaves_the_observation_alone() -> None:
    """After the PUT there is nothing left to write, and nothing was changed in place."""
    seen = there(fqdns=["old"], tags={"Env": "test", OWNER_TAG: None}, enableProxyProtocol=True)
    before = repr(seen.raw)
    wanted = goal(config=configured(tags={"env": "prod"}), ip_count=4, visibility=("*",))
    read = reading.private_link_service({**update_body(wanted, seen), "id": seen.id, "name": "mine"})
    assert read is not None
    assert differences(wanted, read) == ()
    assert [k for k in read.tags if k.lower() == "env"] == ["env"]
    assert repr(seen.raw) == before


def test_a_tag_body_changes_nothing_but_tags() -> None:
    """The properties are those that were read."""
    seen = there(fqdns=["by-hand"], tags={OWNER_TAG.upper(): "x/y"})
    body = tag_body(seen, {OWNER_TAG: "shop/web"})
    assert body["properties"]["fqdns"] == ["by-hand"]
    assert [v for k, v in body["tags"].items() if k.lower() == OWNER_TAG] == ["shop/web"]


# Hash


def test_equal_content_has_an_equal_hash_and_other_content_another() -> None:
    """Order of lists and case of ids do not matter; anything that is written does."""
    base = goal(fqdns=("a", "b"))
    assert content_hash(base) == content_hash(goal(fqdns=("b", "a")))
    assert content_hash(base) == content_hash(replace(base, frontend_id=base.frontend_id.upper()))
    others = [
        goal(fqdns=("a",)),
        goal(fqdns=("a", "b"), proxy_protocol=True),
        goal(fqdns=("a", "b"), ip_count=2),
        goal(fqdns=("a", "b"), static_ips=("10.0.0.9",)),
        goal(fqdns=("a", "b"), subnet="pls-subnet"),
        goal(fqdns=("a", "b"), visibility=("*",)),
        goal(fqdns=("a", "b"), auto_approval=("*",)),
        goal(fqdns=("a", "b"), config=configured(tags={"env": "x"})),
        replace(base, frontend_id="elsewhere"),
    ]
    assert len({content_hash(o) for o in (base, *others)}) == len(others) + 1
