"""The simulation: a stage on which the product's own code runs against a small world in virtual time."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import InTree
from tests.fakes.ledger import MemoryLedger
from tests.simulation import edits
from tests.simulation.arm import Subscription
from tests.simulation.clusters import GROUPS, SERVICES, SUBNETS, configured
from tests.simulation.documents import network
from tests.simulation.ending import complaints
from tests.simulation.faults import Faults
from tests.simulation.kernel import Kernel
from tests.simulation.kubernetes import Api
from tests.simulation.looking import look
from tests.simulation.platform import Outside, Platform
from tests.simulation.provider import Provider
from tests.simulation.queues import SimQueue
from tests.simulation.stage import Facts, WriteFact
from tests.simulation.steps import (
    ApplyService,
    Connect,
    Crash,
    DeletePls,
    DeleteService,
    EditPls,
    EmptyList,
    EnablePolicy,
    Events,
    FailOperations,
    Fault,
    Freeze,
    Happening,
    HideBalancers,
    Imposter,
    Jump,
    MakeForeign,
    Meanwhile,
    Resync,
    Stall,
    Step,
    Wait,
)
from tests.simulation.troubles import Trouble
from tests.simulation.wakes import Wakes
from tests.simulation.watch import Truth, Watch

# A back-off lasts an hour at most; a clock that was an hour ahead may have written times of its own.
LONGEST_REST, CALM = 4500.0, 900.0
MOST_RUNS_IN_CALM = 8


class Simulation:
    """Implements ``Stage``. The same seed, steps and settings give the same history, call by call.

    Without the ``timer`` no full pass mends what was forgotten: where no event is lost, no wake-up may be.
    Without the ``probe`` nobody but a message looks after a cluster whose worker is dead.
    """

    def __init__(
        self,
        seed: int,
        prod: InTree = "absent",
        dev: InTree = "active",
        *,
        timer: bool = True,
        probe: bool = True,
    ) -> None:
        self.kernel = kernel = Kernel(seed)
        self.arm = Subscription(kernel)
        self.apis = {name: Api(kernel, name) for name in GROUPS}
        self.ledger = MemoryLedger(kernel.time)
        self.troubles = {name: Trouble() for name in GROUPS}
        truth = Truth(GROUPS, self.apis, self.arm, self.ledger, self.troubles)
        work, events = SimQueue(kernel, "reconcile"), SimQueue(kernel, "lb-events")
        self.watch, self.faults = (
            Watch(kernel, truth, Wakes(kernel, work, self.ledger, probe=probe)),
            Faults(),
        )
        self.configs = {"prod": configured("prod", prod), "dev": configured("dev", dev)}
        self.steps = 0
        self._ahead = 0.0
        self._furnish()
        self.providers = [
            Provider(kernel, self.arm, api, GROUPS[name], self._in_tree, in_tree=self._active(name))
            for name, api in self.apis.items()
        ]
        self.arm.events.deliver = events.add
        self.platform = Platform(
            Outside(kernel, truth, self.watch, self.faults, self.troubles, self.configs, work, events),
            timer=timer,
            probe=probe,
        )
        self._timer = timer
        self._foreign = edits.Bystander(self.arm)
        self.faults.happen = self._happen
        self.faults.hit = self.watch.wakes.trouble

    def _active(self, name: str) -> bool:
        return self.configs[name].in_tree == "active"

    def _furnish(self) -> None:
        for group in GROUPS.values():
            for name in SUBNETS:
                subnet_id = f"{network(group)}/virtualNetworks/aks-vnet/subnets/{name}"
                properties = {
                    "addressPrefix": "10.224.0.0/16",
                    "provisioningState": "Succeeded",
                    "privateLinkServiceNetworkPolicies": "Enabled",
                    "routeTable": {"id": f"{network(group)}/routeTables/main"},
                }
                self.arm.make({"id": subnet_id, "name": name, "properties": properties})

    def _in_tree(self, method: str, target: str, accepted: bool) -> None:
        if "/privatelinkservices/" in target.lower():
            self.watch.wrote("in-tree", method, target, accepted=accepted)

    # -- Stage

    def play(self, step: Step) -> None:
        """Do it, and let some seconds go by. Raises AssertionError once an invariant is broken."""
        self.steps += 1
        self.kernel.note(repr(step))
        self._do(step)
        seconds = step.seconds if isinstance(step, Wait) else self.kernel.random.choice((0.5, 3, 8, 40))
        self.kernel.run(seconds)
        self._check_foreign()

    def _do(self, step: Step) -> None:
        now = self.kernel.now
        match step:
            case Meanwhile():
                self.faults.wait_for(step)
            case Events():
                if self._timer or step.how != "lost":
                    self.arm.events.until[step.how] = now + step.seconds
            case Fault():
                self.faults.add(step)
            case Stall():
                self.faults.add_stall(step)
            case FailOperations():
                self.arm.fail_next = step.times
            case EmptyList() | HideBalancers() | Imposter():
                self._mislead(step)
            case Crash() | Freeze() | Jump():
                self._hit(step)
            case Wait():
                pass
            case _:
                self._happen(step)

    def _mislead(self, step: EmptyList | HideBalancers | Imposter) -> None:
        """What is told is not so."""
        until = self.kernel.now + step.seconds
        match step:
            case EmptyList():
                trouble = self.troubles[step.cluster]
                trouble.empty_until, trouble.half = until, step.half
            case HideBalancers():
                if self._timer:
                    self.troubles[step.cluster].hide(self.kernel.now, step.seconds)
            case Imposter():
                self.troubles[step.cluster].imposter_until = until

    def _happen(self, step: Happening) -> None:
        """What people do."""
        match step:
            case ApplyService():
                port = 80 + SERVICES.index(step.name)
                self.apis[step.cluster].apply(step.name, step.settings, port)
            case DeleteService():
                self.apis[step.cluster].delete(step.name, force=step.force)
            case EditPls() | DeletePls() | Connect():
                edits.by_hand(self.arm, GROUPS[step.cluster], step)
            case MakeForeign():
                self._foreign.make(GROUPS[step.cluster], step)
            case EnablePolicy():
                edits.enable_policy(self.arm, GROUPS[step.cluster], step.subnet)
            case Resync():
                self._resync(step.cluster)

    def _hit(self, step: Crash | Freeze | Jump) -> None:
        process = self.platform.processes[step.process]
        match step:
            case _ if process is None:
                return
            case Crash():
                process.crash_at(step.calls, step.acted)
            case Freeze():
                process.freeze_at(step.calls, step.seconds)
            case Jump():
                process.offset = float(step.seconds)
                self._ahead = max(self._ahead, process.offset)
                if abs(step.seconds) > 4:
                    self.watch.clocks_wrong_until = float("inf")

    def _resync(self, cluster: str) -> None:
        self.platform.call(lambda process: _discard(process.http.resync({"cluster": cluster})))

    def _resync_all(self) -> None:
        """Poison is told, and a person answers it."""
        self.platform.poisoned.clear()
        for name in GROUPS:
            self._resync(name)

    def settle(self) -> None:
        """All troubles end, then until everything is as it shall be and stays so, without a write."""
        self.faults.clear()
        self.arm.fail_next = 0
        self.arm.events.until.clear()
        for trouble in self.troubles.values():
            trouble.end(self.kernel.now)
        self.platform.calm()
        self.kernel.run(
            max(0.0, self.watch.frozen_until - self.kernel.now)
        )  # who stands still has yet to write
        late = self.kernel.now + LONGEST_REST + self._ahead
        self._come_to_rest(late)
        while intruder := self._stay_calm():
            assert self.kernel.now <= late, f"written in calm: {intruder}"
            self._come_to_rest(late)
        self._check_foreign()

    def _check_foreign(self) -> None:
        """People's own are as they were made; an in-tree controller takes over whatever has the name that it makes."""
        puts = (w for w in self.watch.writes if w.by == "in-tree" and w.method == "PUT" and w.accepted)
        self._foreign.check(self.watch.made_meanwhile | {write.target.lower() for write in puts})

    def _come_to_rest(self, late: float) -> None:
        while found := self._unsettled():
            if self.kernel.now > late:
                raise AssertionError("\n".join(found))
            self._release()
            if not self._timer:
                self._ask_for_runs()
            self.kernel.run(300)

    def _ask_for_runs(self) -> None:
        """No timer makes up for what a person has to mend: poison, and a role that lacks a right. Both are told."""
        if self.platform.poisoned:
            self._resync_all()
        for name in GROUPS:
            if any("denied" in told for told in self.ledger.state(name).last_run.get("failures", ())):
                self._resync(name)

    def _unsettled(self) -> list[str]:
        self.kernel.run(300)
        return complaints(self.facts())

    def _stay_calm(self) -> WriteFact | None:
        """No hot loop: ARM accepts no write, and the runs are those of the timer.

        Returns what the in-tree controller wrote before anybody else did: what it failed with long ago it tries again
        now and then, and then all has to come to rest once more. Of an endless fight there is no end.
        """
        before, fences = len(self.watch.writes), self._fences()
        self.kernel.run(CALM)
        # What ARM refuses is tried again: a static address that another PLS has, and by the in-tree controller,
        # for ever, a second PLS on a frontend.
        writes = [write for write in self.watch.writes[before:] if write.accepted]
        if writes and writes[0].by == "in-tree":
            return writes[0]
        runs = {n: f - fences[n] for n, f in self._fences().items()}
        assert not writes, f"written in calm: {writes}"
        assert all(r <= MOST_RUNS_IN_CALM for r in runs.values()), f"runs in calm: {runs}"
        assert not (found := complaints(self.facts())), "\n".join(found)
        return None

    def _fences(self) -> dict[str, int]:
        return {name: self.ledger.lease(name).fence for name in GROUPS}

    def _release(self) -> None:
        """A person lets go what the brake holds back, and accepts the cluster that really is there."""
        for name in GROUPS:
            state = self.ledger.state(name)
            if held := str(state.last_run.get("heldDigest") or ""):
                self._ask({"cluster": name, "digest": held})
            if state.offered and state.offered == self.apis[name].identity:
                self._ask({"cluster": name, "identity": state.offered})

    def _ask(self, parameters: dict[str, str]) -> None:
        self.platform.call(lambda process: _discard(process.http.release(parameters)))

    def facts(self) -> Facts:
        """The truth, and the ledger."""
        facts = look(GROUPS, self.apis, self.arm, self.ledger, self.watch.writes)
        late = self.watch.reserved_late
        return replace(
            facts, reservations=tuple(r for r in facts.reservations if r.pls_id.lower() not in late)
        )


def _discard(answer: object) -> None:
    """A function answers; nobody reads it."""
