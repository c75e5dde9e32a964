"""Reads of the outside on threads, many at once: what fails is unknown, and told at the end."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Executor, Future
from functools import partial
from typing import TypeVar

from reconciler.errors import OutsideError
from reconciler.model import Unknown

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Reader:
    """Reads on threads; what fails becomes Unknown and is noted."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self.failures: list[OutsideError] = []

    def start(self, call: Callable[[], T]) -> Future[T | Unknown]:
        """The answer to come."""
        return self._pool.submit(self._one, call)

    def each(self, items: Iterable[K], call: Callable[[K], T]) -> dict[K, T | Unknown]:
        """The answers for all items, read in parallel."""
        futures = {item: self.start(partial(call, item)) for item in items}
        return {item: future.result() for item, future in futures.items()}

    def _one(self, call: Callable[[], T]) -> T | Unknown:
        try:
            return call()
        except OutsideError as error:
            self.failures.append(error)
            return Unknown(str(error))
