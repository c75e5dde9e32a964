"""What is configured: clusters, how they are reached, and the limits of the whole deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

STANDARD_PREFIX = "service.beta.kubernetes.io/azure-pls-"

Mode = Literal["sync", "upsert-only", "plan"]
InTree = Literal["active", "absent"]
Succession = Literal["none", "oldest"]
SubnetPolicy = Literal["disable", "report"]
WriteBack = Literal["status", "annotations", "off"]


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """How a cluster's API is reached: by exactly one of an AKS resource, a kubeconfig (a path, the text or a
    secret), a server with its way to a token, or from inside the cluster.

    ``aks`` is the resource id. ``kubeconfig_secret`` and ``token_secret`` name secrets, they are none. ``scope``
    is what an Entra token is asked for.
    """

    aks: str = ""
    kubeconfig: str = ""
    kubeconfig_content: str = field(default="", repr=False)
    kubeconfig_secret: str = ""
    context: str = ""
    server: str = ""
    ca_file: str = ""
    ca_data: str = ""
    scope: str = ""
    token_file: str = ""
    token_secret: str = ""
    in_cluster: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a cluster's API is: an https address, and the authority of its certificate (PEM text)."""

    server: str
    ca_pem: str


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One cluster as configured. ``cluster_name`` is the value of the tag ``k8s-azure-cluster-name``.

    Of an AKS cluster the places may be left to its resource: ``location`` to ``default_subnet`` are "" until
    they were taken from there (``pls_resource_group`` then means that of the load balancers). ``unresolved``
    tells why they could not be. ``write_back`` None leaves that to the deployment.
    """

    name: str
    cluster_name: str
    subscription: str
    location: str
    load_balancer_resource_group: str
    pls_resource_group: str
    vnet_resource_group: str
    vnet_name: str
    default_subnet: str
    mode: Mode
    access: ApiAccess = ApiAccess()
    vnet_subscription: str = ""
    pls_prefix: str = STANDARD_PREFIX
    tags: Mapping[str, str] = field(default_factory=dict)
    in_tree: InTree = "active"
    owner_succession: Succession = "none"
    settle_seconds: int = 150
    write_back: WriteBack | None = None
    unresolved: str = ""

    @property
    def network_subscription(self) -> str:
        """The subscription of the virtual network."""
        return self.vnet_subscription or self.subscription


@dataclass(frozen=True, slots=True)
class Discovery:
    """The AKS clusters of a subscription that bear a tag; ``value`` None: whatever the tag's value.

    ``defaults`` is each one's configuration, without name, ``access.aks`` and the places left to the resource.
    """

    subscription: str
    tag: str
    value: str | None
    defaults: ClusterConfig


@dataclass(frozen=True, slots=True)
class ClusterList:
    """What a clusters' document names, and what it says to look for."""

    clusters: tuple[ClusterConfig, ...] = ()
    discoveries: tuple[Discovery, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of the whole deployment that decide what a plan may do. Times in seconds."""

    grace_seconds: int = 900
    stuck_seconds: int = 1800
    brake_share: float = 0.3
    brake_minimum: int = 3
    subnet_policy: SubnetPolicy = "disable"
