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
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from sandbox.functions import queues
from sandbox.functions.bindings import (
    EventGridTrigger,
    Function,
    QueueOutput,
    QueueTrigger,
    TimerTrigger,
    load_functions,
)
from sandbox.functions.configuration import (
    ConfigurationError,
    HostOptions,
    connection_string,
    read_host_options,
)
from sandbox.functions.invocation import FunctionFailed, Invoker, decode
from sandbox.functions.keys import keys_in
from sandbox.functions.queues import QueueListener, poison_queue
from sandbox.functions.schedules import parse_schedule
from sandbox.functions.timers import TimerListener, timer_json
from sandbox.functions.web import build_app

log = logging.getLogger(__name__)

HOST_STORAGE = "AzureWebJobsStorage"
HOST_CONTAINER = "azure-webjobs-hosts"
DRAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    app: Path
    port: int = 0
    keys: Path = Path(".sandbox/functions-keys.json")
    timers: bool = True
    lock: timedelta = queues.LOCK


class Connections:
    """Storage clients, one per connection string, without retries: listeners poll again anyway."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._queues: dict[str, QueueServiceClient] = {}
        self._blobs: BlobServiceClient | None = None

    def queue(self, connection: str, name: str) -> QueueClient:
        """A queue of the account that a binding's `connection` names. Raises ConfigurationError."""
        text = connection_string(_prefixed(connection), self._environment)
        if text not in self._queues:
            self._queues[text] = QueueServiceClient.from_connection_string(
                text, retry_total=0, connection_timeout=5, read_timeout=30
            )
        return self._queues[text].get_queue_client(name)

    async def host_container(self) -> ContainerClient:
        """Where leases and timer states are kept. Raises ConfigurationError and AzureError."""
        if self._blobs is None:
            text = connection_string("Storage", self._environment)
            self._blobs = BlobServiceClient.from_connection_string(
                text, retry_total=0, connection_timeout=5, read_timeout=30
            )
        container = self._blobs.get_container_client(HOST_CONTAINER)
        if not await container.exists():
            await container.create_container()
        return container

    async def close(self) -> None:
        """Close what was opened."""
        for client in self._queues.values():
            await client.close()
        if self._blobs:
            await self._blobs.close()


def _prefixed(connection: str) -> str:
    """No connection means the host's own storage; `AzureWebJobs` is the prefix looked up first."""
    return "Storage" if connection in ("", HOST_STORAGE) else connection


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
        )
        url = await self._listen(app)
        for function in self.functions:
            await self._start_trigger(function)
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
                connection_string(_prefixed(connection), self._environment)
            case TimerTrigger(_, schedule):
                parse_schedule(schedule)
                connection_string("Storage", self._environment)
        for output in function.outputs:
            connection_string(_prefixed(output.connection), self._environment)

    async def _listen(self, app: web.Application) -> str:
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._arguments.port)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _start_trigger(self, function: Function) -> None:
        match function.trigger:
            case QueueTrigger(_, name, connection):
                self._run(self._queue_listener(function, name, connection).run())
            case TimerTrigger() as trigger if self._arguments.timers:
                self._run((await self._timer_listener(function, trigger)).run())

    def _run(self, listening: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(listening))

    def _queue_listener(self, function: Function, name: str, connection: str) -> QueueListener:
        async def handle(body: bytes, metadata: dict[str, Any]) -> Any:
            argument = queue_argument(function, body, metadata)
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

    async def _timer_listener(self, function: Function, trigger: TimerTrigger) -> TimerListener:
        async def handle(timer: dict[str, Any]) -> Any:
            argument = decode("timerTrigger", Datum(json.dumps(timer), "json"))
            return await self._invoker.invoke(function, argument, "Timer fired.")

        container = await self._connections.host_container()
        host_id = self._host_id()
        return TimerListener(
            trigger,
            handle,
            container.get_blob_client(f"locks/{host_id}/{function.name}.Listener"),
            container.get_blob_client(f"timers/{host_id}/Host.Functions.{function.name}/status"),
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
        """Take no more work, wait a little for what runs, close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(one.drain(DRAIN_SECONDS) for one in self._listeners))
        if self._runner:
            await self._runner.cleanup()
        self._invoker.close()
        await self._connections.close()


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
