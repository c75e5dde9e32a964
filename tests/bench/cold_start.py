"""A cold start next to importing the libraries it cannot do without: each in fresh processes, bytecode compiled.

``python -m tests.bench.cold_start (app | libraries) SETTINGS`` is such a process; it prints JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure, Target

ROUNDS = 7
START = Target(
    "Cold start: import of function_app + first queue message handled (wall clock, compiled bytecode)",
    must=2.0,
)
IMPORT = Target("Of that: import of function_app")
TARGETS = (START, IMPORT)


@dataclass(frozen=True)
class Start:
    """One fresh process: seconds until imported, until done, of CPU; MB at the most; modules loaded."""

    imported: float
    done: float
    cpu: float
    peak: float
    modules: int


def measure() -> Iterator[Figure]:
    """One figure for each target."""
    from sandbox.storage import start_storage
    from tests.bench.kubernetes_servers import servers

    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        start_storage() as storage,
        servers(40, Path(folder)) as running,
    ):
        storage_setting = {"AzureWebJobsStorage": storage.connection_string}
        settings = {**running.settings, **running.identity, **storage_setting}
        _started("app", settings), _started("libraries", settings)  # bytecode, and the ledger's first rows
        # In turn, so that a busy minute of the machine meets both.
        pairs = [(_started("app", settings), _started("libraries", settings)) for _ in range(ROUNDS)]
    app, floor = (min(starts, key=lambda s: s.done) for starts in zip(*pairs, strict=True))
    cpu, floor_cpu = (min(s.cpu for s in starts) for starts in zip(*pairs, strict=True))
    yield START.figure(
        f"{app.done:.2f} s, {app.peak:.0f} MB, {app.modules} modules",
        f"import of the five libraries: {floor.done:.2f} s, {floor.peak:.0f} MB, {floor.modules} modules",
        app.done / floor.done,
        f"best of {ROUNDS}; CPU {cpu:.2f} s to {floor_cpu:.2f} s ({cpu / floor_cpu:.2f}); the message: a run with "
        "4 PLSs, nothing to write, against sandbox and Azurite",
    )
    yield IMPORT.figure(
        f"{min(a.imported for a, _ in pairs):.2f} s",
        f"{floor.imported:.2f} s",
        min(a.imported for a, _ in pairs) / min(f.imported for _, f in pairs),
    )


def _started(what: str, settings: Mapping[str, str]) -> Start:
    command = [sys.executable, "-m", __name__, what]
    environment = {**os.environ, **settings}
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Start(**json.loads(said.splitlines()[-1]))


def _app() -> float:
    """Import, then one wake-up as the platform hands it over; the moment between."""
    import function_app

    imported = time.perf_counter()
    import asyncio
    from datetime import UTC, datetime

    from azure.functions.queue import QueueMessage

    from reconciler.wakeups import PERSON

    # A person's: the cluster rests after the round before.
    body = json.dumps({"cluster": "large", "reason": PERSON}).encode()
    message = QueueMessage(body=body, insertion_time=datetime.now(UTC))  # type: ignore[no-untyped-call]
    asyncio.run(function_app.on_reconcile(message))
    assert "azure.mgmt.network" in sys.modules, "the message led to no run"
    return imported


def _libraries() -> float:
    import azure.data.tables
    import azure.functions
    import azure.identity
    import azure.mgmt.network  # noqa: F401
    import kubernetes.client  # noqa: F401

    return time.perf_counter()


def _main(what: str) -> None:
    before, before_cpu = time.perf_counter(), time.process_time()
    imported = _app() if what == "app" else _libraries()
    done, cpu = time.perf_counter() - before, time.process_time() - before_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(Start(imported - before, done, cpu, peak, len(sys.modules)).__dict__))


if __name__ == "__main__":
    _main(sys.argv[1])
