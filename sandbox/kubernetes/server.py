"""One cluster's HTTP server: the API behind its faults and its log, the marked back door beside it."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from aiohttp import web

from sandbox.kubernetes.api import USER, Api
from sandbox.kubernetes.backdoor import BackDoor
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.faults import Fault, Faults, Request, RequestLog, half_list
from sandbox.kubernetes.responses import error_response, json_response

BODY_LIMIT = 3 * 1024 * 1024
FOREVER = 3600.0
LOG = web.RequestKey("log", RequestLog)
GARBAGE = '{"kind":"ServiceList","apiVersion":"v1","items":[{"metadata":'
_log = logging.getLogger(__name__)


class Server:
    def __init__(self, api: Api, back_door: BackDoor, faults: Faults, log: RequestLog) -> None:
        self._api = api
        self._back_door = back_door
        self._faults = faults
        self._requests = log

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        self._back_door.add_routes(app.router)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        request[LOG] = self._requests
        fault = self._faults.take(request.method, request.path_qs)
        if fault is None:
            return await self._answer(request)
        if fault.delay and fault.mode != "hang":
            await asyncio.sleep(fault.delay)
        if fault.mode == "answer" and fault.status is None:
            return await self._answer(request)
        return await self._faulty(request, fault)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._api.handle(request)
        except ApiError as error:
            return error_response(error)
        except web.HTTPRequestEntityTooLarge:
            said = f"Request entity too large: limit is {BODY_LIMIT}"
            return error_response(ApiError(413, said))
        except Exception as error:
            _log.exception("%s %s", request.method, request.path_qs)
            return error_response(ApiError(500, f"Internal error occurred: {error!r}"))

    async def _faulty(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.mode:
            case "answer":
                return error_response(_failure(fault))
            case "garbage":
                return json_response((fault.message or GARBAGE).encode())
            case "hang":
                await asyncio.sleep(fault.delay or FOREVER)
                return await self._answer(request)
            case "reset-before":
                return self._reset(request, web.Response())
        response = await self._answer(request)
        if fault.mode == "reset-after":
            return self._reset(request, response)
        body = response.body if isinstance(response, web.Response) else None
        if not isinstance(body, bytes):
            return response
        if fault.mode == "half-list":
            return json_response(half_list(body), response.status)
        return await self._truncated(request, body)

    def _reset(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        self._requests.add(_line(request, 0))
        del request[LOG]
        if request.transport is not None:
            request.transport.abort()
        return response

    async def _truncated(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Headers promise the whole body; half of it comes, then the connection closes."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


def _failure(fault: Fault) -> ApiError:
    status = fault.status or 500
    return ApiError(status, fault.message or f"injected {status}", fault.code, headers=dict(fault.headers))


def _line(request: web.Request, status: int) -> Request:
    return Request(request.method, request.path_qs, time.time(), status, request.get(USER, ""))


async def real_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """The real server names itself nowhere, and every answer has an id for its audit log."""
    response.headers.popall("Server", None)
    response.headers.setdefault("Audit-Id", str(uuid.uuid4()))
    response.headers.setdefault("Cache-Control", "no-cache, private")


async def log_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Logged when the headers go out, so that a watch is in the log while it lasts."""
    log = request.get(LOG)
    if log is not None:
        log.add(_line(request, response.status))
