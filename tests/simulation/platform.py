"""The Functions platform in virtual time: two worker processes that run the product's own functions.

Queue messages are handed to a process with room; a message whose function raised comes again after 30 s,
one whose process died after 10 min; the fifth failure makes it poison. Timers run on any process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import cast

from reconciler import ingest
from reconciler.api import Api as HttpApi
from reconciler.errors import OutsideError
from reconciler.gate import Gate
from reconciler.model import ClusterConfig, Limits
from reconciler.ports import Azure, Cluster, Ledger, Queue
from reconciler.reconcile import Engine
from reconciler.worker import Worker
from tests.simulation.faults import Faults
from tests.simulation.kernel import Crash, Flow, Kernel
from tests.simulation.ports import Inline, SimAzure, SimCluster, SimLedger, SimQueuePort, Wire
from tests.simulation.queues import Message, SimQueue, WakeUps
from tests.simulation.troubles import Trouble
from tests.simulation.watch import Truth, Watch

ROOM = 5  # batchSize 4 and newBatchThreshold 1 (host.json)
AGAIN = 30.0
MOST_DELIVERIES = 5
TIMER, PROBE = 300.0, 30.0
RESTART = 20.0


@dataclass
class Outside:
    """Everything that processes share."""

    kernel: Kernel
    truth: Truth
    watch: Watch
    faults: Faults
    troubles: dict[str, Trouble]
    configs: Mapping[str, ClusterConfig]
    work: SimQueue
    events: SimQueue


class Process:
    """One worker process: its own gate, clock and death."""

    def __init__(
        self,
        outside: Outside,
        number: int,
        life: int,
        over: Callable[[], None],
        thawed: Callable[[float], None],
    ) -> None:
        self.number, self.thaw, self.offset, self.dead = number, 0.0, 0.0, False
        self.room, self.flows = ROOM, list[Flow]()
        self._kernel, self._over, self._thawed = outside.kernel, over, thawed
        self._crash: tuple[int, bool] | None = None
        self._freeze: tuple[int, int] | None = None
        self.worker = self._worker(outside, life)
        self.http = HttpApi(self.worker)

    def now(self) -> datetime:
        """The port ``Clock``: this process's own idea of the time."""
        return self._kernel.time() + timedelta(seconds=self.offset)

    def _worker(self, outside: Outside, life: int) -> Worker:
        kernel, truth = outside.kernel, outside.truth
        wire = Wire(kernel, self, outside.faults)
        ledger = cast(Ledger, SimLedger(wire, truth.ledger, outside.watch))
        clusters = {
            n: SimCluster(wire, kernel, truth.apis[n], outside.troubles[n], outside.watch)
            for n in outside.configs
        }
        azures = {
            n: SimAzure(wire, kernel, truth.arm, outside.troubles[n], outside.watch, n)
            for n in outside.configs
        }
        engine = Engine(
            cluster_of=lambda config: cast(Cluster, clusters[config.name]),
            azure_of=lambda config: cast(Azure, azures[config.name]),
            ledger=ledger,
            pool=Inline(),
            gate=Gate(16, 4),
            limits=Limits(),
            clock=self,
        )
        numbers = count(1)
        return Worker(
            engine=engine,
            ledger=ledger,
            queue=cast(Queue, SimQueuePort(wire, WakeUps(outside.work))),
            configs=lambda: outside.configs,
            new_id=lambda: f"p{self.number}-{life}-{next(numbers)}",
        )

    # -- what goes wrong

    def crash_at(self, calls: int, acted: bool) -> None:
        """Die at the n-th call from now."""
        self._crash = (calls, acted)

    def freeze_at(self, calls: int, seconds: int) -> None:
        """Stand still from the n-th call from now."""
        self._freeze = (calls, seconds)

    def spare(self) -> None:
        """Nothing goes wrong any more."""
        self._crash, self._freeze, self.offset = None, None, 0.0
        self.thaw = min(self.thaw, self._kernel.now)

    def alive(self) -> None:
        if self.dead:
            raise Crash

    def before_call(self) -> None:
        self.alive()
        if self._freeze:
            calls, seconds = self._freeze
            self._freeze = (calls - 1, seconds) if calls > 1 else None
            if calls <= 1:
                self.stand_still(seconds)
        if self._crash:
            calls, acted = self._crash
            self._crash = (calls - 1, acted)
            if calls <= 1 and not acted:
                self.die()
                raise Crash

    def stand_still(self, seconds: float) -> None:
        self.thaw = self._kernel.now + seconds
        self._thawed(self.thaw)

    def after_call(self) -> None:
        self.alive()
        if self._crash and self._crash[0] <= 0:
            self.die()
            raise Crash

    def die(self) -> None:
        """All flows end where they stand."""
        self.dead, self.thaw = True, 0.0
        self._kernel.note(f"p{self.number} dies")
        for flow in self.flows:
            self._kernel.at(self._kernel.now, flow.kill)
        self._over()


