"""The Kubernetes API of one cluster (the port ``Cluster``).

The ``kubernetes`` client does authentication and transport; answers are read as raw JSON,
since its typed lists fail as a whole on one odd object. Whatever is not plainly an answer of a Kubernetes
API is an error, never an empty or shorter list: lists decide what is deleted in Azure.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from reconciler import reading
from reconciler.adapters.kubernetes_access import Means, Opened, open_api, unusable
from reconciler.adapters.kubernetes_errors import ExpiredListError, broken, not_written, outdated, refused
from reconciler.adapters.kubernetes_writes import (
    COMPONENT,
    Request,
    annotations_patch,
    event_count,
    event_creation,
    event_look,
    service_path,
    status_patch,
)
from reconciler.adapters.wire import clean
from reconciler.errors import NotFound, Rejected, RetryLater, Stale
from reconciler.model import ApiAccess, Condition, Json, Service, ServiceEvent, ServiceRef

_Noun = TypeVar("_Noun")

_SERVICES = "/api/v1/services"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PLAIN = "application/json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_WRITE_SECONDS = 10.0  # a write that hangs must not outlast the lease that it was begun under
_RESTARTS = 3
_MOST_PAGES = 1000
_BODY_LIMIT = 128 * 1024 * 1024
_CHUNK = 1024 * 1024


class KubernetesCluster:
    """One cluster's API. Threads may share it; nothing is read or connected before the first call.

    ``timeout_seconds`` bounds each method as a whole, all pages and restarts included.
    """

    def __init__(
        self,
        access: ApiAccess,
        timeout_seconds: float = 60.0,
        *,
        means: Means | None = None,
        page_size: int = 500,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access, self._timeout, self._page_size, self._clock = access, timeout_seconds, page_size, clock
        self._means = means or Means()
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._host = access.server

    def list_services(self) -> tuple[Service, ...]:
        """All Services of type LoadBalancer, to the last page or an error; never a part of them."""
        services = self._list("ServiceList", _PLAIN, self._service)
        # A server that ignores field selectors hands out all types.
        return tuple(service for service in services if service.type == "LoadBalancer")

    def identity(self) -> str:
        """The UID of the Service ``default/kubernetes``, which tells one cluster from another."""
        service = self.get_service("default", "kubernetes")
        if service is None:
            raise NotFound(f"{self._name()} has no Service default/kubernetes, so it cannot be told apart")
        return service.uid

    def get_service(self, namespace: str, name: str) -> Service | None:
        """One Service by name, of any type; None only where the API said 404 for it."""
        ref = _named(ServiceRef(namespace, name))
        try:
            answer = self._get(service_path(ref), {}, _PLAIN, self._deadline())
        except NotFound as error:
            if error.code == name:
                return None
            raise RetryLater(str(error)) from error
        return self._the_service(answer, ref)

    def digest(self) -> str:
        """A hash over uid and resourceVersion of all LoadBalancer Services (one metadata-only list)."""
        return reading.digest(self._list("PartialObjectMetadataList", _METADATA_ONLY, self._version))

    def may(self, verb: str, resource: str) -> bool:
        """Whether our identity may do this in all namespaces, as the API says itself; nothing is stored by asking.

        ``resource`` is of the core group, and may name a part: ``services/status``.
        """
        name, _, part = resource.partition("/")
        attributes = {"verb": verb, "resource": name, "subresource": part}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._answer(201, _REVIEWS, {}, _PLAIN, self._deadline(), review)
        status = answer.get("status")
        if not isinstance(status, dict) or not isinstance(status.get("allowed"), bool):
            self._garbage("is no SelfSubjectAccessReview")
        return bool(status["allowed"])

    def patch_status(self, service: ServiceRef, condition: Condition | None) -> Service:
        """Set our condition, or remove it (None), and nothing else. Returns the Service as it is then."""
        return self._the_service(self._write(status_patch(_named(service), condition)), service)

    def patch_annotations(self, service: ServiceRef, annotations: Mapping[str, str | None]) -> Service:
        """Set these annotations, remove those of None. Returns the Service as it is then."""
        return self._the_service(self._write(annotations_patch(_named(service), annotations)), service)

    def record_event(self, event: ServiceEvent) -> None:
        """Write an Event. Where the same one is there already it is counted, at most once an hour."""
        _named(event.service)
        try:
            self._write(event_creation(event))
        except Stale:
            found = self._write(event_look(event))
            if again := event_count(event, found):
                self._write(again)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.client.rest_client.close()

    def _begin_anew(self, opened: Opened) -> None:
        """After a refusal: the cluster may have been made anew, with another authority, and tokens be revoked.

        Nothing is tried again here: whoever calls next finds out.
        """
        opened.forget()
        with self._lock:
            if self._opened is opened:
                self._opened = None
        opened.client.rest_client.close()

    # -- lists

    def _list(self, kind: str, accept: str, read: Callable[[Json], _Noun]) -> list[_Noun]:
        deadline = self._deadline()
        for _ in range(1 + _RESTARTS):
            try:
                return [read(item) for item in self._items(kind, accept, deadline)]
            except ExpiredListError:
                continue  # what was read so far belongs to a state that no longer exists
        raise RetryLater(f"{self._name()} let the list expire {1 + _RESTARTS} times before its last page")

    def _items(self, kind: str, accept: str, deadline: float) -> Iterator[Json]:
        query = {"fieldSelector": "spec.type=LoadBalancer", "limit": str(self._page_size)}
        for _ in range(_MOST_PAGES):
            page = self._get(_SERVICES, query, accept, deadline)
            items, metadata = page.get("items"), page.get("metadata")
            if page.get("kind") != kind or not isinstance(items, list) or not isinstance(metadata, dict):
                self._garbage(f"is no {kind}")
            for item in items:
                if not isinstance(item, dict):
                    self._garbage("holds an item that is no object")
                yield item
            following = metadata.get("continue")
            if not following:
                return
            query = {**query, "continue": str(following)}
        self._garbage(f"does not end after {_MOST_PAGES} pages")

    def _service(self, item: Json) -> Service:
        service = reading.service(item)
        if service is None:
            self._garbage("holds a Service without name, namespace or UID")
        return service

    def _the_service(self, answer: Json, asked: ServiceRef) -> Service:
        service = self._service(answer)
        if answer.get("kind") != "Service" or service.key != asked.key:
            self._garbage(f"is not the Service {asked.key}")
        return service

    def _version(self, item: Json) -> tuple[str, str]:
        metadata = item.get("metadata")
        found = metadata if isinstance(metadata, dict) else {}
        uid, version = found.get("uid"), found.get("resourceVersion")
        if not (isinstance(uid, str) and uid and isinstance(version, str) and version):
            self._garbage("holds a Service without UID or resourceVersion")
        return uid, version

    # -- one request

    def _deadline(self) -> float:
        return self._clock() + self._timeout

    def _left(self, deadline: float) -> float:
        left = deadline - self._clock()
        if left <= 0:
            raise RetryLater(f"{self._name()} did not answer in full within {self._timeout:g} s")
        return left

    def _get(self, path: str, query: Mapping[str, str], accept: str, deadline: float) -> Json:
        return self._answer(HTTPStatus.OK, path, query, accept, deadline)

    def _answer(
        self,
        wanted: int,
        path: str,
        query: Mapping[str, str],
        accept: str,
        deadline: float,
        content: Json | None = None,
    ) -> Json:
        request = Request("GET" if content is None else "POST", path, content, _PLAIN)
        status, headers, body = self._exchange(request, query, accept, deadline)
        document = _parsed(body)
        if status != wanted:
            raise refused(self._name(), status, headers, document)
        if document is None:
            self._garbage("is no JSON object")
        return document

    def _write(self, request: Request) -> Json:
        """The object as it is afterwards."""
        deadline = self._clock() + min(self._timeout, _WRITE_SECONDS)
        status, headers, body = self._exchange(request, {"fieldManager": COMPONENT}, _PLAIN, deadline)
        document = _parsed(body)
        if status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise not_written(self._name(), status, headers, document)
        if document is None:
            self._garbage("is no JSON object")
        return document

    def _exchange(
        self, request: Request, query: Mapping[str, str], accept: str, deadline: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        opened = self._connected()
        client = opened.client
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            left = self._left(deadline)
            kind = {} if request.body is None else {"Content-Type": request.content_type}
            serialized = client.param_serialize(
                method=request.method,
                resource_path=request.path,
                query_params=list(query.items()),
                header_params={"Accept": accept, **kind},
                body=request.body,
                auth_settings=["BearerToken"],
            )
            timeout = (min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left))
            response = client.call_api(*serialized, _request_timeout=timeout).response
            body = self._body(response, deadline)
        except (ApiException, HTTPError) as error:
            if outdated(error):
                self._begin_anew(opened)
            raise broken(self._name(), error) from error
        except OSError as error:  # of the token file: the transport's own are HTTPError
            raise unusable(clean(str(error))) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._begin_anew(opened)
        return response.status, response.headers, body

    def _body(self, response: Any, deadline: float) -> bytes:
        """The body, read piece by piece: a server that drips must not outlast the deadline."""
        pieces, size = [], 0
        try:
            while piece := response.read1(_CHUNK):
                self._left(deadline)
                size += len(piece)
                if size > _BODY_LIMIT:
                    self._garbage(f"is longer than {_BODY_LIMIT} bytes")
                pieces.append(piece)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return b"".join(pieces)

    def _connected(self) -> Opened:
        with self._lock:
            if self._opened is None:
                self._opened = open_api(self._access, self._means)
                self._host = self._opened.client.configuration.host
            return self._opened

    def _name(self) -> str:
        return f"The Kubernetes API at {clean(urlsplit(self._host or '').hostname or 'an unknown address')}"

    def _garbage(self, what: str) -> NoReturn:
        raise RetryLater(f"{self._name()} answered, but what it sent {what}")


def _named(service: ServiceRef) -> ServiceRef:
    """Raises Rejected for what no Service can be called: a path is made of it."""
    if not (_NAME.fullmatch(service.namespace) and _NAME.fullmatch(service.name)):
        raise Rejected(f"{clean(f'{service.namespace}/{service.name}', 120)!r} is no name of a Service")
    return service


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
