"""What a cluster holds and is told: Services, our condition in them, Events about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

CONDITION = "PrivateLinkServiceReady"  # the type of our condition in a Service's status


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
