"""What the doctor asks Azure Resource Manager and a function app: answers, refusals, garbage."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from reconciler.adapters import function_app
from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.arm_rights import ArmRights
from reconciler.doctor_permissions import Grant
from reconciler.errors import Denied, NotFound, Rejected, RetryLater
from sandbox.tls import Authority
from tests.contract.azure_world import SUBSCRIPTION, StaticToken
from tests.contract.servers import Answer, Scripted

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MC_prod"
PERMISSIONS = f"{GROUP}/providers/Microsoft.Authorization/permissions"
KEY = "the-key"


@pytest.fixture
def rights(script: Scripted, authority: Authority) -> Iterator[ArmRights]:
    """The adapter against the scripted server."""
    azure = ArmAzure(ArmAccess(script.url, ca_file=str(authority.ca_path)), StaticToken())
    yield ArmRights(azure.client, lambda: "token")
    azure.close()


def page(*items: object) -> Answer:
    return Answer(body=json.dumps({"value": list(items)}).encode())


def test_rights_are_the_roles_patterns(script: Scripted, rights: ArmRights) -> None:
    """One grant a role; what is no text is nothing."""
    script.answers[PERMISSIONS] = page(
        {"actions": ["*/read", 7], "notActions": ["x/*"], "dataActions": ["y"]}, {"actions": None}
    )
    assert rights.at(GROUP) == (Grant(("*/read",), ("x/*",)), Grant())
    assert script.seen[0][1] == f"{PERMISSIONS}?api-version=2022-04-01"
    assert rights.identity() == "token"


def test_refusals_keep_their_kinds(script: Scripted, rights: ArmRights) -> None:
    """A missing group is not a missing right."""
    error = {"error": {"code": "ResourceGroupNotFound", "message": "no"}}
    script.answers[PERMISSIONS] = Answer(404, body=json.dumps(error).encode())
    with pytest.raises(NotFound):
        rights.at(GROUP)
    script.answers[PERMISSIONS] = Answer(403)
    with pytest.raises(Denied):
        rights.at(GROUP)
    script.answers[PERMISSIONS] = Answer(body=b'{"value": [1]}')
    with pytest.raises(RetryLater):
        rights.at(GROUP)


def test_azures_clock_is_that_of_its_answer(script: Scripted, rights: ArmRights) -> None:
    """In UTC, so that it can be compared."""
    script.answers[f"/subscriptions/{SUBSCRIPTION}"] = Answer(body=b"{}")
    assert abs((datetime.now(UTC) - rights.time(SUBSCRIPTION)).total_seconds()) < 60


# -- the function app


@pytest.fixture
def app(script: Scripted, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """A function app that is well; its certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_path))
    monkeypatch.setattr(ssl, "_create_default_https_context", ssl.create_default_context)
    script.answers["/api/health"] = script.answers["/api/history"] = Answer(body=b"{}")
    return script


def test_an_app_that_is_well(app: Scripted) -> None:
    """The key goes with the call that needs it, and with no other."""
    assert function_app.answers(app.url, KEY) == "answers, is well, and takes the key"
    assert function_app.answers(f"{app.url}/api/", "").startswith("answers, and is well (without")
    keys = {
        path: {k.lower(): v for k, v in sent.items()}.get("x-functions-key") for _, path, sent in app.seen
    }
    assert keys == {"/api/health": None, "/api/history?limit=1": KEY}


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/health", 503, RetryLater),
        ("/api/health", 404, RetryLater),
        ("/api/history", 401, Denied),
        ("/api/history", 500, RetryLater),
        ("/api/history", 302, RetryLater),
    ],
)
def test_an_app_that_is_not(app: Scripted, path: str, status: int, kind: type[Exception]) -> None:
    """A redirect is not followed: it could carry the key elsewhere."""
    app.answers["/elsewhere"] = Answer(body=b"{}")
    app.answers[path] = Answer(status, headers={"Location": f"{app.url}/elsewhere"})
    with pytest.raises(kind) as raised:
        function_app.answers(app.url, KEY)
    assert KEY not in str(raised.value)
    assert "/elsewhere" not in [seen for _, seen, _ in app.seen]


def test_an_address_that_does_not_answer(authority: Authority) -> None:
    """Refused, or of no trusted authority."""
    with pytest.raises(RetryLater):
        function_app.answers("https://127.0.0.1:1", KEY)
    for address in (
        "http://app.example",
        "ftp://localhost",
        "file://localhost/etc",
        "https://",
        "app.example",
    ):
        with pytest.raises(Rejected, match="no https address"):
            function_app.answers(address, KEY)
    with pytest.raises(Rejected, match="is none"):
        function_app.answers("https://[app", KEY)


@pytest.mark.parametrize("more", [f"/api/health?code={KEY}", f"#{KEY}"])
def test_a_key_in_the_address_is_not_told(app: Scripted, more: str) -> None:
    """As copied from the portal: it would end in a log."""
    with pytest.raises(Rejected, match="FUNCTION_KEY") as raised:
        function_app.answers(app.url + more, "")
    assert KEY not in str(raised.value)
    with pytest.raises(Rejected) as raised:
        function_app.answers(f"https://user:{KEY}@app.example", "")
    assert KEY not in str(raised.value)


def test_a_key_that_is_none_is_not_told_either(app: Scripted) -> None:
    """The end of a line is taken off, as of a file; what no header may hold is refused unseen."""
    assert function_app.answers(app.url, f"{KEY}\n") == "answers, is well, and takes the key"
    for wrong in (f"{KEY}\nx: y", f"{KEY}\u2026"):
        with pytest.raises(Denied) as raised:
            function_app.answers(app.url, wrong)
        assert KEY not in str(raised.value)
