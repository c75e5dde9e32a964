"""Azure Resource Manager (the port ``Azure``), through ``azure-mgmt-network`` with JSON in and out.

JSON, so that properties this package does not know survive a read and a write. Nothing is retried and no
long-running operation is waited for. An answer that cannot be read is an error, never an empty one.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from reconciler import arm_ids, reading
from reconciler.adapters import arm_errors
from reconciler.adapters.arm_errors import Request
from reconciler.errors import NotFound, OutsideError, Rejected, Stale
from reconciler.model import Json, LoadBalancer, PrivateLinkService, PublicIp, Subnet
from reconciler.ports import Accepted

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PUBLIC_ENDPOINT = "https://management.azure.com"
API_VERSION = "2026-03-01"  # what azure-mgmt-network 33.1 was made for; all calls use the same
_MOST_PAGES = 200
_BODY_LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_WRITE_SECONDS = 15.0  # with the connection's 5 as long as no write starts before a lease ends

_Noun = TypeVar("_Noun")


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
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


class ArmAzure:
    """ARM, for all subscriptions that the credential reaches. Threads share one instance."""

    def __init__(self, access: ArmAccess, credential: TokenCredential) -> None:
        self._access, self._credential = access, credential
        self._endpoint = access.endpoint.rstrip("/")
        self._lock = threading.Lock()
        self._client: Any = None
        self._session: Any = None

    def list_load_balancers(self, subscription: str, resource_group: str) -> tuple[LoadBalancer, ...]:
        """The load balancers of a resource group; empty where the group is not there."""
        path = _in_group(subscription, resource_group, "loadBalancers")
        return self._list_or_empty(path, reading.load_balancer)

    def list_private_link_services(self, subscription: str) -> tuple[PrivateLinkService, ...]:
        """All of a subscription. Raises Denied where the role allows only resource groups."""
        path = f"/subscriptions/{_segment(subscription)}/providers/{arm_ids.NETWORK}/privateLinkServices"
        return self._list(path, reading.private_link_service)

    def list_private_link_services_in(
        self, subscription: str, resource_group: str
    ) -> tuple[PrivateLinkService, ...]:
        """Those of one resource group. Raises NotFound where the group is not there."""
        path = _in_group(subscription, resource_group, "privateLinkServices")
        return self._list(path, reading.private_link_service)

    def get_private_link_service(self, pls_id: str) -> PrivateLinkService:
        """One by id. Raises NotFound where it is not there."""
        return self._one(pls_id, reading.private_link_service)

    def get_subnet(self, subnet_id: str) -> Subnet:
        """One subnet. Raises NotFound where it or its network is not there."""
        return self._one(subnet_id, reading.subnet)

    def list_public_ips(self, subscription: str, resource_group: str) -> tuple[PublicIp, ...]:
        """The public IP addresses of a resource group; empty where the group is not there."""
        path = _in_group(subscription, resource_group, "publicIPAddresses")
        return self._list_or_empty(path, reading.public_ip)

    def list_nat_addresses(self, subscription: str, resource_group: str) -> dict[str, tuple[str, ...]]:
        """The private addresses of a resource group's network interfaces, by lower-case id; empty without the group."""
        path = _in_group(subscription, resource_group, "networkInterfaces")
        return dict(self._list_or_empty(path, _private_addresses))

    def put_private_link_service(self, pls_id: str, body: Json) -> Accepted:
        """Create or replace; accepted is not done."""
        return self._put(pls_id, body, {})

    def put_subnet(self, subnet_id: str, body: Json, etag: str) -> Accepted:
        """Replace a subnet, if it still has this ETag. Raises Stale where it has not."""
        if not etag:  # a PUT without one would overwrite whatever somebody else did meanwhile
            raise Stale(f"{arm_ids.last_name(subnet_id)} was read without an ETag; it is read again")
        return self._put(subnet_id, body, {"If-Match": etag})

    def delete_private_link_service(self, pls_id: str) -> None:
        """Delete; also fine where it is not there."""
        self._delete(pls_id)

    def delete_connection(self, connection_id: str) -> None:
        """Delete a private endpoint connection; also fine where it is not there."""
        self._delete(connection_id)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            session, self._session, self._client = self._session, None, None
        if session is not None:
            session.close()

    # -- reads

    def _one(self, resource_id: str, read: Callable[[Json], _Noun | None]) -> _Noun:
        path = _path(resource_id)
        request = Request("GET", _shown(path))
        noun = read(self._document(request, self._url(path)))
        if noun is None:
            raise arm_errors.garbage(request, "is no such resource")
        return noun

    def _list_or_empty(self, path: str, read: Callable[[Json], _Noun | None]) -> tuple[_Noun, ...]:
        try:
            return self._list(path, read)
        except NotFound as error:
            if error.code == arm_errors.GROUP_NOT_FOUND:
                return ()
            raise

    def _list(self, path: str, read: Callable[[Json], _Noun | None]) -> tuple[_Noun, ...]:
        request = Request("GET", _shown(path))
        nouns: list[_Noun] = []
        for item in self._items(request, self._url(path)):
            noun = read(item)
            if noun is None:
                raise arm_errors.garbage(request, "holds an item without an id")
            nouns.append(noun)
        return tuple(nouns)

    def _items(self, request: Request, url: str) -> Iterator[Json]:
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
        return _parsed(request, self._send(request, url, {200}).content)

    # -- writes

    def _put(self, resource_id: str, body: Json, headers: Mapping[str, str]) -> Accepted:
        path = _path(resource_id)
        request = Request("PUT", _shown(path))
        content = json.dumps(body, default=dict)
        answer = self._send(request, self._url(path), {200, 201, 202}, content, headers)
        if answer.status == 202 and not answer.content.strip():
            return Accepted()
        properties = _parsed(request, answer.content).get("properties")
        told = properties if isinstance(properties, Mapping) else {}
        return Accepted(*(_text(told.get(key)) for key in ("provisioningState", "resourceGuid", "alias")))

    def _delete(self, resource_id: str) -> None:
        path = _path(resource_id)
        try:
            self._send(Request("DELETE", _shown(path)), self._url(path), {200, 202, 204})
        except NotFound:
            return

    # -- one request

    def _send(
        self,
        request: Request,
        url: str,
        wanted: set[int],
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Answer:
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
            answer = _Answer(response.status_code, response.headers, _body(request, response))
        except OutsideError:
            raise  # the credential's own
        except (AzureError, OSError, ValueError) as error:
            raise arm_errors.broken(request, str(error), sent=not _never_sent(error)) from error
        if answer.status not in wanted:
            raise arm_errors.refused(request, answer.status, answer.headers, answer.content)
        return answer

    def _url(self, path: str) -> str:
        return f"{self._endpoint}{path}?api-version={self._access.api_version}"

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._session = _session(self._access)
                self._client = _client(self._access, self._credential, self._session)
            return self._client


def _session(access: ArmAccess) -> Any:
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies

    session = requests.Session()
    session.trust_env = False  # it would take credentials from a .netrc in place of the token
    session.proxies = get_environ_proxies(access.endpoint) or {}
    session.mount("https://", HTTPAdapter(pool_maxsize=access.connections, max_retries=0))
    return session


def _client(access: ArmAccess, credential: TokenCredential, session: Any) -> Any:
    from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
    from azure.mgmt.network import NetworkManagementClient

    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    transport = RequestsTransport(
        session=session,
        session_owner=False,
        connection_verify=access.ca_file or bundle or True,
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
        credential, "-", access.endpoint.rstrip("/"), policies=policies, transport=transport
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
    cause = inner.args[0] if getattr(inner, "args", ()) else None
    return isinstance(getattr(cause, "reason", cause), (NewConnectionError, ConnectTimeoutError))


def _path(resource_id: str) -> str:
    """The path of a resource. Raises Rejected for what is no id: names may come from annotations."""
    if arm_ids.parse(resource_id) is None or {".", ".."} & set(resource_id.split("/")):
        raise Rejected(f"{resource_id[:200]!r} is no resource id")
    return "/" + quote(resource_id.strip().strip("/"), safe="/")


def _in_group(subscription: str, resource_group: str, kind: str) -> str:
    group = arm_ids.group_id(_segment(subscription), _segment(resource_group))
    return f"{group}/providers/{arm_ids.NETWORK}/{kind}"


def _segment(name: str) -> str:
    if not name or name in (".", ".."):
        raise Rejected(f"{name!r} is no name of a subscription or resource group")
    return quote(name, safe="")


def _shown(path: str) -> str:
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


def _parsed(request: Request, content: bytes) -> Json:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise arm_errors.garbage(request, "is no JSON object")
    return document


def _private_addresses(item: Json) -> tuple[str, tuple[str, ...]] | None:
    """A network interface's id in lower case, and its addresses."""
    properties = item.get("properties")
    found = properties.get("ipConfigurations") if isinstance(properties, Mapping) else None
    if not isinstance(found, list) or not _text(item.get("id")):
        return None
    configurations = (c.get("properties") for c in found if isinstance(c, Mapping))
    addresses = (_text(p.get("privateIPAddress")) for p in configurations if isinstance(p, Mapping))
    return arm_ids.key(_text(item["id"])), tuple(address for address in addresses if address)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
