"""The world of one cell of the fault matrix: fresh servers, the product in this process, faults in front of all.

ARM and the cluster are started anew for each cell, which takes milliseconds, so that no cell sees another's
leftovers; Azurite and the forwarders in front of it stay, and each cell has a cluster name of its own. The
load balancers are written by the stories themselves: the only calls are the product's. The platform's part and
the leaping time are those of :mod:`tests.chaos.world`.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler import settings, wiring
from reconciler.adapters import credentials, storage
from reconciler.adapters.arm import ArmAccess
from reconciler.adapters.tables import TableLedger
from reconciler.errors import OutsideError
from reconciler.reconcile import dry_run
from reconciler.settings import StorageSettings
from reconciler.worker import Worker
from sandbox import up_files
from sandbox.storage import Storage
from sandbox.storage_faults import start_storage_faults
from sandbox.up import Sandbox, SandboxOptions
from sandbox.up_client import PERSON
from sandbox.up_servers import Servers, start_servers
from tests.chaos.clock import ShiftedClock, on_clock
from tests.chaos.crash_process import Nursery
from tests.chaos.crash_worker import handle
from tests.chaos.matrix_calls import Request
from tests.chaos.world import TICKS, Delivery, Message, World
from tests.contract.servers import BackDoor, event_loop

Json = dict[str, Any]
Run = Callable[[Any], Any]

# Seconds that the product waits for an answer here; a timeout is an answer that takes longer.
PATIENCE = 0.4
PROVISIONING = 0.03


def impatient(patch: pytest.MonkeyPatch) -> None:
    """The product's waits, shortened: nothing else about its clients is another."""
    patch.setattr(wiring, "ArmAccess", partial(ArmAccess, read_seconds=PATIENCE))
    patch.setattr(credentials, "_READ_SECONDS", PATIENCE)
    patch.setitem(storage._TIMES, "read_timeout", PATIENCE)
    patch.setitem(storage._TABLE_RETRIES, "read_timeout", PATIENCE)


@dataclass(frozen=True)
class Ground:
    """What stays from cell to cell: a loop, the emulator, the forwarders in front of its tables and queues."""

    run: Run
    azurite: Storage
    folder: Path
    tables: str
    queues: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def through(self) -> str:
        """The connection string that leads through the forwarders."""
        direct, ports = self.azurite.connection_string, self.azurite.endpoints
        return direct.replace(ports["Table"], self.tables).replace(ports["Queue"], self.queues)

    @contextmanager
    def cell(self) -> Iterator[Cell]:
        """A world of its own."""
        with ExitStack() as stack:
            name = f"c{os.getpid()}x{next(self.numbers)}z"
            state = self.folder / name
            state.mkdir()
            stack.callback(shutil.rmtree, state)
            options = SandboxOptions(
                clusters=(name,), provisioning_seconds=PROVISIONING, cloud_provider=False, functions=False
            )
            servers: Servers = self.run(start_servers(options, state, self.azurite.connection_string))
            stack.callback(lambda: self.run(servers.stop()))
            yield stack.enter_context(_opened(self, name, options, servers, state, stack))


@contextmanager
def ground(azurite: Storage) -> Iterator[Ground]:
    """Start what stays."""
    with event_loop() as run, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = []
        for service in ("Table", "Queue"):
            forwarder = run(start_storage_faults(azurite.endpoints[service]))
            stack.callback(lambda f: run(f.stop()), forwarder)
            urls.append(forwarder.url)
        yield Ground(run, azurite, Path(folder), *urls)


