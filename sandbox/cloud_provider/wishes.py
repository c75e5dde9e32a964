"""What a Service asks of its load balancer, read as the real provider reads it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from sandbox.cloud_provider.options import Json, SyncError

PREFIX = "service.beta.kubernetes.io/azure-"
INTERNAL = f"{PREFIX}load-balancer-internal"
INTERNAL_SUBNET = f"{PREFIX}load-balancer-internal-subnet"
ADDRESS = f"{PREFIX}load-balancer-ipv4"
PUBLIC_IP_NAME = f"{PREFIX}pip-name"
PUBLIC_IP_GROUP = f"{PREFIX}load-balancer-resource-group"
NO_FLOATING_IP = f"{PREFIX}disable-load-balancer-floating-ip"
PLS_CREATE = f"{PREFIX}pls-create"
PLS_PROXY = f"{PREFIX}pls-proxy-protocol"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"

_MAX_FRONTEND_NAME = 75  # ARM's 80, less what an IPv6 twin would append


@dataclass(frozen=True)
class Port:
    """One port of the Service. `protocol` is TCP or UDP."""

    protocol: str
    port: int
    node_port: int


@dataclass(frozen=True)
class Wish:
    """What a Service asks for. `address` and `public_ip_name` are "" where it leaves the choice to us."""

    key: str
    uid_name: str  # `a` and the UID: what its rules' names begin with
    internal: bool
    subnet: str
    address: str
    public_ip_name: str
    public_ip_group: str
    floating: bool
    health_port: int  # kube-proxy's, for externalTrafficPolicy Local; 0 otherwise
    ports: tuple[Port, ...]

    @property
    def frontend_name(self) -> str:
        """The name of a frontend of its own."""
        return default_frontend_name(self.uid_name, self.subnet)

    def rule_name(self, port: Port) -> str:
        """The name of the rule (and probe) of a port."""
        middle = f"-{self.subnet}" if self.subnet else ""
        return f"{self.uid_name}{middle}-{port.protocol}-{port.port}"


def service_key(service: Json) -> str:
    """`namespace/name`."""
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def annotations_of(service: Json) -> dict[str, str]:
    """The annotations, empty if there are none."""
    return service["metadata"].get("annotations") or {}


def wants_balancer(service: Json) -> bool:
    """Whether a load balancer of the in-tree class is, and stays, wished for."""
    spec = service.get("spec") or {}
    is_balancer = spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")
    return is_balancer and not service["metadata"].get("deletionTimestamp")


def uid_name(uid: str) -> str:
    """`a` and the UID without dashes, 32 characters."""
    return ("a" + uid.replace("-", ""))[:32]


def default_frontend_name(base: str, subnet: str) -> str:
    """The frontend's name: with the internal subnet's appended, cut as the real provider cuts it."""
    name = f"{base}-{subnet}" if subnet else base
    if len(name) <= _MAX_FRONTEND_NAME:
        return name
    name = name[:_MAX_FRONTEND_NAME]
    return name if name[-1].isalpha() or name[-1] == "_" else name[:-1] + "_"


def is_internal(service: Json) -> bool:
    """Exactly `true`: the provider neither trims nor folds the case here."""
    return annotations_of(service).get(INTERNAL) == "true"


def is_floating(service: Json) -> bool:
    """Floating IP is on unless switched off by `true` in any case."""
    return annotations_of(service).get(NO_FLOATING_IP, "").lower() != "true"


def internal_subnet(service: Json) -> str:
    """The subnet that an internal Service names, or ""."""
    named = annotations_of(service).get(INTERNAL_SUBNET, "")
    return named if is_internal(service) and named.strip() else ""


def true(service: Json, annotation: str) -> bool:
    """`true` in any case, padded or not; anything else is false."""
    return annotations_of(service).get(annotation, "").strip().lower() == "true"


def read_wish(service: Json) -> Wish:
    """What the Service asks for. SyncError when it cannot be understood."""
    spec = service["spec"]
    if "IPv4" not in (spec.get("ipFamilies") or ["IPv4"]):
        raise SyncError("the sandbox has no IPv6 frontends")
    local = spec.get("externalTrafficPolicy") == "Local"
    # The one case in which kube-proxy's health check cannot be asked: it does not speak PROXY v2.
    proxied = true(service, PLS_CREATE) and true(service, PLS_PROXY)
    return Wish(
        key=service_key(service),
        uid_name=uid_name(service["metadata"]["uid"]),
        internal=is_internal(service),
        subnet=internal_subnet(service),
        address=_address(service),
        public_ip_name=annotations_of(service).get(PUBLIC_IP_NAME, ""),
        public_ip_group=annotations_of(service).get(PUBLIC_IP_GROUP, "").strip(),
        floating=is_floating(service),
        health_port=spec.get("healthCheckNodePort", 0) if local and not proxied else 0,
        ports=tuple(_port(item) for item in spec.get("ports") or []),
    )


def _address(service: Json) -> str:
    wished = annotations_of(service).get(ADDRESS) or service["spec"].get("loadBalancerIP") or ""
    if not wished:
        return ""
    try:
        return str(ipaddress.IPv4Address(wished))
    except ValueError as error:
        raise SyncError(f"load balancer IP {wished!r} is not an IPv4 address") from error


def _port(item: Json) -> Port:
    return Port(item.get("protocol", "TCP"), item["port"], item.get("nodePort") or item["port"])
