"""The API servers behind AKS clusters, as ARM knows them: where they are, and what they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.arm.state import Json


@dataclass(frozen=True)
class Shape:
    """What an API server takes from its AKS resource. `tenant`: "" without Entra integration."""

    running: bool
    tenant: str
    azure_rbac: bool


@dataclass(frozen=True)
class ControlPlane:
    """One API server: `server` is its URL, `ca` its certificate authority (PEM), `admin_token` may do everything."""

    server: str
    ca: str
    admin_token: str
    follow: Callable[[Shape], None]


@dataclass
class ControlPlanes:
    """API servers by the lower-cased id of their AKS resource."""

    _known: dict[str, ControlPlane] = field(default_factory=dict)

    def connect(self, resource: Json, plane: ControlPlane) -> None:
        """Stand behind a resource from now on."""
        self._known[resource["id"].lower()] = plane
        plane.follow(shape(resource))

    def of(self, resource_id: str) -> ControlPlane | None:
        """The API server behind a resource."""
        return self._known.get(resource_id.lower())

    def tell(self, resource_id: str, resource: Json | None) -> None:
        """The resource changed; None: it is gone."""
        if plane := self.of(resource_id):
            plane.follow(shape(resource))


def shape(resource: Json | None) -> Shape:
    """What a resource says about its API server."""
    properties = (resource or {}).get("properties") or {}
    power = (properties.get("powerState") or {}).get("code", "Running")
    moving = properties.get("provisioningState") in ("Stopping", "Starting", "Deleting")
    entra = properties.get("aadProfile") or {}
    return Shape(
        running=resource is not None and power == "Running" and not moving,
        tenant=str(entra.get("tenantID") or "") if entra.get("managed") else "",
        azure_rbac=bool(entra.get("enableAzureRBAC")),
    )
