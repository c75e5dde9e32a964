"""What the scenarios share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox.up import Sandbox, SandboxOptions
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
    for sandbox in reversed(running):
        sandbox.stop()
