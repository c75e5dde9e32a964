"""A whole sandbox from start to stop, for tests, the demo and `python -m sandbox up`.

    with Sandbox.start(SandboxOptions(clusters=("prod",))) as sandbox:
        subprocess.run(["kubectl", "--kubeconfig", sandbox.kubeconfig("prod"), "get", "services"])

ARM, the clusters and their cloud providers run in a thread of this process; Azurite and the functions host
are processes of their own, which end with this one.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox import up_files
from sandbox.functions.process import RunningFunctions, start_functions
from sandbox.storage import start_storage
from sandbox.up_client import Reply, SandboxClient
from sandbox.up_options import SandboxOptions
from sandbox.up_servers import Servers, start_servers

__all__ = ["Reply", "Sandbox", "SandboxOptions"]

T = TypeVar("T")
Json = dict[str, Any]
Processes = Mapping[str, subprocess.Popen[Any]]
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")


class Sandbox:
    """A running sandbox. `endpoints` is the content of endpoints.json, `state` the folder of its files."""

    def __init__(
        self, options: SandboxOptions, state: Path, endpoints: Json, processes: Processes, stack: ExitStack
    ) -> None:
        self.options, self.state, self.endpoints = options, state, endpoints
        self._processes, self._stack = processes, stack
        self._client = SandboxClient(endpoints)

    @classmethod
    def start(cls, options: SandboxOptions | None = None) -> Self:
        """Start and return when everything is ready. On a failure nothing stays behind."""
        options = options or SandboxOptions()
        with ExitStack() as stack:
            state = _state_folder(options, stack)
            (state / up_files.ENDPOINTS).unlink(missing_ok=True)
            endpoints, processes = _start(options, state, stack)
            up_files.write_text(state / up_files.ENDPOINTS, json.dumps(endpoints, indent=2) + "\n")
            stack.callback((state / up_files.ENDPOINTS).unlink, missing_ok=True)
            return cls(options, state, endpoints, processes, stack.pop_all())

    def ended(self) -> tuple[str, int] | None:
        """A process of ours that ended by itself: its name in `pids`, and its exit code (-9: by signal 9)."""
        codes = ((name, process.poll()) for name, process in self._processes.items())
        return next(((name, code) for name, code in codes if code is not None), None)

    def stop(self) -> None:
        """End everything that was started; a second call does nothing."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def kubeconfig(self, cluster: str) -> Path:
        """The path of a cluster's kubeconfig (its admin's)."""
        return Path(self.endpoints["clusters"][cluster]["kubeconfig"])

    @property
    def settings(self) -> dict[str, str]:
        """The environment for the product: functions and command line."""
        document = json.loads((self.state / up_files.SETTINGS).read_text())
        values: dict[str, str] = document["Values"]
        return values

    def arm(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call to ARM as some person, who is neither the product nor a cloud provider."""
        return self._client.arm(method, path, body)

    def arm_backdoor(self, method: str, path: str, body: Json | None = None, **query: str) -> Reply:
        """One call below ARM's /_sandbox/ (`state`, `faults`, `resources`, `remove-frontend` …)."""
        return self._client.arm_backdoor(method, path, body, query)

    def cluster(self, name: str, method: str, path: str, body: Json | None = None) -> Reply:
        """One call to a cluster's API as its admin; PATCH is a merge patch."""
        return self._client.cluster(name, method, path, body)

    def cluster_backdoor(self, name: str, method: str, path: str, body: Json | None = None) -> Reply:
        """One call below a cluster's /_sandbox/."""
        return self._client.cluster_backdoor(name, method, path, body)

    def topic_backdoor(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call below the /_sandbox/ of the topic (`published`, `requests`, `faults`); option `publish`."""
        return self._client.topic_backdoor(method, path, body)

    def function(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call to the functions host with its master key, for example `/api/status`."""
        return self._client.function(method, path, body)


def _state_folder(options: SandboxOptions, stack: ExitStack) -> Path:
    if options.state is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))).resolve()
    options.state.mkdir(parents=True, exist_ok=True)
    return options.state.resolve()


def _start(options: SandboxOptions, state: Path, stack: ExitStack) -> tuple[Json, Processes]:
    processes: dict[str, subprocess.Popen[Any]] = {}
    connection_string = ""
    if options.storage:
        storage = stack.enter_context(start_storage())
        processes["storage"], connection_string = storage.process, storage.connection_string
    servers = _start_servers(options, state, connection_string, stack)
    values = up_files.settings(options, servers, state, connection_string)
    up_files.write_configuration(state, up_files.clusters_document(options, servers), values)
    functions = None
    if app := options.app_folder:
        running = stack.enter_context(_start_functions(options, app, state, values))
        processes["functions"] = running.process
        functions = {"url": running.url, "keys": json.loads(running.keys.read_text())}
    pids = {"sandbox": os.getpid(), **{name: process.pid for name, process in processes.items()}}
    return up_files.endpoints(options, servers, connection_string, functions, pids), processes


def _start_servers(options: SandboxOptions, state: Path, connection_string: str, stack: ExitStack) -> Servers:
    thread = stack.enter_context(_LoopThread())
    servers = thread.run(start_servers(options, state, connection_string))
    stack.callback(lambda: thread.run(servers.stop()))
    return servers


def _start_functions(
    options: SandboxOptions, app: Path, state: Path, values: dict[str, str]
) -> RunningFunctions:
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    words = [] if options.timers else ["--no-timers"]
    keys, log = state / up_files.KEYS, state / "functions.log"
    log.unlink(missing_ok=True)
    return start_functions(app, {**inherited, **values}, keys, log, words)


class _LoopThread:
    """An event loop in a thread of its own, so that plain synchronous code can use a sandbox."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(_cancel_the_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _cancel_the_rest() -> None:
    """End what servers leave behind when they stop: requests that hang by a fault, and whose clients are gone."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
