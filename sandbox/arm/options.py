"""How the simulated ARM is to behave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
EventSink = Callable[[Json], Awaitable[None]]

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-0000000000aa"
IDENTITY_HEADER = "sandbox-identity-header"


@dataclass(frozen=True)
class Bucket:
    """A token bucket: its size, and tokens refilled per second."""

    size: int
    refill: float


@dataclass(frozen=True)
class Throttle:
    """ARM's token buckets, per subscription, principal and kind of request."""

    reads: Bucket = Bucket(250, 25)
    writes: Bucket = Bucket(200, 10)
    deletes: Bucket = Bucket(200, 10)


@dataclass(frozen=True)
class EventOptions:
    """How Event Grid misbehaves. `drop` and `duplicate` are probabilities, `delay` seconds (from, to)."""

    schema: Literal["eventgrid", "cloudevents"] = "eventgrid"
    drop: float = 0.0
    duplicate: float = 0.0
    delay: tuple[float, float] = (0.0, 0.0)
    seed: int = 0


@dataclass(frozen=True)
class ArmOptions:
    """The simulated ARM's settings. Seconds are floats; `port` 0 takes a free one.

    provisioning_seconds: how long a PLS or private endpoint stays Updating; subnets, virtual
    networks and public IPs take a third of it, load balancers none. retry_after: the header's value
    on answers about running operations (0 leaves it out: real clients then poll every 30 s).
    page_size: lists longer than it are paged. strict_auto_approval: refuse an autoApproval that is
    no subset of visibility (documents and practice disagree). clusters: each has a node resource group with its network, and an AKS resource
    unless it is one of other_clusters. managed_networks: clusters whose network has the names that AKS gives it. pls_writes_per_network: how many writes and
    deletes of PLSs may run at once in one virtual network before the next is a 429 (real ARM does that, nobody
    knows at which number). contention "parent": writes and deletes of PLSs run one at a time below a load balancer
    (the next is a 409) and in a virtual network (a 429).
    """

    subscription: str = SUBSCRIPTION
    consumer_subscriptions: tuple[str, ...] = ("00000000-0000-0000-0000-000000000002",)
    tenant: str = TENANT
    location: str = "eastus"
    provisioning_seconds: float = 2.0
    retry_after: int = 1
    page_size: int | None = None
    throttle: Throttle | None = None
    identity_header: str = IDENTITY_HEADER
    token_seconds: int = 36_000
    strict_auto_approval: bool = False
    pls_writes_per_network: int | None = None
    contention: Literal["none", "parent"] = "none"
    events: EventOptions = field(default_factory=EventOptions)
    on_event: EventSink | None = None
    default_world: bool = True
    clusters: tuple[str, ...] = ("prod",)
    other_clusters: tuple[str, ...] = ()
    managed_networks: tuple[str, ...] = ()
    port: int = 0

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Every subscription that exists."""
        return (self.subscription, *self.consumer_subscriptions)
