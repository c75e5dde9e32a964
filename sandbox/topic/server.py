"""The topic's HTTPS server: `POST /api/events` as Event Grid takes it, and back doors under /_sandbox/."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.arm.faults import Fault, Faults
from sandbox.tls import Authority
from sandbox.topic import access
from sandbox.topic.events import CONTENT_TYPES, checked

Json = dict[str, Any]

LARGEST = 1024 * 1024  # bytes of a request
_KEPT = 20_000


@dataclass(frozen=True)
class TopicOptions:
    """`port` 0 takes a free one. `key` is the topic's access key, base64."""

    port: int = 0
    key: str = base64.b64encode(b"sandbox topic, no secret at all.").decode()


class RunningTopic:
    """A topic that listens. `url` is what people copy as its endpoint."""

    def __init__(self, app: _App, runner: web.AppRunner) -> None:
        self._app, self._runner = app, runner
        self.key = app.options.key
        self.url = f"https://localhost:{runner.addresses[0][1]}/api/events"

    @property
    def published(self) -> list[Json]:
        """The events, as they were sent, in the order of their coming; doubles too."""
        return list(self._app.published)

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()


async def start_topic(authority: Authority, options: TopicOptions | None = None) -> RunningTopic:
    """Start on 127.0.0.1; ready on return. OSError when the port is taken."""
    app = _App(options or TopicOptions())
    runner = web.AppRunner(app.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    tls = authority.server_context()
    await web.TCPSite(runner, "127.0.0.1", app.options.port, ssl_context=tls, shutdown_timeout=1).start()
    return RunningTopic(app, runner)


class _Refused(Exception):
    """An answer that is an error: status, Event Grid's code, a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _App:
    def __init__(self, options: TopicOptions) -> None:
        self.options = options
        self.published: deque[Json] = deque(maxlen=_KEPT)
        self._log: deque[Json] = deque(maxlen=_KEPT)
        self._faults = Faults()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=4 * LARGEST)
        app.router.add_route("*", "/_sandbox/{path:.*}", self._serve_backdoor)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        entry: Json = {"method": request.method, "path": request.path, "query": request.query_string}
        entry |= {"time": time.time(), "status": None, "events": 0}
        self._log.append(entry)
        response = await self._with_fault(request, self._faults.take(request.method, request.path), entry)
        entry["status"] = response.status
        return response

    async def _with_fault(self, request: web.Request, fault: Fault | None, entry: Json) -> web.Response:
        if fault is None:
            return await self._answer(request, entry)
        await asyncio.sleep(fault.delay)
        if fault.mode == "answer" and fault.status is not None:
            return web.json_response(fault.body(), status=fault.status, headers=fault.headers)
        if fault.mode == "reset-before":
            raise _reset(request)
        response = await self._answer(request, entry)
        if fault.mode != "answer":
            raise _reset(request)
        return response

    async def _answer(self, request: web.Request, entry: Json) -> web.Response:
        try:
            events = await self._accepted(request)
        except _Refused as error:
            return web.json_response(_error(error), status=error.status)
        entry["events"] = len(events)
        self.published.extend(events)
        return web.Response(status=200)

    async def _accepted(self, request: web.Request) -> list[Json]:
        """The events of a request; _Refused says why there are none."""
        if request.path.rstrip("/").lower() != "/api/events":
            raise _Refused(404, "NotFound", "There is no such path.")
        if request.method != "POST":
            raise _Refused(405, "MethodNotAllowed", f"{request.method} is not supported.")
        if not request.query.get("api-version"):
            raise _Refused(400, "BadRequest", "The query has no api-version.")
        if why := access.refusal(request.headers, self.options.key):
            raise _Refused(401, "Unauthorized", why)
        body = await request.read()
        if len(body) > LARGEST:
            raise _Refused(
                413,
                "PayloadTooLarge",
                f"The request has {len(body)} bytes; the most that are allowed are {LARGEST}.",
            )
        if request.content_type not in CONTENT_TYPES:
            wanted = " or ".join(CONTENT_TYPES)
            raise _Refused(
                400, "BadRequest", f"This topic is configured for CloudEventV1_0, and wants {wanted}."
            )
        try:
            return checked(body, batch=request.content_type == CONTENT_TYPES[0])
        except ValueError as error:
            raise _Refused(400, "BadRequest", f"{error}") from error

    async def _serve_backdoor(self, request: web.Request) -> web.Response:
        match (request.method, request.match_info["path"].strip("/")):
            case ("GET", "published"):
                return web.json_response({"value": list(self.published)})
            case ("DELETE", "published"):
                self.published.clear()
                return web.Response(status=204)
            case ("GET", "requests"):
                return web.json_response({"value": list(self._log)})
            case ("DELETE", "requests"):
                self._log.clear()
                return web.Response(status=204)
            case (_, "faults"):
                return await self._serve_faults(request)
        return web.json_response({"error": f"no back door {request.method} {request.path}"}, status=404)

    async def _serve_faults(self, request: web.Request) -> web.Response:
        match request.method:
            case "DELETE":
                self._faults.clear()
            case "POST":
                try:
                    self._faults.add(Fault.parse(json.loads(await request.text())))
                except (ValueError, TypeError) as error:
                    return web.json_response({"error": str(error)}, status=400)
        return web.json_response(
            {"value": self._faults.shown()}, status=201 if request.method == "POST" else 200
        )


def _error(error: _Refused) -> Json:
    report = f" Report '{uuid.uuid4()}' to our forums for assistance or raise a support ticket."
    detail = {"code": error.code, "message": f"{error}{report}"}
    return {"error": {**detail, "details": [detail]}}


def _reset(request: web.Request) -> ConnectionResetError:
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("connection dropped on request")
