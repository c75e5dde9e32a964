"""Private addresses: which are held, by what, and which one a configuration gets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from sandbox.arm.errors import provider
from sandbox.arm.ids import LOAD_BALANCER, NIC, same
from sandbox.arm.state import Json, Store, children

IPv4 = ipaddress.IPv4Address
_read = lru_cache(maxsize=65_536)(IPv4)

_RESERVED_AT_START = 4
_RESERVED_AT_END = 1


@dataclass(frozen=True)
class Wish:
    """One configuration's wish for an address: a static one, or (None) any; `previous` is what it had."""

    configuration: str
    static: str | None
    previous: str | None = None


def held(store: Store, subnet_id: str) -> dict[IPv4, str]:
    """Address → id of the IP configuration that holds it: load balancer frontends and NICs."""
    found: dict[IPv4, str] = {}
    for collection, kind in (("frontendIPConfigurations", LOAD_BALANCER), ("ipConfigurations", NIC)):
        for resource in store.of_type(kind):
            for configuration in children(resource, collection):
                properties = configuration["properties"]
                address = properties.get("privateIPAddress")
                subnet = (properties.get("subnet") or {}).get("id", "")
                if address and same(subnet, subnet_id):
                    found[_read(address)] = configuration["id"]
    return found


def assign(store: Store, subnet: Json, wishes: list[Wish], owner: str) -> list[str]:
    """An address for each wish, in order. What `owner` (a resource id) held before is free for it again."""
    taken = {
        address: holder
        for address, holder in held(store, subnet["id"]).items()
        if not holder.lower().startswith(owner.lower() + "/")
    }
    given: dict[str, IPv4] = {}
    for wish in sorted(wishes, key=lambda wish: (wish.static is None, wish.previous is None)):
        address = _choose(subnet, wish, taken)
        taken[address] = wish.configuration
        given[wish.configuration] = address
    return [str(given[wish.configuration]) for wish in wishes]


def prefix_of(subnet: Json) -> ipaddress.IPv4Network:
    """The subnet's (first) address prefix."""
    properties = subnet["properties"]
    text = properties.get("addressPrefix") or (properties.get("addressPrefixes") or [None])[0]
    try:
        return ipaddress.IPv4Network(text)
    except (ValueError, TypeError) as error:
        raise provider.BAD_VALUE.error(reason=f"addressPrefix of {subnet.get('name')}: {error}") from error


def _choose(subnet: Json, wish: Wish, taken: dict[IPv4, str]) -> IPv4:
    if wish.static is not None:
        return _static(subnet, wish, taken)
    network = prefix_of(subnet)
    if wish.previous and IPv4(wish.previous) in network and IPv4(wish.previous) not in taken:
        return IPv4(wish.previous)
    first = int(network.network_address) + _RESERVED_AT_START
    last = int(network.broadcast_address) - _RESERVED_AT_END
    numbers = {int(address) for address in taken}
    for number in range(first, last + 1):
        if number not in numbers:
            return IPv4(number)
    raise provider.SUBNET_FULL.error(subnet=subnet["name"], prefix=network)


def _static(subnet: Json, wish: Wish, taken: dict[IPv4, str]) -> IPv4:
    network = prefix_of(subnet)
    try:
        address = IPv4(wish.static or "")
    except ValueError as error:
        raise provider.BAD_VALUE.error(reason=f"privateIPAddress {wish.static!r}") from error
    if address not in network:
        raise provider.IP_NOT_IN_SUBNET.error(address=address, prefix=network)
    offset = int(address) - int(network.network_address)
    if offset < _RESERVED_AT_START or address == network.broadcast_address:
        raise provider.IP_RESERVED.error(address=address, prefix=network)
    if address in taken:
        raise provider.IP_TAKEN.error(
            configuration=wish.configuration, address=address, holder=taken[address]
        )
    return address
