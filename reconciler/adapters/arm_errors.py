"""What ARM's refusals and broken connections mean to the engine: one table, by code first, then by status.

Codes decide before statuses, since ARM says one thing under many statuses (a busy resource is a 409,
a 429 or a 400) and many things under one. The evidence for each code is ARM's documentation or recorded
traffic; what is in neither falls to its status, on the careful side.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from reconciler.adapters.wire import LONGEST_WAIT, clean, retry_after
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

GROUP_NOT_FOUND = "ResourceGroupNotFound"


class Kind(Enum):
    """What the engine does about a failure (:mod:`reconciler.errors`)."""

    LATER = auto()
    THROTTLED = auto()
    UNKNOWN = auto()  # of a write: it may have been carried out
    STALE = auto()
    NOT_FOUND = auto()
    DENIED = auto()
    REJECTED = auto()
    CONFLICT = auto()


CODES: Mapping[str, Kind] = MappingProxyType(
    {
        # Busy: this resource or one it depends on.
        "AnotherOperationInProgress": Kind.LATER,
        "OperationPreempted": Kind.LATER,
        "ReferencedResourceNotProvisioned": Kind.LATER,
        "ResourceGroupBeingDeleted": Kind.LATER,
        "Canceled": Kind.LATER,
        "CanceledAndSupersededDueToAnotherOperation": Kind.LATER,
        "RetryableError": Kind.LATER,
        "RetryableErrorDueToAnotherOperation": Kind.LATER,
        # The next look at the world plans what is missing: connections first, the subnet's policy first.
        "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted": Kind.LATER,
        "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled": Kind.LATER,
        # Quotas of requests.
        "SubscriptionRequestsThrottled": Kind.THROTTLED,
        "ResourceRequestsThrottled": Kind.THROTTLED,
        "TooManyRequests": Kind.THROTTLED,
        # Not there. Other 404s say that the question was wrong, not that the answer is no.
        "ResourceNotFound": Kind.NOT_FOUND,
        "NotFound": Kind.NOT_FOUND,
        "ParentResourceNotFound": Kind.NOT_FOUND,
        GROUP_NOT_FOUND: Kind.NOT_FOUND,
        # ETags.
        "PreconditionFailed": Kind.STALE,
        "PreconditionFailedEtagMismatch": Kind.STALE,
        # A person has to grant, register or unlock something.
        "AuthenticationFailed": Kind.DENIED,
        "AuthorizationFailed": Kind.DENIED,
        "ExpiredAuthenticationToken": Kind.DENIED,
        "InvalidAuthenticationToken": Kind.DENIED,
        "InvalidAuthenticationTokenTenant": Kind.DENIED,
        "LinkedAuthorizationFailed": Kind.DENIED,
        "MissingSubscriptionRegistration": Kind.DENIED,
        "ReadOnlyDisabledSubscription": Kind.DENIED,
        "ScopeLocked": Kind.DENIED,
        "SubscriptionNotFound": Kind.DENIED,
        "SubscriptionNotRegistered": Kind.DENIED,
        # Wrong as it is, until the wish or somebody's policy changes.
        "InvalidResourceReference": Kind.REJECTED,
        "RequestDisallowedByPolicy": Kind.REJECTED,
        "PrivateIPAddressInReservedRange": Kind.REJECTED,
        "PrivateIPAddressInUse": Kind.REJECTED,
        "PrivateIPAddressIsAllocated": Kind.REJECTED,
        "PrivateIPAddressNotInSubnet": Kind.REJECTED,
        # The name exists in another region.
        "InvalidResourceLocation": Kind.CONFLICT,
    }
)
PREFIXES: tuple[tuple[str, Kind], ...] = (
    ("RetryableError", Kind.LATER),
    ("CanceledAndSuperseded", Kind.LATER),
    ("InUse", Kind.REJECTED),
)
STATUSES: Mapping[int, Kind] = MappingProxyType(
    {
        401: Kind.DENIED,
        403: Kind.DENIED,
        408: Kind.UNKNOWN,
        409: Kind.LATER,
        412: Kind.STALE,
        423: Kind.LATER,
        429: Kind.THROTTLED,
    }
)
_BY_LOWER_CODE = {code.lower(): kind for code, kind in CODES.items()}
_ASKED_WAIT = re.compile(r"try again after '?(\d{1,6})'? seconds", re.IGNORECASE)
_DOING = {"GET": "reading", "POST": "asking for", "PUT": "writing", "DELETE": "deleting"}
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, for the sentence and for what a failure may have left behind."""

    method: str
    target: str

    @property
    def writes(self) -> bool:
        """Whether an unknown outcome matters; all that is asked for by POST is an answer."""
        return self.method not in ("GET", "POST")

    def __str__(self) -> str:
        return f"{_DOING.get(self.method, self.method)} {clean(self.target, 200)}"


