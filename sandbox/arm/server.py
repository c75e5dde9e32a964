"""The HTTPS server: authentication, faults, throttling and logging around `routing.answer`."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from sandbox.arm import access, default_world, routing
from sandbox.arm.backdoor import PREFIX, BackDoor
from sandbox.arm.control_planes import ControlPlane
from sandbox.arm.errors import ArmError, gateway, provider
from sandbox.arm.events import EventGrid
from sandbox.arm.faults import Fault, Faults
from sandbox.arm.ids import parse
from sandbox.arm.options import ArmOptions, EventSink
from sandbox.arm.state import Json
from sandbox.arm.throttle import Buckets
from sandbox.arm.world import Call, Reply, World
from sandbox.tls import Authority

_BODY_LIMIT = 4 * 1024 * 1024
_LOGGED = 20_000
_LOGGED_BODY = 16_384  # longer ones (large load balancers) would fill the memory
_STANDARD_HEADERS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


class RunningArm:
    """A simulated ARM that listens. `identity_endpoint` and `identity_header` are what App Service would set."""

    def __init__(self, app: _App, runner: web.AppRunner, url: str) -> None:
        self._app, self._runner = app, runner
        self.url = url
        self.identity_endpoint = f"{url}/msi/token"
        self.identity_header = app.options.identity_header

    @property
    def world(self) -> World:
        """What exists, for tests in the same process."""
        return self._app.world

    def connect(self, cluster: str, plane: ControlPlane) -> str:
        """Stand an API server behind a cluster's AKS resource; the resource's id."""
        resource = self.world.store.find(default_world.aks_id(self.world.options, cluster))
        if resource is None:
            raise KeyError(cluster)
        self.world.planes.connect(resource, plane)
        return str(resource["id"])

    def subscribe(self, sink: EventSink) -> Callable[[], None]:
        """Deliver events to `sink` from now on; call the result to end that."""
        return self._app.events.subscribe(sink)

    async def stop(self) -> None:
        """Close connections, forget operations and events under way."""
        self._app.world.operations.stop()
        await self._app.events.stop()
        await self._runner.cleanup()


async def start_arm(options: ArmOptions, authority: Authority) -> RunningArm:
    """Start on 127.0.0.1; ready on return. OSError when the port is taken."""
    app = _App(options)
    runner = web.AppRunner(app.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(
        runner, "127.0.0.1", options.port, ssl_context=authority.server_context(), shutdown_timeout=1
    )
    await site.start()
    port = runner.addresses[0][1]
    return RunningArm(app, runner, f"https://localhost:{port}")


class _App:
    def __init__(self, options: ArmOptions) -> None:
        self.options = options
        self.events = EventGrid(options)
        self.world = World(options, self.events.publish)
        self._faults, self._log = Faults(), deque[Json](maxlen=_LOGGED)
        self._buckets = Buckets(options.throttle, time.monotonic) if options.throttle else None
        self._backdoor = BackDoor(self.world, self._faults, self.events, self._log)
        if options.default_world:
            default_world.build(self.world)

    def application(self) -> web.Application:
        """The aiohttp application: one handler, ARM's paths are not aiohttp's."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.on_response_prepare.append(_unnamed)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(PREFIX):
            return await self._serve_backdoor(request)
        entry: Json = {"method": request.method, "path": request.path, "query": request.query_string}
        entry |= {
            "time": time.time(),
            "ended": None,
            "status": None,
            "user": access.application(request.headers),
            "body": None,
        }
        self._log.append(entry)
        if (request.content_length or 0) <= _LOGGED_BODY and request.method in ("PUT", "PATCH"):
            entry["body"] = await request.text()
        fault = self._faults.take(request.method, request.path)
        try:
            response = await self._with_fault(request, fault)
        finally:
            entry["ended"] = time.time()
        entry["status"] = response.status
        return response

    async def _serve_backdoor(self, request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            reply = self._backdoor.serve(request.method, request.path, dict(request.query), body)
        except (ArmError, KeyError) as error:
            reply = Reply(400, {"error": {"code": "Sandbox", "message": repr(error)}})
        return _response(reply.status, reply.body, {})

    async def _with_fault(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        if fault is None:
            return await self._answer(request, None)
        await asyncio.sleep(fault.delay)
        if fault.mode == "answer" and fault.status is not None:
            return _response(fault.status, fault.body(), fault.headers)
        if fault.mode == "reset-before":
            _reset(request)
        response = await self._answer(request, fault)
        if fault.mode == "reset-after":
            _reset(request)
        return await _truncated(request, response) if fault.mode == "truncate" else response

    async def _answer(self, request: web.Request, fault: Fault | None) -> web.Response:
        base_url = f"https://{request.host}"
        try:
            if (reply := await self._open(request, base_url)) is not None:
                return _response(reply.status, reply.body, reply.all_headers())
            caller = access.authenticate(request.headers, base_url)
            extra = self._throttle(request, caller)
            call = Call(
                request.method,
                request.path,
                dict(request.query),
                request.headers,
                await _body(request),
                caller,
                base_url,
            )
            call = replace(call, ending=fault.ending) if fault else call
            reply = self._routed(call)
        except ArmError as error:
            return _response(error.status, error.body(), error.headers)
        return _response(reply.status, reply.body, {**extra, **reply.all_headers()})

    def _throttle(self, request: web.Request, caller: Any) -> dict[str, str]:
        target = parse(request.path)
        if self._buckets is None or target is None:
            return {}
        return self._buckets.take(request.method, target.subscription, caller)

    def _routed(self, call: Call) -> Reply:
        try:
            return routing.answer(self.world, call)
        except ArmError as error:
            routing.refused(self.world, call, error)
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            traceback.print_exc()
            raise provider.CRASH.error(reason=repr(error)) from error

    async def _open(self, request: web.Request, base_url: str) -> Reply | None:
        """What needs no token: metadata, OAuth, managed identity. None: this is ARM's own."""
        parts = [part.lower() for part in request.path.split("/") if part]
        tenant = request.path.split("/")[1] if parts else ""
        match (request.method, parts):
            case ("GET", ["metadata", "endpoints"]):
                version = request.query.get("api-version", "")
                found = access.cloud_metadata(base_url, self.options.tenant, version)
                return Reply(200, found)  # type: ignore[arg-type]  # the one array at top level
            case ("GET", ["msi", "token"]):
                return access.managed_identity(
                    self.world.options, request.headers, dict(request.query), base_url
                )
            case ("GET", [_, *_, ".well-known", "openid-configuration"]):
                return Reply(200, access.openid_configuration(base_url, tenant))
            case ("POST", [_, "oauth2", "token"] | [_, "oauth2", "v2.0", "token"]):
                form = dict(await request.post())
                return access.client_credentials(self.world.options, form, base_url, tenant)
        return None


async def _body(request: web.Request) -> Json:
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise gateway.BAD_BODY.error(reason=_net_json(error)) from error
    if not isinstance(body, dict):
        raise gateway.BAD_BODY.error(reason="The type requires a JSON object. Path '', line 1, position 1.")
    return body


def _net_json(error: json.JSONDecodeError) -> str:
    """As .NET's parser tells where JSON goes wrong."""
    where = f"Path '', line {error.lineno}, position {error.colno - 1}."
    found = error.doc[error.pos : error.pos + 1]
    if not found:
        return f"Unexpected end when reading JSON. {where}"
    return f"Unexpected character encountered while parsing value: {found}. {where}"


def _response(status: int, body: Any, headers: dict[str, str]) -> web.Response:
    request_id = str(uuid.uuid4())
    stamped = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    all_headers = {
        **_STANDARD_HEADERS,
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"SANDBOX:{stamped}:{request_id}",
        **headers,
    }
    if body is None:
        return web.Response(status=status, headers=all_headers)
    text = json.dumps(body)
    return web.Response(status=status, text=text, headers=all_headers, content_type="application/json")


async def _unnamed(_request: web.Request, response: web.StreamResponse) -> None:
    """ARM does not name its server."""
    response.headers.popall("Server", None)


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("connection dropped on request")


async def _truncated(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Promise the whole body, send half of it, drop the connection."""
    payload = response.text or ""
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(payload.encode())
    await stream.prepare(request)
    await stream.write(payload.encode()[: len(payload) // 2])
    if request.transport is not None:
        request.transport.close()
    return stream
