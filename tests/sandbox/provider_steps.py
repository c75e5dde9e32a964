"""What tests of the cloud provider do and look at: Services in, load balancers out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.up import Sandbox

Json = dict[str, Any]
INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
ADDRESS = "service.beta.kubernetes.io/azure-load-balancer-ipv4"
CREATE = "service.beta.kubernetes.io/azure-pls-create"
NETWORK = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/MC_prod/providers/Microsoft.Network"
)
_SERVICES = "/api/v1/namespaces/default/services"


def until(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer; AssertionError when there is none in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {look()!r} after {seconds:g} s")


class World:
    """One cluster of a sandbox and its side of Azure."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def apply(self, name: str, annotations: Mapping[str, str] = {}, port: int = 80, **spec: Any) -> Json:
        """Create an internal Service (an annotation of "" for INTERNAL makes it public)."""
        all_annotations = {INTERNAL: "true", **annotations}
        if not all_annotations[INTERNAL]:
            del all_annotations[INTERNAL]
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "annotations": all_annotations},
            "spec": {"type": "LoadBalancer", "ports": [{"port": port}], **spec},
        }
        reply = self.sandbox.cluster("prod", "POST", _SERVICES, body)
        assert reply.status == 201, reply.body
        return dict(reply.body)

    def patch(self, name: str, change: Json) -> None:
        assert self.sandbox.cluster("prod", "PATCH", f"{_SERVICES}/{name}", change).status == 200

    def delete(self, *names: str) -> None:
        for name in names:
            assert self.sandbox.cluster("prod", "DELETE", f"{_SERVICES}/{name}").status == 200

    def service(self, name: str) -> Json | None:
        reply = self.sandbox.cluster("prod", "GET", f"{_SERVICES}/{name}")
        return dict(reply.body) if reply.status == 200 else None

    def gone(self, *names: str) -> bool:
        return all(self.service(name) is None for name in names)

    def ip(self, name: str) -> str:
        """The address in the Service's status, "" without one."""
        ingress = ((self.service(name) or {}).get("status") or {}).get("loadBalancer", {}).get("ingress")
        return str(ingress[0]["ip"]) if ingress else ""

    def ready(self, name: str) -> str:
        """Wait for the address."""
        return str(until(lambda: self.ip(name)))

    def refusal(self, name: str) -> str:
        """Wait for a warning about the Service."""
        return str(until(lambda: "\n".join(self.warnings(name))))

    def warnings(self, name: str) -> list[str]:
        """The warnings about the Service that now has this name."""
        uid = ((self.service(name) or {}).get("metadata") or {}).get("uid")
        events = self.sandbox.cluster("prod", "GET", "/api/v1/namespaces/default/events").body["items"]
        about = (event for event in events if event["involvedObject"]["uid"] == uid)
        return [event["message"] for event in about if event["type"] == "Warning"]

    def resource(self, path: str) -> Json | None:
        """A resource of Microsoft.Network in the cluster's group."""
        reply = self.sandbox.arm("GET", f"{NETWORK}/{path}")
        return dict(reply.body) if reply.status == 200 else None

    def put(self, path: str, body: Json) -> Json:
        """Write a resource and wait until it has settled."""
        reply = self.sandbox.arm("PUT", f"{NETWORK}/{path}", body)
        assert reply.status in (200, 201), reply.body

        def settled() -> Json | None:
            found = self.resource(path)
            return found if found and found["properties"]["provisioningState"] == "Succeeded" else None

        return dict(until(settled))

    def remove(self, path: str) -> None:
        """Delete a resource and wait until it is gone."""
        assert self.sandbox.arm("DELETE", f"{NETWORK}/{path}").status in (200, 202, 204)
        until(lambda: self.resource(path) is None)

    def balancer(self, name: str = "kubernetes-internal") -> Json | None:
        return self.resource(f"loadBalancers/{name}")

    def frontends(self, name: str = "kubernetes-internal") -> dict[str, Json]:
        """Frontend name → properties."""
        found = self.balancer(name) or {"properties": {"frontendIPConfigurations": []}}
        return {item["name"]: item["properties"] for item in found["properties"]["frontendIPConfigurations"]}

    def put_pls(self, name: str, frontend: str, **tags: str) -> Json:
        """A PLS made by somebody on a frontend of the internal load balancer."""
        subnet = {"id": f"{NETWORK}/virtualNetworks/aks-vnet/subnets/pls-subnet"}
        read = self.resource("virtualNetworks/aks-vnet/subnets/pls-subnet") or {}
        read["properties"]["privateLinkServiceNetworkPolicies"] = "Disabled"
        self.put("virtualNetworks/aks-vnet/subnets/pls-subnet", read)
        frontend_id = f"{NETWORK}/loadBalancers/kubernetes-internal/frontendIPConfigurations/{frontend}"
        properties = {
            "loadBalancerFrontendIpConfigurations": [{"id": frontend_id}],
            "ipConfigurations": [{"name": "nat", "properties": {"subnet": subnet}}],
        }
        return self.put(
            f"privateLinkServices/{name}", {"location": "eastus", "tags": tags, "properties": properties}
        )


def frontend_name(service: Json) -> str:
    """The name of a Service's own frontend."""
    uid: str = service["metadata"]["uid"]
    return ("a" + uid.replace("-", ""))[:32]
