"""Tokens of our identity while the identity service is ill."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.adapters.credentials import Credential
from reconciler.errors import RetryLater

THREADS = 8


class Silent:
    """An identity service that does not answer, until it is well again."""

    def __init__(self) -> None:
        self.asked, self.well = 0, False

    def get_token(self, *scopes: str) -> str:
        self.asked += 1
        if self.well:
            return f"token for {scopes[0]}"
        time.sleep(0.5)  # its timeout; long enough for all threads to come
        raise TimeoutError("timed out")


def test_threads_that_wait_for_a_token_share_the_failure() -> None:
    """One after another each would wait for a timeout of its own, and a run would outlast its lease."""
    silent = Silent()
    identity = Credential(lambda hook: silent, "")

    def ask(_: int) -> None:
        with pytest.raises(RetryLater, match="timed out"):
            identity.get_token("arm")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(ask, range(THREADS)))
    assert silent.asked < THREADS


def test_whoever_comes_after_a_failure_asks_again() -> None:
    """A failure that was kept would hold on for as long as the process lives."""
    silent = Silent()
    identity = Credential(lambda hook: silent, "")
    for _ in range(2):
        with pytest.raises(RetryLater):
            identity.get_token("arm")
    silent.well = True
    assert identity.get_token("arm")
