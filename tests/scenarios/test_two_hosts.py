"""Two hosts at work on one cluster: they take turns, and one that was frozen writes nothing when it wakes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from reconciler import wakeups
from sandbox.up import SandboxOptions
from tests.chaos_mode import FULL
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.hosts import EVENTS, NO_TIMERS, WORK, Host, Json
from tests.scenarios.world import World

LEASE_SECONDS = 60  # the least that the settings allow
# A host that does only what it is asked for over HTTP.
BY_HAND = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("on_reconcile", "on_event_queue")}
PLAN = "/api/plan?cluster=test"
LISTS, READS, PUTS = "/MC_{}/.*/loadBalancers$", "/MC_{}/.*/privateLinkServices/.+", "/privateLinkServices/.+"


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """No functions: each test starts its own."""
    options = SandboxOptions(
        clusters=("prod", "dev", "test"),
        provisioning_seconds=0.2,
        functions=False,
        extra_settings={"LEASE_SECONDS": str(LEASE_SECONDS)},
    )
    return start(options)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """For calls that somebody waits for while the test goes on."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def make(world: World, cluster: str) -> list[str]:
    """Three Services on their frontends, of which no event is left to tell; the ids of the PLSs to come."""
    ids = [world.make(cluster, f"s{i}") for i in range(3)]
    for i in range(3):
        world.address(cluster, f"s{i}")
    world.wait("all events are in the queue", lambda: at_rest(world))
    for queue in (EVENTS, WORK):
        hosts.empty(world, queue)
    world.forget_requests()
    return ids


def at_rest(world: World) -> bool:
    """Whether ARM has no operation and no event under way."""
    state = world.expect(world.sandbox.arm_backdoor("GET", "state"), 200)
    states = {r.get("properties", {}).get("provisioningState", "Succeeded") for r in state["resources"]}
    return not state["eventsUnderWay"] and states <= {"Succeeded", "Failed", "Canceled"}


def run(host: Host, cluster: str) -> int:
    """Ask for a run and wait for it; 200 where it was done, 202 where another was under way."""
    return host.call("POST", f"/api/resync?cluster={cluster}&wait=true").status


def under_way(world: World, host: Host, method: str, end: str) -> bool:
    """Whether ARM has a request of this host that it has not answered."""
    mine = (r for r in world.requests() if r["user"] == host.user and r["ended"] is None)
    return any(r["method"] == method and end in r["path"] for r in mine)


def overlapping(written: list[Json]) -> list[tuple[Json, Json]]:
    """Writes of different hosts that were under way at the same time."""
    pairs = ((a, b) for a, b in product(written, written) if a["user"] < b["user"])
    return [(a, b) for a, b in pairs if a["time"] < b["ended"] and b["time"] < a["ended"]]


