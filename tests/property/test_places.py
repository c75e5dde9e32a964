"""Services are placed on frontends by look-up; a plain search over all frontends finds the same ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler import arm_ids
from reconciler.annotations import LB_IPV4, PIP_NAME, is_internal, trim
from reconciler.model import Frontend, PublicIp, Service
from reconciler.tenancy import by_frontend, prefixes_on, standing_on, uid_prefix
from tests.builders import EXTERNAL, INTERNAL, frontend, load_balancers, network_id, service

ADDRESSES = ("", "10.0.0.1", "10.0.0.2", "20.0.0.1", "20.0.0.2")
NAMES = ("", "one", "Two", " three ")
PUBLIC_IPS = ("one", "two", "three")


@st.composite
def a_service(draw: st.DrawFn, index: int) -> Service:
    """Names addresses in any of the ways there are."""
    annotations = {LB_IPV4: draw(st.sampled_from(ADDRESSES)), PIP_NAME: draw(st.sampled_from(NAMES))}
    return service(
        f"s{index}",
        internal=draw(st.booleans()),
        annotations={key: value for key, value in annotations.items() if value},
        load_balancer_ip=draw(st.sampled_from(ADDRESSES)),
        deleting=draw(st.integers(0, 4)) == 0,
    )


@st.composite
def a_frontend(draw: st.DrawFn, index: int, services: list[Service]) -> Frontend:
    """Named after a Service, or after nobody; inside or public, and then perhaps without a known address."""
    named = draw(st.lists(st.sampled_from(services), max_size=2, unique_by=lambda s: s.uid))
    version = draw(st.sampled_from(("IPv4", "IPv4", "IPv6")))
    if draw(st.booleans()):
        address = draw(st.sampled_from(ADDRESSES))
        return frontend(*named, name=f"f{index}", lb=INTERNAL, private_ip=address, ip_version=version)
    ip = network_id("publicIPAddresses", draw(st.sampled_from((*PUBLIC_IPS, "unknown")))).upper()
    return frontend(*named, name=f"f{index}", lb=EXTERNAL, public_ip_id=ip, ip_version=version)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Service], list[Frontend], list[PublicIp]]:
    """A few Services, frontends and public IP resources."""
    services = [draw(a_service(i)) for i in range(draw(st.integers(1, 4)))]
    frontends = [draw(a_frontend(i, services)) for i in range(draw(st.integers(0, 5)))]
    address = st.sampled_from(ADDRESSES)
    ips = [
        PublicIp(network_id("publicIPAddresses", name), name.title(), draw(address)) for name in PUBLIC_IPS
    ]
    return services, frontends, ips


def joinable(on: Frontend, services: list[Service]) -> bool:
    """Whether an address may place a Service there: not where only Services stand that are gone."""
    standing = standing_on(on)
    return not standing or any(uid_prefix(s.uid) in standing for s in services if s.live)


def searched(placed: Service, on: Frontend, frontends: list[Frontend], ips: list[PublicIp]) -> bool:
    """Whether a live Service stands on a frontend, by the rule as it is written down."""

    def named(frontend: Frontend) -> bool:
        fits = frontend.ip_version != "IPv6" and frontend.internal == is_internal(placed)
        return fits and uid_prefix(placed.uid) in prefixes_on(frontend)

    if on.ip_version == "IPv6" or any(map(named, frontends)):
        return named(on)
    address = trim(placed.annotations.get(LB_IPV4, "")) or trim(placed.load_balancer_ip)
    if is_internal(placed):
        return on.internal and bool(address) and on.private_ip == address
    name = trim(placed.annotations.get(PIP_NAME, "")).lower()
    return any(
        arm_ids.same(ip.id, on.public_ip_id)
        and ((bool(address) and ip.address == address) or (bool(name) and ip.name.lower() == name))
        for ip in ips
    )


@given(worlds())
def test_looking_up_places_whom_searching_places(
    world: tuple[list[Service], list[Frontend], list[PublicIp]],
) -> None:
    """By name first, by address else, each once, on every frontend it means, and on no other."""
    services, frontends, ips = world
    tenants = by_frontend(services, load_balancers(frontends), ips)
    for on in frontends:
        found = sorted(s.name for s in tenants.get(arm_ids.key(on.id), ()))
        there = (s for s in services if s.live and searched(s, on, frontends, ips))
        expected = sorted(
            s.name for s in there if uid_prefix(s.uid) in prefixes_on(on) or joinable(on, services)
        )
        assert found == expected
