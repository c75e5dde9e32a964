"""The HTTP side: function routes with keys, the admin endpoints, the Event Grid webhook."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import hdrs, web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from sandbox.functions.bindings import EventGridTrigger, Function, HttpTrigger, describe
from sandbox.functions.configuration import ConfigurationError
from sandbox.functions.invocation import Counts, FunctionFailed, decode, encode
from sandbox.functions.keys import Keys
from sandbox.functions.routes import Route, compile_route

log = logging.getLogger(__name__)

LARGEST_BODY = 100 * 1024 * 1024  # the platform's limit
WEBHOOK = "/runtime/webhooks/eventgrid"
HOME = "This functions host is up and running."

Invoke = Callable[[Function, Any, str], Awaitable[Any]]  # function, argument, reason
InvokeByHand = Callable[[Function, str], Coroutine[Any, Any, None]]  # function, input of the admin endpoint


@dataclass(frozen=True)
class Endpoint:
    """An HTTP function behind its compiled route."""

    function: Function
    trigger: HttpTrigger
    route: Route


def endpoints(functions: Iterable[Function], prefix: str) -> list[Endpoint]:
    """All HTTP functions, most specific route first. Raises ConfigurationError."""
    found = []
    for function in functions:
        if isinstance(trigger := function.trigger, HttpTrigger):
            try:
                route = compile_route(f"{prefix}/{trigger.route}")
            except ValueError as error:
                raise ConfigurationError(f"function {function.name!r}: {error}") from error
            found.append(Endpoint(function, trigger, route))
    return sorted(found, key=lambda endpoint: endpoint.route.rank)


def build_app(
    functions: list[Function],
    prefix: str,
    keys: Keys,
    invoke: Invoke,
    by_hand: InvokeByHand,
    counts: Mapping[str, Counts],
) -> web.Application:
    """The host's web application."""
    app = web.Application(client_max_size=LARGEST_BODY)
    admin = Admin({f.name: f for f in functions}, keys, by_hand, counts)
    webhook = EventGridWebhook(
        {f.name: f for f in functions if isinstance(f.trigger, EventGridTrigger)}, keys, invoke
    )
    app.router.add_get("/admin/host/ping", _ok)
    app.router.add_get("/admin/host/status", admin.status)
    app.router.add_get("/admin/functions", admin.list)
    app.router.add_post("/admin/functions/{name}", admin.invoke)
    app.router.add_route("*", WEBHOOK, webhook.handle)
    app.router.add_route("*", "/{path:.*}", Site(endpoints(functions, prefix), keys, invoke).handle)
    return app


class Site:
    """The functions' own routes. As on the platform, a wrong method is 404, not 405."""

    def __init__(self, known: list[Endpoint], keys: Keys, invoke: Invoke) -> None:
        self._endpoints = known
        self._keys = keys
        self._invoke = invoke

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Find the function, check the key, call it."""
        path = request.rel_url.raw_path.lstrip("/")
        for endpoint in self._endpoints:
            methods = endpoint.trigger.methods
            parameters = endpoint.route.match(path)
            if parameters is not None and (not methods or request.method in methods):
                return await self._call(endpoint, parameters, request)
        return web.Response(text=HOME) if not path else web.Response(status=404)

    async def _call(
        self, endpoint: Endpoint, parameters: dict[str, str], request: web.Request
    ) -> web.Response:
        name = endpoint.function.name
        if not self._keys.allows(key_in(request), endpoint.trigger.level, name):
            return web.Response(status=401)
        argument = decode("httpTrigger", await _request_datum(request, parameters))
        try:
            result = await self._invoke(endpoint.function, argument, "This function was called over HTTP.")
            return _response(result)
        except FunctionFailed:
            return web.Response(status=500)
        except Exception:
            log.exception("function %r returned what is no HTTP response", name)
            return web.Response(status=500)


class Admin:
    """What the platform serves below /admin, for holders of the master key."""

    def __init__(
        self,
        functions: dict[str, Function],
        keys: Keys,
        by_hand: InvokeByHand,
        counts: Mapping[str, Counts],
    ) -> None:
        self._functions = functions
        self._keys = keys
        self._counts = counts
        self._by_hand = by_hand
        self._started: set[asyncio.Task[None]] = set()

    async def status(self, request: web.Request) -> web.Response:
        """The host's state."""
        self._check(request)
        return web.json_response({"state": "Running", "version": "4.0.0.0"})

    async def list(self, request: web.Request) -> web.Response:
        """The functions: name, trigger, how often each succeeded and failed since the start, how many run."""
        self._check(request)
        return web.json_response([self._told(function) for function in self._functions.values()])

    def _told(self, function: Function) -> dict[str, Any]:
        counts = self._counts.get(function.name, Counts())
        return {"name": function.name, "trigger": describe(function.trigger), **asdict(counts)}

    async def invoke(self, request: web.Request) -> web.Response:
        """Run a function by hand: 202 at once, its outcome is in the log."""
        self._check(request)
        body = await _json(request)
        if not isinstance(body, dict):
            return web.Response(status=400)
        function = self._functions.get(request.match_info["name"])
        if function is None:
            return web.Response(status=404)
        if isinstance(function.trigger, HttpTrigger):
            return web.Response(status=400, text="Call an HTTP function by its route.")
        task = asyncio.create_task(self._by_hand(function, _text(body.get("input"))))
        self._started.add(task)
        task.add_done_callback(self._started.discard)
        return web.Response(status=202)

    def _check(self, request: web.Request) -> None:
        if self._keys.level(key_in(request)) != "admin":
            raise web.HTTPUnauthorized


