"""The Kubernetes API over HTTP, as a controller needs it: list and watch Services, patch them, tell events."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import AsyncIterator

import aiohttp

from sandbox.cloud_provider.options import ClusterAccess, Json

COMPONENT = "service-controller"
_PAGE = 500
_MAX_MESSAGE = 1024
_MERGE = "application/merge-patch+json"

_LONGEST_LINE = 4 * 1024 * 1024


class ExpiredError(Exception):
    """The watch's version is too old: list again."""


class Kubernetes:
    """One cluster's API."""

    def __init__(self, session: aiohttp.ClientSession, access: ClusterAccess) -> None:
        self._session, self._url = session, access.url
        # What was said of which Service → the event's name and how often. A new controller tells new events.
        self._told: dict[tuple[str, ...], tuple[str, int]] = {}
        # The name under which it owns fields.
        named = {"User-Agent": "cloud-controller-manager/v1.32.4"}
        self._headers = named | ({"Authorization": f"Bearer {access.token}"} if access.token else {})

    async def services(self) -> tuple[list[Json], str]:
        """All Services, and the version to watch from."""
        found: list[Json] = []
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._call("GET", "/api/v1/services", params=query)
            found += page["items"]
            metadata = page["metadata"]
            if not metadata.get("continue"):
                return found, metadata["resourceVersion"]
            query["continue"] = metadata["continue"]

    async def watch(self, version: str) -> AsyncIterator[tuple[str, Json]]:
        """Changes of Services since a version: (ADDED | MODIFIED | DELETED, Service). Raises ExpiredError."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "300"}
        url = f"{self._url}/api/v1/services"
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            url, params=query, headers=self._headers, timeout=endless, read_bufsize=_LONGEST_LINE
        ) as response:
            response.raise_for_status()
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ExpiredError
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]

    async def patch(self, service: Json, change: Json, *, status: bool = False) -> Json | None:
        """Merge-patch a Service; None when it is gone (or another one has its name)."""
        path = _path(service) + ("/status" if status else "")
        # The UID guards against writing to a namesake that came after it.
        body = {**change, "metadata": {**change.get("metadata", {}), "uid": service["metadata"]["uid"]}}
        try:
            return await self._call("PATCH", path, body, content_type=_MERGE)
        except aiohttp.ClientResponseError as error:
            if error.status in (404, 409, 422):
                return None
            raise

    async def tell(self, service: Json, kind: str, reason: str, message: str) -> None:
        """Tell an Event about a Service (`kind`: Normal or Warning); a repeated one counts up."""
        metadata, message = service["metadata"], message[:_MAX_MESSAGE]
        said = (metadata["uid"], kind, reason, message)
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # By the time, as client-go names them: lists are sorted by name, so events of one second stay in their order.
        name, count = self._told.get(said, (f"{metadata['name'][:200]}.{time.time_ns():x}", 0))
        count += 1
        self._told[said] = name, count
        if count > 1:
            try:
                change = {"count": count, "lastTimestamp": now}
                await self._call("PATCH", f"{path}/{name}", change, content_type=_MERGE)
                return
            except aiohttp.ClientResponseError as error:
                if error.status != 404:
                    raise
        event = _event(service, name, kind, reason, message) | {"firstTimestamp": now, "lastTimestamp": now}
        await self._call("POST", path, event)

    async def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        params: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        data = None if body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": content_type}
        url = self._url + path
        async with self._session.request(method, url, data=data, params=params, headers=headers) as response:
            response.raise_for_status()
            answer: Json = await response.json()
            return answer


def _path(service: Json) -> str:
    metadata = service["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"


def _event(service: Json, name: str, kind: str, reason: str, message: str) -> Json:
    metadata = service["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "count": 1,
    }
