"""Whether a deployed function app answers: for the doctor. A key goes to the given address only."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from reconciler.adapters.wire import clean
from reconciler.errors import Denied, Rejected, RetryLater

_SECONDS = 15.0
_LIMIT = 64 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """They could carry the key elsewhere."""


def answers(address: str, key: str) -> str:
    """What the app says of itself.

    Raises Rejected for what is no address, Denied for a wrong key, RetryLater where it does not answer well.
    """
    base, key = _base(address), key.strip()
    if not (key.isascii() and key.isprintable()):
        raise Denied("the key holds what no key holds")  # and Python would tell it in its error
    health = _asked(f"{base}/api/health", "")
    if health != 200:
        raise RetryLater(f"{clean(base)}/api/health answered {health}")
    if not key:
        return "answers, and is well (without --function-key its calls were not tried)"
    status = _asked(f"{base}/api/history?limit=1", key)
    if status in (401, 403):
        raise Denied(f"the key was refused with {status}")
    if status != 200:
        raise RetryLater(f"{clean(base)}/api/history answered {status}")
    return "answers, is well, and takes the key"


def _base(address: str) -> str:
    """The address of the app. What is not part of one is not told: it may hold a key."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        raise Rejected("the given address is none") from None
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise Rejected(
            "the address of a function app ends with its host, or /api; a key goes into FUNCTION_KEY"
        )
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
    if not (parts.scheme == "https" and parts.hostname) and not local:
        raise Rejected(f"{clean(address)} is no https address")
    return parts.geturl().rstrip("/").removesuffix("/api")


def _asked(url: str, key: str) -> int:
    headers = {"x-functions-key": key} if key else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=_SECONDS) as response:
            response.read(_LIMIT)
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RetryLater(f"the function app could not be reached: {clean(str(error))}") from error
