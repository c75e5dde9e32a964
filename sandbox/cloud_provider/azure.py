"""ARM over HTTP, as a controller needs it: read, write and wait, or a refusal with ARM's own words."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping

import aiohttp

from sandbox.cloud_provider.options import ArmAccess, Json, SyncError

API_VERSION = "2025-05-01"
_AUDIENCE = "https://management.azure.com/"
_NAMESPACE = uuid.UUID("0f7b1cf7-4a19-4a41-8a4e-0a6a8f0a5f61")


class ArmRefusal(SyncError):
    """ARM said no. `code` is its error code; the text holds status, code and message."""

    def __init__(self, method: str, path: str, status: int, error: Json) -> None:
        self.status, self.code = status, str(error.get("code", ""))
        super().__init__(f"{method} {path}: {status} {self.code}: {error.get('message', '')}")


class Arm:
    """One identity's view of ARM; `who` makes its application id, which events carry."""

    def __init__(self, session: aiohttp.ClientSession, access: ArmAccess, who: str, poll: float) -> None:
        self._session, self._access, self._poll = session, access, poll
        self._client_id = str(uuid.uuid5(_NAMESPACE, who))
        self._token, self._token_ends = "", 0.0

    async def get(self, path: str) -> Json | None:
        """The resource, or None when it (or its group) does not exist."""
        try:
            _, body = await self._call("GET", path)
        except ArmRefusal as refusal:
            if refusal.status == 404:
                return None
            raise
        return body

    async def list(self, path: str) -> list[Json]:
        """All items of a collection; of a missing group: none."""
        found: list[Json] = []
        url = path
        while url:
            page = await self.get(url)
            found += (page or {}).get("value", [])
            url = str((page or {}).get("nextLink") or "")
        return found

    async def put(self, path: str, body: Json, etag: str = "") -> Json:
        """Write, wait for the end, and read back. With an etag: only if nobody wrote since."""
        headers, answer = await self._call("PUT", path, body, {"If-Match": etag} if etag else {})
        if not await self._finish("PUT", path, headers):
            return answer
        return await self.get(path) or answer

    async def delete(self, path: str) -> None:
        """Delete and wait for the end; what is not there is no error."""
        headers, _ = await self._call("DELETE", path)
        await self._finish("DELETE", path, headers)

    async def _finish(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Wait for the operation that a reply started; False when it started none."""
        url = headers.get("Azure-AsyncOperation")
        while url:
            _, body = await self._call("GET", url)
            match body.get("status"):
                case "Succeeded":
                    return True
                case "Failed" | "Canceled":
                    raise ArmRefusal(method, path, 200, body.get("error") or {"code": body["status"]})
            await asyncio.sleep(self._poll)
        return False

    async def _call(
        self, method: str, path: str, body: Json | None = None, more: Mapping[str, str] | None = None
    ) -> tuple[Mapping[str, str], Json]:
        url = path if path.startswith("https:") else f"{self._access.url}{path}?api-version={API_VERSION}"
        headers = {"Authorization": f"Bearer {await self._bearer()}", **(more or {})}
        async with self._session.request(method, url, json=body, headers=headers) as response:
            answer = await response.json() if response.content_length else {}
            if response.status >= 400:
                raise ArmRefusal(method, path, response.status, answer.get("error") or {})
            return response.headers, answer

    async def _bearer(self) -> str:
        if time.time() > self._token_ends - 60:
            query = {"resource": _AUDIENCE, "api-version": "2019-08-01", "client_id": self._client_id}
            headers = {"X-IDENTITY-HEADER": self._access.identity_header}
            url = self._access.identity_endpoint
            async with self._session.get(url, params=query, headers=headers) as response:
                response.raise_for_status()
                answer = await response.json()
            self._token, self._token_ends = answer["access_token"], float(answer["expires_on"])
        return self._token
