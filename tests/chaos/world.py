"""A sandbox, the product's real wiring in worker processes, and the platform's part between them.

    with World.start() as world:
        world.begin()                                   # a worker; with a hook, one that dies or sees faults
        world.users.make("prod", "web")                 # what people do (tests.scenarios.world)
        end = world.settle()                            # deliver messages until nothing is left to deliver
        end.killed, end.deliveries, world.plan("prod")

The platform's part is a pump: it takes messages from the real queues, hands them to the worker one at a time, and
keeps those that are not due, that failed (``visibilityTimeout``, then poison) or whose worker died (ten minutes).
Time is that of :mod:`tests.chaos.clock`: it leaps when nothing happens.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from sandbox.demo_world import NETWORK
from sandbox.up import Sandbox, SandboxOptions
from sandbox.up_servers import VNET
from tests.chaos.clock import HOLD
from tests.chaos.crash_messages import Delivery, Message, Settled
from tests.chaos.crash_process import Died, Nursery, WorkerProcess
from tests.scenarios.world import World as Users

__all__ = ["CLUSTER", "RECORD", "Delivery", "Message", "NeverQuiet", "Settled", "World"]
Json = dict[str, Any]

CLUSTER = "prod"
EVENTS, WORK = "lb-events", "reconcile"
KINDS = {EVENTS: "event", WORK: "wake-up"}
RECORD: Json = {"class": "tests.chaos.crash_calls:Recorder", "arguments": {}}
# host.json and the platform: after a failure, after a worker died, and how often.
FAILED_AGAIN, DIED_AGAIN, MOST_TRIES = timedelta(seconds=30), timedelta(minutes=10), 5
# A probe or a timer is not repeated, but its next tick comes.
TICKS = {"probe": timedelta(seconds=30), "timer": timedelta(minutes=5)}
PAGE = 32  # the most that a queue hands out at once
MOST_DELIVERIES = 150
PATIENCE = 20.0
PROVISIONING = 0.03
TRANSIT = {"Updating", "Deleting", "Creating"}


class NeverQuiet(AssertionError):
    """Messages went on and on, or Azure never came to rest."""


@dataclass
class World:
    """One sandbox, at most one worker, and the platform between them."""

    sandbox: Sandbox
    nursery: Nursery
    stack: ExitStack
    words: dict[str, str] = field(default_factory=dict)
    shift: timedelta = timedelta()
    held: list[Message] = field(default_factory=list)
    worker: WorkerProcess | None = None

    def __post_init__(self) -> None:
        self.users = Users(self.sandbox)
        service = QueueServiceClient.from_connection_string(self._storage)
        self._queues = {name: service.get_queue_client(name) for name in KINDS}

    @classmethod
    def start(cls, options: SandboxOptions | None = None) -> Self:
        """A sandbox without functions host, its clusters without in-tree controller, and a nursery."""
        options = options or SandboxOptions(
            clusters=(CLUSTER,), provisioning_seconds=PROVISIONING, publish=True
        )
        with ExitStack() as stack:
            sandbox = stack.enter_context(Sandbox.start(replace(options, functions=False)))
            nursery = stack.enter_context(Nursery.start())
            return cls(sandbox, nursery, stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, the nursery and the sandbox."""
        self.end()
        self.stack.close()

    @property
    def _storage(self) -> str:
        return str(self.sandbox.endpoints["storage"]["connectionString"])

    @property
    def now(self) -> datetime:
        """The shifted time."""
        return datetime.now(UTC) + self.shift

    # Workers

    def begin(self, hook: Json = RECORD) -> None:
        """A fresh worker in place of the present one. ``hook``: its class as module:class, and arguments."""
        self.end()
        job = {
            "settings": self.sandbox.settings,
            "systems": self.systems(),
            "words": self.words,
            "hook": hook,
        }
        self.worker = self.nursery.fork(job)

    def end(self) -> None:
        """End the worker, if there is one."""
        if self.worker:
            self.worker.close()
            self.worker = None

    def systems(self) -> Mapping[str, str]:
        """The outside systems by ``host:port``."""
        endpoints, settings = self.sandbox.endpoints, self.sandbox.settings
        parts = dict(part.split("=", 1) for part in self._storage.split(";") if part)
        urls = {settings["ARM_ENDPOINT"]: "arm", settings["IDENTITY_ENDPOINT"]: "identity"}
        urls |= {cluster["server"]: "kubernetes" for cluster in endpoints["clusters"].values()}
        if topic := settings.get("EVENTS_TOPIC_ENDPOINT"):
            urls[topic] = "topic"
        urls |= {parts[f"{kind}Endpoint"]: f"{kind.lower()}s" for kind in ("Table", "Queue", "Blob")}
        return {f"{urlsplit(url).hostname}:{urlsplit(url).port}": name for url, name in urls.items()}

    def subnet(self, name: str) -> str:
        """The id of a subnet of the cluster's network."""
        group = self.users.group(self.users.groups[CLUSTER])
        return f"{group}/{NETWORK}/virtualNetworks/{VNET}/subnets/{name}"

    def plan(self, cluster: str = CLUSTER) -> Json:
        """What the worker would do now: ``writes``, ``findings``, ``complete``, ``failures``."""
        if not self.worker:
            self.begin()
        delivery = self._hand_over(Message("plan", self.now, cluster))
        if delivery.ended != "done":
            raise RuntimeError(f"no plan: {delivery}")
        plan: Json = delivery.answer
        return plan

    def events(self) -> list[Json]:
        """What a pipeline has heard: the product's own events, in the order of their coming."""
        found: list[Json] = self.users.expect(self.sandbox.topic_backdoor("GET", "published"), 200)["value"]
        return found

    # Messages

    def tick(self, kind: str) -> None:
        """The timer or the probe fires now."""
        self.held.append(Message(kind, self.now))

    def settle(self, finished: Callable[[], Any] = lambda: True, patience: float = PATIENCE) -> Settled:
        """Deliver messages, leaping over idle time, until none is left and ``finished``, or patience ends.

        Patience is in real seconds without a message, while people's and the provider's work goes on.
        Raises NeverQuiet where there are always more messages.
        """
        deliveries: list[Delivery] = []
        deadline = time.monotonic() + patience
        while True:
            if message := self._next():
                deliveries.append(self._deliver(message))
                deadline = time.monotonic() + patience
                if len(deliveries) >= MOST_DELIVERIES:
                    raise NeverQuiet(f"{MOST_DELIVERIES} deliveries; the last: {deliveries[-3:]}")
                continue
            done = bool(finished())
            if done or time.monotonic() > deadline:
                return Settled(tuple(deliveries), done)
            time.sleep(0.05)

    def _next(self) -> Message | None:
        """The earliest message, waited for by leaping; None where there is none and Azure is at rest."""
        if not self._due():
            self._take()
        if not self._due():
            self._rest()
            self._take()
        if not self.held:
            return None
        message = min(self.held, key=lambda m: m.at)
        self.shift += max(timedelta(), message.at - self.now)
        self.held.remove(message)
        return message

    def _due(self) -> bool:
        return any(message.at <= self.now for message in self.held)

    def _rest(self) -> None:
        """Wait until Azure has finished what it is doing, and its events are in the queue."""
        deadline = time.monotonic() + PATIENCE
        while self._in_transit():
            if time.monotonic() > deadline:
                raise NeverQuiet("Azure is busy for ever")
            time.sleep(0.02)

    def _in_transit(self) -> bool:
        state = self.users.expect(self.sandbox.arm_backdoor("GET", "state"), 200)
        states = (r.get("properties", {}).get("provisioningState") for r in state["resources"])
        return bool(state["eventsUnderWay"]) or not TRANSIT.isdisjoint(states)

    def _take(self) -> None:
        """All messages out of the queues, into our hands."""
        for name, client in self._queues.items():
            self.held += [self._message(name, found) for found in _received(client)]

    def _message(self, queue: str, found: Any) -> Message:
        inserted = found.inserted_on.replace(tzinfo=UTC) + self.shift
        hold = 0.0
        if queue == WORK:
            hold = json.loads(base64.b64decode(found.content)).get(HOLD, 0)
        at = self.now + timedelta(seconds=hold)
        return Message(KINDS[queue], at, found.content, inserted, queue)

    def _deliver(self, message: Message) -> Delivery:
        if not self.worker:
            self.begin()
        delivery = self._hand_over(message)
        if delivery.ended == "died":
            self.worker = None
        if delivery.ended != "done":
            self._again(message, delivery.ended)
        return delivery

    def _again(self, message: Message, ended: str) -> None:
        """What the platform does with a message that was not finished."""
        died = ended == "died"
        wait = TICKS.get(message.kind) or (DIED_AGAIN if died else FAILED_AGAIN)
        tries = message.tries + 1
        kind = message.kind
        if kind in KINDS.values() and tries >= MOST_TRIES:
            kind = "poison"
        if kind != "poison" or message.kind != "poison":
            orphaned = died or message.orphaned
            self.held.append(replace(message, kind=kind, at=self.now + wait, tries=tries, orphaned=orphaned))

    def _hand_over(self, message: Message) -> Delivery:
        assert self.worker
        try:
            answer = self.worker.ask(
                {
                    "kind": message.kind,
                    "body": message.body,
                    "cluster": message.body,
                    "queue": message.queue,
                    "inserted": (message.inserted or self.now).isoformat(),
                    "shift": self.shift.total_seconds(),
                }
            )
        except Died as death:
            return Delivery(message, "died", death.point, death.calls)
        ended = "done" if "done" in answer else "error"
        return Delivery(message, ended, answer[ended], tuple(answer["calls"]))


def _received(client: QueueClient) -> list[Any]:
    """The visible messages of a queue, taken away; [] where there is no queue yet."""
    found: list[Any] = []
    try:
        while len(page := list(client.receive_messages(messages_per_page=PAGE, max_messages=PAGE))) == PAGE:
            found += _deleted(client, page)
        found += _deleted(client, page)
    except ResourceNotFoundError:
        pass
    return found


def _deleted(client: QueueClient, page: list[Any]) -> list[Any]:
    for message in page:
        client.delete_message(message)
    return page
