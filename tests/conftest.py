"""Fixtures that tests of several folders share."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from sandbox.storage import Storage, start_storage
from tests.chaos.summary import pytest_terminal_summary

__all__ = ["azurite", "pytest_terminal_summary"]

# How long an example takes depends on the machine, and on who else uses it: no reason to fail.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Storage]:
    """One storage emulator for the whole session: use names of your own for queues and tables."""
    with start_storage() as storage:
        yield storage
