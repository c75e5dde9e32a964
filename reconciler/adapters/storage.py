"""The storage account: its clients, bounded in retries and time, and its errors in our words.

A storage call ends within seconds, whatever happens: the SDKs' own patience (80 s for a queue that refuses
connections) would hold a worker and its lease; the wake-up queue brings everything back anyway.
"""

from __future__ import annotations

import http.client
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from azure.core.credentials import TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
)
from azure.data.tables import TableServiceClient
from azure.storage.queue import LinearRetry as QueueRetry
from azure.storage.queue import QueueServiceClient

from reconciler.adapters.credentials import credential
from reconciler.adapters.http_transport import transport
from reconciler.adapters.wire import retry_after
from reconciler.errors import (
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    OutsideError,
    Rejected,
    RetryLater,
    Stale,
)
from reconciler.settings import StorageSettings

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

_TIMES: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 20}
_TABLE_RETRIES: dict[str, Any] = {
    "retry_total": 2,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "retry_status": 0,  # it would sleep as long as a Retry-After says, with the lease held
}


_SIGNATURE = re.compile(r"(?<=[?&]sig=)[^&\s]+")


def _unsigned(record: logging.LogRecord) -> bool:
    """Take shared access signatures out of a line: the SDKs do in theirs, the HTTP library below them does not."""
    if isinstance(record.args, tuple) and record.args:
        record.args = tuple(_SIGNATURE.sub("REDACTED", a) if isinstance(a, str) else a for a in record.args)
    return True


logging.getLogger("urllib3.connectionpool").addFilter(_unsigned)


class StorageAccount:
    """One storage account, by connection string or by its addresses and an identity.

    ``identity`` signs in where there is no connection string; by default the one that the settings name.
    """

    def __init__(self, settings: StorageSettings, identity: TokenCredential | None = None) -> None:
        self._settings = settings
        self._given = identity

    @cached_property
    def tables(self) -> TableServiceClient:
        """The table service."""
        options = {"transport": transport(**_TIMES), **_TABLE_RETRIES}
        if self._settings.connection_string:
            return TableServiceClient.from_connection_string(self._settings.connection_string, **options)
        return TableServiceClient(self._settings.table_uri, credential=self._credential, **options)

    @cached_property
    def queues(self) -> QueueServiceClient:
        """The queue service."""
        retry = QueueRetry(backoff=0, retry_total=1, random_jitter_range=1)
        options = {"transport": transport(**_TIMES), "retry_policy": retry}
        if self._settings.connection_string:
            return QueueServiceClient.from_connection_string(self._settings.connection_string, **options)
        return QueueServiceClient(self._settings.queue_uri, credential=self._credential, **options)

    def container(self, name: str) -> ContainerClient:
        """A container of this account; it need not be there yet."""
        return self._blobs(_blob_options()).get_container_client(name)

    def blob(self, location: str) -> BlobClient:
        """A blob of this account by ``container/path``, or any blob by URL (with its own SAS, or ours to read)."""
        from azure.storage.blob import BlobClient

        options = _blob_options()
        if "://" not in location:
            container, _, path = location.strip("/").partition("/")
            return self._blobs(options).get_blob_client(container, path)
        if "?" in location:
            return BlobClient.from_blob_url(location, **options)
        # Of an identity directly: there may be an address of a blob, and no storage account at all.
        keyed = self._settings.connection_string
        ours = self._blobs(options).credential if keyed else self._credential
        return BlobClient.from_blob_url(location, credential=ours, **options)

    def _blobs(self, options: dict[str, Any]) -> BlobServiceClient:
        from azure.storage.blob import BlobServiceClient

        if self._settings.connection_string:
            return BlobServiceClient.from_connection_string(self._settings.connection_string, **options)
        return BlobServiceClient(self._settings.blob_uri, credential=self._credential, **options)

    @cached_property
    def _credential(self) -> TokenCredential:
        if self._given is not None:
            return self._given
        return credential(client_id=self._settings.client_id)


def _blob_options() -> dict[str, Any]:
    # Imported here and above: few functions use blobs, and a cold start would pay for the library.
    from azure.storage.blob import LinearRetry

    retry = LinearRetry(backoff=0, retry_total=1, random_jitter_range=1)
    return {"transport": transport(**_TIMES), "retry_policy": retry}


# What the SDKs let through where half an answer comes, or none of theirs: the transport's own errors are
# OSErrors, and the SDKs take bodies and headers apart without looking: text that is no UTF-8, XML that is none.
_SDK_FAILURES = (
    AzureError,
    http.client.HTTPException,
    ElementTree.ParseError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the SDKs' errors into ours. ``doing`` begins the message: "reading the table sharing"."""
    try:
        yield
    except _SDK_FAILURES as error:
        raise _translate(doing, error) from error


def _translate(doing: str, error: Exception) -> OutsideError:
    said = f"{doing}: {_first_line(error)}"
    if isinstance(error, IncompleteReadError):
        return OutcomeUnknown(said)
    if isinstance(error, HttpResponseError):
        return _by_status(said, error)
    if isinstance(error, ServiceRequestError):
        return RetryLater(said)  # never sent
    return OutcomeUnknown(said)


def _by_status(said: str, error: HttpResponseError) -> OutsideError:
    status = error.status_code or 0
    code = _code(error)
    if status == 412:
        return Stale(said, code=code)
    if status == 409:
        return Conflict(said, code=code)
    if status == 404:
        return NotFound(said, code=code)
    if status in (408, 429) or status >= 500:
        throttled = status in (429, 503)
        headers = getattr(error.response, "headers", None) or {}
        after = retry_after(headers, datetime.now(UTC))
        return RetryLater(said, code=code, after=after, throttled=throttled)
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        return Denied(said, code=code)
    if status < 400:
        return OutcomeUnknown(said, code=code)  # an answer that made no sense
    return Rejected(said, code=code)


def _code(error: HttpResponseError) -> str:
    """The service's own word; some errors lack the attribute, and of some it is an enumeration."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _first_line(error: Exception) -> str:
    """The transport's own words tell the whole address, the signature in it, too."""
    lines = _SIGNATURE.sub("REDACTED", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
