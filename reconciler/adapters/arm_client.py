"""How ARM is spoken to: one pool of connections, JSON in and out, whole lists. What is asked is in
``arm`` and ``aks``.

Nothing is retried and no long-running operation is waited for. An answer that cannot be read is an error,
never an empty one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from reconciler import arm_ids
from reconciler.adapters import arm_errors
from reconciler.adapters.arm_errors import Request
from reconciler.adapters.http_transport import transport
from reconciler.errors import OutsideError, Rejected
from reconciler.model import Json

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PUBLIC_ENDPOINT = "https://management.azure.com"
API_VERSION = "2026-03-01"  # what azure-mgmt-network 33.1 was made for; of all calls that name no other
_MOST_PAGES = 200
_BODY_LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_WRITE_SECONDS = 15.0  # with the connection's 5 as long as no write starts before a lease ends


@dataclass(frozen=True, slots=True)
class ArmAccess:
    """How ARM is reached. ``audience`` "" is the endpoint itself; ``ca_file`` "" the public CAs.

    ``connections`` are kept open: as many as there are threads. Times in seconds.
    """

    endpoint: str = PUBLIC_ENDPOINT
    audience: str = ""
    ca_file: str = ""
    api_version: str = API_VERSION
    connections: int = 32
    connect_seconds: float = 5.0
    read_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class ArmClient:
    """ARM, for all subscriptions that the credential reaches. Threads share one instance.

    All methods raise the kinds of OutsideError. Paths begin with a slash and are quoted already.
    """

    def __init__(self, access: ArmAccess, credential: TokenCredential) -> None:
        self._access, self._credential = access, credential
        self._endpoint = access.endpoint.rstrip("/")
        self._lock = threading.Lock()
        self._client: Any = None

    def document(self, request: Request, path: str, api_version: str = "") -> Json:
        """The JSON object that answers."""
        return self._document(request, self._url(path, api_version))

    def items(self, request: Request, path: str, api_version: str = "") -> Iterator[Json]:
        """The items of a list, page by page; a link to the next page is followed to ARM itself only."""
        url = self._url(path, api_version)
        for _ in range(_MOST_PAGES):
            page = self._document(request, url)
            items, following = page.get("value"), page.get("nextLink")
            if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
                raise arm_errors.garbage(request, "is no list")
            yield from items
            if not following:
                return
            url = self._same_host(request, following)
        raise arm_errors.garbage(request, f"does not end after {_MOST_PAGES} pages")

    def _same_host(self, request: Request, link: Any) -> str:
        """The next page's address; it must be ARM's own, since the token goes with it."""
        try:
            url = urljoin(f"{self._endpoint}/", link) if isinstance(link, str) else ""
        except ValueError:  # a bracket that is not closed
            url = ""
        if _origin(url) != _origin(self._endpoint):
            raise Rejected(
                f"Azure, {request}, sent a link to another address for the next page; not followed"
            )
        return url.replace("{", "%7B").replace("}", "%7D")  # the SDK would take them for placeholders

    def _document(self, request: Request, url: str) -> Json:
        return parsed(request, self._exchange(request, url, {200}).content)

    def send(
        self,
        request: Request,
        path: str,
        wanted: set[int],
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
        api_version: str = "",
    ) -> Answer:
        """One request; raises what an answer other than the ``wanted`` ones stands for."""
        return self._exchange(request, self._url(path, api_version), wanted, content, headers)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # -- one request

    def _exchange(
        self,
        request: Request,
        url: str,
        wanted: set[int],
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        all_headers = {"Accept": "application/json", **(headers or {})}
        if content is not None:
            all_headers["Content-Type"] = "application/json"
        try:
            wire = HttpRequest(request.method, url, headers=all_headers, content=content)
            patience = (
                {"read_timeout": min(self._access.read_seconds, _WRITE_SECONDS)} if request.writes else {}
            )
            response = self._connected().send_request(wire, stream=True, **patience)
            answer = Answer(response.status_code, response.headers, _body(request, response))
        except OutsideError:
            raise  # the credential's own
        except (AzureError, OSError, ValueError) as error:
            raise arm_errors.broken(request, str(error), sent=not _never_sent(error)) from error
        if answer.status not in wanted:
            raise arm_errors.refused(request, answer.status, answer.headers, answer.content)
        return answer

    def _url(self, path: str, api_version: str) -> str:
        return f"{self._endpoint}{path}?api-version={api_version or self._access.api_version}"

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._access, self._credential)
            return self._client


def _client(access: ArmAccess, credential: TokenCredential) -> Any:
    from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
    from azure.mgmt.network import NetworkManagementClient

    own = transport(
        access.connections,
        access.ca_file,
        connection_data_block_size=_CHUNK,
        connection_timeout=access.connect_seconds,
        read_timeout=access.read_seconds,
    )
    audience = (access.audience or access.endpoint).rstrip("/")
    scope = audience if audience.endswith("/.default") else f"{audience}/.default"
    # The SDK's own policies but for three that act on their own: retries (they sleep for as long as ARM
    # asks), redirects, and the registration of resource providers (it would change the subscription).
    policies = [
        RequestIdPolicy(),
        UserAgentPolicy(user_agent="pls-reconciler"),
        ARMChallengeAuthenticationPolicy(credential, scope),
    ]
    # Ids carry their own subscription; the client's is never used.
    return NetworkManagementClient(
        credential, "-", access.endpoint.rstrip("/"), policies=policies, transport=own
    )


def _body(request: Request, response: Any) -> bytes:
    """The body, read piece by piece: one that does not end must not take all memory."""
    pieces, size = [], 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > _BODY_LIMIT:
            response.close()
            raise arm_errors.garbage(request, f"is longer than {_BODY_LIMIT} bytes")
    return b"".join(pieces)


def _never_sent(error: BaseException) -> bool:
    """Whether no byte of the request can have reached ARM.

    Finer than the SDK's ServiceRequestError, which a TLS connection that breaks while it waits for the
    answer is as well.
    """
    from azure.core.exceptions import ServiceRequestError, ServiceRequestTimeoutError
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    if isinstance(error, ServiceRequestTimeoutError):
        return True
    inner = getattr(error, "inner_exception", None)
    if not isinstance(error, ServiceRequestError) or inner is None:
        return isinstance(error, ServiceRequestError)
    return isinstance(inner, (NewConnectionError, ConnectTimeoutError))


def path_of(resource_id: str) -> str:
    """The path of a resource. Raises Rejected for what is no id: names may come from annotations."""
    if arm_ids.parse(resource_id) is None or {".", ".."} & set(resource_id.split("/")):
        raise Rejected(f"{resource_id[:200]!r} is no resource id")
    return "/" + _quoted(resource_id.strip().strip("/"), safe="/")


def segment(name: str) -> str:
    """A name as a part of a path. Raises Rejected for what would lead elsewhere."""
    if not name or name in (".", ".."):
        raise Rejected(f"{name!r} is no name of a subscription or resource group")
    return _quoted(name, safe="")


def _quoted(text: str, safe: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:  # half a character, which JSON can hold
        raise Rejected(f"{text[:200]!r} holds what is no text") from None


def shown(path: str) -> str:
    """A path as people say it: without subscription and provider."""
    parts = path.strip("/").split("/")
    if len(parts) > 6 and parts[4].lower() == "providers":
        return f"{'/'.join(parts[6:])} in {parts[3]}"
    return f"{parts[-1]} of the subscription {parts[1]}" if len(parts) > 1 else path


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or ""), parts.port or (443 if parts.scheme == "https" else None)
    except ValueError:
        return None


def parsed(request: Request, content: bytes) -> Json:
    """The JSON object of an answer. Raises what garbage stands for."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise arm_errors.garbage(request, "is no JSON object")
    return document
