"""The shell makes the calls of the model, in its order: else the exploration would tell about another program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import pytest

from reconciler.errors import OutsideError, RetryLater, Stale
from reconciler.ports import WakeUp
from tests.builders import service
from tests.exploration.state import Budget, State, start
from tests.exploration.world import World
from tests.shell import world as shells

WEB = service("web", settings={"name": "pls-0"})
DOWN = RetryLater("it is down")
CALLS = {"lease": "read", "write_lease": "write", "put_private_link_service": "put"}


class Shell(NamedTuple):
    """A world with the real worker, and its calls that the model knows."""

    world: shells.World
    calls: list[str]

    def handle(self, reason: str = "event") -> None:
        """One message, now; what is raised is for the host."""
        with suppress(OutsideError):
            self.world.handle(reason)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """One Service without a PLS."""
    world, calls = shells.make(WEB), []
    called, send = world.azure.called, world.queue.send

    writing: list[str] = []

    def noted(method: str, subject: str = "") -> None:
        if method == "lease" and writing:
            writing.clear()  # the ledger in memory reads the row that it is about to replace
            return
        if method in CALLS:
            calls.append(CALLS[method])
        called(method, subject)
        if method == "write_lease":
            writing.append(method)

    def sent(wake_up: WakeUp, delay_seconds: float = 0) -> None:
        calls.append(wake_up.reason)
        send(wake_up, delay_seconds)

    monkeypatch.setattr(world.azure, "called", noted)
    monkeypatch.setattr(world.queue, "send", sent)
    return Shell(world, calls)


def calls_of(step: str) -> list[str]:
    """The calls that a step of the model stands for; none for what happens outside of the workers."""
    words = step.split()
    guarded = ["guard"] * step.endswith("storage fails, guard")
    match words[1] if words[0].isdigit() else "":
        case "reads" | "lost" | "ended" | "gives":
            return ["read", *guarded]
        case "sends":
            return [words[2].rstrip(":")]
        case "writes" | "renews" | "releases":
            return ["write"]
        case "begins":
            return ["put"]
        case _:
            return []


def possible(first: State, calls: list[str]) -> bool:
    """Whether the model can make exactly these calls, and have no worker busy after them."""
    world, ways, seen = World(), [(first, 0)], {(first, 0)}
    while ways:
        state, made = ways.pop()
        if made == len(calls) and not any(state.tasks):
            return True
        for what, after in world.steps(state):
            more = calls_of(what)
            way = (after, made + len(more))
            if calls[made : made + len(more)] == more and way not in seen:
                seen.add(way)
                ways.append(way)
    return False


def quiet(shell: Shell) -> None:
    """A run that writes and one that finds nothing to do."""
    shell.handle()
    shell.world.clock.forward(2)
    shell.world.queue.messages.clear()
    shell.handle("manual")


def busy(shell: Shell) -> None:
    """Two events while a run is under way."""

    def events() -> None:
        shell.world.clock.forward(1)
        shell.handle()
        shell.handle()

    shell.world.azure.meanwhile["put_private_link_service"] = events
    shell.handle()


def unreachable(shell: Shell) -> None:
    """A run that fails, and a message while the cluster is left alone."""
    shell.world.cluster.fail("list_services", DOWN)
    shell.handle()
    shell.handle()


def broken(shell: Shell) -> None:
    """A run that raises gives up."""
    shell.world.azure.fail("put_ownership", DOWN)
    shell.handle()


def unreleased(shell: Shell) -> None:
    """Storage fails as the run ends; the message comes back, and finds the lease held."""
    shell.world.azure.meanwhile["put_private_link_service"] = lambda: shell.world.azure.fail("lease", DOWN)
    shell.handle()
    shell.world.clock.forward(30)
    shell.handle()


def given_up(shell: Shell) -> None:
    """A run breaks, and cannot release."""

    def fail() -> None:
        shell.world.azure.fail("lease", DOWN)
        shell.world.azure.fail("add_history", DOWN)

    shell.world.azure.meanwhile["put_private_link_service"] = fail
    shell.handle()


def probed(shell: Shell) -> None:
    """A probe that finds nothing changed."""
    shell.handle()
    shell.world.clock.forward(6)
    shell.handle("probe")


STORIES: list[tuple[Callable[[Shell], None], tuple[str, ...], Budget]] = [
    (quiet, ("event", "manual"), Budget(0, 0, 0, 1)),
    (busy, ("event", "event", "event"), Budget(0, 0, 1, 1)),
    (unreachable, ("event", "event"), Budget(0, 1, 0, 0)),
    (broken, ("event",), Budget(1, 1, 0, 0)),
    (unreleased, ("event",), Budget(1, 0, 0, 1)),
    (given_up, ("event",), Budget(1, 0, 0, 1)),
    (probed, ("event", "probe"), Budget(0, 0, 1, 1)),
]


@pytest.mark.parametrize(("story", "kinds", "budget"), STORIES, ids=[story[0].__name__ for story in STORIES])
def test_the_model_makes_the_calls_of_the_shell(
    shell: Shell, story: Callable[[Shell], None], kinds: tuple[str, ...], budget: Budget
) -> None:
    """The calls of the real worker to row, queue and Azure, one by one; and not with one left out."""
    story(shell)
    assert possible(start(kinds, budget), shell.calls), shell.calls


def test_the_model_does_not_make_just_any_calls() -> None:
    """A comparison that accepts everything would compare nothing."""
    first, budget = ("event",), Budget(0, 0, 0, 1)
    right = ["read", "write", "guard", "read", "write", "put", "read", "parked", "write"]
    assert possible(start(first, budget), right)
    for index in range(len(right)):
        assert not possible(start(first, budget), right[:index] + right[index + 1 :]), right[index]


def test_a_stale_row_is_read_again_before_anything_is_sent(shell: Shell) -> None:
    """The shell decides anew on what is there now, as the model does."""
    shell.world.azure.fail("write_lease", Stale("somebody else wrote first"))
    shell.handle()
    assert shell.calls[:4] == ["read", "write", "read", "write"]