def refused(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> OutsideError:
    """The failure that an answer other than 2xx stands for."""
    told = list(_errors(_document(body)))
    code, kind = _decide(status, told)
    words = clean(next((message for _, message in told if message), ""))
    sentence = f"Azure answered {' '.join(filter(None, (str(status), code)))}, {request}"
    if 300 <= status < 400:
        sentence = f"{sentence}: redirects are not followed, they could carry the token elsewhere"
    wait = retry_after(headers, datetime.now(UTC))
    return _error(kind, request, f"{sentence}: {words}" if words else sentence, code, wait or _asked(words))


def broken(request: Request, why: str, *, sent: bool) -> OutsideError:
    """A connection that could not be made (``sent`` false), was cut, or fell silent."""
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return Denied(f"Azure shows a certificate that cannot be trusted, {request}: {clean(why)}")
    kind = Kind.UNKNOWN if sent else Kind.LATER
    return _error(kind, request, f"Azure could not be reached, or was cut off, {request}: {clean(why)}")


def garbage(request: Request, what: str) -> OutsideError:
    """An answer of success that cannot be read; of a write it may well have been one."""
    return _error(Kind.UNKNOWN, request, f"Azure answered, {request}, but what it sent {what}")


def _error(
    kind: Kind, request: Request, sentence: str, code: str = "", after: float | None = None
) -> OutsideError:
    match kind:
        case Kind.UNKNOWN if request.writes:
            return OutcomeUnknown(sentence, code=code, after=after)
        case Kind.LATER | Kind.UNKNOWN:
            return RetryLater(sentence, code=code, after=after)
        case Kind.THROTTLED:
            return RetryLater(sentence, code=code, after=after, throttled=True)
        case Kind.STALE:
            return Stale(sentence, code=code)
        case Kind.NOT_FOUND:
            return NotFound(sentence, code=code)
        case Kind.DENIED:
            return Denied(sentence, code=code)
        case Kind.CONFLICT:
            return Conflict(sentence, code=code)
        case Kind.REJECTED:
            return Rejected(sentence, code=code)


def _decide(status: int, told: list[tuple[str, str]]) -> tuple[str, Kind]:
    """The deciding code and the kind: the outermost code that the table knows, else the status."""
    for code, _ in told:
        kind = _of_code(code)
        # Only a 404 says that the thing asked for is not there; inside others it speaks of something else.
        if kind is not None and (kind is not Kind.NOT_FOUND or status == 404):
            return code, kind
    return (told[0][0] if told else ""), _of_status(status, told=bool(told))


def _of_code(code: str) -> Kind | None:
    lower = code.lower()
    by_prefix = (kind for prefix, kind in PREFIXES if lower.startswith(prefix.lower()))
    return _BY_LOWER_CODE.get(lower) or next(by_prefix, None)


def _of_status(status: int, *, told: bool) -> Kind:
    if status in STATUSES:
        return STATUSES[status]
    if status == 404 and not told:
        return Kind.LATER  # something in front of ARM spoke, not ARM
    return Kind.UNKNOWN if status >= 500 else Kind.REJECTED


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _errors(document: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Codes and messages from the outside in: ``error``, its ``details``, and theirs."""
    if not isinstance(document, Mapping) or depth > _DEEPEST:
        return
    error = document.get("error", document)
    if not isinstance(error, Mapping):
        return
    code, message = error.get("code"), error.get("message")
    if isinstance(code, str) and code:
        yield clean(code, 120), message if isinstance(message, str) else ""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        yield from _errors(detail, depth + 1)


def _asked(words: str) -> float | None:
    found = _ASKED_WAIT.search(words)
    return min(float(found[1]), LONGEST_WAIT) if found else None
