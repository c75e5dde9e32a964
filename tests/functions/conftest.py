"""The app, served by the platform's own worker library, on a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.up import Sandbox, SandboxOptions

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv313/bin/python"
Json = dict[str, Any]


@dataclass(frozen=True)
class Functions:
    """The app in a process of the second environment. ``bindings`` are those the platform would see."""

    process: subprocess.Popen[str]
    bindings: dict[str, list[Json]]

    def invoke(self, function: str, value: Json, **metadata: Json) -> Json:
        """What became of one invocation."""
        return self.order({"function": function, "input": value, "metadata": metadata})

    def order(self, order: Json) -> Json:
        """The same, with whatever else an order may say (worker_library.py)."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        ended: Json = _line(self.process)
        return ended

    def succeed(self, function: str, value: Json, **metadata: Json) -> None:
        """An invocation that must not fail."""
        ended = self.invoke(function, value, **metadata)
        assert (ended["status"], ended["error"]) == (1, "")

    def http(
        self, function: str, method: str = "POST", body: Json | None = None, **query: str
    ) -> tuple[int, Any]:
        """An HTTP request: status and JSON. ``body`` is typed data, as the host hands it over."""
        request = {
            "method": method,
            "url": f"https://app.example/api/{function}",
            "headers": {},
            "params": {},
            "query": query,
        }
        ended = self.invoke(function, {"http": {**request, "body": body}})
        assert (ended["status"], ended["error"]) == (1, "")
        assert ended["http"]["headers"]["content-type"].startswith("application/json")
        return ended["http"]["status"], json.loads(ended["http"]["body"])


def _line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout
    line = process.stdout.readline()
    assert line, f"the worker ended with {process.wait(10)}"
    return json.loads(line)


def serve(settings: dict[str, str]) -> Functions:
    """Start it, with these settings as the app's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    process = subprocess.Popen(
        [str(PYTHON), str(Path(__file__).with_name("worker_library.py")), str(ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**kept, **settings},
    )
    return Functions(process, _line(process))


def end(functions: Functions) -> None:
    """It ends when there are no more orders."""
    assert functions.process.stdin
    functions.process.stdin.close()
    try:
        functions.process.wait(10)
    finally:
        functions.process.kill()
        if functions.process.stdout:
            functions.process.stdout.close()


@pytest.fixture(scope="session")
def second_environment() -> None:
    """The platform's worker library needs Python 3.13."""
    if not PYTHON.exists():
        pytest.skip("no .venv313: `make venv313` makes it where a Python 3.13 is on the machine")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A small Azure with one cluster; the functions are not served by its own host."""
    with Sandbox.start(
        SandboxOptions(clusters=("prod",), provisioning_seconds=0.1, functions=False)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def functions(second_environment: None, sandbox: Sandbox) -> Iterator[Functions]:
    """The app on the sandbox."""
    running = serve(sandbox.settings)
    yield running
    end(running)


@pytest.fixture(scope="module")
def unset(second_environment: None) -> Iterator[Functions]:
    """The app without its settings, and without its storage."""
    running = serve({"CLUSTERS": "[]", "LEASE_SECONDS": "soon"})
    yield running
    end(running)
