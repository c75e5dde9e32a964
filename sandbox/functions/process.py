"""Start a functions host as a process of its own, and end it.

    with start_functions(app_folder, environment, keys_file, log_file) as host:
        requests.get(host.url + "/api/health")

It ends with `stop()`, and also when this process dies without saying so.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import child

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


class FunctionsUnavailable(RuntimeError):
    """The host did not start; the text is what it said."""


@dataclass
class RunningFunctions(child.Child):
    """A host that is ready."""

    process: subprocess.Popen[str]
    url: str
    keys: Path  # JSON, see `sandbox.functions.keys`
    log: Path


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
        process, first = child.start(
            [sys.executable, "-m", "sandbox.functions", *words, *options],
            lambda output: output.readline(),
            timeout,
            environment=environment,
            folder=ROOT,
            errors=said,
        )
    ready = json.loads(first) if first else {}
    running = RunningFunctions(process, ready.get("url", ""), keys, log)
    if not ready:
        running.stop()
        raise FunctionsUnavailable(log.read_text() or f"not ready within {timeout:g} s")
    return running
