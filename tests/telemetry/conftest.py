"""A world with one claiming Service, and somebody who listens to what is told of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shell import world as worlds
from tests.shell.world import World
from tests.telemetry.ear import WEB, Ear, listen, listened


@pytest.fixture
def ear() -> Ear:
    return listen()


@pytest.fixture
def world(ear: Ear) -> Iterator[World]:
    """Its PLS takes a while to be provisioned."""
    made = listened(worlds.make(WEB, slow=True), ear.telemetry)
    yield made
    made.engine.pool.shutdown()
