"""What the steps of the demo see and do: Services, Private Link Services, status, and waiting for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sandbox.up import Sandbox

Json = dict[str, Any]
T = TypeVar("T")

PREFIX = "service.beta.kubernetes.io/azure-"
CLUSTER_TAG = "k8s-azure-cluster-name"
OWNER_TAG = "k8s-azure-owner-service"
NETWORK = "providers/Microsoft.Network"


class StepFailed(Exception):
    """A step did not come true; the message says what was seen instead."""


class DemoWorld:
    """The sandbox through the eyes of its users. `patience`: how many seconds they wait for anything."""

    patience = 20.0

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.subscription = sandbox.endpoints["arm"]["subscription"]
        self.kept: dict[str, Any] = {}

    def group(self, name: str) -> str:
        """The id of a resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{name}"

    def pls_id(self, group: str, name: str) -> str:
        """The id of a Private Link Service."""
        return f"{self.group(group)}/{NETWORK}/privateLinkServices/{name}"

    def apply_service(self, cluster: str, name: str, annotations: dict[str, str], port: int = 80) -> None:
        """Create a Service of type LoadBalancer with these `azure-…` annotations."""
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "annotations": {PREFIX + k: v for k, v in annotations.items()}},
            "spec": {
                "type": "LoadBalancer",
                "selector": {"app": "myApp"},
                "ports": [{"name": "port", "protocol": "TCP", "port": port, "targetPort": 80}],
            },
        }
        self.expect(self.sandbox.cluster(cluster, "POST", "/api/v1/namespaces/default/services", body), 201)

    def annotate(self, cluster: str, name: str, annotations: dict[str, str]) -> None:
        """Change annotations."""
        patch = {"metadata": {"annotations": {PREFIX + k: v for k, v in annotations.items()}}}
        path = f"/api/v1/namespaces/default/services/{name}"
        self.expect(self.sandbox.cluster(cluster, "PATCH", path, patch), 200)

    def delete_service(self, cluster: str, name: str) -> None:
        """Delete a Service; its finalizer keeps it until the load balancer is clean."""
        self.sandbox.cluster(cluster, "DELETE", f"/api/v1/namespaces/default/services/{name}")

    def service(self, cluster: str, name: str) -> Json | None:
        """A Service, None where it is not there."""
        reply = self.sandbox.cluster(cluster, "GET", f"/api/v1/namespaces/default/services/{name}")
        self.expect(reply, 200, 404)
        return reply.body if reply.status == 200 else None

    def address(self, cluster: str, name: str) -> str:
        """The load balancer's address of a Service, waited for."""

        def ingress() -> str:
            service = self.service(cluster, name) or {}
            found = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
            return str(found[0].get("ip", ""))

        return self.wait(f"Service {name} gets an address", ingress)

    def wait_until_gone(self, cluster: str, name: str) -> None:
        """Wait until a Service is no longer there."""
        self.wait(
            f"Service {name} is gone",
            lambda: self.service(cluster, name) is None,
            lambda: self.service(cluster, name),
        )

    def pls(self, pls_id: str) -> Json | None:
        """A Private Link Service as ARM tells it, None where it is not there."""
        reply = self.sandbox.arm("GET", pls_id)
        self.expect(reply, 200, 404)
        return reply.body if reply.status == 200 else None

    def wait_for_pls(self, pls_id: str, what: str, holds: Callable[[Json], bool]) -> Json:
        """The Private Link Service once it is Succeeded and `holds`."""

        def seen() -> Json | None:
            pls = self.pls(pls_id)
            done = pls and pls["properties"]["provisioningState"] == "Succeeded"
            return pls if pls and done and holds(pls) else None

        return self.wait(what, seen, lambda: self.pls(pls_id))

    def status(self, cluster: str) -> Json:
        """The status of a cluster, from the functions."""
        reply = self.sandbox.function("GET", f"/api/status?cluster={cluster}")
        self.expect(reply, 200)
        found: Json = reply.body["clusters"][0]
        return found

    def status_of(self, cluster: str, pls_id: str) -> Json:
        """What status tells of one Private Link Service; {} where it does not know it."""
        found = self.status(cluster)["privateLinkServices"]
        return next((p for p in found if p["id"].lower() == pls_id.lower()), {})

    def findings(self, cluster: str, service: str) -> list[Json]:
        """What status tells a Service."""
        return [f for f in self.status(cluster)["findings"] if f["service"] == f"default/{service}"]

    def wait(self, what: str, seen: Callable[[], T | None], instead: Callable[[], Any] | None = None) -> T:
        """What `seen` gives once it is true. Raises StepFailed with what there was instead."""
        deadline = time.monotonic() + self.patience
        while True:
            found = seen()
            if found:
                return found
            if time.monotonic() > deadline:
                last = json.dumps(instead() if instead else found, default=str)
                raise StepFailed(f"waited {self.patience:.0f} s until: {what}; seen instead: {last[:1500]}")
            time.sleep(0.1)

    def expect(self, reply: Any, *statuses: int) -> Any:
        """The body of an answer with one of these statuses."""
        if reply.status not in statuses:
            raise StepFailed(f"wanted HTTP {statuses}, got {reply.status}: {json.dumps(reply.body)[:500]}")
        return reply.body


def properties(resource: Json) -> Json:
    """The properties of an ARM resource."""
    found: Json = resource["properties"]
    return found
