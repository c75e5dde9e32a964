"""What Azure holds: load balancers and their frontends, Private Link Services, subnets, public addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

CLUSTER_TAG = "k8s-azure-cluster-name"
OWNER_TAG = "k8s-azure-owner-service"
# Provisioning states: while an operation runs, and once one has ended badly.
IN_TRANSIT = ("Creating", "Updating", "Deleting")
ENDED_BADLY = ("Failed", "Canceled")


@dataclass(frozen=True, slots=True)
class Frontend:
    """A frontend IP configuration of a load balancer, with the names of the rules on it."""

    id: str
    name: str
    load_balancer_id: str
    rule_names: tuple[str, ...] = ()
    private_ip: str = ""
    subnet_id: str = ""
    public_ip_id: str = ""
    ip_version: str = "IPv4"

    @property
    def internal(self) -> bool:
        """Has an address inside the virtual network."""
        return not self.public_ip_id


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer. ``provisioning_state`` as ARM says it; ``edge_zone`` is "" in a region itself."""

    id: str
    name: str
    provisioning_state: str = "Succeeded"
    frontends: tuple[Frontend, ...] = ()
    sku: str = "Standard"
    edge_zone: str = ""


@dataclass(frozen=True, slots=True)
class PublicIp:
    """A public IP address resource."""

    id: str
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class NatIp:
    """One IP configuration of a PLS (a NAT IP). ``address`` is "" for a dynamic one."""

    name: str
    subnet_id: str
    address: str = ""
    primary: bool = False
    version: str = "IPv4"

    @property
    def static(self) -> bool:
        """Has an address of its own."""
        return bool(self.address)


@dataclass(frozen=True, slots=True)
class Connection:
    """A private endpoint connection of a PLS. ``status``: Pending, Approved, Rejected, Disconnected."""

    id: str
    name: str
    status: str
    endpoint_id: str = ""


@dataclass(frozen=True, slots=True)
class PrivateLinkService:
    """A Private Link Service as ARM answered; ``raw`` is the JSON, so that nothing unknown is lost."""

    id: str
    name: str
    resource_group: str
    location: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    provisioning_state: str = "Succeeded"
    resource_guid: str = ""
    alias: str = ""
    frontend_id: str = ""
    nat_ips: tuple[NatIp, ...] = ()
    fqdns: tuple[str, ...] = ()
    proxy_protocol: bool = False
    visibility: tuple[str, ...] = ()
    auto_approval: tuple[str, ...] = ()
    connections: tuple[Connection, ...] = ()
    network_interfaces: tuple[str, ...] = ()
    raw: Json = field(default_factory=dict, repr=False)

    def tag(self, name: str) -> str | None:
        """A tag's value; names compare without regard to case, as ARM's do."""
        return next((v for k, v in self.tags.items() if k.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet. ``free`` is an estimate of free addresses, None where it cannot be told."""

    id: str
    name: str
    policy: str = ""
    provisioning_state: str = "Succeeded"
    etag: str = ""
    free: int | None = None
    raw: Json = field(default_factory=dict, repr=False)
