"""What ARM's gateway says when it refuses, word for word as real ARM is known to say it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sandbox.arm.access import issue
from tests.sandbox.arm_support import GROUP, NETWORK, OPTIONS, VNET, Arm, running_arm

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def arm() -> Iterator[Arm]:
    with running_arm() as found:
        yield found


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        (
            f"{VNET}?api-version=latest",
            400,
            "InvalidApiVersionParameter",
            "The api-version 'latest' is invalid. The supported versions are"
            " '2026-03-01,2025-05-01,2024-03-01,2021-08-01'.",
        ),
        (
            f"{NETWORK}/gadgets/x?api-version=2025-05-01",
            404,
            "InvalidResourceType",
            "The resource type could not be found in the namespace 'Microsoft.Network' for api version '2025-05-01'.",
        ),
        (
            f"{GROUP}/providers/Contoso.Network/gadgets/x",
            404,
            "InvalidResourceNamespace",
            "The resource namespace 'Contoso.Network' is invalid.",
        ),
    ],
)  # fmt: skip
def test_a_question_that_nobody_answers(arm: Arm, path: str, status: int, code: str, message: str) -> None:
    """Bug caught: a version or type that real ARM refuses, taken here."""
    assert arm.refusal("GET", path) == (status, {"code": code, "message": message})


def test_no_api_version(arm: Arm) -> None:
    """Bug caught: a client that forgets it and works here only."""
    answer = arm.session.get(f"{arm.url}{VNET}", timeout=10)
    said = "The api-version query parameter (?api-version=) is required for all requests."
    assert answer.json() == {"error": {"code": "MissingApiVersionParameter", "message": said}}
    assert "Server" not in answer.headers


def test_a_token_that_has_ended_tells_both_times(arm: Arm) -> None:
    """Bug caught: an expired token told as an invalid one: clients renew the one and give up on the other."""
    token, _ = issue(replace(OPTIONS, token_seconds=-5), arm.url, "app", "issuer")
    status, error = arm.refusal("GET", VNET, Authorization=f"Bearer {token}")
    assert (status, error["code"]) == (401, "ExpiredAuthenticationToken")
    times = r"'\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M'"
    assert re.fullmatch(
        f"The access token expiry UTC time {times} is earlier than current UTC time {times}.",
        error["message"],
    )


def test_a_token_for_another_audience_names_those_that_are_taken(arm: Arm) -> None:
    """Bug caught: a token of Key Vault that opens ARM."""
    token, _ = issue(OPTIONS, "https://vault.azure.net", "app", "issuer")
    status, error = arm.refusal("GET", VNET, Authorization=f"Bearer {token}")
    assert (status, error["code"]) == (401, "InvalidAuthenticationTokenAudience")
    assert error["message"].startswith(
        "The access token has been obtained for wrong audience or resource 'https://vault.azure.net'. "
        "It should exactly match with one of the allowed audiences '"
    )
    assert "'https://management.azure.com/','https://management.azure.com'" in error["message"]


@pytest.mark.parametrize(
    ("tags", "code", "message"),
    [
        (
            {"a/b": "", "c?": "", "d": ""},
            "InvalidTagNameCharacters",
            "The tag names 'a/b,c?' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
        ),
        (
            {"n" * 513: ""},
            "InvalidTagName",
            f"Tag name too large. Following tag name '{'n' * 513}' exceeded the maximum length."
            " Maximum allowed length for tag name - '512' characters.",
        ),
        (
            {"a": "v" * 257},
            "InvalidTagValueLength",
            f"Tag value too large. Following tag value '{'v' * 257}' exceeded the maximum length."
            " Maximum allowed length for tag value - '256' characters.",
        ),
    ],
)
def test_tags_beyond_the_limits(arm: Arm, tags: dict[str, Any], code: str, message: str) -> None:
    """Bug caught: tags kept here that real ARM refuses."""
    body = {**arm.get(VNET), "tags": tags}
    assert arm.refusal("PUT", VNET, body) == (400, {"code": code, "message": message})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{bad", "Unexpected character encountered while parsing value: b. Path '', line 1, position 1."),
        (b'{"a":', "Unexpected end when reading JSON. Path '', line 1, position 5."),
        (b"[]", "The type requires a JSON object. Path '', line 1, position 1."),
    ],
)
def test_a_body_that_is_no_json_object_is_told_as_by_dot_net(arm: Arm, body: bytes, said: str) -> None:
    """Bug caught: the words of Python's parser in an answer of ARM."""
    url, version = f"{arm.url}{VNET}", {"api-version": "2025-05-01"}
    answer = arm.session.put(url, params=version, data=body, timeout=10)
    message = f"The request content was invalid and could not be deserialized: '{said}'."
    assert answer.status_code == 400
    assert answer.json() == {"error": {"code": "InvalidRequestContent", "message": message}}


def test_a_patch_that_names_no_tags_leaves_them(arm: Arm) -> None:
    """Bug caught: tags wiped by a PATCH about something else."""
    arm.put(VNET, {**arm.get(VNET), "tags": {"a": "b"}})
    assert arm.call("PATCH", VNET, {}).json()["tags"] == {"a": "b"}
