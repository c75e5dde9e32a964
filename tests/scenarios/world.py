"""What the scenarios see and do, beyond what the demo needs: faults, logs, the command line, storage."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient

from sandbox.demo_world import NETWORK, DemoWorld
from sandbox.up import Sandbox
from sandbox.up_client import Reply
from tests.scenarios.overwriting import LinkWrite, link_write

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
WAITING = {"Waiting", "LeftToInTreeController", "BackOff"}


class World(DemoWorld):
    """The sandbox through the eyes of its users, its operators and its testers."""

    patience = 60.0  # machines that run tests are slow at times; only what fails waits so long

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        clusters = sandbox.endpoints["clusters"]
        self.groups = {name: str(known["nodeResourceGroup"]) for name, known in clusters.items()}
        self.touched: list[float] = []

    def touch(self) -> None:
        """Note that a person changes something now."""
        self.touched.append(time.time())

    # Services and their Private Link Services

    def services(self, cluster: str) -> list[Json]:
        """The Services of type LoadBalancer in the namespace default."""
        reply = self.sandbox.cluster(cluster, "GET", "/api/v1/namespaces/default/services")
        return [s for s in self.expect(reply, 200)["items"] if s["spec"]["type"] == "LoadBalancer"]

    def apply_service(self, cluster: str, name: str, annotations: dict[str, str], port: int = 80) -> None:
        """Create a Service of type LoadBalancer with these `azure-…` annotations."""
        self.touch()
        super().apply_service(cluster, name, annotations, port)

    def annotate(self, cluster: str, name: str, annotations: Mapping[str, str | None]) -> None:
        """Change annotations; None takes one away."""
        self.touch()
        super().annotate(cluster, name, dict(annotations))  # type: ignore[arg-type]

    def delete_service(self, cluster: str, name: str) -> None:
        """Delete a Service; its finalizer keeps it until the load balancer is clean."""
        self.touch()
        super().delete_service(cluster, name)

    def make(self, cluster: str, name: str, /, port: int = 80, **settings: str) -> str:
        """An internal Service that asks for the Private Link Service NAME; keywords are `pls_…` settings.

        Returns the id its PLS will have.
        """
        annotations = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": f"pls-{name}"}
        annotations |= {key.replace("_", "-"): value for key, value in settings.items()}
        self.apply_service(cluster, name, annotations, port)
        return self.pls_id(self.groups[cluster], annotations["pls-name"])

    def make_ready(self, cluster: str, name: str, /, port: int = 80, **settings: str) -> str:
        """As `make`, and waited for."""
        pls_id = self.make(cluster, name, port, **settings)
        self.ready(pls_id)
        return pls_id

    def ready(self, pls_id: str, holds: Callable[[Json], bool] = lambda pls: True) -> Json:
        """The PLS once it is there, Succeeded, and `holds` of its properties."""
        return self.wait_for_pls(pls_id, f"{pls_id} is as wanted", lambda pls: holds(pls["properties"]))

    def gone(self, pls_id: str) -> None:
        """Wait until a PLS is no longer there."""
        self.wait(f"{pls_id} is gone", lambda: self.pls(pls_id) is None, lambda: self.pls(pls_id))

    def wait_until_gone(self, cluster: str, name: str) -> None:
        """Wait until a Service is no longer there; what the product says if it stays."""

        def instead() -> Json:
            return {"plan": self.plan(cluster), "status": self.status(cluster), "history": self.history()[:5]}

        self.wait(f"Service {name} is gone", lambda: self.service(cluster, name) is None, instead)

    def remove(self, cluster: str, *names: str) -> None:
        """Delete Services and wait until they are gone, their frontends and PLSs with them."""
        for name in names:
            self.delete_service(cluster, name)
        for name in names:
            self.wait_until_gone(cluster, name)

    def frontend_of(self, pls_id: str) -> str:
        """The id of the frontend that a PLS is on."""
        pls = self.pls(pls_id)
        assert pls is not None
        return str(pls["properties"]["loadBalancerFrontendIpConfigurations"][0]["id"])

    def edit_by_hand(self, pls_id: str, change: Callable[[Json], None]) -> None:
        """A person reads the PLS, changes something, and writes it back."""
        self.touch()
        pls = self.expect(self.sandbox.arm("GET", pls_id), 200)
        change(pls)
        self.expect(self.sandbox.arm("PUT", pls_id, pls), 200, 201)

    def tag_by_hand(self, pls_id: str, tags: dict[str, str]) -> None:
        """What `az tag update --operation merge` sends."""
        self.touch()
        path = f"{pls_id}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
        body = {"operation": "Merge", "properties": {"tags": tags}}
        self.expect(self.sandbox.arm("PATCH", path, body), 200)

    def connect(self, pls_id: str, name: str) -> str:
        """A private endpoint in another network that asks for the PLS; returns its id."""
        network = f"{self.group('myOtherResourceGroup')}/{NETWORK}"
        link = {"name": "link", "properties": {"privateLinkServiceId": pls_id}}
        subnet = {"id": f"{network}/virtualNetworks/myOtherVNET/subnets/pe-subnet"}
        properties = {"subnet": subnet, "privateLinkServiceConnections": [link]}
        endpoint = f"{network}/privateEndpoints/{name}"
        body = {"location": "eastus", "properties": properties}
        self.expect(self.sandbox.arm("PUT", endpoint, body), 200, 201)
        return endpoint

    def nudge(self, cluster: str, *names: str) -> None:
        """Make the cloud provider look at Services again, and wait until it has."""
        before = {name: self._syncs(cluster, name) for name in names}
        for name in names:
            self.annotate(cluster, name, {"scenario-nudge": uuid.uuid4().hex})
        for name in names:
            self.wait(
                f"the provider looked at {name} again",
                lambda name=name: self._syncs(cluster, name) > before[name],  # type: ignore[misc]
            )

    def _syncs(self, cluster: str, name: str) -> int:
        """How often the cloud provider has come to an end with a Service, good or bad."""
        reply = self.sandbox.cluster(cluster, "GET", "/api/v1/namespaces/default/events")
        ends = ("EnsuredLoadBalancer", "SyncLoadBalancerFailed")
        return sum(
            int(event.get("count", 1))
            for event in self.expect(reply, 200)["items"]
            if event["involvedObject"]["name"] == name and event["reason"] in ends
        )

    # What the product says

    def plan(self, cluster: str) -> Json:
        """The plan of a cluster, from the functions."""
        reply = self.sandbox.function("GET", f"/api/plan?cluster={cluster}")
        self.expect(reply, 200)
        plan: Json = reply.body["plans"][0]
        return plan

    def quiet_plan(self, cluster: str) -> Json:
        """The plan once it has neither writes nor anything in transit."""

        def seen() -> Json | None:
            plan = self.plan(cluster)
            waits = {finding["reason"] for finding in plan["findings"]} & WAITING
            return None if plan["writes"] or plan["after"] or waits else plan

        return self.wait(f"nothing is left to do for {cluster}", seen, lambda: self.plan(cluster))

    def finding(self, cluster: str, reason: str, service: str = "") -> Json:
        """The first finding of this reason (about this Service) in the status, waited for."""
        key = f"default/{service}" if service else None

        def seen() -> Json | None:
            found = self.status(cluster)["findings"]
            return next((f for f in found if f["reason"] == reason and key in (None, f["service"])), None)

        return self.wait(f"status tells {reason}", seen, lambda: self.status(cluster))

    def history(self, cluster: str = "") -> list[Json]:
        """The history, the newest first."""
        reply = self.sandbox.function("GET", f"/api/history?cluster={cluster}&limit=500")
        self.expect(reply, 200)
        entries: list[Json] = reply.body["entries"]
        return entries

    def resync(self, cluster: str) -> None:
        """Ask for a run."""
        self.expect(self.sandbox.function("POST", f"/api/resync?cluster={cluster}"), 202)

    def run_now(self, cluster: str) -> Json:
        """The report of a run of our own, begun when no other is under way."""

        def ran() -> Json | None:
            reply = self.sandbox.function("POST", f"/api/resync?cluster={cluster}&wait=true")
            found: Json | None = self.expect(reply, 200, 202).get("run")
            return found

        return self.wait(f"a run of {cluster}", ran)

    def failures(self, function: str) -> int:
        """How often a function has failed."""
        return self._counted(function, "failed")

    def runs(self, function: str) -> int:
        """How often a function has come to a good end."""
        return self._counted(function, "succeeded")

    def _counted(self, function: str, outcome: str) -> int:
        known = self.expect(self.sandbox.function("GET", "/admin/functions"), 200)
        return int(next(each[outcome] for each in known if each["name"] == function))

    # Faults and logs

    @contextmanager
    def arm_fault(self, **fault: Any) -> Iterator[None]:
        """ARM goes wrong in this way until the end of the block."""
        self.expect(self.sandbox.arm_backdoor("POST", "faults", fault), 201)
        try:
            yield
        finally:
            self.sandbox.arm_backdoor("DELETE", "faults")

    @contextmanager
    def cluster_fault(self, cluster: str, **fault: Any) -> Iterator[None]:
        """A cluster's API goes wrong in this way until the end of the block."""
        self.expect(self.sandbox.cluster_backdoor(cluster, "POST", "faults", fault), 200, 201)
        try:
            yield
        finally:
            self.sandbox.cluster_backdoor(cluster, "DELETE", "faults")

    def requests(self) -> list[Json]:
        """ARM's log."""
        found: list[Json] = self.expect(self.sandbox.arm_backdoor("GET", "requests"), 200)["value"]
        return found

    def forget_requests(self) -> None:
        """Clear ARM's log."""
        self.sandbox.arm_backdoor("DELETE", "requests")

    def link_writes(self) -> list[LinkWrite]:
        """The writes of Private Link Services that ARM accepted since its log was cleared, in their order."""
        return [w for w in map(link_write, self.requests()) if w]

    # Storage

    def send_event(self, text: str | bytes, queue: str = "lb-events") -> None:
        """Put a message into a queue (made where it is missing), base64 as Event Grid does."""
        content = base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()
        with self._queue(queue) as client:
            with suppress(ResourceExistsError):
                client.create_queue()
            client.send_message(content)

    def waiting_messages(self, queue: str) -> int:
        """How many messages a queue holds, hidden ones included; 0 where there is no such queue."""
        with self._queue(queue) as client:
            try:
                return client.get_queue_properties().approximate_message_count or 0
            except ResourceNotFoundError:
                return 0

    def _queue(self, name: str) -> QueueClient:
        return QueueClient.from_connection_string(self._connection_string, name)

    @property
    def _connection_string(self) -> str:
        return str(self.sandbox.endpoints["storage"]["connectionString"])

    def tables(self) -> TableServiceClient:
        """The ledgers, as somebody with a storage explorer has them."""
        return TableServiceClient.from_connection_string(self._connection_string)

    # The command line

    def reconciler(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python -m reconciler …` with the sandbox's settings, and these over them."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "reconciler", *words],
            cwd=ROOT,
            env={**inherited, **self.sandbox.settings, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def ok(reply: Reply, *statuses: int) -> Any:
    """The body of an answer with one of these statuses."""
    assert reply.status in (statuses or (200,)), reply
    return reply.body
