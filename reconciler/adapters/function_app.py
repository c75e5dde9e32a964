"""Whether a deployed function app answers: for the doctor. A key goes to the given address only."""

from __future__ import annotations

import http.client
import json
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
    """What the app says of itself. Raises Denied for a wrong key, RetryLater where it does not answer well."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
    if not (parts.scheme == "https" and parts.hostname) and not local:
        raise Rejected(f"{clean(address)} is no https address")
    base = address.rstrip("/").removesuffix("/api")
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
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
        raise RetryLater(f"the function app could not be reached: {clean(str(error))}") from error