@contextmanager
def _opened(
    base: Ground, name: str, options: SandboxOptions, servers: Servers, state: Path, stack: ExitStack
) -> Iterator[Cell]:
    document = up_files.clusters_document(options, servers)
    document["clusters"][0] |= {"ownerSuccession": "oldest", "settleSeconds": 0}
    values = up_files.settings(options, servers, state, base.through)
    # Straight to ARM's: between the two, a dropped connection would become an answer.
    values |= {"KUBERNETES_TIMEOUT": "1", "IDENTITY_ENDPOINT": servers.arm.identity_endpoint}
    up_files.write_configuration(state, document, values)
    endpoints = up_files.endpoints(options, servers, base.azurite.connection_string, None, {})
    sandbox = Sandbox(options, state, endpoints, {}, ExitStack())
    ca = Path(endpoints["arm"]["ca"])
    places = {
        "arm": endpoints["arm"]["url"],
        "kubernetes": endpoints["clusters"][name]["server"],
        "tables": base.tables,
        "queues": base.queues,
    }
    doors = {system: BackDoor(url, ca) for system, url in places.items()}
    cell = Cell(sandbox, None, stack, name, doors)  # type: ignore[arg-type]  # no nursery: it runs in this process
    try:
        with cell.listening(), pytest.MonkeyPatch.context() as patch:
            # The SDK looks where App Service puts them, at each request.
            for variable in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
                patch.setenv(variable, values[variable])
            patch.setattr(wiring, "TableLedger", partial(TableLedger, prefix=name))
            cell.forget()
            yield cell
    finally:
        cell.close()


