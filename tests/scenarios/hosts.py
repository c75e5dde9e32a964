"""Functions hosts of our own beside a sandbox that has none, and what their tests see and do."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
NO_TIMERS = ("--no-timers",)
# What a host that died had in work is seen by others after three seconds, instead of ten minutes.
SHORT_LOCKS = (*NO_TIMERS, "--lock-seconds", "3")


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
    def busy(self) -> int:
        """How many calls of functions run now."""
        known = self.call("GET", "/admin/functions").body
        return sum(int(each["running"]) for each in known)

    @property
    def failed(self) -> dict[str, int]:
        """The functions that failed, and how often."""
        known = self.call("GET", "/admin/functions").body
        return {each["name"]: each["failed"] for each in known if each["failed"]}

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self.running.process.send_signal(number)

    def counts(self) -> Json:
        """What became of all functions' calls."""
        known = self.call("GET", "/admin/functions").body
        return {each["name"]: (each["succeeded"], each["failed"]) for each in known}


@contextmanager
def host(
    world: World, folder: Path, name: str = "host", options: Sequence[str] = (), /, **settings: str
) -> Iterator[Host]:
    """A host with the sandbox's settings, and these over them. Hosts of different names are different users.

    ``options`` are words for its command line.
    """
    inherited = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    user = f"00000000-0000-4000-8000-{name.encode().hex():0>12.12}"
    environment = {**inherited, **world.sandbox.settings, "AZURE_CLIENT_ID": user, **settings}
    keys = folder / f"{name}.keys.json"
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
    edit_lease(world, cluster, until=datetime.now(UTC) - timedelta(seconds=1))


def edit_lease(world: World, cluster: str, **columns: datetime) -> None:
    """Change columns of the lease row."""
    with world.tables() as service:
        changed = lease(world, cluster) | columns
        service.get_table_client("leases").update_entity(changed, mode=UpdateMode.MERGE)


def parked(world: World, cluster: str) -> bool:
    """Whether a message is to come by which the cluster looks again; it comes up to a second late."""
    due = lease(world, cluster).get("parked")
    return bool(due and due + timedelta(seconds=2) > datetime.now(UTC))


def settle(world: World, cluster: str, *users: Host) -> None:
    """Wait until a cluster has nothing to do. Then let its rest pass, and forget guards and ARM's log."""

    def settled() -> bool:
        """Again where something came in between: its message must not be forgotten while the lease counts on it."""
        wait_until_served(world, cluster, *users)
        edit_lease(world, cluster, covered=lease(world, cluster)["covered"] - timedelta(seconds=10))
        empty(world, WORK)
        return not any(user.busy for user in users) and not parked(world, cluster)

    world.wait(f"{cluster} is settled", settled)
    world.forget_requests()


def wait_until_served(world: World, cluster: str, *users: Host) -> None:
    """Wait until these hosts have served all messages. What is left in the queue are guards of runs that ended."""

    def served() -> bool:
        return not any(user.busy for user in users) and idle() and not any(user.busy for user in users)

    def idle() -> bool:
        row = lease(world, cluster)
        noted = row.get("holder") or row.get("wanted") or parked(world, cluster)
        return not noted and not visible(world) and not world.waiting_messages(EVENTS)

    seen: list[bool] = []

    def still() -> bool:
        """Twice in a row: a message may be on its way from the queue to its function."""
        seen.append(served())
        return seen[-2:] == [True, True]

    world.wait(f"the messages of {cluster} are served", still, lambda: dict(lease(world, cluster)))


# Queues


def visible(world: World) -> bool:
    """Whether a message waits to be received."""
    return any(queue_client(world, queue).peek_messages() for queue in (EVENTS, WORK))


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
    """Take everything out of a queue, hidden messages too; fine where there is no such queue yet."""
    with queue_client(world, queue) as client, suppress(ResourceNotFoundError):
        client.clear_messages()


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


def balancer_events(world: World, cluster: str, number: int) -> list[Json]:
    """So many events of a cluster's load balancer."""
    return [event(load_balancer(world, cluster), i) for i in range(number)]


def putting(world: World, pls_id: str) -> bool:
    """Whether a PUT of the PLS was sent since the log was cleared."""
    return any(r["method"] == "PUT" and r["path"].lower() == pls_id.lower() for r in world.requests())
