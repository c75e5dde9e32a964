"""Plain synchronous calls to a running sandbox, for tests, the demo and people."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ARM_API_VERSION = "2025-05-01"
PERSON = "9d9d9d9d-0000-4000-8000-00000000beef"  # the application id of nobody else
_SECONDS = 60.0


@dataclass(frozen=True)
class Reply:
    """An answer: status, JSON body (None when empty or not JSON), headers in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]


class SandboxClient:
    """Calls by the content of endpoints.json."""

    def __init__(self, endpoints: Json) -> None:
        self._endpoints = endpoints
        authorities = {known["ca"] for known in (endpoints["arm"], *endpoints["clusters"].values())}
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for authority in authorities:
            self._tls.load_verify_locations(cafile=authority)

    def arm(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call to ARM; an api-version is added unless the path has one."""
        url = path if path.startswith("https:") else self._endpoints["arm"]["url"] + path
        if "api-version=" not in url:
            url += ("&" if "?" in url else "?") + f"api-version={ARM_API_VERSION}"
        return self._call(method, url, body, {"Authorization": f"Bearer {self._token()}"})

    def arm_backdoor(self, method: str, path: str, body: Json | None, query: Mapping[str, str]) -> Reply:
        """One call below ARM's /_sandbox/."""
        url = f"{self._endpoints['arm']['url']}/_sandbox/{path}?{urllib.parse.urlencode(query)}"
        return self._call(method, url, body, {})

    def cluster(self, name: str, method: str, path: str, body: Json | None = None) -> Reply:
        """One call to a cluster's API."""
        known = self._endpoints["clusters"][name]
        headers = {"Authorization": f"Bearer {known['token']}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        return self._call(method, known["server"] + path, body, headers)

    def cluster_backdoor(self, name: str, method: str, path: str, body: Json | None = None) -> Reply:
        """One call below a cluster's /_sandbox/."""
        url = f"{self._endpoints['clusters'][name]['server']}/_sandbox/{path}"
        return self._call(method, url, body, {})

    def topic_backdoor(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call below the /_sandbox/ of the topic for the product's own events."""
        url = self._endpoints["topic"]["url"].removesuffix("/api/events")
        return self._call(method, f"{url}/_sandbox/{path}", body, {})

    def function(self, method: str, path: str, body: Json | None = None) -> Reply:
        """One call to the functions host with the master key."""
        functions = self._endpoints["functions"]
        headers = {"x-functions-key": functions["keys"]["masterKey"]}
        return self._call(method, functions["url"] + path, body, headers)

    def _token(self) -> str:
        arm = self._endpoints["arm"]
        query = {"resource": "https://management.azure.com", "api-version": "2019-08-01", "client_id": PERSON}
        url = f"{arm['identityEndpoint']}?{urllib.parse.urlencode(query)}"
        reply = self._call("GET", url, None, {"X-IDENTITY-HEADER": arm["identityHeader"]})
        return str(reply.body["access_token"])

    def _call(self, method: str, url: str, body: Json | None, headers: Mapping[str, str]) -> Reply:
        data = None if body is None else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(url, data, all_headers, method=method)  # noqa: S310 (our own servers)
        tls = self._tls if url.startswith("https:") else None
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS, context=tls) as answer:  # noqa: S310
                return _reply(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.read(), error.headers)


def _reply(status: int, content: bytes, headers: Any) -> Reply:
    try:
        body = json.loads(content) if content else None
    except ValueError:
        body = None
    return Reply(status, body, {name.lower(): value for name, value in headers.items()})
