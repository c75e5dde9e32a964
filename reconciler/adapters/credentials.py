"""Who we are to Azure: the managed identity in Azure, ``az login`` (and its like) on a laptop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reconciler.adapters.wire import clean
from reconciler.errors import Denied, OutsideError, RetryLater, SettingsError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo

_CONNECT_SECONDS = 5
_READ_SECONDS = 10


class Credential:
    """A token credential whose failures are this package's own, with one token request at a time.

    Without the lock, sixteen threads that start together ask for a token each. ``make`` gets a hook
    for the identity service's raw answers: the SDK's errors do not tell a busy service from a refusal.
    """

    def __init__(self, make: Callable[[Callable[[Any], None]], Any], advice: str) -> None:
        self._advice = advice
        self._lock = threading.Lock()
        self._status = 0
        self._failed: dict[tuple[str, ...], OutsideError] = {}  # the last try, by scopes
        try:
            self._inner = make(self._note)
        except ValueError as error:  # of its environment variables; the SDK's words say which
            raise SettingsError(f"AZURE_…: {clean(str(error))}") from error

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for the scopes. Raises Denied, or RetryLater where the identity service is down."""
        token: AccessToken = self._ask("get_token", *scopes, **options)
        return token

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """The same, with what else is known of the token."""
        token: AccessTokenInfo = self._ask("get_token_info", *scopes, options=options)
        return token

    def close(self) -> None:
        """Close the connections to the identity service."""
        self._inner.close()

    def _note(self, response: Any) -> None:
        # Kept from one request to the next: for seconds the SDK repeats a refusal from memory, without an answer.
        self._status = response.http_response.status_code

    def _ask(self, method: str, *scopes: str, **options: Any) -> Any:
        """Who waits for another's try shares its failure: one after another they would wait for a timeout each."""
        before = self._failed.get(scopes)
        with self._lock:
            failed = self._failed.get(scopes)
            if failed is not None and failed is not before:
                raise failed
            try:
                return self._asked(method, *scopes, **options)
            except OutsideError as error:
                self._failed[scopes] = error
                raise

    def _asked(self, method: str, *scopes: str, **options: Any) -> Any:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            return getattr(self._inner, method)(*scopes, **options)
        except ClientAuthenticationError as error:
            raise self._refused(error) from error
        except (AzureError, OSError, ValueError) as error:
            raise RetryLater(f"The identity service cannot be reached: {clean(str(error))}") from error

    def _refused(self, error: Any) -> Denied | RetryLater:
        words = clean(str(error.message))
        if self._status == 429 or self._status >= 500:
            return RetryLater(f"The identity service answered {self._status}: {words}")
        return Denied(f"Azure gives no token. {self._advice} ({words})", code=type(error).__name__)


def credential(*, client_id: str = "", authority_host: str = "", ca_file: str = "") -> Credential:
    """The managed identity where the platform offers one, else what ``DefaultAzureCredential`` finds.

    ``client_id`` names a user-assigned identity. ``authority_host`` is the login endpoint of another
    cloud; "" leaves it to ``AZURE_AUTHORITY_HOST`` and the public cloud. ``ca_file`` is a PEM file.
    Raises SettingsError where the environment is wrong for the identity library.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    # The SDK's own retries would hold a worker for seconds to minutes; the queue brings us back.
    options: dict[str, Any] = {
        "retry_total": 0,
        "connection_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
    }
    if ca_file:
        options["connection_verify"] = ca_file
    if os.environ.get("IDENTITY_ENDPOINT"):
        # Not the chain: it would go on to tools that are not there and hide this one's reason.
        return Credential(
            lambda hook: ManagedIdentityCredential(
                client_id=client_id or None, raw_response_hook=hook, **options
            ),
            "Is the managed identity switched on, and AZURE_CLIENT_ID (if set) the client id of one?",
        )
    if authority_host:
        options["authority"] = authority_host
    if client_id:
        options["managed_identity_client_id"] = client_id
    return Credential(
        lambda hook: DefaultAzureCredential(raw_response_hook=hook, **options),
        "On a laptop, sign in with: az login.",
    )
