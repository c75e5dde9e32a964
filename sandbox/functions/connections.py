"""The storage accounts behind bindings: a connection string, or service URIs and an identity."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobClient, BlobServiceClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from sandbox.functions.configuration import ConfigurationError

HOST_STORAGE = "AzureWebJobsStorage"
HOST_CONTAINER = "azure-webjobs-hosts"
DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)

# Without retries: listeners poll again anyway, and a dead storage must not hold the host up.
_PATIENCE = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 30}


@dataclass(frozen=True)
class Account:
    """What the settings of one connection say: a connection string, or URIs per service."""

    connection_string: str = ""
    queue_uri: str = ""
    blob_uri: str = ""
    client_id: str | None = None


def find_account(connection: str, environment: Mapping[str, str]) -> Account:
    """A binding's `connection`, looked up as the platform does. Raises ConfigurationError.

    `NAME` or `AzureWebJobsNAME` holds a connection string; or, with an identity, `NAME__queueServiceUri`
    and `NAME__blobServiceUri`, or `NAME__accountName`, and `NAME__clientId` for a user-assigned one.
    """
    name = connection or HOST_STORAGE
    for prefix in (f"AzureWebJobs{name}", name):
        if text := environment.get(prefix):
            return Account(DEVELOPMENT_STORAGE if text == "UseDevelopmentStorage=true" else text)
        if account := _account_by_identity(prefix, environment):
            return account
    raise ConfigurationError(f"the setting {name!r}, a storage connection, is missing")


def _account_by_identity(prefix: str, environment: Mapping[str, str]) -> Account | None:
    def uri(service: str) -> str:
        name = environment.get(f"{prefix}__accountName")
        by_name = f"https://{name}.{service}.core.windows.net" if name else ""
        return environment.get(f"{prefix}__{service}ServiceUri", by_name)

    account = Account("", uri("queue"), uri("blob"), environment.get(f"{prefix}__clientId"))
    return account if account.queue_uri or account.blob_uri else None


class Connections:
    """Storage clients, one per account."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._queues: dict[Account, QueueServiceClient] = {}
        self._blobs: BlobServiceClient | None = None
        self._credentials: list[DefaultAzureCredential] = []

    def queue(self, connection: str, name: str) -> QueueClient:
        """A queue of the account that a binding's `connection` names. Raises ConfigurationError."""
        account = find_account(connection, self._environment)
        if account not in self._queues:
            self._queues[account] = self._client(QueueServiceClient, account, account.queue_uri)
        return self._queues[account].get_queue_client(name)

    def host_blob(self, name: str) -> BlobClient:
        """A blob of the host's own container (leases, timer states). Raises ConfigurationError."""
        return self._host_blobs().get_blob_client(HOST_CONTAINER, name)

    async def create_host_container(self) -> None:
        """Make the host's container unless it is there. Raises AzureError."""
        with suppress(ResourceExistsError):
            await self._host_blobs().create_container(HOST_CONTAINER)

    def _host_blobs(self) -> BlobServiceClient:
        if self._blobs is None:
            account = find_account(HOST_STORAGE, self._environment)
            self._blobs = self._client(BlobServiceClient, account, account.blob_uri)
        return self._blobs

    def _client(self, kind: Any, account: Account, uri: str) -> Any:
        if account.connection_string:
            return kind.from_connection_string(account.connection_string, **_PATIENCE)
        if not uri:
            raise ConfigurationError(f"a service URI for the {kind.__name__} is missing")
        credential = DefaultAzureCredential(managed_identity_client_id=account.client_id)
        self._credentials.append(credential)
        return kind(uri, credential=credential, **_PATIENCE)

    async def close(self) -> None:
        """Close what was opened."""
        for client in (*self._queues.values(), self._blobs, *self._credentials):
            if client is not None:
                await client.close()