class EventGridWebhook:
    """Event Grid's push delivery: both schemas, with their handshakes."""

    def __init__(self, functions: dict[str, Function], keys: Keys, invoke: Invoke) -> None:
        self._functions = functions
        self._keys = keys
        self._invoke = invoke

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a handshake, or invoke the function once per event."""
        if not self._keys.allows_event_grid(key_in(request)):
            return web.Response(status=401)
        name = request.query.get("functionName", "")
        if name not in self._functions:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == hdrs.METH_OPTIONS:
            return _cloud_events_handshake(request)
        if request.method != hdrs.METH_POST:
            return web.Response(status=404)
        return await self._post(self._functions[name], request)

    async def _post(self, function: Function, request: web.Request) -> web.Response:
        body = await _json(request)
        match request.headers.get("aeg-event-type", "").lower():
            case "subscriptionvalidation":
                return _validation(body)
            case "notification" if isinstance(body, list | dict):
                return await self._deliver(function, body if isinstance(body, list) else [body])
            case "unsubscribe":
                return web.Response(status=202)
        return web.Response(status=400)

    async def _deliver(self, function: Function, events: list[Any]) -> web.Response:
        results = await asyncio.gather(
            *(self._one(function, event) for event in events), return_exceptions=True
        )
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            return web.Response(status=500, text=str(failed[0]))
        return web.Response(status=202)

    async def _one(self, function: Function, event: Any) -> None:
        argument = decode("eventGridTrigger", Datum(json.dumps(event), "json"))
        await self._invoke(function, argument, "EventGrid trigger fired")


def key_in(request: web.Request) -> str:
    """The key of a request: header first, then query."""
    return request.headers.get("x-functions-key") or request.query.get("code", "")


def _cloud_events_handshake(request: web.Request) -> web.Response:
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return web.Response(status=400)
    headers = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
    return web.Response(headers=headers)


def _validation(body: Any) -> web.Response:
    """Event Grid's own handshake; in a CloudEvent its data is JSON within JSON."""
    try:
        data = body[0]["data"] if isinstance(body, list) else json.loads(body["data"])
        return web.json_response({"validationResponse": data["validationCode"]})
    except (LookupError, TypeError, ValueError):
        return web.Response(status=400)


async def _json(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


async def _ok(_: web.Request) -> web.Response:
    return web.Response()


async def _request_datum(request: web.Request, parameters: dict[str, str]) -> Datum:
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    headers = {n: ",".join(request.headers.getall(n)) for n in request.headers}
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(str(request.url), "string"),
            "headers": _strings(headers),
            "query": _strings(query),
            "params": _strings(parameters),
            "body": Datum(await request.read(), "bytes"),
        },
        "http",
    )


def _strings(values: dict[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _response(result: Any) -> web.Response:
    """What a function returned, as HTTP; nothing is 204."""
    if result is None:
        return web.Response(status=204)
    datum = encode("http", result)
    if datum.type == "string":
        return web.Response(text=datum.value)
    value = datum.value
    headers = [(name, header.value) for name, header in value["headers"].items()]
    for jar in value["cookies"] or []:
        headers += [(hdrs.SET_COOKIE, morsel.OutputString()) for morsel in jar.values()]
    return web.Response(
        status=int(value["status_code"].value),
        body=value["body"].value,
        headers=CIMultiDict(headers),
    )
