"""How a Kubernetes API is spoken to: opened at first use, one exchange at a time within a deadline, and opened anew
where it seems to be another than before. What is asked is in ``kubernetes``.

Nothing is tried again here: whoever calls next finds out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from reconciler.adapters.kubernetes_access import Means, Opened, open_api, unusable
from reconciler.adapters.kubernetes_errors import broken, garbage, outdated
from reconciler.adapters.kubernetes_writes import Request
from reconciler.adapters.wire import clean
from reconciler.errors import RetryLater
from reconciler.model import ApiAccess

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_BODY_LIMIT = 128 * 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Deadline:
    """When something must have been answered in full, ``seconds`` after it was begun."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class KubernetesConnection:
    """The connections to one cluster's API. Threads may share it; nothing is read or connected before the first call."""

    def __init__(self, access: ApiAccess, means: Means, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._means, self._clock = access, means, clock
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._host = access.server

    @property
    def name(self) -> str:
        """What it is called in sentences."""
        return f"The Kubernetes API at {clean(urlsplit(self._host or '').hostname or 'an unknown address')}"

    def within(self, seconds: float) -> Deadline:
        """A deadline, from now on."""
        return Deadline(self._clock() + seconds, seconds)

    def exchange(self, request: Request, query: Mapping[str, str], accept: str, deadline: Deadline) -> Answer:
        """One request and its answer, whatever its status. Raises Denied, RetryLater."""
        opened = self._connected()
        client = opened.client
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config.config_exception import ConfigException
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
        except (ApiException, HTTPError, ValueError) as error:  # ValueError: a Location that is no address
            if outdated(error):
                self._begin_anew(opened)
            raise broken(self.name, error) from error
        except (OSError, ConfigException) as error:  # of the token's file: the transport's own are HTTPError
            raise unusable(clean(str(error))) from error
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._begin_anew(opened)
        return Answer(response.status, response.headers, body)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.client.rest_client.close()

    def _begin_anew(self, opened: Opened) -> None:
        """After a refusal: the cluster may have been made anew, with another authority, and tokens be revoked."""
        opened.forget()
        with self._lock:
            if self._opened is opened:
                self._opened = None
        opened.client.rest_client.close()

    def _left(self, deadline: Deadline) -> float:
        left = deadline.at - self._clock()
        if left <= 0:
            raise RetryLater(f"{self.name} did not answer in full within {deadline.seconds:g} s")
        return left

    def _body(self, response: Any, deadline: Deadline) -> bytes:
        """The body, read piece by piece: a server that drips must not outlast the deadline."""
        pieces, size = [], 0
        try:
            while piece := response.read1(_CHUNK):
                self._left(deadline)
                size += len(piece)
                if size > _BODY_LIMIT:
                    raise garbage(self.name, f"is longer than {_BODY_LIMIT} bytes")
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
