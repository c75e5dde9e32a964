"""The host: an app's functions, wired to their triggers and outputs."""

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from sandbox.functions import queues
from sandbox.functions.bindings import (
    EventGridTrigger,
    Function,
    QueueOutput,
    QueueTrigger,
    TimerTrigger,
    describe,
    load_functions,
)
from sandbox.functions.configuration import (
    ConfigurationError,
    HostOptions,
    read_host_options,
)
from sandbox.functions.connections import HOST_STORAGE, Connections, find_account
from sandbox.functions.invocation import FunctionFailed, Invoker, decode
from sandbox.functions.keys import keys_in
from sandbox.functions.queues import QueueListener, poison_queue
from sandbox.functions.schedules import parse_schedule
from sandbox.functions.timers import TimerListener, timer_json
from sandbox.functions.web import build_app

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    app: Path
    port: int = 0
    keys: Path = Path(".sandbox/functions-keys.json")
    timers: bool = True
    lock: timedelta = queues.LOCK


class Host:
    """One running host."""

    def __init__(self, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self.options: HostOptions = read_host_options(arguments.app, environment)
        self.functions: list[Function] = load_functions(arguments.app, environment)
        self._connections = Connections(environment)
        threads = environment.get("PYTHON_THREADPOOL_THREAD_COUNT")
        self._invoker = Invoker(
            arguments.app,
            self.options.function_timeout,
            self._send,
            int(threads) if threads else None,
        )
        self._listeners: list[QueueListener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Start all triggers; answers the URL. Raises ConfigurationError."""
        self._check()
        keys = keys_in(self._arguments.keys, [f.name for f in self.functions])
        app = build_app(
            self.functions,
            self.options.route_prefix,
            keys,
            self._invoker.invoke,
            self.invoke_by_hand,
            self._invoker.counts,
        )
        url = await self._listen(app)
        for function in self.functions:
            log.info("function %s: %s", function.name, describe(function.trigger))
            self._start_trigger(function)
        return url

    def _check(self) -> None:
        """All mistakes of all functions in one message."""
        mistakes = []
        for function in self.functions:
            try:
                self._check_one(function)
            except (ConfigurationError, ValueError) as error:
                mistakes.append(f"function {function.name!r}: {error}")
        if mistakes:
            raise ConfigurationError("\n".join(mistakes))

    def _check_one(self, function: Function) -> None:
        match function.trigger:
            case QueueTrigger(_, _, connection):
                find_account(connection, self._environment)
            case TimerTrigger(_, schedule):
                parse_schedule(schedule)
                find_account(HOST_STORAGE, self._environment)
        for output in function.outputs:
            find_account(output.connection, self._environment)

    async def _listen(self, app: web.Application) -> str:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._arguments.port).start()
        except OSError as error:
            raise ConfigurationError(f"cannot listen on port {self._arguments.port}: {error}") from error
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def _start_trigger(self, function: Function) -> None:
        match function.trigger:
            case QueueTrigger(_, name, connection):
                self._run(self._queue_listener(function, name, connection).run())
            case TimerTrigger() as trigger if self._arguments.timers:
                self._run(self._timer_listener(function, trigger).run())

    def _run(self, listening: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(listening)
        task.add_done_callback(_report_broken)
        self._tasks.append(task)

    def _queue_listener(self, function: Function, name: str, connection: str) -> QueueListener:
        async def handle(body: bytes, metadata: dict[str, Any]) -> Any:
            try:
                argument = queue_argument(function, body, metadata)
            except ValueError as error:
                log.warning("function %r cannot take this message: %s", function.name, error)
                raise FunctionFailed(str(error)) from error
            return await self._invoker.invoke(function, argument, f"New queue message on '{name}'.")

        poison = poison_queue(name)
        listener = QueueListener(
            self._connections.queue(connection, name),
            self._connections.queue(connection, poison) if poison else None,
            self.options.queues,
            handle,
            self._arguments.lock,
        )
        self._listeners.append(listener)
        return listener

    def _timer_listener(self, function: Function, trigger: TimerTrigger) -> TimerListener:
        async def handle(timer: dict[str, Any]) -> Any:
            argument = decode("timerTrigger", Datum(json.dumps(timer), "json"))
            return await self._invoker.invoke(function, argument, "Timer fired.")

        host_id, blob = self._host_id(), self._connections.host_blob
        return TimerListener(
            trigger,
            handle,
            self._connections.create_host_container,
            blob(f"locks/{host_id}/{function.name}.Listener"),
            blob(f"timers/{host_id}/Host.Functions.{function.name}/status"),
        )

    def _host_id(self) -> str:
        """The same for all hosts of one app: they share its timers."""
        digest = hashlib.sha256(str(self._arguments.app.resolve()).encode()).hexdigest()
        return self._environment.get("AzureFunctionsWebHost__hostid") or f"local-{digest[:16]}"

    async def invoke_by_hand(self, function: Function, text: str) -> None:
        """The admin endpoint: the input stands for what the trigger would bring. Raises nothing."""
        reason = "This function was programmatically called via the host APIs."
        try:
            await self._invoker.invoke(function, _argument_by_hand(function, text), reason)
        except FunctionFailed:
            pass  # logged
        except Exception:
            log.exception("function %r cannot be called with this input", function.name)

    async def _send(self, output: QueueOutput, messages: list[bytes]) -> None:
        if not messages:
            return
        queue = self._connections.queue(output.connection, output.queue)
        await queues.create_queue(queue)
        for message in messages:
            encoded = base64.b64encode(message) if self.options.queues.base64 else message
            await queue.send_message(encoded.decode())

    async def stop(self) -> None:
        """Take no more work, wait up to ten seconds for what runs, close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            self._runner.cleanup() if self._runner else asyncio.sleep(0),
            self._invoker.drain(DRAIN_SECONDS),
            *(one.drain(DRAIN_SECONDS) for one in self._listeners),
        )
        await self._connections.close()


def _report_broken(task: asyncio.Task[None]) -> None:
    """A listener ends by being cancelled; any other end is a bug of ours that must not be silent."""
    if not task.cancelled() and (error := task.exception()):
        log.error("a listener broke", exc_info=error)


def queue_argument(function: Function, body: bytes, metadata: dict[str, Any]) -> Any:
    """A message as the function's annotation wants it."""
    if function.annotation is str:
        return body.decode()
    if function.annotation is bytes:
        return body
    return decode("queueTrigger", Datum(body, "bytes"), metadata)


def _argument_by_hand(function: Function, text: str) -> Any:
    match function.trigger:
        case QueueTrigger():
            return queue_argument(function, text.encode(), {})
        case EventGridTrigger():
            return decode("eventGridTrigger", Datum(text, "json"))
        case _:
            timer = timer_json(None, past_due=False)
            return decode("timerTrigger", Datum(json.dumps(timer), "json"))
