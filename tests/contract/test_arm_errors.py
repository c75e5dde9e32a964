"""The table of ARM's errors: which code is which kind, how long to wait, what people read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters import arm_errors
from reconciler.adapters.arm_errors import Request
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


def _refused(status: int, error: Any, method: str = "PUT", **headers: str) -> OutsideError:
    body = json.dumps({"error": error}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return arm_errors.refused(Request(method, "privateLinkServices/pls1"), status, named, body)


@pytest.mark.parametrize(
    ("status", "error", "kind", "code"),
    [
        (400, {"code": "ReferencedResourceNotProvisioned"}, RetryLater, "ReferencedResourceNotProvisioned"),
        (
            429,
            {"code": "RetryableErrorDueToAnotherOperation"},
            RetryLater,
            "RetryableErrorDueToAnotherOperation",
        ),
        (400, {"code": "Canceled"}, RetryLater, "Canceled"),
        (409, {"code": "Conflict", "details": [{"code": "ScopeLocked"}]}, Denied, "ScopeLocked"),
        (
            400,
            {"code": "X", "details": [{"code": "Y", "details": [{"code": "InUseThing"}]}]},
            Rejected,
            "InUseThing",
        ),
        (400, {"code": "X", "details": [{"code": "NotFound"}]}, Rejected, "X"),
        (403, {"code": "RequestDisallowedByPolicy"}, Rejected, "RequestDisallowedByPolicy"),
        (403, {"code": "linkedauthorizationfailed"}, Denied, "linkedauthorizationfailed"),
        (404, {"code": "SubscriptionNotFound"}, Denied, "SubscriptionNotFound"),
        (409, {"code": "InvalidResourceLocation"}, Conflict, "InvalidResourceLocation"),
        (409, {"code": "SomethingNew"}, RetryLater, "SomethingNew"),
        (412, {"code": "PreconditionFailed"}, Stale, "PreconditionFailed"),
        (504, {"code": "GatewayTimeout"}, OutcomeUnknown, "GatewayTimeout"),
        (400, "garbage", Rejected, ""),
        (400, {"code": 7, "details": {"a": 1}}, Rejected, ""),
    ],
)
def test_the_code_decides_and_else_the_status(
    status: int, error: Any, kind: type[OutsideError], code: str
) -> None:
    """A busy resource under 400 is not a refusal, a lock under 409 is not a wait."""
    found = _refused(status, error)
    assert (type(found), found.code) == (kind, code)


def test_a_busy_resource_is_no_quota() -> None:
    """Else one busy PLS would hold back the whole subscription."""
    busy = _refused(429, {"code": "RetryableErrorDueToAnotherOperation"})
    quota = _refused(429, {"code": "Whatever"})
    assert isinstance(busy, RetryLater)
    assert isinstance(quota, RetryLater)
    assert (busy.throttled, quota.throttled) == (False, True)


def test_the_wait_is_read_from_header_date_or_words_and_bounded() -> None:
    """ARM uses all three; an hour is the most that one answer may ask."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    words = {"code": "TooManyRequests", "message": "Please try again after '10' seconds."}
    waits = [
        _refused(429, {}, Retry_After="7"),
        _refused(429, words),
        _refused(429, {}, Retry_After=later),
        _refused(429, {}, Retry_After="999999999"),
        _refused(429, {}, Retry_After="soon"),
        _refused(429, {}, retry_after_ms="1500"),
    ]
    found = [error.after for error in waits if isinstance(error, RetryLater)]
    assert found[:2] == [7, 10]
    assert found[2] is not None
    assert 50 < found[2] <= 60
    assert found[3:] == [3600, None, 1.5]


def test_the_sentence_is_one_short_printable_line() -> None:
    """It ends in logs, in events and on screens."""
    message = "a\x00\x1b[31m\nb\u202e" + "x" * 10_000
    words = str(_refused(400, {"code": "Bad\nCode", "message": message}))
    assert words.startswith("Azure answered 400 Bad Code, writing privateLinkServices/pls1: a [31m b x")
    assert words.isprintable()
    assert len(words) < 700


_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "message", "details"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.integers(300, 599), st.binary(max_size=40) | _JSON.map(lambda v: json.dumps(v).encode()), st.text())
def test_no_answer_breaks_the_table(status: int, body: bytes, wait: str) -> None:
    """Whatever comes over the wire ends in one of our kinds, with a line that can be shown."""
    error = arm_errors.refused(Request("DELETE", "x"), status, {"Retry-After": wait}, body)
    assert str(error).isprintable()
    assert error.code.isprintable()
    if isinstance(error, RetryLater):
        assert error.after is None or 0 <= error.after <= 3600
    if type(error) is NotFound:
        assert status == 404
