"""The world behind the stage over HTTP: sandbox and Azurite, a worker process, and time that goes on by so many seconds.

That of :mod:`tests.chaos.world` with two clusters, with storage behind forwarders that go wrong on request, with
events that are lost, doubled and reordered, and with a pump that stops at a moment instead of when all is done.
"""

from __future__ import annotations

import json
import random
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sandbox import up_files
from sandbox.storage_faults import start_storage_faults
from sandbox.up import Sandbox, SandboxOptions
from tests.chaos.crash_process import Nursery
from tests.chaos.world import EVENTS, PROVISIONING, Delivery, Message, World
from tests.contract.servers import BackDoor, event_loop
from tests.simulation.over_http_hook import STOOD_STILL

Json = dict[str, Any]
CLUSTERS = ("prod", "dev")
MOST_DELIVERIES = 400  # in one stretch of time; more is a hot loop
LATE = 90.0


class HttpWorld(World):
    """``doors`` are the back doors by system: ``arm``, ``tables``, ``queues``, and the clusters by name."""

    def __init__(
        self, sandbox: Sandbox, nursery: Nursery, stack: ExitStack, doors: Mapping[str, BackDoor], seed: int
    ) -> None:
        super().__init__(sandbox, nursery, stack)
        self.doors, self.chance = doors, random.Random(seed)
        self.troubled: dict[str, datetime] = {}  # kind of trouble with events → until when
        self.deliveries: list[Delivery] = []

    @classmethod
    def open(cls, seed: int) -> Self:
        """Fresh servers, the product's storage behind forwarders."""
        options = SandboxOptions(clusters=CLUSTERS, provisioning_seconds=PROVISIONING, functions=False)
        with ExitStack() as stack:
            sandbox = stack.enter_context(Sandbox.start(options))
            run = stack.enter_context(event_loop())
            storage = str(sandbox.endpoints["storage"]["connectionString"])
            parts = dict(part.split("=", 1) for part in storage.split(";") if part)
            ca, through = Path(sandbox.endpoints["arm"]["ca"]), storage
            places = {"arm": sandbox.endpoints["arm"]["url"]}
            places |= {n: c["server"] for n, c in sandbox.endpoints["clusters"].items()}
            for system, key in (("tables", "TableEndpoint"), ("queues", "QueueEndpoint")):
                origin = parts[key].rsplit("/", 1)[0] if parts[key].count("/") > 2 else parts[key]
                forwarder = run(start_storage_faults(origin))
                stack.callback(lambda f: run(f.stop()), forwarder)
                places[system] = forwarder.url
                through = through.replace(origin, forwarder.url)
            _lead(sandbox, through)
            doors = {name: BackDoor(url, ca) for name, url in places.items()}
            nursery = stack.enter_context(Nursery.start())
            return cls(sandbox, nursery, stack.pop_all(), doors, seed)

    def calm(self) -> None:
        """No faults any more."""
        self.troubled.clear()
        for door in self.doors.values():
            door.call("DELETE", "faults")

    # Time

    def tick(self, kind: str, at: datetime | None = None) -> None:
        """The timer or the probe fires, now or then."""
        self.held.append(Message(kind, at or self.now))

    def live(self, seconds: float, between: Callable[[], None]) -> None:
        """Deliver what is to be delivered in these seconds of shifted time, then leap to their end.

        ``between`` is called before each delivery and at the end. Raises AssertionError on a hot loop.
        """
        end, most = self.now + timedelta(seconds=seconds), len(self.deliveries) + MOST_DELIVERIES
        while message := self._earliest(end):
            between()
            self.deliveries.append(self._deliver(message))
            assert len(self.deliveries) < most, f"no end of messages: {self.deliveries[-3:]}"
        self.shift += max(timedelta(), end - self.now)
        between()

    def _earliest(self, end: datetime) -> Message | None:
        """The next message, unless there is none before the end."""
        if not self._due():
            self._take()
        if not self._due():
            self._rest()
            self._take()
        if not self.held or min(m.at for m in self.held) > max(end, self.now):
            return None
        message = min(self.held, key=lambda m: m.at)
        self.shift += max(timedelta(), message.at - self.now)
        self.held.remove(message)
        return message

    def _hand_over(self, message: Message) -> Delivery:
        """A worker that stood still has lived through that time, and so have we."""
        delivery = super()._hand_over(message)
        for call in delivery.calls:
            if call.startswith(STOOD_STILL):
                self.shift += timedelta(seconds=float(call.rsplit(" ", 1)[1]))
        return delivery

    # Events

    def trouble(self, how: str) -> bool:
        """Whether events go wrong in this way now."""
        return how in self.troubled and self.troubled[how] > self.now

    def _take(self) -> None:
        known = len(self.held)
        super()._take()
        fresh, self.held = self.held[known:], self.held[:known]
        for message in fresh:
            self.held += self._troubled(message) if message.queue == EVENTS else [message]

    def _troubled(self, message: Message) -> list[Message]:
        if self.trouble("lost"):
            return []
        copies = [message] * (2 if self.trouble("doubled") else 1)
        late = LATE if self.trouble("reordered") else 0.0
        return [replace(m, at=m.at + timedelta(seconds=self.chance.uniform(0, late))) for m in copies]


def _lead(sandbox: Sandbox, through: str) -> None:
    """Let the product reach its storage through the forwarders; people and the pump go straight."""
    path = sandbox.state / up_files.SETTINGS
    document = json.loads(path.read_text())
    document["Values"]["AzureWebJobsStorage"] = through
    up_files.write_text(path, json.dumps(document))


class Door:
    """Where a worker asks to let something happen in the middle of a run: a number per line, answered when done."""

    def __init__(self) -> None:
        self.happenings: dict[int, Callable[[], None]] = {}
        self.wrong: list[BaseException] = []
        door = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                door.open(int(self.rfile.readline()))
                self.wfile.write(b"+")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def open(self, number: int) -> None:
        """Let it happen, once."""
        happening = self.happenings.pop(number, None)
        try:
            if happening:
                happening()
        except BaseException as error:
            self.wrong.append(error)  # raised where the test can see it

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


def waited(seen: Callable[[], Any], seconds: float) -> bool:
    """Whether it came true within these real seconds."""
    deadline = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
