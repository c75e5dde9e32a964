"""The parent's end of :mod:`tests.chaos.crash_worker`: a nursery, and the workers it forks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
ANSWER_SECONDS = 60.0


class Died(Exception):
    """The worker killed itself at ``point``, as it was told to, after (or in) these ``calls`` of its message."""

    def __init__(self, point: str, calls: tuple[str, ...]) -> None:
        super().__init__(point)
        self.point, self.calls = point, calls


@dataclass
class WorkerProcess:
    """A forked worker, and the channel to it."""

    channel: socket.socket

    def __post_init__(self) -> None:
        self._lines = self.channel.makefile("r", encoding="utf-8")

    def ask(self, message: Json) -> Json:
        """Hand over a message and wait for the answer. Raises Died; RuntimeError where it ended otherwise."""
        self.channel.sendall(json.dumps(message).encode() + b"\n")
        death: Died | None = None
        while line := self._lines.readline():
            answer: Json = json.loads(line)
            if "killing" not in answer:
                return answer
            death = Died(answer["killing"], tuple(answer["calls"]))
        if death:
            raise death
        raise RuntimeError(f"a worker ended by itself while it had {message}")

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self.channel.close()


@dataclass
class Nursery:
    """The process that forks workers; it ends with this one."""

    process: subprocess.Popen[bytes]
    control: socket.socket

    @classmethod
    def start(cls) -> Self:
        """Start and return when everything is imported."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.chaos.crash_worker", str(theirs.fileno())]
            inherited = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR") if k in os.environ}
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT, env=inherited)
        ours.settimeout(ANSWER_SECONDS)
        if ours.recv(1) != b"+":
            raise RuntimeError("the nursery ended while it started")
        return cls(process, ours)

    def fork(self, job: Json) -> WorkerProcess:
        """A new worker with this job."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"w"], [theirs.fileno()])
        ours.settimeout(ANSWER_SECONDS)
        ours.sendall(json.dumps(job).encode() + b"\n")
        return WorkerProcess(ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.control.close()
        self.process.wait(ANSWER_SECONDS)
