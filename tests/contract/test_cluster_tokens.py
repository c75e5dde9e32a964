"""Entra tokens for Kubernetes APIs: kept while they are good, one request for all threads, forgotten when refused."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import AccessToken

from reconciler.adapters.cluster_tokens import MARGIN_SECONDS, Tokens
from reconciler.errors import RetryLater

HOUR = 3600


@dataclass
class Identity:
    """Numbers its tokens; each is good for an hour."""

    now: float = 1_000_000.0
    asked: list[str] = field(default_factory=list)
    down: bool = False

    def __call__(self, scope: str) -> AccessToken:
        if self.down:
            raise RetryLater("down")
        self.asked.append(scope)
        return AccessToken(f"{scope}-{len(self.asked)}", int(self.now) + HOUR)

    def tokens(self) -> Tokens:
        return Tokens(self, lambda: self.now)


def test_a_token_is_asked_for_once_until_shortly_before_it_ends() -> None:
    """Asking each time would start az for every page; asking too late ends in 401."""
    identity = Identity()
    tokens = identity.tokens()
    assert [tokens.get("a"), tokens.get("a"), tokens.get("b")] == ["a-1", "a-1", "b-2"]
    identity.now += HOUR - MARGIN_SECONDS - 1
    assert tokens.get("a") == "a-1"
    identity.now += 1
    assert tokens.get("a") == "a-3"


def test_a_refused_token_is_not_used_again() -> None:
    """Only that of its scope."""
    tokens = Identity().tokens()
    assert [tokens.get("a"), tokens.get("b")] == ["a-1", "b-2"]
    tokens.forget("a")
    tokens.forget("unheard of")
    assert [tokens.get("a"), tokens.get("b")] == ["a-3", "b-2"]


def test_threads_that_need_the_same_token_share_one_request() -> None:
    """Sixteen reads by name that start together must not be sixteen requests to the identity service."""
    identity, meeting, asking = Identity(), threading.Barrier(16), threading.Event()

    def slow(scope: str) -> AccessToken:
        asking.wait(0.1)  # nobody sets it: the others arrive in the meantime
        return identity(scope)

    tokens = Tokens(slow, lambda: identity.now)

    def get() -> str:
        meeting.wait(10)
        return tokens.get("a")

    with ThreadPoolExecutor(16) as threads:
        assert {found.result() for found in [threads.submit(get) for _ in range(16)]} == {"a-1"}
    assert identity.asked == ["a"]


def test_a_failure_is_told_and_the_next_call_asks_again() -> None:
    """Neither kept nor hidden behind a token that ends."""
    identity = Identity(down=True)
    tokens = identity.tokens()
    with pytest.raises(RetryLater):
        tokens.get("a")
    identity.down = False
    assert tokens.get("a") == "a-1"
