"""The stage over HTTP: the simulation's steps against sandbox and Azurite, the product as it is wired in Azure.

Every step is played. What is another than in the simulation, and why:

- One worker process handles one message after another, while its time leaps; crashes, freezes and clocks of both
  processes are its own. Two at once are tests/scenarios/test_two_hosts.py's and the exploration's.
- ``Freeze``: the process finds that time has gone by; nobody else works meanwhile. ``Jump``: its clock is wrong,
  the storage's is right. ``Stall``: nothing, since nobody else works meanwhile.
- ``HideBalancers``: nothing; tests/scenarios/test_operations.py has a wrong list.
- ``Fault``: of the requests behind a port's method (over_http_faults.py). The SDKs try some again by themselves,
  so that a single one may not be seen. ``Meanwhile``: the request waits until the step has happened.
- ``EmptyList(half=True)``: the first half is left, not every second Service.
- A person's edit takes ARM's time and is checked by it; a private endpoint is a real one of another network.
- Both clusters are without in-tree controller, which the sandbox has for all clusters or for none: the conformance
  tests and tests/scenarios/test_both_modes.py have it over HTTP.
- What ARM refuses a person (policies of a subnet with a PLS switched on, an edit during an operation) is left.
- The checks at each write (watch.py) need the truth at that moment: over HTTP the ends are checked, and the rest.
- The probe fires once a step and the timer every five minutes of it, at most three times: those between would find
  what these find.
"""

from __future__ import annotations

import itertools
import logging
import random
import time
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from reconciler import settings as product_settings
from reconciler import wiring
from reconciler.api import Api
from reconciler.ports import WakeUp
from reconciler.wakeups import PERSON as BY_PERSON
from tests.chaos.clock import ShiftedClock, on_clock
from tests.simulation import over_http_faults as faults
from tests.simulation.ending import complaints
from tests.simulation.over_http_facts import facts_of, product_writes
from tests.simulation.over_http_hook import STOOD_STILL
from tests.simulation.over_http_people import People
from tests.simulation.over_http_words import Words
from tests.simulation.over_http_world import CLUSTERS, Door, HttpWorld
from tests.simulation.ports import STRANGER
from tests.simulation.stage import Facts
from tests.simulation.steps import (
    Crash,
    EmptyList,
    Events,
    FailOperations,
    Fault,
    Freeze,
    HideBalancers,
    Imposter,
    Jump,
    Meanwhile,
    Stall,
    Step,
    Wait,
)

Json = dict[str, Any]
HOOK = "tests.simulation.over_http_hook:Moments"
TIMER, MOST_TIMERS = 300.0, 3
# Shifted time, and real time (the provider's retries, a slow machine), until all must be as it shall be.
LONGEST_REST, PATIENCE = 12 * 3600.0, 90.0
MOST_REFUSED_IN_CALM = 4  # what ARM refuses is tried again, an hour apart in the end


