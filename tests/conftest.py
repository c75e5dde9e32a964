"""Fixtures that tests of several folders share."""

from collections.abc import Iterator

import pytest

from sandbox.storage import Storage, start_storage
from tests.chaos.summary import pytest_terminal_summary

__all__ = ["azurite", "pytest_terminal_summary"]


@pytest.fixture(scope="session")
def azurite() -> Iterator[Storage]:
    """One storage emulator for the whole session: use names of your own for queues and tables."""
    with start_storage() as storage:
        yield storage
