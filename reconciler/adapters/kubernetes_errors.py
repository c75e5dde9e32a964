"""What a Kubernetes API's refusals and broken connections mean to the engine, in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from reconciler.adapters.wire import clean, retry_after
from reconciler.errors import Denied, NotFound, OutsideError, Rejected, RetryLater, Stale

# How RBAC puts it, and Azure's roles: User "…" cannot patch resource "services/status" in API group "" …
_BY_ROLE = re.compile(r"cannot \w+ resource")
# The commonest reason why an AKS cluster that runs is out of reach.
_OF_PRIVATE_CLUSTERS = (
    "It is a private cluster: whoever asks has to be in a virtual network that reaches it, and that its private DNS "
    "zone is linked to"
)


class ExpiredListError(OutsideError):
    """410: the list's continue token is too old; begin again."""


def refused(api: str, status: int, headers: Mapping[str, str], document: Any) -> OutsideError:
    """An answer other than 200. ``document`` is its JSON, None where it was none.

    ``NotFound.code`` is the name of the object that the API says is not there.
    """
    said = document if isinstance(document, dict) and document.get("kind") == "Status" else {}
    sentence = f"{api} answered {status} {_words(status, said)}"
    match status:
        case 401 | 403:
            return Denied(sentence, code=_text(said.get("reason")))
        case 404 if said.get("reason") == "NotFound" and (missing := _missing_service(said)):
            return NotFound(sentence, code=missing)
        case 410:
            return ExpiredListError(sentence, code="Expired")
        case 429:
            return RetryLater(sentence, code="TooManyRequests", after=_wait(headers), throttled=True)
        # A 404 that speaks of no Service comes from something in front of the API, not from the API.
        case 404 | 408 | 410 | 425:
            return RetryLater(sentence, after=_wait(headers))
        case _ if 300 <= status < 400:
            return Rejected(f"{sentence}; redirects are not followed, they could carry the token elsewhere")
        case _ if status >= 500 or status < 300:
            return RetryLater(sentence, after=_wait(headers))
    return Rejected(sentence, code=_text(said.get("reason")))


def not_written(api: str, status: int, headers: Mapping[str, str], document: Any) -> OutsideError:
    """The same of a write. ``Denied`` with code ``Forbidden`` is the role's refusal, which holds for all writes alike."""
    error, said = refused(api, status, headers, document), document if isinstance(document, dict) else {}
    match status:
        # A quota, a webhook or a namespace on its way out says no with 403, too: to this one object.
        case 403 if not _BY_ROLE.search(_text(said.get("message"))):
            return Rejected(str(error), code=error.code)
        case 404 if said.get("kind") == "Status" and said.get("reason") == "NotFound":
            return NotFound(str(error), code=error.code)
        case 409:
            return Stale(str(error), code=error.code)
        case 422 if "metadata.uid" in _text(said.get("message")):
            return Stale(str(error), code=error.code)
    return error


def broken(api: str, error: Exception) -> OutsideError:
    """A connection that could not be made, was cut or fell silent."""
    words = clean(str(error))
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return Denied(f"{api} shows a certificate that cannot be trusted: {words}")
    private = f". {_OF_PRIVATE_CLUSTERS}" if ".privatelink." in api else ""
    return RetryLater(f"{api} could not be reached or did not answer in full: {words}{private}")


def garbage(api: str, what: str) -> OutsideError:
    """An answer that is not plainly what was asked for."""
    return RetryLater(f"{api} answered, but what it sent {what}")


def outdated(error: Exception) -> bool:
    """Whether the server may be another than the one that was opened: its authority or its name is not known."""
    words = str(error)
    return "CERTIFICATE_VERIFY_FAILED" in words or "Failed to resolve" in words


def _words(status: int, said: Mapping[str, Any]) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    message = clean(_text(said.get("message")))
    return f"{phrase}: {message}" if message else phrase


def _missing_service(said: Mapping[str, Any]) -> str:
    details = said.get("details")
    if not isinstance(details, dict) or details.get("kind") != "services":
        return ""
    return _text(details.get("name"))


def _wait(headers: Mapping[str, str]) -> float | None:
    return retry_after(headers, datetime.now(UTC))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