class Platform:
    """Two processes, the queues' triggers and the timers."""

    def __init__(self, outside: Outside, *, timer: bool, probe: bool) -> None:
        self.outside, self._kernel = outside, outside.kernel
        self._lives = count(1)
        self.poisoned: list[str] = []
        self.processes: list[Process | None] = [None, None]
        for number in range(2):
            self._start(number)
        for queue in (outside.work, outside.events):
            queue.arrived = partial(self._serve, queue)
        if timer:
            self._kernel.after(1.0, partial(self._tick, ingest.on_timer, TIMER))
        if probe:
            self._kernel.after(7.0, partial(self._tick, ingest.on_probe, PROBE))

    def _start(self, number: int) -> None:
        if self.processes[number] is None:
            over = partial(self._died, number)
            self.processes[number] = Process(self.outside, number, next(self._lives), over, self._thaw)
            self._kernel.at(self._kernel.now, self._serve_all)

    def _died(self, number: int) -> None:
        self.outside.watch.wakes.trouble()
        self.processes[number] = None
        self._kernel.after(RESTART, partial(self._start, number))

    def _thaw(self, when: float) -> None:
        self.outside.watch.froze(when)
        self._kernel.at(when, self._serve_all)

    def running(self) -> list[Process]:
        """The processes that are there and not frozen."""
        return [p for p in self.processes if p and not p.dead and p.thaw <= self._kernel.now]

    def calm(self) -> None:
        """All processes are there, right and unfrozen."""
        for number, process in enumerate(self.processes):
            if process:
                process.spare()
            else:
                self._start(number)
        self._kernel.at(self._kernel.now, self._serve_all)

    def call(self, function: Callable[[Process], None]) -> bool:
        """Call a function (a timer, a request) on some process; False where none is running."""
        running = self.running()
        if not running:
            return False
        process = self._kernel.random.choice(running)
        self._spawn(process, lambda: self._quietly(lambda: function(process)))
        return True

    def _quietly(self, call: Callable[[], None]) -> None:
        """What a function raises on purpose ends it; anything else is a bug."""
        try:
            call()
        except OutsideError as error:
            self._kernel.note(f"function failed: {error}")
        except Exception as error:
            self._kernel.violation(f"a function raised {error!r}")

    def _tick(self, function: Callable[[Worker], None], every: float) -> None:
        self.call(lambda process: function(process.worker))
        self._kernel.after(every, partial(self._tick, function, every))

    def _spawn(self, process: Process, call: Callable[[], None]) -> None:
        process.flows = [f for f in process.flows if not f.done]
        process.flows.append(self._kernel.spawn(call, process))

    def _serve_all(self) -> None:
        self._serve(self.outside.work)
        self._serve(self.outside.events)

    def _serve(self, queue: SimQueue) -> None:
        """Hand over what is visible, while there is room."""
        while True:
            free = [p for p in self.running() if p.room > 0]
            message = queue.receive() if free else None
            if message is None:
                return  # whoever gets room again, starts or thaws asks again
            process = self._kernel.random.choice(free)
            process.room -= 1
            self._spawn(process, partial(self._handle, process, queue, message, message.receipt))

    def _handle(self, process: Process, queue: SimQueue, message: Message, receipt: int) -> None:
        try:
            if message.deliveries > MOST_DELIVERIES:
                self._poison(process, queue, message, receipt)
                return
            self._function(process, queue, message)
        except OutsideError as error:
            self._kernel.note(f"{queue.name} {message.number} failed: {error}")
            if message.deliveries >= MOST_DELIVERIES:
                self._quietly(lambda: self._poison(process, queue, message, receipt))
            else:
                queue.again(message, receipt, AGAIN)
        except Exception as error:
            self._kernel.violation(f"the function of {queue.name} raised {error!r} for {message.body}")
        else:
            queue.finish(message, receipt)
        finally:
            process.room += 1
            if not process.dead:
                self._kernel.at(self._kernel.now, self._serve_all)

    def _function(self, process: Process, queue: SimQueue, message: Message) -> None:
        if queue is self.outside.work:
            done = ingest.on_wake_up(process.worker, message.body, message.inserted)
            self._kernel.note(f"p{process.number} {done.sentence}")
        else:
            ingest.on_events(process.worker, message.body)

    def _poison(self, process: Process, queue: SimQueue, message: Message, receipt: int) -> None:
        self.poisoned.append(message.body)
        self.outside.watch.wakes.set_aside(message)
        queue.finish(message, receipt)
        ingest.on_poison(process.worker, message.body, queue.name)
