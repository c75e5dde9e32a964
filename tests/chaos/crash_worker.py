"""A worker as a process of its own, forked from one that has imported everything: ``python -m … SOCKET``.

The first process (the nursery) reads a byte and a file descriptor from its socket for each worker, forks before
any thread exists, and ends when its socket does. The worker reads its job from the first line of its channel,
then a message per line, and answers each with a line; it ends when the channel does.
"""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from datetime import datetime, timedelta
from typing import Any

from reconciler import ingest, settings, wiring
from reconciler.reconcile import dry_run
from reconciler.rendering import finding_json, write_json
from reconciler.worker import Worker
from tests.chaos import crash_calls
from tests.chaos.clock import ShiftedClock, on_clock

# What the product imports at first use; each fork would pay for it again.
_LAZY = (
    "azure.identity",
    "azure.mgmt.network",
    "azure.core.rest",
    "kubernetes.client.api_client",
    "kubernetes.config",
    "requests",
    "yaml",
)
Json = dict[str, Any]


def nursery(control: socket.socket) -> None:
    """Fork a worker for each descriptor that arrives."""
    for name in _LAZY:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a worker: its channel tells its end
    control.sendall(b"+")
    while True:
        byte, channels, _, _ = socket.recv_fds(control, 1, 1)
        if not byte:
            return
        if threading.active_count() != 1:
            raise RuntimeError("a worker forked beside threads would inherit their locks")
        if os.fork() == 0:
            control.close()
            serve(socket.socket(fileno=channels[0]))
            os._exit(0)
        os.close(channels[0])


def serve(channel: socket.socket) -> None:
    """The life of one worker."""
    lines = channel.makefile("r", encoding="utf-8")
    telling = threading.Lock()

    def tell(word: Any) -> None:
        with telling:
            channel.sendall(json.dumps(word).encode() + b"\n")

    job = json.loads(lines.readline())
    logging.basicConfig(level=logging.CRITICAL)
    os.environ.update(job["settings"])
    hook = _hook(job["hook"], tell)
    crash_calls.install(hook, job["systems"], job["words"])
    clock = ShiftedClock()
    wired = wiring.Lazy(lambda: wiring.app(settings.load(job["settings"])))
    shifted: list[Worker] = []
    for line in lines:
        message, hook.handed = json.loads(line), len(hook.calls)
        clock.shift = timedelta(seconds=message["shift"])
        try:
            if not shifted:
                shifted.append(on_clock(wired(), clock))
            answer = {"done": handle(shifted[0], message)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        tell({**answer, "calls": hook.calls[hook.handed :]})


def _hook(job: Json, tell: Any) -> Any:
    """The hook that a job names as ``module:class``; one that kills says so first."""
    module, _, name = job["class"].partition(":")
    hook = getattr(importlib.import_module(module), name)(**job["arguments"])
    if hasattr(hook, "tell"):
        hook.tell = tell
    return hook


def handle(worker: Worker, message: Json) -> Any:
    """What function_app.py does with a message of this kind."""
    match message["kind"]:
        case "event":
            return list(ingest.on_events(worker, _body(message)))
        case "wake-up":
            done = ingest.on_wake_up(worker, _body(message), datetime.fromisoformat(message["inserted"]))
            return done.sentence
        case "poison":
            return ingest.on_poison(worker, _body(message), message["queue"])
        case "timer":
            return ingest.on_timer(worker)
        case "probe":
            return ingest.on_probe(worker)
        case "plan":
            return _plan(worker, message["cluster"])
    raise ValueError(f"no such message: {message['kind']}")


def _body(message: Json) -> bytes:
    return base64.b64decode(message["body"])


def _plan(worker: Worker, cluster: str) -> Json:
    run = dry_run(worker.engine, worker.configs()[cluster])
    return {
        "complete": run.look.complete,
        "writes": [write_json(write) for write in run.plan.writes],
        "findings": [finding_json(finding) for finding in run.plan.findings],
        "failures": [str(failure) for failure in run.look.failures],
    }


if __name__ == "__main__":
    nursery(socket.socket(fileno=int(sys.argv[1])))
