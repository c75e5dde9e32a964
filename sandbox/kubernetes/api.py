"""The API over HTTP: each verb reads its request, calls the registry or the store, and renders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox.kubernetes import discovery, reviews
from sandbox.kubernetes.access import Role, authenticate, authorize, impersonated
from sandbox.kubernetes.applying import applied, check_apply, writer
from sandbox.kubernetes.bodies import typed_body, typed_patch
from sandbox.kubernetes.decoding import parse
from sandbox.kubernetes.entra import Entra
from sandbox.kubernetes.errors import ApiError, bad_request
from sandbox.kubernetes.listing import list_page
from sandbox.kubernetes.ownership import Writer
from sandbox.kubernetes.patches import APPLY_PATCH, PATCH_TYPES
from sandbox.kubernetes.registry import Address, Registry, timestamp
from sandbox.kubernetes.rendering import Renderer, accepted_form
from sandbox.kubernetes.responses import json_response, openapi_response, warned
from sandbox.kubernetes.routing import Target, target
from sandbox.kubernetes.selectors import selector
from sandbox.kubernetes.store import Entry, Store, encode
from sandbox.kubernetes.watching import Selection, Watches, WatchOptions

Json = dict[str, Any]
# Who called: the request log asks for it.
USER = web.RequestKey("user", str)


@dataclass(frozen=True)
class ApiSettings:
    """Times in seconds."""

    roles: Mapping[str, Role]
    watch_seconds: float
    bookmark_seconds: float
    clock: Callable[[], datetime]
    entra: Entra


@dataclass(frozen=True)
class _Call:
    """One request, understood."""

    request: web.Request
    target: Target
    renderer: Renderer

    @property
    def at(self) -> Address:
        return self.target.at

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun", "") == "All"

    @property
    def writer(self) -> Writer:
        return writer(self.query, self.request.headers, self.target.subresource)

    @property
    def media_type(self) -> str:
        # What aiohttp says when the header is missing.
        named = self.request.content_type
        return "" if named == "application/octet-stream" else named

    async def body(self) -> Any:
        """The body of a create or update; a patch's is no object yet."""
        kind = "" if self.target.verb == "patch" else self.at.resource.kind
        return parse(await self.request.read(), self.media_type, kind)

    def object(self, entry: Entry, status: int = 200) -> web.Response:
        return json_response(self.renderer.one(entry), status)


