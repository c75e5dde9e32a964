"""The nouns: what is configured, what was seen, what the ledger knows. Frozen values, no I/O, no clock.

All times are aware datetimes in UTC; all ids are ARM resource ids as Azure spells them (compare them
with :mod:`reconciler.arm_ids`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeVar

Json = Mapping[str, Any]
_T = TypeVar("_T")

CLUSTER_TAG = "k8s-azure-cluster-name"
OWNER_TAG = "k8s-azure-owner-service"
WAIT = "wait:"  # what the sightings of things in transit begin with
IN_TRANSIT = ("Creating", "Updating", "Deleting")  # provisioning states while an operation runs
CONDITION = "PrivateLinkServiceReady"  # the type of our condition in a Service's status
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


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A Service by name and, where known, by UID ("" where it is not known)."""

    namespace: str
    name: str
    uid: str = ""

    @property
    def key(self) -> str:
        """``namespace/name``, the form of the owner tag; "" for nobody."""
        return f"{self.namespace}/{self.name}" if self.name else ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Our condition in a Service's status. ``status`` is "True" or "False"; ``since`` as the API spells the time."""

    status: str
    reason: str
    message: str
    since: str


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """A Kubernetes Event about a Service. The same one twice is counted, not repeated."""

    service: ServiceRef
    reason: str
    message: str
    at: datetime
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A Kubernetes Service, as far as its load balancer goes. ``condition`` is ours, None where there is none."""

    namespace: str
    name: str
    uid: str
    created: datetime
    annotations: Mapping[str, str] = field(default_factory=dict)
    type: str = "LoadBalancer"
    load_balancer_class: str = ""
    deleting: bool = False
    load_balancer_ip: str = ""
    ip_families: tuple[str, ...] = ("IPv4",)
    external_traffic_policy: str = ""
    resource_version: str = ""
    condition: Condition | None = None

    @property
    def key(self) -> str:
        """``namespace/name``, the form of the owner tag."""
        return f"{self.namespace}/{self.name}"

    @property
    def ref(self) -> ServiceRef:
        """The Service by name and UID."""
        return ServiceRef(self.namespace, self.name, self.uid)

    @property
    def live(self) -> bool:
        """A load balancer of the in-tree class is, and stays, wished for."""
        return self.type == "LoadBalancer" and not self.load_balancer_class and not self.deleting


@dataclass(frozen=True, slots=True)
class Unknown:
    """A view that could not be read to its end, and why. Never to be taken for an empty one."""

    reason: str


def known(view: tuple[_T, ...] | Unknown) -> tuple[_T, ...]:
    """What there is to look at: nothing of a view that could not be read. Never a proof of absence."""
    return () if isinstance(view, Unknown) else view


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
    """A load balancer. ``provisioning_state`` as ARM says it."""

    id: str
    name: str
    provisioning_state: str = "Succeeded"
    frontends: tuple[Frontend, ...] = ()
    sku: str = "Standard"


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
class Ownership:
    """A row of the ledger: one PLS of one cluster, and what was last done about it.

    ``written_*`` guard against hot loops (hash, time and count of the content last written);
    ``attempts`` and ``not_before`` are the back-off after failures.
    """

    cluster: str
    pls_id: str
    frontend_id: str
    owner: ServiceRef
    resource_guid: str = ""
    claim_hash: str = ""
    alias: str = ""
    state: str = ""
    nat_ips: tuple[str, ...] = ()
    connections: Mapping[str, int] = field(default_factory=dict)
    written_hash: str = ""
    written_at: datetime | None = None
    written_count: int = 0
    attempts: int = 0
    not_before: datetime | None = None
    last_error: str = ""
    last_error_code: str = ""


@dataclass(frozen=True, slots=True)
class Sharing:
    """A row of the sharing ledger: a tenant of a frontend that has a PLS, and its part in it."""

    cluster: str
    pls_id: str
    frontend_id: str
    service: ServiceRef
    role: Literal["owner", "shares", "refused", "none"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who may create a PLS of this id: the first to insert the row."""

    pls_id: str
    cluster: str
    service_uid: str
    frontend_id: str


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
