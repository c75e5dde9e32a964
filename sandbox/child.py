"""Processes of ours that never outlive us: they read their standard input, whose other end we hold."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

T = TypeVar("T")
STOP_SECONDS = 20.0


class Child:
    """A running process, ended by `stop` or at the end of a `with` block."""

    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End it in good order, or by force, and wait until it is gone; a second call does nothing."""
        self.process.terminate()
        with suppress(OSError):
            pipe(self.process.stdin).close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(OSError):  # after its end: somebody may be reading it
            pipe(self.process.stdout).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    words: Sequence[str],
    ready: Callable[[IO[str]], T],
    timeout: float,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    errors: IO[bytes] | int = subprocess.STDOUT,
) -> tuple[subprocess.Popen[str], T]:
    """Start a process, and what `ready` reads of its output. After `timeout` seconds it is killed: then that ends.

    `errors` is where its error output goes. When `ready` raises, nothing stays behind.
    """
    process = subprocess.Popen(  # noqa: S603 (our own programs, fixed arguments)
        words,
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    # Reading blocks, hence a timer that ends a process which never gets ready.
    guard = threading.Timer(timeout, process.kill)
    guard.start()
    try:
        return process, ready(pipe(process.stdout))
    except BaseException:  # Ctrl-C while it starts: leave nothing behind
        process.kill()
        raise
    finally:
        guard.cancel()


def pipe(found: IO[str] | None) -> IO[str]:
    """A pipe of a process that was started above."""
    assert found is not None
    return found
