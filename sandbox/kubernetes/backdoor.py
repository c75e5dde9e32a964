"""The marked back door, /_sandbox/: state, raw edits, faults, the request log. No product code uses it; no token is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from sandbox.kubernetes.entra import Entra, parsed_rules, shown_rules
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.faults import Fault, Faults, RequestLog
from sandbox.kubernetes.patches import merge
from sandbox.kubernetes.registry import Address, Registry, new_uid
from sandbox.kubernetes.resources import RESOURCES, Resource
from sandbox.kubernetes.seeding import set_identity
from sandbox.kubernetes.store import Store

Json = dict[str, Any]
CLUSTER_SCOPED = "-"


class BackDoor:
    def __init__(
        self, store: Store, registry: Registry, entra: Entra, faults: Faults, log: RequestLog
    ) -> None:
        self._store = store
        self._registry = registry
        self._entra = entra
        self._faults = faults
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        item = "/_sandbox/objects/{plural}/{namespace}/{name}"
        router.add_get("/_sandbox/state", self._state)
        router.add_put(item, self._put)
        router.add_patch(item, self._patch)
        router.add_delete(item, self._remove)
        router.add_post("/_sandbox/swap-uid", self._swap_uid)
        router.add_post("/_sandbox/compact", self._compact)
        router.add_get("/_sandbox/bindings", self._bindings)
        router.add_put("/_sandbox/bindings/{identity}", self._bind)
        router.add_delete("/_sandbox/bindings/{identity}", self._unbind)
        router.add_get("/_sandbox/faults", self._listed(self._faults.listed))
        router.add_post("/_sandbox/faults", self._add_fault)
        router.add_delete("/_sandbox/faults", self._cleared(self._faults.clear))
        router.add_get("/_sandbox/requests", self._listed(self._log.listed))
        router.add_delete("/_sandbox/requests", self._cleared(self._log.clear))

    async def _state(self, _: web.Request) -> web.Response:
        """All objects by plural name, and the version."""
        objects = {
            resource.plural: [entry.object for entry in self._store.snapshot(resource).entries]
            for resource in self._store.resources()
        }
        return web.json_response({"resourceVersion": str(self._store.version), "objects": objects})

    async def _put(self, request: web.Request) -> web.Response:
        """Store any object as it is: no defaults, no validation."""
        try:
            document = json.loads(await request.read())
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        if not isinstance(document, dict) or not isinstance(document.get("metadata", {}), dict):
            raise web.HTTPBadRequest(text="an object whose metadata, if any, is an object")
        bare = {key: document[key] for key in document if key not in ("kind", "apiVersion")}
        return web.json_response(self._registry.put_raw(_address(request), bare).object)

    async def _patch(self, request: web.Request) -> web.Response:
        """Merge into an object as it is, uid and all: no defaults, no validation."""
        at = _address(request)
        try:
            document = self._registry.read(at).copy()
            changed = merge(document, json.loads(await request.read()))
        except ApiError as error:
            raise web.HTTPNotFound(text=error.message) from error
        except (ValueError, AttributeError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response(self._registry.put_raw(at, changed).object)

    async def _remove(self, request: web.Request) -> web.Response:
        """Take an object out at once, finalizers or not."""
        try:
            return web.json_response(self._registry.remove_raw(_address(request)).object)
        except ApiError as error:
            raise web.HTTPNotFound(text=error.message) from error

    async def _swap_uid(self, _: web.Request) -> web.Response:
        """Another cluster answers: default/kubernetes gets another uid."""
        uid = new_uid()
        set_identity(self._registry, uid)
        return web.json_response({"uid": uid})

    async def _compact(self, _: web.Request) -> web.Response:
        """Every continue token and every earlier resourceVersion is too old from now on."""
        self._store.compact()
        return web.json_response({"resourceVersion": str(self._store.version)})

    async def _bindings(self, _: web.Request) -> web.Response:
        """What is bound to whose oid; `*` stands for everybody without an entry."""
        return web.json_response(shown_rules(self._entra.rules))

    async def _bind(self, request: web.Request) -> web.Response:
        """The rules of one identity; none leave it without any right."""
        try:
            rules = parsed_rules(json.loads(await request.read()))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        self._entra.rules[request.match_info["identity"]] = rules
        return web.json_response(shown_rules(self._entra.rules))

    async def _unbind(self, request: web.Request) -> web.Response:
        """Forget an identity's own rules: those of everybody hold for it again."""
        self._entra.rules.pop(request.match_info["identity"], None)
        return web.Response(status=204)

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self._faults.add(Fault.parse(await request.json()))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response({"value": self._faults.listed()}, status=201)

    @staticmethod
    def _listed(listed: Callable[[], list[Json]]) -> Any:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response({"value": listed()})

        return answer

    @staticmethod
    def _cleared(clear: Callable[[], None]) -> Any:
        async def answer(_: web.Request) -> web.Response:
            clear()
            return web.Response(status=204)

        return answer


def _address(request: web.Request) -> Address:
    """`-` as the namespace of cluster-scoped types."""
    parts = request.match_info
    resource = _by_plural(parts["plural"])
    namespace = "" if parts["namespace"] == CLUSTER_SCOPED else parts["namespace"]
    return Address(resource, namespace, parts["name"])


def _by_plural(plural: str) -> Resource:
    for resource in RESOURCES:
        if resource.plural == plural:
            return resource
    raise web.HTTPNotFound(text=f"no type {plural}")
