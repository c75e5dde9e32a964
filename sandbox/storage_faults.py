"""Storage that goes wrong on request: a forwarder in front of one of Azurite's services, with a back door.

    tables = await start_storage_faults(storage.endpoints["Table"])
    connection_string = storage.connection_string.replace(storage.endpoints["Table"], tables.url)

Azurite has no faults of its own. Vocabulary and back door (/_sandbox/faults, /_sandbox/requests) are those of
the simulated clusters, so that a test treats every system alike.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from sandbox.kubernetes.faults import Fault, Faults, Request, RequestLog

_BODY_LIMIT = 8 * 1024 * 1024
_FOREVER = 3600.0
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_TABLE = re.compile(
    rb"\n(?:PUT|POST|DELETE|PATCH|MERGE) \S+?/([A-Za-z][A-Za-z0-9]*)\(?[^/\s]*\)? HTTP", re.IGNORECASE
)
_GARBAGE = "<html>not storage"


class RunningStorageFaults:
    """A listening forwarder: `url` stands where the service's own address did."""

    def __init__(self, runner: web.AppRunner, session: aiohttp.ClientSession) -> None:
        self._runner, self._session = runner, session
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self._runner.cleanup()
        await self._session.close()


async def start_storage_faults(target: str) -> RunningStorageFaults:
    """Listen on a free port of 127.0.0.1 and forward to `target` (http://host:port)."""
    # Bodies pass as they are, and nothing is added: the signature covers headers.
    session = aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=0),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    server = _Server(target, session)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return RunningStorageFaults(runner, session)


class _Server:
    def __init__(self, target: str, session: aiohttp.ClientSession) -> None:
        self._target, self._session = target.rstrip("/"), session
        self._faults, self._log = Faults(), RequestLog()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/_sandbox/{door:faults|requests}", self._serve_back_door)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve_back_door(self, request: web.Request) -> web.Response:
        part = self._faults if request.match_info["door"] == "faults" else self._log
        if request.method == "DELETE":
            part.clear()
            return web.Response(status=204)
        if request.method == "POST" and part is self._faults:
            try:
                self._faults.add(_parse(await request.json()))
            except ValueError as error:
                return web.Response(status=400, text=str(error))
            return web.json_response({"value": part.listed()}, status=201)
        return web.json_response({"value": part.listed()}, status=200 if request.method == "GET" else 405)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = known_as(request.raw_path, body)
        status = 0
        try:
            response = await self._with_fault(request, body, self._faults.take(request.method, path))
            status = response.status
            return response
        finally:
            self._log.add(Request(request.method, path, time.time(), status, ""))

    async def _with_fault(self, request: web.Request, body: bytes, fault: Fault | None) -> web.StreamResponse:
        if fault is None:
            return await self._forward(request, body)
        await asyncio.sleep(fault.delay or (_FOREVER if fault.mode == "hang" else 0))
        if fault.mode == "answer" and fault.status is not None:
            return _refusal(fault)
        if fault.mode == "reset-before":
            _reset(request)
        response = await self._forward(request, body)
        match fault.mode:
            case "reset-after":
                _reset(request)
            case "truncate":
                return await _truncated(request, response)
            case "garbage":
                headers = {k: v for k, v in response.headers.items() if k.lower() != "content-length"}
                text = fault.message or _GARBAGE
                return web.Response(status=response.status, headers=headers, body=text.encode())
        return response

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        url = URL(self._target + request.raw_path, encoded=True)
        sent = self._session.request(
            request.method, url, headers=_passed_on(request.headers), data=body or None, allow_redirects=False
        )
        async with sent as answer:
            return web.Response(
                status=answer.status, headers=_passed_on(answer.headers), body=await answer.read() or None
            )


def known_as(path: str, body: bytes) -> str:
    """The path by which faults and log know a request: as sent, and for a batch of the table service with
    `#TABLE` behind it, since only its body names the table."""
    table = _TABLE.search(body) if path.endswith("/$batch") else None
    return f"{path}#{table[1].decode()}" if table else path


def _parse(body: Any) -> Fault:
    fault = Fault.parse(body)
    if fault.mode == "half-list":
        raise ValueError("storage has no mode half-list")
    return fault


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in _OF_THE_CONNECTION)


def _refusal(fault: Fault) -> web.Response:
    """The code stands in the header, where the SDKs of all three services look for it."""
    code = fault.code or "ServerBusy"
    document = {"odata.error": {"code": code, "message": {"lang": "en-us", "value": fault.message or code}}}
    return web.json_response(
        document, status=fault.status or 500, headers={"x-ms-error-code": code, **fault.headers}
    )


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("connection dropped on request")


async def _truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Promise the whole body, send half of it, drop the connection; an answer without one breaks in its first line."""
    body = response.body if isinstance(response.body, bytes) else b""
    if not body and request.transport is not None:
        request.transport.write(b"HTTP/1.")
        request.transport.close()
        return response
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    await stream.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return stream
