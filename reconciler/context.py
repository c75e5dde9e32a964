"""What a piece of work is about, said once and carried along to the threads that do parts of it.

Log records and spans take it from here, so that no call in between hands it through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, str] = MappingProxyType({})
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=_NOTHING)


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """All that is done within is about these; what stood there before holds on, and returns afterwards."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def present() -> Mapping[str, str]:
    """What the present work is about."""
    return _about.get()


class Threads(ThreadPoolExecutor):
    """Threads on which work stays about what it was about where it was handed in, its span included."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As everywhere; ``map`` comes through here, too."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
