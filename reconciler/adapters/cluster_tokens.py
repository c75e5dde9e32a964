"""Entra tokens for Kubernetes APIs: kept per scope, and renewed before they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

MARGIN_SECONDS = 300.0  # a token that ends sooner is renewed: it has to outlast a slow request


class Tokens:
    """The tokens of one identity. Threads share it: those that need the same new token share one request.

    ``ask`` gets a token for a scope. Not every credential keeps what it gave: that of ``az login`` starts a
    program for each token.
    """

    def __init__(self, ask: Callable[[str], AccessToken], clock: Callable[[], float] = time.time) -> None:
        self._ask, self._clock = ask, clock
        self._held: dict[str, AccessToken] = {}
        self._lock = threading.Lock()

    def get(self, scope: str) -> str:
        """A token that is good for a while. Raises what ``ask`` raises."""
        return self._good(scope) or self._renewed(scope)

    def forget(self, scope: str) -> None:
        """The token was refused: get another at the next call."""
        with self._lock:
            self._held.pop(scope, None)

    def _good(self, scope: str) -> str:
        held = self._held.get(scope)
        return held.token if held and held.expires_on - self._clock() > MARGIN_SECONDS else ""

    def _renewed(self, scope: str) -> str:
        with self._lock:
            if good := self._good(scope):
                return good  # another thread was first
            token = self._held[scope] = self._ask(scope)
            return token.token
