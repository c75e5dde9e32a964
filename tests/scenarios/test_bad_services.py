"""Annotations of no sense: refused for that Service alone, with the reason; its neighbour gets its PLS."""

from __future__ import annotations

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

SUBNET_ID = (
    "/subscriptions/x/resourceGroups/MC_prod/providers/Microsoft.Network/virtualNetworks/v/subnets/default"
)
MANY = " ".join(f"10.224.9.{i}" for i in range(1, 100))
# What a Service asks for, and a word of the reason.
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "ninety-nine-addresses": (
        {"pls-ip-configuration-ip-address-count": "99", "pls-ip-configuration-ip-address": MANY},
        "from 1 to 8",
    ),
    "more-addresses-than-count": (
        {"pls-ip-configuration-ip-address": "10.224.9.1 10.224.9.2"},
        "raise the count",
    ),
    "ipv6-address": ({"pls-ip-configuration-ip-address": "fd00::1"}, "IPv4"),
    "count-of-letters": ({"pls-ip-configuration-ip-address-count": "many"}, "number from 1 to 8"),
    "count-empty": ({"pls-ip-configuration-ip-address-count": ""}, "number from 1 to 8"),
    "name-of-10-kb": ({"pls-name": "x" * 10_000}, "no name of a Private Link Service"),
    "name-empty": ({"pls-name": ""}, "no name of a Private Link Service"),
    "name-unicode": ({"pls-name": "пльс-🦊"}, "no name of a Private Link Service"),
    "name-control": ({"pls-name": "a\u0007\nb"}, "no name of a Private Link Service"),
    "name-path": ({"pls-name": "../../virtualNetworks/aks-vnet"}, "no name of a Private Link Service"),
    "subnet-missing": ({"pls-ip-configuration-subnet": "nowhere"}, "does not exist"),
    "subnet-id": ({"pls-ip-configuration-subnet": SUBNET_ID}, "not its resource id"),
    "group-missing": ({"pls-resource-group": "no-such-group"}, "no-such-group"),
    "group-unicode": ({"pls-resource-group": "gr\u0000up"}, "resource group"),
    "address-outside": ({"pls-ip-configuration-ip-address": "192.168.7.7"}, "192.168.7.7"),
    "visibility-of-no-guid": ({"pls-visibility": "everybody please"}, "everybody"),
    "name-taken": ({"pls-name": "pls-neighbour"}, "pls-neighbour"),
}
# Odd, and read as the peer reads it: what the PLS has.
ACCEPTED: dict[str, tuple[dict[str, str], dict[str, object]]] = {
    "padded": (
        {"pls-create": " TRUE\n", "pls-fqdns": "  a.example  b.example ", "pls-visibility": " * x "},
        {"fqdns": 2},
    ),
    "nonsense-boolean": ({"pls-proxy-protocol": "ja"}, {"enableProxyProtocol": False}),
    "long-list": ({"pls-fqdns": " ".join(f"host-{i}.example" for i in range(300))}, {"fqdns": 300}),
}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """All of them at once, as somebody's bad deployment has it, the good neighbour last."""
    world = start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3))
    world.make_ready("prod", "neighbour")
    wishes = {name: wish for name, (wish, _) in [*REFUSED.items(), *ACCEPTED.items()]}
    for name, wish in wishes.items():
        ask(world, name, wish)
    world.make_ready("prod", "last")
    return world


def ask(world: World, name: str, wish: dict[str, str]) -> None:
    """An internal Service with these annotations."""
    own = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": f"pls-{name}"}
    world.apply_service("prod", name, {**own, **wish})


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_wish_is_refused_with_its_reason(world: World, name: str) -> None:
    """In status, about this Service, in words that tell what to do; the load balancer works on."""
    _, word = REFUSED[name]
    found = world.wait(
        f"{name} is refused", lambda: [f for f in world.findings("prod", name) if f["severity"] == "error"]
    )
    assert word in " ".join(f["sentence"] for f in found)
    assert all(len(f["sentence"]) < 1500 and f["sentence"].isprintable() for f in found)
    assert world.address("prod", name)


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_odd_wish_is_read_as_the_peer_reads_it(world: World, name: str) -> None:
    """Padding, a boolean that is none, long lists."""
    _, expected = ACCEPTED[name]
    has = world.ready(world.pls_id("MC_prod", f"pls-{name}"))["properties"]
    for key, value in expected.items():
        assert (len(has[key]) if isinstance(has[key], list) else has[key]) == value


def test_the_neighbours_have_theirs_and_the_refused_have_none(world: World) -> None:
    """One Service's typo stops no other, and nothing is sent over and over for it."""
    group = f"{world.group('MC_prod')}/providers/Microsoft.Network/privateLinkServices"

    def names() -> set[str]:
        return {p["name"] for p in world.expect(world.sandbox.arm("GET", group), 200)["value"]}

    wanted = {"pls-neighbour", "pls-last", *(f"pls-{name}" for name in ACCEPTED)}
    world.wait("exactly the good ones", lambda: names() == wanted, lambda: sorted(names() ^ wanted))
    world.run_now("prod")
    world.forget_requests()
    world.run_now("prod")
    assert world.link_writes() == []


def test_a_mended_wish_gets_its_private_link_service(world: World) -> None:
    """Without waiting for anything but the next look."""
    world.annotate("prod", "subnet-missing", {"pls-ip-configuration-subnet": "pls-subnet"})
    world.ready(world.pls_id("MC_prod", "pls-subnet-missing"))
    assert [f for f in world.findings("prod", "subnet-missing") if f["severity"] == "error"] == []
