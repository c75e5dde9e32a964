"""The world of one cell of the fault matrix: the product in this process, among the servers of its ground.

The load balancers are written by the stories themselves: the only calls are the product's. The platform's part and
the leaping time are those of :mod:`tests.chaos.world`.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from reconciler import settings, wiring
from reconciler.adapters.documents import CONTAINER, BlobDocuments
from reconciler.adapters.tables import TableLedger
from reconciler.errors import OutsideError
from reconciler.reconcile import dry_run
from reconciler.worker import Worker
from sandbox.up import Sandbox
from sandbox.up_client import PERSON
from tests.chaos import heard
from tests.chaos.clock import ShiftedClock, on_clock
from tests.chaos.crash_process import Nursery
from tests.chaos.crash_worker import handle
from tests.chaos.matrix_calls import Request
from tests.chaos.matrix_seen import Eyes, PatientAccount
from tests.chaos.world import TICKS, Delivery, Message, World
from tests.contract.servers import BackDoor

Json = dict[str, Any]


class Cell(World):
    """One world, its worker in this process, and what was told meanwhile."""

    def __init__(
        self, sandbox: Sandbox, nursery: Nursery, stack: ExitStack, name: str, doors: Mapping[str, BackDoor]
    ) -> None:
        super().__init__(sandbox, nursery, stack)
        self.name, self.doors = name, doors
        self.clock, self.told, self.broken = ShiftedClock(), list[str](), list[BaseException]()
        self.failed: list[str] = []  # what handlers raised, for the host to try again
        self.serving: Worker | None = None
        self._take()  # what an earlier cell left
        self.held.clear()
        direct = PatientAccount(self._storage)
        self._ledger = TableLedger(direct, name, missing_is_empty=True)
        self.eyes = Eyes(name, doors, self._ledger, BlobDocuments(direct, f"{name}-{CONTAINER}"))
        self._heard_before = 0

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
            self.failed.append(str(error))
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

    def hidden_doubles(self) -> list[str]:
        """News since :meth:`forget` that came twice under different ids."""
        writes = Counter(r.path.lower() for r in self.requests() if r.system == "arm" and r.call.writes)
        return heard.hidden_doubles(self.eyes.events()[self._heard_before :], writes)

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
        self.failed.clear()
        self._heard_before = len(self.eyes.events())
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
