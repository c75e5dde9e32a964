"""What a cloud provider is told: the cluster it serves, the Azure it writes to, and how patient it is."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class SyncError(Exception):
    """A Service that cannot have what it asks for; the text goes into its event."""


@dataclass(frozen=True)
class ArmAccess:
    """Where ARM is and where its tokens come from."""

    url: str
    ca_path: Path
    identity_endpoint: str
    identity_header: str


@dataclass(frozen=True)
class ClusterAccess:
    """Where the cluster's API is, and a token or client certificate (with its key) that may do everything."""

    url: str
    ca_path: Path
    token: str
    certificate: tuple[Path, Path] | None = None

    def client_context(self) -> ssl.SSLContext:
        """Trusts the cluster's authority alone, and shows the client certificate if there is one."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        if self.certificate:
            context.load_cert_chain(*self.certificate)
        return context


@dataclass(frozen=True)
class ProviderOptions:
    """One cluster's provider. `pls` switches its own Private Link Service part on. Times in seconds.

    retry_seconds: the first and the longest pause before a failed Service is tried again (the real one:
    5 and 300). pls_cache_seconds: how long it believes what it last saw of the PLSs (the real one: 120).
    """

    name: str
    arm: ArmAccess
    cluster: ClusterAccess
    subscription: str
    location: str
    resource_group: str
    vnet_name: str = "aks-vnet"
    vnet_resource_group: str = ""
    default_subnet: str = "default"
    cluster_name: str = "kubernetes"
    pls: bool = False
    pls_resource_group: str = ""
    pls_cache_seconds: float = 120.0
    retry_seconds: tuple[float, float] = (0.5, 5.0)
    poll_seconds: float = 0.1

    def network(self, group: str) -> str:
        """The id of a resource group's Microsoft.Network part."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/Microsoft.Network"

    def balancer_id(self, *, internal: bool) -> str:
        """The id of the cluster's internal or public load balancer."""
        name = f"{self.cluster_name}-internal" if internal else self.cluster_name
        return f"{self.network(self.resource_group)}/loadBalancers/{name}"

    def subnet_id(self, name: str) -> str:
        """The id of a subnet of the cluster's virtual network ("" is the default one)."""
        vnet = self.network(self.vnet_resource_group or self.resource_group)
        return f"{vnet}/virtualNetworks/{self.vnet_name}/subnets/{name or self.default_subnet}"
