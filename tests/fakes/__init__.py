"""Small honest implementations of the ports, in memory. The contract tests hold them to the same answers
as the real adapters."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.errors import OutsideError


@dataclass
class _Failure:
    method: str
    match: str
    error: OutsideError
    left: int


class Failures:
    """Errors to raise for the next matching calls, and a log of all calls as (method, subject)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._failures: list[_Failure] = []

    def fail(self, method: str, error: OutsideError, *, times: int = 1, match: str = "") -> None:
        """Raise ``error`` for the next ``times`` calls of a method whose subject contains ``match``."""
        self._failures.append(_Failure(method, match.lower(), error, times))

    def called(self, method: str, subject: str = "") -> None:
        """Note a call and raise what is planned for it."""
        self.calls.append((method, subject))
        for failure in self._failures:
            if failure.left and failure.method == method and failure.match in subject.lower():
                failure.left -= 1
                raise failure.error
