"""The Kubernetes API of one cluster (the port ``Cluster``).

The ``kubernetes`` client does authentication and transport; answers are read as raw JSON,
since its typed lists fail as a whole on one odd object. Whatever is not plainly an answer of a Kubernetes
API is an error, never an empty or shorter list: lists decide what is deleted in Azure.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from reconciler import reading
from reconciler.adapters.kubernetes_access import Means
from reconciler.adapters.kubernetes_connection import Deadline, KubernetesConnection
from reconciler.adapters.kubernetes_errors import ExpiredListError, garbage, not_written, refused
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
from reconciler.errors import NotFound, OutsideError, Rejected, RetryLater, Stale
from reconciler.model import ApiAccess, Condition, Json, Service, ServiceEvent, ServiceRef

_Noun = TypeVar("_Noun")

_SERVICES = "/api/v1/services"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PLAIN = "application/json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

_WRITE_SECONDS = 10.0  # a write that hangs must not outlast the lease that it was begun under
_RESTARTS = 3
_MOST_PAGES = 1000


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
        self._timeout, self._page_size = timeout_seconds, page_size
        self._api = KubernetesConnection(access, means or Means(), clock)

    def list_services(self) -> tuple[Service, ...]:
        """All Services of type LoadBalancer, to the last page or an error; never a part of them."""
        services = self._list("ServiceList", _PLAIN, self._service)
        # A server that ignores field selectors hands out all types.
        return tuple(service for service in services if service.type == "LoadBalancer")

    def identity(self) -> str:
        """The UID of the Service ``default/kubernetes``, which tells one cluster from another."""
        service = self.get_service("default", "kubernetes")
        if service is None:
            raise NotFound(f"{self._api.name} has no Service default/kubernetes, so it cannot be told apart")
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
        request = Request("POST", _REVIEWS, review, _PLAIN)
        answer = self._answer(HTTPStatus.CREATED, request, {}, _PLAIN, self._deadline())
        status = answer.get("status")
        if not isinstance(status, dict) or not isinstance(status.get("allowed"), bool):
            raise self._garbage("is no SelfSubjectAccessReview")
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
        self._api.close()

    # -- lists

    def _list(self, kind: str, accept: str, read: Callable[[Json], _Noun]) -> list[_Noun]:
        deadline = self._deadline()
        for _ in range(1 + _RESTARTS):
            try:
                return [read(item) for item in self._items(kind, accept, deadline)]
            except ExpiredListError:
                continue  # what was read so far belongs to a state that no longer exists
        raise RetryLater(f"{self._api.name} let the list expire {1 + _RESTARTS} times before its last page")

    def _items(self, kind: str, accept: str, deadline: Deadline) -> Iterator[Json]:
        query = {"fieldSelector": "spec.type=LoadBalancer", "limit": str(self._page_size)}
        for _ in range(_MOST_PAGES):
            page = self._get(_SERVICES, query, accept, deadline)
            items, metadata = page.get("items"), page.get("metadata")
            if page.get("kind") != kind or not isinstance(items, list) or not isinstance(metadata, dict):
                raise self._garbage(f"is no {kind}")
            for item in items:
                if not isinstance(item, dict):
                    raise self._garbage("holds an item that is no object")
                yield item
            following = metadata.get("continue")
            if not following:
                return
            query = {**query, "continue": str(following)}
        raise self._garbage(f"does not end after {_MOST_PAGES} pages")

    def _service(self, item: Json) -> Service:
        service = reading.service(item)
        if service is None:
            raise self._garbage("holds a Service without name, namespace or UID")
        return service

    def _the_service(self, answer: Json, asked: ServiceRef) -> Service:
        service = self._service(answer)
        if answer.get("kind") != "Service" or service.key != asked.key:
            raise self._garbage(f"is not the Service {asked.key}")
        return service

    def _version(self, item: Json) -> tuple[str, str]:
        metadata = item.get("metadata")
        found = metadata if isinstance(metadata, dict) else {}
        uid, version = found.get("uid"), found.get("resourceVersion")
        if not (isinstance(uid, str) and uid and isinstance(version, str) and version):
            raise self._garbage("holds a Service without UID or resourceVersion")
        return uid, version

    # -- one request

    def _get(self, path: str, query: Mapping[str, str], accept: str, deadline: Deadline) -> Json:
        return self._answer(HTTPStatus.OK, Request("GET", path, None, _PLAIN), query, accept, deadline)

    def _answer(
        self, wanted: int, request: Request, query: Mapping[str, str], accept: str, deadline: Deadline
    ) -> Json:
        answer = self._api.exchange(request, query, accept, deadline)
        document = _parsed(answer.body)
        if answer.status != wanted:
            raise refused(self._api.name, answer.status, answer.headers, document)
        return self._object(document)

    def _write(self, request: Request) -> Json:
        """The object as it is afterwards."""
        deadline = self._api.within(min(self._timeout, _WRITE_SECONDS))
        answer = self._api.exchange(request, {"fieldManager": COMPONENT}, _PLAIN, deadline)
        document = _parsed(answer.body)
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise not_written(self._api.name, answer.status, answer.headers, document)
        return self._object(document)

    def _object(self, document: dict[str, Any] | None) -> Json:
        if document is None:
            raise self._garbage("is no JSON object")
        return document

    def _deadline(self) -> Deadline:
        return self._api.within(self._timeout)

    def _garbage(self, what: str) -> OutsideError:
        return garbage(self._api.name, what)


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
