"""Answers over HTTP: JSON, failures, warnings, documents that clients may keep."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from sandbox.kubernetes import openapi
from sandbox.kubernetes.errors import ApiError, no_such_path
from sandbox.kubernetes.store import encode


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def error_response(error: ApiError) -> web.Response:
    return json_response(encode(error.body()), error.code, error.headers)


async def openapi_response(request: web.Request, path: str) -> web.Response:
    """Made on a thread: the first one takes a second."""
    protobuf = openapi.wants_protobuf(request.headers.get("Accept", ""))
    found = await asyncio.to_thread(openapi.document, path, protobuf)
    if found is None:
        raise no_such_path()
    headers = {"Content-Type": found.media_type, "ETag": f'"{found.digest}"'}
    if request.query.get("hash") == found.digest:
        headers |= {"Cache-Control": "public, immutable"}
    return web.Response(body=found.body, headers=headers)


def warned(response: web.Response, warnings: list[str]) -> web.Response:
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response