class Cell(World):
    """One world, its worker in this process, and what was told meanwhile."""

    def __init__(
        self, sandbox: Sandbox, nursery: Nursery, stack: ExitStack, name: str, doors: Mapping[str, BackDoor]
    ) -> None:
        super().__init__(sandbox, nursery, stack)
        self.name, self.doors = name, doors
        self.clock, self.told, self.broken = ShiftedClock(), list[str](), list[BaseException]()
        self.serving: Worker | None = None
        self._take()  # what an earlier cell left
        self.held.clear()
        direct = StorageSettings(connection_string=self._storage)
        self._ledger = TableLedger(storage.StorageAccount(direct), name, missing_is_empty=True)

    # The product

    def wired(self) -> Worker:
        """The worker, made at first use and once, as :class:`reconciler.wiring.Lazy` does. Raises OutsideError."""
        if self.serving is None:
            self.serving = on_clock(wiring.app(settings.load(self.sandbox.settings)), self.clock)
        return self.serving

    def _deliver(self, message: Message) -> Delivery:
        self.clock.shift = self.shift
        delivery = self._hand_over(message)
        if delivery.ended != "done":
            self._again(message, delivery.ended)
        return delivery

    def _hand_over(self, message: Message) -> Delivery:
        letter = {
            "kind": message.kind,
            "body": message.body,
            "queue": message.queue,
            "inserted": (message.inserted or self.now).isoformat(),
        }
        try:
            return Delivery(message, "done", handle(self.wired(), letter))
        except OutsideError as error:
            self.told.append(str(error))
            return Delivery(message, "error", str(error))
        except Exception as error:  # the host survives it, but nobody foresaw it
            self.broken.append(error)
            return Delivery(message, "error", repr(error))

    def go(self, most: int, seconds: float, reached: Callable[[], bool]) -> bool:
        """Deliver messages, timers among them, until the goal is reached: so many, or for so long."""
        end = time.monotonic() + seconds
        for _ in range(most):
            if time.monotonic() > end:
                return False
            if not any(message.kind == "timer" for message in self.held):
                self.held.append(Message("timer", self.now + TICKS["timer"]))
            message = self._next()
            assert message
            self._deliver(message)
            if reached():
                return True
        return False

    def empty_plan(self) -> bool:
        """Whether a look by the product finds nothing to write."""
        worker = self.wired()
        run = dry_run(worker.engine, worker.configs()[self.name])
        return run.look.complete and not run.plan.writes

    # What there is

    def snapshot(self) -> Json:
        """PLSs, subnets, ledgers and conditions, but for times, attempts and what Azure makes up."""
        resources = self.users.expect(self.sandbox.arm_backdoor("GET", "state"), 200)["resources"]
        kinds = ("privatelinkservices", "virtualnetworks")
        links = {r["id"].lower(): _wished(r) for r in resources if r["type"].lower().endswith(kinds)}
        rows = [
            (r.pls_id.lower(), r.frontend_id.lower(), r.owner.key, r.claim_hash, r.state, len(r.nat_ips))
            for r in self._ledger.ownership(self.name)
        ]
        shares = [(s.pls_id, s.frontend_id, s.service.key, s.role) for s in self._ledger.sharing(self.name)]
        told = {
            "links": links,
            "ownership": sorted(rows),
            "sharing": sorted(shares),
            "told": self._conditions(),
        }
        text = json.dumps(told, sort_keys=True)
        found: Json = json.loads(text.replace(self.name, "CLUSTER"))
        return found

    def _conditions(self) -> Json:
        """What each Service is told in its status."""
        services = self.doors["kubernetes"].call("GET", "state")["objects"]["services"]
        return {
            s["metadata"]["name"]: [
                (c["type"], c["status"], c["reason"]) for c in s.get("status", {}).get("conditions", ())
            ]
            for s in services
        }

    def foreign(self) -> Json | None:
        """The PLS that is not ours, as it is."""
        found: Json | None = self.sandbox.arm_backdoor("GET", "resources", id=self.foreign_id).body
        return found

    @property
    def foreign_id(self) -> str:
        """The id of a PLS of somebody else in the cluster's own group."""
        return self.users.pls_id(self.group, "somebodys")

    @property
    def group(self) -> str:
        """The cluster's node resource group."""
        return str(self.sandbox.endpoints["clusters"][self.name]["nodeResourceGroup"])

    def reports(self) -> str:
        """Everything that was told since :meth:`forget`: failed calls, log, status, history."""
        state = self._ledger.state(self.name)
        history = [e.sentence for e in self._ledger.history(self.name, 50)]
        return "\n".join([*self.told, json.dumps(state.last_run), *history])

    # Requests and faults

    def requests(self) -> list[Request]:
        """What the product asked since :meth:`forget`."""
        return [
            Request(system, line["method"], line["path"], line["status"])
            for system, door in self.doors.items()
            for line in door.call("GET", "requests")["value"]
            if PERSON not in f"{line.get('user')} {line.get('query')}"
        ]

    def forget(self) -> None:
        """Clear logs, faults and what was told."""
        self.told.clear()
        for door in self.doors.values():
            door.clear()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what the product logs as a warning or worse."""
        keep, log = _Keep(self.told), logging.getLogger("reconciler")
        log.addHandler(keep)
        try:
            yield
        finally:
            log.removeHandler(keep)

    def close(self) -> None:
        """Close the connections."""
        for door in self.doors.values():
            door.close()
        if self.serving:
            engine = self.serving.engine
            config = self.serving.configs()[self.name]
            for adapter in (engine.azure_of(config), engine.cluster_of(config)):
                adapter.close()  # type: ignore[union-attr]  # the ports know no end
            engine.pool.shutdown()


class _Keep(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


def _wished(resource: Json) -> Json:
    """What somebody wished of a PLS or network, and its state."""
    properties = resource["properties"]
    if "subnets" in properties:
        policies = [s["properties"].get("privateLinkServiceNetworkPolicies") for s in properties["subnets"]]
        return {"policies": policies}  # a network stays Failed after a failed write of its subnet
    made_up = ("alias", "resourceGuid", "networkInterfaces", "privateEndpointConnections", "ipConfigurations")
    kept = {key: value for key, value in properties.items() if key not in made_up}
    nat = [
        {k: v for k, v in c["properties"].items() if k in ("subnet", "primary", "privateIPAllocationMethod")}
        for c in properties["ipConfigurations"]
    ]
    connections = len(properties.get("privateEndpointConnections") or ())
    return {"tags": resource.get("tags"), "nat": nat, "connections": connections, **kept}
