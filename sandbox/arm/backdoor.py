"""Marked back doors under /_sandbox/: what Azure would never let a test do. No product code uses them."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import replace
from typing import Any

from sandbox.arm import default_world, permissions
from sandbox.arm.events import EventGrid
from sandbox.arm.faults import Fault, Faults
from sandbox.arm.groups import make_group
from sandbox.arm.ids import parse, top_level
from sandbox.arm.kinds import load_balancers
from sandbox.arm.state import Json, children
from sandbox.arm.world import Reply, World

PREFIX = "/_sandbox/"


class BackDoor:
    """State dump, raw edits, forced removals, faults, and the logs of requests and events."""

    def __init__(self, world: World, faults: Faults, events: EventGrid, log: deque[Json]) -> None:
        self._world, self._faults, self._events, self._log = world, faults, events, log

    def serve(self, method: str, path: str, query: dict[str, str], body: Json) -> Reply:
        """One request below /_sandbox/."""
        match (method, path.removeprefix(PREFIX).strip("/")):
            case ("GET", "state"):
                dump = copy.deepcopy(self._world.store.dump())
                return Reply(200, {**dump, "eventsUnderWay": self._events.under_way})
            case ("GET", "requests"):
                return Reply(200, {"value": list(self._log)})
            case ("DELETE", "requests"):
                self._log.clear()
                return Reply(204)
            case ("GET", "events"):
                return Reply(200, {"value": list(self._events.published)})
            case (_, "faults"):
                return self._serve_faults(method, body)
            case (_, "resources"):
                reply = self._serve_resource(method, query.get("id", "") or str(body.get("id", "")), body)
                self._tell(query.get("id", "") or str(body.get("id", "")))
                return reply
            case ("POST", "tokens"):
                seconds = int(body["seconds"])
                self._world.options = replace(self._world.options, token_seconds=seconds)
                return Reply(204)
            case ("PUT", "permissions"):
                permissions.limit(self._world, str(body["scope"]), body)
                return Reply(204)
            case ("POST", "remove-frontend"):
                return self._remove_frontend(str(body.get("id", "")))
            case ("POST", "cluster-group"):
                default_world.add_cluster_group(self._world, str(body["name"]))
                return Reply(204)
        return _mistake(404, f"no back door {method} {path}")

    def _serve_faults(self, method: str, body: Json) -> Reply:
        match method:
            case "GET":
                return Reply(200, {"value": self._faults.shown()})
            case "DELETE":
                self._faults.clear()
                return Reply(204)
            case "POST":
                try:
                    self._faults.add(Fault.parse(body))
                except (ValueError, TypeError) as error:
                    return _mistake(400, str(error))
                return Reply(201, {"value": self._faults.shown()})
        return _mistake(405, method)

    def _serve_resource(self, method: str, resource_id: str, body: Json) -> Reply:
        """GET, PUT (raw), PATCH (merge, null removes) and DELETE of any resource, unchecked and silent."""
        resource_id = self._world.own_path(resource_id)
        store, found = self._world.store, self._world.store.find(resource_id)
        if method == "PUT":
            self._ensure_group(body["id"])
            store.save(copy.deepcopy(body))
            return Reply(200, body)
        if found is None:
            return _mistake(404, f"no resource {resource_id!r}")
        match method:
            case "GET":
                return Reply(200, copy.deepcopy(found))
            case "PATCH":
                merge(found, body)
                self._world.bump(resource_id)
                return Reply(200, copy.deepcopy(found))
            case "DELETE" if found["id"].lower() == top_level(resource_id):
                store.discard(resource_id)
                return Reply(204)
        return _mistake(405, method)

    def _tell(self, resource_id: str) -> None:
        """The API server of an AKS cluster follows its resource."""
        own = self._world.own_path(resource_id)
        self._world.planes.tell(own, self._world.store.find(own))

    def _ensure_group(self, resource_id: str) -> None:
        target = parse(resource_id)
        if target and target.group and not self._world.store.group(target.subscription, target.group):
            location = self._world.options.location
            self._world.store.save_group(make_group(target.subscription, target.group, location))

    def _remove_frontend(self, frontend_id: str) -> Reply:
        """Take a frontend and its rules away although a PLS references it, which ARM would refuse."""
        store = self._world.store
        balancer, frontend = store.find(top_level(frontend_id)), store.find(frontend_id)
        if balancer is None or frontend is None:
            return _mistake(404, f"no frontend {frontend_id!r}")
        for collection in load_balancers.COLLECTIONS:
            left = [item for item in children(balancer, collection) if not _belongs(item, frontend)]
            balancer["properties"][collection] = left
        self._world.bump(balancer["id"])
        return Reply(204)


def merge(into: Json, changes: Json) -> None:
    """JSON merge patch (RFC 7386)."""
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _belongs(item: Json, frontend: Json) -> bool:
    used: Any = (item.get("properties") or {}).get("frontendIPConfiguration") or {}
    wanted = frontend["id"].lower()
    return wanted in (item["id"].lower(), str(used.get("id", "")).lower())


def _mistake(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"code": "Sandbox", "message": message}})
