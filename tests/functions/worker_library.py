"""A program of the second environment: the platform's worker library serves the app; orders come by pipe.

    .venv313/bin/python tests/functions/worker_library.py FOLDER

It indexes FOLDER/function_app.py as the platform does and prints one line of JSON: the functions with
their bindings. Then it reads one order per line (``{"function", "input", "metadata"}``; data as
``{"string" | "bytes" | "json" | "http": …}``) and prints what became of it: ``status`` (1 is success),
``error`` and, of a function that returns one, the HTTP answer. The library speaks to the host in
protobuf messages; the stand-ins below have their shape.
"""

from __future__ import annotations

import asyncio
import json
import sys
import types
from typing import Any, cast

import azure_functions_runtime as runtime

Json = dict[str, Any]


class Message:
    """Any protobuf message: what is not set is None."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "TypedData":  # the library asks whether it is wrapped in one
            raise AttributeError(name)
        return None

    def WhichOneof(self, group: str) -> str | None:
        """The field that is set."""
        if group == "rpc_data":
            return "data"
        return next((name for name, value in self.__dict__.items() if value is not None), None)


class Messages(types.SimpleNamespace):
    """The module of message types, made as they are asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kind = type(name, (Message,), {})
        setattr(self, name, kind)
        return kind


MESSAGES = Messages(
    StatusResult=type("StatusResult", (Message,), {"Failure": 0, "Success": 1}),
    BindingInfo=type("BindingInfo", (Message,), {"in": 0, "out": 1, "inout": 2, "undefined": None}),
)


def wrapped(**request: Message) -> Message:
    """A request as the worker process hands it to the library."""
    return Message(request=Message(**request), properties={"host": "127.0.0.1", "protos": MESSAGES})


async def index(folder: str) -> list[Any]:
    """Start the library on an app. Ends the program where the app cannot be indexed."""
    init = Message(capabilities={}, function_app_directory=folder)
    started = await runtime.worker_init_request(wrapped(worker_init_request=init))
    if started.result.status != 1:
        sys.exit(started.result.exception.message)
    answer = await runtime.functions_metadata_request(wrapped(functions_metadata_request=Message()))
    runtime.start_threadpool_executor()
    return cast(list[Any], answer.function_metadata_results)


def data(value: Json) -> Message:
    """Typed data: bytes are sent as text in the order."""
    ((kind, content),) = value.items()
    if kind == "bytes":
        content = content.encode("utf-8", "surrogateescape")
    if kind == "http":
        body = content.pop("body", None)
        content = Message(**content, body=data(body) if body else Message())
    return Message(**{kind: content})


async def invoke(function: Any, order: Json) -> Json:
    """One invocation."""
    trigger = next(b for b in map(json.loads, function.raw_bindings) if b["type"].endswith("Trigger"))
    request = Message(
        invocation_id="1",
        function_id=function.function_id,
        input_data=[Message(name=trigger["name"], data=data(order["input"]))],
        trigger_metadata={name: data(value) for name, value in order.get("metadata", {}).items()},
        trace_context=Message(trace_parent=order.get("trace", ""), trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
    )
    answer = await runtime.invocation_request(wrapped(invocation_request=request))
    failed = answer.result.exception
    return {
        "status": answer.result.status,
        "error": failed.message if failed else "",
        "http": _http(answer.return_value.http) if answer.return_value else None,
    }


def _http(answer: Any) -> Json:
    body = answer.body.bytes
    text = body.decode() if isinstance(body, bytes) else answer.body.string
    return {"status": int(answer.status_code), "headers": dict(answer.headers), "body": text}


async def serve(folder: str, orders: Any, answers: Any) -> None:
    """Index, tell, and serve orders until there are no more."""
    functions = {function.name: function for function in await index(folder)}
    bindings = {name: [json.loads(b) for b in f.raw_bindings] for name, f in functions.items()}
    print(json.dumps(bindings), file=answers, flush=True)
    while line := await asyncio.to_thread(orders.readline):
        order = json.loads(line)
        print(json.dumps(await invoke(functions[order["function"]], order)), file=answers, flush=True)


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else prints must not disturb the pipe
    sys.path.insert(0, sys.argv[1])
    asyncio.run(serve(sys.argv[1], sys.stdin, answers))
