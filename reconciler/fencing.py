"""The ledger and the document of one run: once somebody else has taken its lease, nothing more is written down by it.

A process may stand still for minutes, in a debugger or on a starved host, and go on with what it knew before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

P = TypeVar("P")
READS = frozenset({"ownership", "sharing", "reservations", "lease", "state", "states", "history", "read"})


class LeaseLost(Exception):
    """Another run holds the cluster, and began to observe after this one: what this one knows is old."""


def fenced(port: P, is_ours: Callable[[], bool]) -> P:
    """A ledger, or the documents, whose writes raise LeaseLost where the lease is no longer ours."""
    return cast(P, _Fenced(port, is_ours))


class _Fenced:
    def __init__(self, port: object, is_ours: Callable[[], bool]) -> None:
        self._port, self._is_ours = port, is_ours

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return method if name in READS else self._guarded(method)

    def _guarded(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            if not self._is_ours():
                raise LeaseLost
            return write(*values, **named)

        return call
