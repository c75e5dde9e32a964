"""A custom topic of Event Grid, signed in to with our identity. Keys are not offered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from reconciler.adapters.http_transport import transport
from reconciler.adapters.storage import translated
from reconciler.errors import Rejected
from reconciler.model import Json

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_API_VERSION = "2018-01-01"  # the one that topics publish by
_TIMES: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10}


class EventTopic:
    """The port ``Publisher``. ``endpoint`` is the topic's, ``https://…/api/events``; threads may share it.

    ``ca_file`` is a PEM file, "" for the public CAs. The token's audience is ``https://eventgrid.azure.net``.
    """

    def __init__(self, endpoint: str, credential: TokenCredential, ca_file: str = "") -> None:
        self._endpoint, self._credential, self._ca_file = endpoint, credential, ca_file
        self._lock = threading.Lock()
        self._client: Any = None

    def publish(self, events: Sequence[Json]) -> None:
        """Publish CloudEvents as one batch."""
        with translated("publishing events"):
            self._connected().send(list(events))

    def admits(self) -> None:
        """See whether we may publish, without publishing: an empty batch. Raises Denied where we may not.

        A topic that wants none looks at the right to send first (not verified on Azure).
        """
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        batch = {"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}
        with suppress(Rejected), translated("asking whether events may be published"):
            # By hand: the SDK's send looks at the first of the events.
            request = HttpRequest(
                "POST", self._endpoint, params={"api-version": _API_VERSION}, headers=batch, content="[]"
            )
            response = self._connected()._client.send_request(request)
            if response.status_code != 200:
                raise HttpResponseError(response=response)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._endpoint, self._credential, self._ca_file)
            return self._client


def _client(endpoint: str, credential: TokenCredential, ca_file: str) -> Any:
    # Here: who publishes nothing need not pay for the library at a cold start.
    from azure.eventgrid import EventGridPublisherClient

    public: Any = EventGridPublisherClient(endpoint, credential)
    # For a custom topic it makes another client and gives that none of its options: we make that one, with ours.
    # The SDK would try a busy topic for minutes, and follow redirects with the token.
    return type(public._client)(
        endpoint,
        credential,
        transport=transport(ca_file=ca_file, **_TIMES),
        retry_total=0,
        permit_redirects=False,
        user_agent="pls-reconciler",
    )
