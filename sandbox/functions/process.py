"""Start a functions host as a process of its own, and end it.

    with start_functions(app_folder, environment, keys_file, log_file) as host:
        requests.get(host.url + "/api/health")

It ends with `stop()`, and also when this process dies without saying so.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class FunctionsUnavailable(RuntimeError):
    """The host did not start; the text is what it said."""


@dataclass
class RunningFunctions:
    """A host that is ready."""

    process: subprocess.Popen[bytes]
    url: str
    keys: Path  # JSON, see `sandbox.functions.keys`
    log: Path

    def stop(self) -> None:
        """End it in good order, or by force; a second call does nothing."""
        self.process.terminate()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_functions(
    app: Path,
    environment: Mapping[str, str],
    keys: Path,
    log: Path,
    options: Sequence[str] = (),
    timeout: float = START_SECONDS,
) -> RunningFunctions:
    """Start a host for the app in a folder and return when it is ready. Raises FunctionsUnavailable.

    `environment` is all it gets; `options` are more words for its command line; `log` is appended to.
    """
    words = ["--app", str(app.resolve()), "--keys", str(keys.resolve()), "--end-with-stdin"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as said:
        process = subprocess.Popen(  # noqa: S603 (our own module, fixed arguments)
            [sys.executable, "-m", "sandbox.functions", *words, *options],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        )
    guard = threading.Timer(timeout, process.kill)
    guard.start()
    assert process.stdout is not None
    try:
        first = process.stdout.readline().decode()
    except BaseException:  # Ctrl-C while it starts: leave nothing behind
        process.kill()
        raise
    finally:
        guard.cancel()
    ready = json.loads(first) if first else {}
    running = RunningFunctions(process, ready.get("url", ""), keys, log)
    if not ready:
        running.stop()
        raise FunctionsUnavailable(log.read_text() or f"not ready within {timeout:g} s")
    return running
