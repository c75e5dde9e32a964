"""What the scenarios share. When a module ends, no log of any of its hosts may hold a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox.up import Sandbox, SandboxOptions
from tests.scenarios.leaks import in_logs
from tests.scenarios.world import World

Start = Callable[[SandboxOptions], World]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts a sandbox that ends with the module."""
    running: list[Sandbox] = []

    def start_one(options: SandboxOptions) -> World:
        running.append(Sandbox.start(options))
        return World(running[-1])

    yield start_one
    found = [leak for sandbox in running for leak in in_logs(sandbox.state, [sandbox.endpoints])]
    for sandbox in reversed(running):
        sandbox.stop()
    assert not found, found[:5]


@pytest.fixture(scope="module", autouse=True)
def hosts_told_no_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for hosts that a test started itself, in a folder of its own."""
    base = tmp_path_factory.getbasetemp()
    before = set(base.iterdir())
    yield
    found = [leak for folder in set(base.iterdir()) - before if folder.is_dir() for leak in in_logs(folder)]
    assert not found, found[:5]
