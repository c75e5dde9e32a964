"""Many events at once, and events during a run: few runs, nothing lost, nothing set aside."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from reconciler import wakeups
from sandbox.up import SandboxOptions
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.hosts import EVENTS, NO_TIMERS, WORK, Host
from tests.scenarios.world import World

BALANCERS = "/resourceGroups/MC_prod/providers/Microsoft.Network/loadBalancers$"


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """No timers anywhere: what is seen comes from the messages that a test sends."""
    return start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.2, functions=False))


@pytest.fixture(scope="module")
def started(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, str]]:
    """A host, and a Private Link Service as wished."""
    with hosts.host(world, tmp_path_factory.mktemp("host"), "host", NO_TIMERS) as running:
        yield running, world.make_ready("prod", "app")


@pytest.fixture
def host(world: World, started: tuple[Host, str]) -> Host:
    """The host, with nothing to do."""
    hosts.settle(world, "prod", started[0])
    return started[0]


@pytest.fixture
def pls_id(started: tuple[Host, str]) -> str:
    """The id of the Private Link Service."""
    return started[1]


def healthy(world: World, host: Host) -> bool:
    """Whether no function failed and nothing was set aside."""
    return not host.failed and not hosts.poisoned(world)


def test_two_hundred_events_are_at_most_three_runs(world: World, host: Host) -> None:
    """One for the first, one for all that came meanwhile, one in doubt; one more for each rest that they take longer."""
    hosts.send(world, hosts.balancer_events(world, "prod", 200))
    world.wait("they are taken in", lambda: not world.waiting_messages(EVENTS))
    taken_in = time.time()
    hosts.wait_until_served(world, "prod", host)
    first, *later = hosts.runs(world, "prod", [host])
    rests = int((taken_in - first["time"]) / wakeups.REST.total_seconds())
    assert 1 + len(later) <= 3 + max(0, rests - 1)
    assert healthy(world, host)


def test_the_last_of_many_events_is_not_lost(world: World, host: Host, pls_id: str) -> None:
    """What it tells came about after the runs of the others had begun."""
    hosts.send(world, hosts.balancer_events(world, "prod", 60))
    world.wait("a run has begun", lambda: hosts.runs(world, "prod", [host]))
    world.annotate("prod", "app", {"pls-fqdns": "last.example"})  # of which no event tells
    hosts.send(world, hosts.balancer_events(world, "prod", 1))
    world.ready(pls_id, lambda has: has["fqdns"] == ["last.example"])
    assert healthy(world, host)


def test_an_event_during_a_run_that_writes_nothing_is_one_or_two_more(world: World, host: Host) -> None:
    """At least one begins after it."""
    with world.arm_fault(path=BALANCERS, method="GET", times=1, delay=1.5):
        hosts.send(world, hosts.balancer_events(world, "prod", 1))
        world.wait("a run is under way", lambda: hosts.runs(world, "prod", [host]))
        sent = time.time()
        hosts.send(world, hosts.balancer_events(world, "prod", 1))
        world.wait("its wish is noted", lambda: hosts.lease(world, "prod").get("wanted"))
    hosts.wait_until_served(world, "prod", host)
    first, *later = hosts.runs(world, "prod", [host])
    assert first["ended"] > sent, "the run had looked before the event came: this test would show nothing"
    assert 1 <= sum(run["time"] > sent for run in later) <= 2


def test_contention_alone_poisons_nothing(world: World, host: Host) -> None:
    """Eighty messages meet a lease that is held for long: each is done at its first try."""
    with world.arm_fault(path=BALANCERS, method="GET", times=1, delay=4.0):
        hosts.send(world, [{"cluster": "prod", "reason": "event"}], WORK)
        world.wait("a run is under way", lambda: hosts.runs(world, "prod", [host]))
        before = host.counted("on_reconcile")
        for reason in ("event", "timer", "probe", "parked"):
            hosts.send(world, [{"cluster": "prod", "reason": reason}] * 20, WORK)
        world.wait("all have come and gone", lambda: host.counted("on_reconcile") >= before + 80, host.counts)
        (run,) = hosts.runs(world, "prod", [host])
        assert run["ended"] is None, "the run has ended already: this test would show nothing"
    hosts.wait_until_served(world, "prod", host)
    assert len(hosts.runs(world, "prod", [host])) <= 3
    assert healthy(world, host)
