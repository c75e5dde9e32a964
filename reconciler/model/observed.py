"""One look at a cluster and its Azure side, and what it means that something was not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from reconciler.model.configured import ClusterConfig
from reconciler.model.ledger import Ownership, Reservation, Sharing
from reconciler.model.resources import LoadBalancer, PrivateLinkService, PublicIp, Subnet
from reconciler.model.services import Service, ServiceRef

_T = TypeVar("_T")

WAIT = "wait:"  # what the sightings of things in transit begin with


@dataclass(frozen=True, slots=True)
class Unknown:
    """A view that could not be read to its end, and why. Never to be taken for an empty one."""

    reason: str


def known(view: tuple[_T, ...] | Unknown) -> tuple[_T, ...]:
    """What there is to look at: nothing of a view that could not be read. Never a proof of absence."""
    return () if isinstance(view, Unknown) else view


class Absent(StrEnum):
    """A thing that was looked for and is not there (as opposed to :class:`Unknown`)."""

    NOT_FOUND = "not found"
    GROUP_NOT_FOUND = "resource group not found"


class Proof(StrEnum):
    """What reading a Service by its name proved."""

    GONE = "gone"
    DELETING = "deleting"
    PRESENT = "present"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Observed:
    """One look at a cluster and its Azure side; the only input of a plan besides the settings.

    ``services`` is complete or :class:`Unknown`. ``groups`` tells for each resource group (lower
    case) that was read on its own whether it was; it is empty when the whole subscription was listed.
    ``sightings`` holds since when a passing condition has been seen (see ``planning``); ``remembers``
    is false where there is no ledger to hold them. ``absent_pls`` (lower-case ids) were read by id and
    are not there; ``released`` is the digest of held deletes that a person let go. ``nat_addresses``
    (by lower-case PLS id) are addresses read from a PLS's network interface: ARM tells dynamic ones there.
    """

    cluster: ClusterConfig
    now: datetime
    services: tuple[Service, ...] | Unknown = ()
    load_balancers: tuple[LoadBalancer, ...] | Unknown = ()
    private_link_services: tuple[PrivateLinkService, ...] | Unknown = ()
    groups: Mapping[str, Absent | Unknown | None] = field(default_factory=dict)
    subnets: Mapping[str, Subnet | Absent | Unknown] = field(default_factory=dict)
    public_ips: tuple[PublicIp, ...] | Unknown = ()
    ownership: tuple[Ownership, ...] = ()
    sharing: tuple[Sharing, ...] = ()
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    proofs: Mapping[ServiceRef, Proof] = field(default_factory=dict)
    sightings: Mapping[str, datetime] = field(default_factory=dict)
    absent_pls: frozenset[str] = frozenset()
    nat_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    released: str = ""
    remembers: bool = True