def test_two_hosts_on_one_cluster_never_write_at_the_same_time(
    world: World, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Each has its run, with slow writes, while the other is asked for one again and again."""
    with (
        hosts.host(world, tmp_path, "a", NO_TIMERS) as first,
        hosts.host(world, tmp_path, "b", NO_TIMERS) as second,
    ):
        ids = [world.make_ready("prod", f"s{i}") for i in range(6)]
        hosts.settle(world, "prod", first, second)
        with world.arm_fault(path=PUTS, method="PUT", times=None, delay=0.5):
            for turn, (one, other) in enumerate([(first, second), (second, first)]):
                for i in range(6):
                    world.annotate("prod", f"s{i}", {"pls-fqdns": f"turn-{turn}.example"})
                mine = threads.submit(run, one, "prod")
                world.wait("it writes", lambda one=one: under_way(world, one, "PUT", "pls-"))  # type: ignore[misc]
                hosts.send(world, [{"cluster": "prod", "reason": "manual"}] * 6, WORK)
                assert run(other, "prod") == 202, "it was no other's turn"
                assert mine.result() == 200
                hosts.wait_until_served(world, "prod", first, second)
        written = [w for w in hosts.writes(world, "prod") if w["user"] in (first.user, second.user)]
        assert {first.user, second.user} == {w["user"] for w in written}
        assert overlapping(written) == []
        assert len(written) == 12  # none twice
        for pls_id in ids:
            world.ready(pls_id, lambda has: has["fqdns"] == ["turn-1.example"])
        assert not first.failed
        assert not second.failed
        assert hosts.poisoned(world) == []


@contextmanager
def frozen(host: Host) -> Iterator[None]:
    """The process stands still."""
    host.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        host.signal(signal.SIGCONT)


def wrote_nothing_since(world: World, host: Host, moment: float) -> bool:
    """Whether no write of a host began since then, now that it has nothing under way."""
    world.wait("the host has done what it was at", lambda: not host.busy)
    return not [w for w in hosts.writes(world) if w["user"] == host.user and w["time"] > moment]


def test_a_host_that_was_frozen_while_it_looked_writes_nothing_when_another_had_its_turn(
    world: World, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Before its first write it finds that the lease is somebody else's."""
    ids = make(world, "dev")
    with hosts.host(world, tmp_path, "sleeper", NO_TIMERS, **BY_HAND) as sleeper:
        with world.arm_fault(path=LISTS.format("dev"), method="GET", delay=2.0):
            asked = threads.submit(run, sleeper, "dev")
            world.wait("it looks", lambda: under_way(world, sleeper, "GET", "loadBalancers"))
            with frozen(sleeper), hosts.host(world, tmp_path, "other", NO_TIMERS) as other:
                slept = time.time()
                hosts.let_time_pass(world, "dev")
                assert run(other, "dev") == 200
                for pls_id in ids:
                    world.ready(pls_id)
        asked.result()
        assert wrote_nothing_since(world, sleeper, slept)


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_a_host_that_was_frozen_between_two_writes_writes_nothing_after_its_lease(
    world: World, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """In the read before the second one."""
    ids = make(world, "test")
    with hosts.host(world, tmp_path, "sleeper", NO_TIMERS, **BY_HAND, MAX_WRITES="1") as sleeper:
        assert run(sleeper, "test") == 200  # the subnet
        world.wait("the subnet takes a PLS", lambda: sleeper.call("GET", PLAN).body["plans"][0]["writes"])
        hosts.empty(world, WORK)
        with world.arm_fault(path=PUTS, method="PUT", delay=1.5):
            asked = threads.submit(lambda: run(sleeper, "test"))
            world.wait("it writes", lambda: under_way(world, sleeper, "PUT", "pls-"))
            with world.arm_fault(path=READS.format("test"), method="GET", delay=2.0):
                world.wait("it reads", lambda: under_way(world, sleeper, "GET", "/privateLinkServices/pls-"))
                host_sleeps(world, sleeper, ids, tmp_path)
        asked.exception()  # who asked gave up after a minute


def host_sleeps(world: World, sleeper: Host, ids: list[str], folder: Path) -> None:
    """It is frozen until its lease is over and another host has done what was left.

    In full mode nothing but time helps. Else the row's lease ends at once, so that the other host need not
    wait, and the sleeper wakes in the last seconds of what it holds for its lease: they are closed to writes.
    """
    with frozen(sleeper), hosts.host(world, folder, "other", NO_TIMERS) as other:
        slept, ends = time.time(), hosts.lease(world, "test")["until"]
        if not FULL:
            hosts.let_time_pass(world, "test")
            assert run(other, "test") == 200
            ends -= wakeups.LAST_WRITES
        while datetime.now(UTC) < ends:
            in_time = len(hosts.writes(world, "test")) == 2  # the subnet, and the first of three
            assert in_time or not FULL, "somebody wrote under the lease of another"
            time.sleep(0.5)
        for pls_id in ids:
            world.ready(pls_id)
    assert wrote_nothing_since(world, sleeper, slept)
    assert not hosts.poisoned(world)