class Api:
    def __init__(self, store: Store, registry: Registry, watches: Watches, settings: ApiSettings) -> None:
        self._store = store
        self._registry = registry
        self._watches = watches
        self._settings = settings
        self._verbs = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request but the back door's; ApiError for a failure."""
        path = request.path.strip("/")
        if path in discovery.HEALTH:
            return web.Response(text=discovery.health(path, verbose="verbose" in request.query))
        if path != "version":
            role = self._caller(request)
            request[USER] = role.user
        if found := discovery.document(path, request.host):
            return json_response(encode(found))
        if path.startswith("openapi/"):
            return await openapi_response(request, path)
        if request.method == "POST" and (review := reviews.review(path)):
            asked = parse(await request.read(), request.content_type, "Review")
            return json_response(encode(review(role, asked)), 201)
        if not path.startswith(("api/", "apis/")):
            return web.Response(status=404, text="404 page not found\n")
        return await self._resource_call(request, role)

    def _caller(self, request: web.Request) -> Role:
        roles = self._settings.roles
        role = authenticate(request.headers.get("Authorization", ""), roles, self._entra_role)
        other = request.headers.get("Impersonate-User", "")
        return impersonated(role, other, roles) if other else role

    def _entra_role(self, token: str) -> Role | None:
        return self._settings.entra.role(token, self._settings.clock().timestamp())

    async def _resource_call(self, request: web.Request, role: Role) -> web.StreamResponse:
        found = target(request.method, request.path, request.query)
        at = found.at
        authorize(role, found.verb, at.resource, found.subresource, at.namespace, at.name)
        form = accepted_form(request.headers.get("Accept", ""))
        include = request.query.get("includeObject", "Metadata")
        renderer = Renderer(at.resource, form, include, self._settings.clock)
        return await self._verbs[found.verb](_Call(request, found, renderer))

    async def _get(self, call: _Call) -> web.StreamResponse:
        return call.object(self._registry.read(call.at))

    async def _list(self, call: _Call) -> web.StreamResponse:
        page = list_page(self._store, call.at.resource, call.at.namespace, call.query)
        return json_response(call.renderer.page(page))

    async def _watch(self, call: _Call) -> web.StreamResponse:
        fields = call.query.get("fieldSelector", "")
        if call.at.name:
            fields = f"metadata.name={call.at.name}"
        selects = selector(call.at.resource, call.query.get("labelSelector", ""), fields)
        selection = Selection(call.at.resource, call.at.namespace, selects)
        options = self._watch_options(call.query)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(call.request)
        try:
            async for event in self._watches.events(selection, options):
                await response.write(call.renderer.event(event))
                if isinstance(event, ApiError):
                    break
        except ConnectionError:
            pass  # the watcher went away
        return response

    def _watch_options(self, query: Mapping[str, str]) -> WatchOptions:
        try:
            since = int(query.get("resourceVersion") or 0)
            seconds = float(query.get("timeoutSeconds") or self._settings.watch_seconds)
        except ValueError as error:
            parsed = str(error).rpartition(": ")[2].strip("'")
            raise bad_request(f'strconv.ParseUint: parsing "{parsed}": invalid syntax') from error
        bookmarks = query.get("allowWatchBookmarks") in ("1", "true")
        return WatchOptions(
            since=since,
            seconds=seconds,
            bookmark_every=self._settings.bookmark_seconds if bookmarks else None,
            send_initial=query.get("sendInitialEvents") in ("1", "true"),
        )

    async def _create(self, call: _Call) -> web.StreamResponse:
        document, warnings = typed_body(await call.body(), call.at.resource, call.query)
        entry = self._registry.create(call.at.resource, call.at.namespace, document, dry_run=call.dry_run)
        return warned(call.object(entry, 201), warnings)

    async def _update(self, call: _Call) -> web.StreamResponse:
        document, warnings = typed_body(await call.body(), call.at.resource, call.query)
        entry = self._registry.update(
            call.at,
            lambda _: document,
            status=call.target.subresource == "status",
            dry_run=call.dry_run,
            uid_conflicts=True,
            writer=call.writer,
        )
        return warned(call.object(entry), warnings)

    async def _patch(self, call: _Call) -> web.StreamResponse:
        media_type = call.media_type
        body = await self._patch_body(call)
        if media_type == APPLY_PATCH:
            return self._apply(call, body)
        warnings: list[str] = []

        def change(old: Json) -> Json:
            document, unknown = typed_patch(old, body, call.at, media_type, call.query)
            warnings.extend(unknown)
            return document

        entry = self._registry.update(
            call.at,
            change,
            status=call.target.subresource == "status",
            dry_run=call.dry_run,
            writer=call.writer,
        )
        return warned(call.object(entry), warnings)

    def _apply(self, call: _Call, body: Json) -> web.StreamResponse:
        warnings: list[str] = []
        now = timestamp(self._settings.clock())

        def change(old: Json | None) -> Json:
            document, unknown = applied(old, body, call.at, call.query, call.writer, now)
            warnings.extend(unknown)
            return document

        if not call.target.subresource and self._store.get(call.at.resource, call.at.key) is None:
            document = change(None)
            entry = self._registry.create(call.at.resource, call.at.namespace, document, dry_run=call.dry_run)
            return warned(call.object(entry, 201), warnings)
        status = call.target.subresource == "status"
        entry = self._registry.update(call.at, change, status=status, dry_run=call.dry_run)
        return warned(call.object(entry), warnings)

    async def _patch_body(self, call: _Call) -> Any:
        media_type = call.media_type
        if media_type not in PATCH_TYPES:
            accepted = ", ".join(PATCH_TYPES)
            raise ApiError(
                415,
                "the body of the request was in an unknown format - accepted media types include:"
                f" {accepted}",
            )
        body = await call.body()
        if media_type == APPLY_PATCH:
            check_apply(body, call.at, call.query)
        if isinstance(body, dict):
            body = {key: body[key] for key in body if key not in ("kind", "apiVersion")}
        return body

    async def _delete(self, call: _Call) -> web.StreamResponse:
        entry = self._registry.read(call.at)
        waiting = self._registry.delete(call.at, await _delete_options(call), dry_run=call.dry_run or False)
        if waiting is not None:
            return call.object(waiting)
        details = {
            "name": call.at.name,
            "kind": call.at.resource.plural,
            "uid": entry.object["metadata"].get("uid", ""),
        }
        return json_response(
            encode(
                {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Success",
                    "details": details,
                }
            )
        )

    async def _delete_collection(self, call: _Call) -> web.StreamResponse:
        page = list_page(self._store, call.at.resource, call.at.namespace, call.query)
        options = await _delete_options(call)
        for entry in page.entries:
            namespace, _, name = entry.key.partition("/")
            at = Address(call.at.resource, namespace, name)
            self._registry.delete(at, options, dry_run=call.dry_run)
        return json_response(call.renderer.page(page))


async def _delete_options(call: _Call) -> Json:
    if not await call.request.read():
        return {}
    options = await call.body()
    return options if isinstance(options, dict) else {}
