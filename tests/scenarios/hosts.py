"""Functions hosts of our own beside a sandbox that has none, and what their tests see and do."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableEntity, UpdateMode
from azure.storage.queue import QueueClient

from sandbox.functions.process import RunningFunctions, start_functions
from sandbox.up_client import Reply, SandboxClient
from tests.scenarios.world import ROOT, World

Json = dict[str, Any]

EVENTS = "lb-events"
WORK = "reconcile"


@dataclass(frozen=True)
class Host:
    """A functions host of our own. ``user`` is the identity by which ARM's log knows it."""

    running: RunningFunctions
    client: SandboxClient
    user: str

    def call(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call with the master key."""
        return self.client.function(method, path, body)

    def fire(self, function: str) -> None:
        """Run a timer's function now."""
        assert self.call("POST", f"/admin/functions/{function}", {"input": ""}).status == 202

    def counted(self, function: str, outcome: str = "succeeded") -> int:
        """How often a function has ended in this way: succeeded or failed."""
        known = self.call("GET", "/admin/functions").body
        return sum(int(each[outcome]) for each in known if each["name"] == function)

    @property
    def failed(self) -> dict[str, int]:
        """The functions that failed, and how often."""
        known = self.call("GET", "/admin/functions").body
        return {each["name"]: each["failed"] for each in known if each["failed"]}

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self.running.process.send_signal(number)


@contextmanager
def host(
    world: World, folder: Path, name: str = "host", timers: bool = True, **settings: str
) -> Iterator[Host]:
    """A host with the sandbox's settings, and these over them. Hosts of different names are different users."""
    inherited = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    user = f"00000000-0000-4000-8000-{name.encode().hex():0>12.12}"
    environment = {**inherited, **world.sandbox.settings, "AZURE_CLIENT_ID": user, **settings}
    keys, options = folder / f"{name}.keys.json", [] if timers else ["--no-timers"]
    with start_functions(ROOT, environment, keys, folder / f"{name}.log", options) as running:
        known = {"url": running.url, "keys": json.loads(keys.read_text())}
        yield Host(running, SandboxClient({**world.sandbox.endpoints, "functions": known}), user)


# The lease row


def lease(world: World, cluster: str) -> TableEntity:
    """The lease row of a cluster."""
    with world.tables() as service:
        rows = service.get_table_client("leases").list_entities()
        return next(row for row in rows if row["PartitionKey"] == cluster)


def let_time_pass(world: World, cluster: str) -> None:
    """Move the end of the lease into the past, as a minute of waiting would."""
    row = lease(world, cluster)
    row["until"] = datetime.now(UTC) - timedelta(seconds=1)
    with world.tables() as service:
        service.get_table_client("leases").update_entity(row, mode=UpdateMode.MERGE)


# Queues


def event(resource_id: str, number: int = 0) -> Json:
    """What Event Grid tells when somebody has written a resource."""
    return {
        "id": f"event-{number}",
        "subject": resource_id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-01-01T00:00:00.0000000Z",
        "data": {},
        "dataVersion": "2",
        "metadataVersion": "1",
    }


def send(world: World, messages: Sequence[Json], queue: str = EVENTS) -> None:
    """Put messages into a queue, one after another."""
    with queue_client(world, queue) as client:
        for message in messages:
            client.send_message(base64.b64encode(json.dumps(message).encode()).decode())


def queue_client(world: World, queue: str) -> QueueClient:
    """A queue, as somebody with a storage explorer has it."""
    text = str(world.sandbox.endpoints["storage"]["connectionString"])
    return QueueClient.from_connection_string(text, queue)


def empty(world: World, queue: str) -> None:
    """Take everything out of a queue, hidden messages too."""
    with queue_client(world, queue) as client:
        client.clear_messages()


def drained(world: World) -> bool:
    """Whether no message is left, hidden ones included."""
    return not any(world.waiting_messages(queue) for queue in (EVENTS, WORK))


def poisoned(world: World) -> list[str]:
    """What was set aside for good."""
    found: list[str] = []
    for queue in (EVENTS, WORK):
        with queue_client(world, f"{queue}-poison") as client:
            try:
                found += [message.content for message in client.peek_messages(max_messages=32)]
            except ResourceNotFoundError:
                continue
    return found


# ARM's log


def load_balancer(world: World, cluster: str) -> str:
    """The id of the cluster's internal load balancer."""
    return (
        f"{world.group(world.groups[cluster])}/providers/Microsoft.Network/loadBalancers/kubernetes-internal"
    )


def runs(world: World, cluster: str, users: Sequence[Host]) -> list[Json]:
    """The runs of a cluster that began since the log was cleared: each lists the load balancers, once."""
    path = load_balancer(world, cluster).rpartition("/")[0].lower()
    known = {host.user for host in users}
    return [
        r
        for r in world.requests()
        if (r["method"], r["path"].lower()) == ("GET", path) and r["user"] in known
    ]


def writes(world: World, cluster: str = "", method: str = "") -> list[Json]:
    """The writes of PLSs and subnets (below a cluster's group) that reached ARM since the log was cleared."""
    below = f"{world.group(world.groups[cluster])}/".lower() if cluster else "/subscriptions/"
    return [
        r
        for r in world.requests()
        if r["method"] in ((method,) if method else ("PUT", "DELETE"))
        and r["path"].lower().startswith(below)
        and any(kind in r["path"].lower() for kind in ("/privatelinkservices/", "/subnets/"))
    ]


def putting(world: World, pls_id: str) -> bool:
    """Whether a PUT of the PLS was sent since the log was cleared."""
    return any(r["method"] == "PUT" and r["path"].lower() == pls_id.lower() for r in world.requests())