class HttpStage:
    """Implements ``Stage``."""

    def __init__(self, seed: int) -> None:
        self.world = HttpWorld.open(seed)
        self.door, self.words, self._clock = Door(), Words(), ShiftedClock()
        self._chance, self._numbers = random.Random(seed), itertools.count()
        # A person's requests reach functions that no fault befalls.
        values = self.world.sandbox.settings
        values["AzureWebJobsStorage"] = str(self.world.sandbox.endpoints["storage"]["connectionString"])
        host = on_clock(wiring.app(product_settings.load(values)), self._clock)
        self.ledger, self._api, self._host = host.ledger, Api(host), host
        self.people = People(self.world, self.words, lambda name: host.queue.send(WakeUp(name, BY_PERSON)))
        for name in CLUSTERS:
            body = {"metadata": {"name": "shop"}}
            self.world.users.expect(self.world.sandbox.cluster(name, "POST", "/api/v1/namespaces", body), 201)
        group = self.world.users.group("shared")
        self.world.users.expect(self.world.sandbox.arm("PUT", group, {"location": "eastus"}), 200, 201)
        self._crash: Json | None = None
        self._freeze: Json | None = None
        self._meanwhile: dict[int, Json] = {}
        self._ahead = 0.0
        self._lists: dict[str, tuple[datetime, list[Json]]] = {}
        self._timer_at = self.world.now
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._host.engine.pool.shutdown()
        self.door.close()
        self.world.close()

    # -- the worker, and what goes wrong with it

    def _begin(self) -> None:
        """A fresh process, with what it is still to suffer."""
        arguments = {
            "door": self.door.port,
            "crash": self._crash,
            "freeze": self._freeze,
            "meanwhile": [m for n, m in self._meanwhile.items() if n in self.door.happenings],
            "ahead": self._ahead,
        }
        self.world.begin({"class": HOOK, "arguments": arguments})

    def _live(self, seconds: float) -> None:
        self.world.live(seconds, self._between)
        if self.door.wrong:
            raise self.door.wrong.pop()

    def _between(self) -> None:
        """A worker that died is replaced by one whose clock is right; one that stood still has done so."""
        self._mend_lists()
        last = self.world.deliveries[-1] if self.world.deliveries else None
        if last and self._freeze and any(call.startswith(STOOD_STILL) for call in last.calls):
            self._freeze = None
            self._begin()
        if self.world.worker is None:
            self._crash, self._ahead = None, 0.0
            self._begin()

    def _mend_lists(self) -> None:
        """Lists are whole again, and the cluster itself answers, once their time is over."""
        for cluster, (until, _) in list(self._lists.items()):
            if until <= self.world.now:
                del self._lists[cluster]
                self.world.doors[cluster].call("DELETE", "faults")

    # -- Stage

    def play(self, step: Step) -> None:
        """Do it, and let some seconds go by."""
        self._do(step)
        seconds = step.seconds if isinstance(step, Wait) else self._chance.choice((0.5, 3, 8, 40))
        self._tick(seconds)
        self._live(seconds)

    def _tick(self, seconds: float) -> None:
        self.world.tick("probe")
        fired = 0
        while self._timer_at <= self.world.now + timedelta(seconds=seconds):
            if fired < MOST_TIMERS:
                self.world.tick("timer", self._timer_at)
                fired += 1
            self._timer_at += timedelta(seconds=TIMER)

    def _do(self, step: Step) -> None:
        match step:
            case Meanwhile():
                self._wait_for(step)
            case Events():
                self.world.troubled[step.how] = self.world.now + timedelta(seconds=step.seconds)
            case Fault():
                for system, fault in faults.doors(step):
                    for name in CLUSTERS if system == "kubernetes" else (system,):
                        self.world.doors[name].call("POST", "faults", fault)
            case FailOperations():
                self._fail_operations(step.times)
            case EmptyList():
                self._list(step.cluster, step.seconds, faults.empty_list(half=step.half))
            case Imposter():
                self._list(step.cluster, step.seconds, faults.imposter())
            case Crash() | Freeze() | Jump():
                self._hit(step)
            case Wait() | Stall() | HideBalancers():
                pass
            case _:
                self.people.happen(step)

    def _hit(self, step: Crash | Freeze | Jump) -> None:
        match step:
            case Crash():
                self._crash = {"calls": step.calls, "acted": step.acted}
            case Freeze():
                self._freeze = {"calls": step.calls, "seconds": step.seconds}
            case Jump():
                self._ahead = float(step.seconds)
        self._begin()

    def _wait_for(self, step: Meanwhile) -> None:
        number = next(self._numbers)
        self.door.happenings[number] = lambda: self.people.happen(step.step)
        self._meanwhile[number] = {"number": number, **faults.moment(step.port, step.method)}
        self._begin()

    def _list(self, cluster: str, seconds: int, told: list[Json]) -> None:
        self._lists[cluster] = self.world.now + timedelta(seconds=seconds), told
        for fault in told:
            self.world.doors[cluster].call("POST", "faults", fault)

    def _fail_operations(self, times: int) -> None:
        for method in ("PUT", "DELETE"):
            fault = {"path": "/privateLinkServices/[^/]+$", "method": method, "times": times}
            self.world.doors["arm"].call("POST", "faults", fault | {"mode": "async-failed"})

    def settle(self) -> None:
        """All troubles end; then until everything is as it shall be, and stays so without a write."""
        self.calm()
        late, deadline = self.world.now + timedelta(seconds=LONGEST_REST), time.monotonic() + PATIENCE
        while found := self._unsettled():
            if self.world.now > late or time.monotonic() > deadline:
                raise AssertionError("\n".join(found))
            self._release()
            self._nudge()
            time.sleep(0.05)
        self._stay_calm()

    def calm(self) -> None:
        """Everything works again."""
        self.world.calm()
        self._lists.clear()
        self.door.happenings.clear()
        self._crash, self._freeze, self._ahead = None, None, 0.0
        self._begin()

    def _unsettled(self) -> list[str]:
        self.world.tick("timer")
        self._live(300)
        return complaints(self.facts())

    def _nudge(self) -> None:
        """The provider tries again by itself in seconds, while time leaps."""
        for name in CLUSTERS:
            for service, document in self.people.services(name).items():
                gone = document["metadata"].get("deletionTimestamp")
                served = (document.get("status") or {}).get("loadBalancer", {}).get("ingress")
                if gone or not served:
                    self.people.nudge(name, service)

    def _stay_calm(self) -> None:
        self.world.users.forget_requests()
        for kind in ("timer", "probe"):
            self.world.tick(kind)
        self._live(900)
        writes = product_writes(self.world.users.requests())
        accepted = [write for write in writes if write.accepted]
        assert not accepted, f"written in calm: {accepted}"
        assert len(writes) <= MOST_REFUSED_IN_CALM, f"tried in calm: {writes}"
        assert not (found := complaints(self.facts())), "\n".join(found)

    def _release(self) -> None:
        """A person lets go what the brake holds back, and accepts the cluster that really is there."""
        self._clock.shift = self.world.shift
        for name in CLUSTERS:
            state = self.ledger.state(name)
            if held := str(state.last_run.get("heldDigest") or ""):
                self._api.release({"cluster": name, "digest": held})
            if state.offered and state.offered != STRANGER:
                self._api.release({"cluster": name, "identity": state.offered})

    def facts(self) -> Facts:
        """The truth, and the ledger, in the simulation's words."""
        return facts_of(self.people, self.ledger)


logging.getLogger("azure").setLevel(logging.ERROR)
