"""One invocation: arguments as the library's own converters build them, the call, its outputs."""

import asyncio
import inspect
import json
import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum, get_binding_registry

from sandbox.functions.bindings import CONTEXT, RETURN, Function, QueueOutput

log = logging.getLogger(__name__)

Send = Callable[[QueueOutput, list[bytes]], Awaitable[None]]


class FunctionFailed(Exception):
    """The function raised, or ran out of time; its traceback is in the log already."""


class Out(func.Out[Any]):
    """What a function gets for an output binding."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Remember the value to send."""
        self._value = val

    def get(self) -> Any:
        """The value set so far, or None."""
        return self._value


@dataclass(frozen=True)
class TraceContext:
    """A root of its own for each invocation: nothing here collects traces."""

    trace_parent: str
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


class Context(func.Context):
    """The `context` argument."""

    def __init__(self, function: Function, directory: Path) -> None:
        self._invocation_id = str(uuid.uuid4())
        self._function_name = function.name
        self._directory = str(directory)
        self._local = threading.local()
        self._local.invocation_id = self._invocation_id

    @property
    def invocation_id(self) -> str:
        """A new one for each invocation."""
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        """Carries `invocation_id` for threads that the function starts."""
        return self._local

    @property
    def function_name(self) -> str:
        """As registered."""
        return self._function_name

    @property
    def function_directory(self) -> str:
        """The app's folder."""
        return self._directory

    @property
    def trace_context(self) -> Any:
        """A W3C trace parent of its own."""
        return TraceContext(f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00")

    @property
    def retry_context(self) -> Any:
        """This host has no retry policies, as the platform has none for queue, HTTP and Event Grid."""
        return None


@dataclass
class Counts:
    """How often a function ran, since the host started, and how many of its calls run now."""

    succeeded: int = 0
    failed: int = 0
    running: int = 0


class Invoker:
    """Runs functions: async ones on this loop, sync ones on threads, each within the time limit."""

    def __init__(
        self, directory: Path, timeout: timedelta | None, send: Send, threads: int | None = None
    ) -> None:
        self._directory = directory
        self._timeout = timeout.total_seconds() if timeout else None
        self._send = send
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._running: set[asyncio.Task[Any]] = set()
        self.counts: dict[str, Counts] = defaultdict(Counts)

    async def invoke(self, function: Function, argument: Any, reason: str) -> Any:
        """Call a function and send its outputs; answers what it returned. Raises FunctionFailed.

        A caller that is cancelled meanwhile (a trigger that ends) does not cancel the function: see `drain`.
        """
        counts = self.counts[function.name]
        task = asyncio.create_task(self._invoke(function, argument, reason))
        self._running.add(task)
        counts.running += 1
        task.add_done_callback(partial(self._ended, counts))
        return await asyncio.shield(task)

    def _ended(self, counts: Counts, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        counts.running -= 1
        if not task.cancelled():
            task.exception()  # seen: it is in the log, even if nobody waits for it any more

    async def _invoke(self, function: Function, argument: Any, reason: str) -> Any:
        context = Context(function, self._directory)
        label = f"'Functions.{function.name}' (Id={context.invocation_id}"
        started = time.monotonic()
        log.info("Executing %s, Reason='%s')", label, reason)
        try:
            result = await self._run(function, argument, context)
        # SystemExit and its own cancellation too: whatever a function does, the host goes on.
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            self.counts[function.name].failed += 1
            log.exception("Executed %s, Failed, Duration=%dms)", label, _since(started))
            raise FunctionFailed(f"{type(error).__name__}: {error}") from error
        self.counts[function.name].succeeded += 1
        log.info("Executed %s, Succeeded, Duration=%dms)", label, _since(started))
        return result

    async def _run(self, function: Function, argument: Any, context: Context) -> Any:
        outs = {o.parameter: Out() for o in function.outputs if o.parameter != RETURN}
        arguments = {function.trigger.parameter: argument, **outs}
        if function.wants_context:
            arguments[CONTEXT] = context
        async with asyncio.timeout(self._timeout):
            result = await self._call(function, arguments)
        for output in function.outputs:
            value = result if output.parameter == RETURN else outs[output.parameter].get()
            await self._send(output, queue_messages(value))
        return result

    async def _call(self, function: Function, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            return await function.call(**arguments)
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._threads, lambda: function.call(**arguments))
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(
                "a sync function returned a coroutine: the platform never awaits it. "
                "Is there a sync decorator around an async function?"
            )
        return result

    async def drain(self, seconds: float) -> None:
        """Wait for what runs, then cancel it; sync functions on threads cannot be."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)


def _since(started: float) -> float:
    return (time.monotonic() - started) * 1000


def decode(binding: str, body: Datum, metadata: dict[str, Any] | None = None) -> Any:
    """A trigger's argument, by the converter that the worker uses."""
    datums = {name: Datum(json.dumps(value), "json") for name, value in (metadata or {}).items()}
    return _converter(binding).decode(body, trigger_metadata=datums)


def encode(binding: str, value: Any) -> Datum:
    """An output's value, by the converter that the worker uses. Raises NotImplementedError."""
    datum: Datum = _converter(binding).encode(value, expected_type=None)
    return datum


def _converter(binding: str) -> Any:
    return get_binding_registry().get(binding)  # type: ignore[no-untyped-call]


def queue_messages(value: Any) -> list[bytes]:
    """The messages in what a function set or returned for a queue: none, one, or one per list item."""
    if value is None:
        return []
    datum = encode("queue", value)
    if datum.type == "bytes":
        return [datum.value]
    if datum.type == "json":
        content = json.loads(datum.value)
        return [_message(item) for item in (content if isinstance(content, list) else [content])]
    return [datum.value.encode()]


def _message(item: Any) -> bytes:
    """A QueueMessage is sent as its body: its id is the queue's to give."""
    text: str = item["body"] if isinstance(item, dict) else item
    return text.encode()
