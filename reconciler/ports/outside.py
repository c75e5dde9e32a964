"""What the engine asks of others: Kubernetes, Azure, and those who hear our events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.aks import ManagedCluster, VirtualNetwork
from reconciler.model import (
    Condition,
    Endpoint,
    Json,
    LoadBalancer,
    PrivateLinkService,
    PublicIp,
    Service,
    ServiceEvent,
    ServiceRef,
    Subnet,
)


class Clock(Protocol):
    """The time, as an argument."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""


class Cluster(Protocol):
    """The Kubernetes API of one cluster.

    What writes raises Denied (code ``Forbidden``) where the role lacks it, NotFound where the Service or its
    namespace is gone, Stale where another has its name by now or something changed at that moment, Rejected where
    the cluster's own rules refuse it.
    """

    def list_services(self) -> tuple[Service, ...]:
        """All Services of type LoadBalancer, to the last page or an error; never a part of them."""

    def identity(self) -> str:
        """The UID of the Service ``default/kubernetes``, which tells one cluster from another."""

    def get_service(self, namespace: str, name: str) -> Service | None:
        """One Service by name, of any type; None only where the API said 404 for it.

        Raises Rejected for what no Service can be called, which proves nothing.
        """

    def digest(self) -> str:
        """A hash over uid and resourceVersion of all LoadBalancer Services (one metadata-only list)."""

    def patch_status(self, service: ServiceRef, condition: Condition | None) -> Service:
        """Set our condition, or remove it (None), and nothing else. Returns the Service as it is then.

        What changes nothing keeps its resourceVersion.
        """

    def patch_annotations(self, service: ServiceRef, annotations: Mapping[str, str | None]) -> Service:
        """Set these annotations, remove those of None, and leave the others. Returns the Service as it is then."""

    def record_event(self, event: ServiceEvent) -> None:
        """Write an Event. Where the same one is there already it is counted, at most once an hour."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What ARM answered to a write: the resource's provisioning state, "" where it told none."""

    provisioning_state: str = ""
    resource_guid: str = ""
    alias: str = ""


class Azure(Protocol):
    """Azure Resource Manager. ``NotFound.code`` is ``ResourceGroupNotFound`` where the group is missing."""

    def list_load_balancers(self, subscription: str, resource_group: str) -> tuple[LoadBalancer, ...]:
        """The load balancers of a resource group; empty where the group is not there."""

    def list_private_link_services(self, subscription: str) -> tuple[PrivateLinkService, ...]:
        """All of a subscription. Raises Denied where the role allows only resource groups."""

    def list_private_link_services_in(
        self, subscription: str, resource_group: str
    ) -> tuple[PrivateLinkService, ...]:
        """Those of one resource group. Raises NotFound where the group is not there."""

    def get_private_link_service(self, pls_id: str) -> PrivateLinkService:
        """One by id. Raises NotFound where it is not there."""

    def get_subnet(self, subnet_id: str) -> Subnet:
        """One subnet. Raises NotFound where it or its network is not there."""

    def list_public_ips(self, subscription: str, resource_group: str) -> tuple[PublicIp, ...]:
        """The public IP addresses of a resource group; empty where the group is not there."""

    def list_nat_addresses(self, subscription: str, resource_group: str) -> dict[str, tuple[str, ...]]:
        """The private addresses of a resource group's network interfaces, by lower-case id; empty without the group."""

    def put_private_link_service(self, pls_id: str, body: Json) -> Accepted:
        """Create or replace; accepted is not done."""

    def put_subnet(self, subnet_id: str, body: Json, etag: str) -> Accepted:
        """Replace a subnet, if it still has this ETag. Raises Stale where it has not."""

    def delete_private_link_service(self, pls_id: str) -> None:
        """Delete; also fine where it is not there."""

    def delete_connection(self, connection_id: str) -> None:
        """Delete a private endpoint connection; also fine where it is not there."""


class Aks(Protocol):
    """Azure Kubernetes Service, read-only."""

    def managed_clusters(self, subscription: str) -> tuple[ManagedCluster, ...]:
        """All of a subscription. Raises Denied where the role allows only single clusters."""

    def managed_cluster(self, resource_id: str) -> ManagedCluster:
        """One by id. Raises NotFound where it is not there."""

    def virtual_networks(self, subscription: str, resource_group: str) -> tuple[VirtualNetwork, ...]:
        """The virtual networks of a resource group."""

    def endpoint(self, resource_id: str) -> Endpoint:
        """Where the cluster's API is. Raises Denied with the role that is missing."""


class Publisher(Protocol):
    """A topic that gets our own events, CloudEvents 1.0 of :mod:`reconciler.published`."""

    def publish(self, events: Sequence[Json]) -> None:
        """Publish one batch, of at most 1 MB. Where it raises, the topic may have taken it all the same."""
