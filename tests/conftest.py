"""Fixtures that tests of several folders share."""

from collections.abc import Iterator

import pytest

from sandbox.storage import Storage, start_storage


@pytest.fixture(scope="session")
def azurite() -> Iterator[Storage]:
    """One storage emulator for the whole session: use names of your own for queues and tables."""
    with start_storage() as storage:
        yield storage
