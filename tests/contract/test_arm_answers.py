"""The adapter of ``Azure`` and answers that are none: garbage, and links that lead elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.arm_client import path_of, segment
from reconciler.errors import OutcomeUnknown, Rejected, RetryLater
from sandbox.tls import Authority
from tests.contract.azure_world import PLS, SUBNET, SUBSCRIPTION, StaticToken, stored_pls, wish
from tests.contract.servers import Answer, Scripted, scripted


@pytest.fixture
def odd(script: Scripted, authority: Authority) -> Iterator[ArmAzure]:
    """The adapter against the scripted server."""
    azure = ArmAzure(ArmAccess(script.url, ca_file=str(authority.ca_path)), StaticToken())
    yield azure
    azure.close()


def test_the_next_page_is_not_fetched_from_elsewhere(
    script: Scripted, odd: ArmAzure, authority: Authority
) -> None:
    """The token would go with the request."""
    with scripted(authority) as elsewhere:
        for link in (f"{elsewhere.url}/x", script.url.replace("https", "http"), "//localhost:1/x"):
            script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": link}).encode())
            with pytest.raises(Rejected, match="another address"):
                odd.list_private_link_services(SUBSCRIPTION)
        assert elsewhere.seen == []


def test_the_next_page_may_be_told_with_the_port_or_without_the_host(script: Scripted, odd: ArmAzure) -> None:
    """ARM does send links with an explicit port."""
    last = json.dumps({"value": [stored_pls()]}).encode()
    script.answers["/next"] = Answer(body=last)
    for link in (f"{script.url}/next?token={{x}}", "/next"):
        script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": link}).encode())
        assert [pls.id for pls in odd.list_private_link_services(SUBSCRIPTION)] == [PLS]


def test_a_list_without_an_end_is_given_up(script: Scripted, odd: ArmAzure) -> None:
    """A link to itself would otherwise run for ever."""
    script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": "/again"}).encode())
    with pytest.raises(RetryLater, match="pages"):
        odd.list_private_link_services(SUBSCRIPTION)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"value": null}',
        b'{"value": [1]}',
        b'{"value": [{}]}',
        b"[" * 99_999,
    ],
    ids=lambda body: str(body)[:20],
)
def test_a_success_that_cannot_be_read_is_not_taken_for_empty(
    script: Scripted, odd: ArmAzure, body: bytes
) -> None:
    """An empty list of PLSs would have them all made anew."""
    script.answers[""] = Answer(body=body)
    with pytest.raises(RetryLater):
        odd.list_private_link_services(SUBSCRIPTION)
    with pytest.raises(RetryLater):
        odd.get_subnet(SUBNET)


def test_a_write_whose_answer_cannot_be_read_is_in_doubt(script: Scripted, odd: ArmAzure) -> None:
    """It was a success, of something."""
    script.answers[""] = Answer(body=b"<html>")
    with pytest.raises(OutcomeUnknown):
        odd.put_private_link_service(PLS, wish())


def test_a_404_that_is_not_arms_proves_nothing(script: Scripted, odd: ArmAzure) -> None:
    """A proxy's 404, or an api-version that a cloud does not know, must not look like a deleted PLS."""
    script.answers[""] = Answer(404, b"<html>not here</html>")
    with pytest.raises(RetryLater):
        odd.get_private_link_service(PLS)
    script.answers[""] = Answer(404, b'{"error": {"code": "InvalidResourceType", "message": "api-version"}}')
    with pytest.raises(Rejected):
        odd.list_private_link_services(SUBSCRIPTION)


def test_the_audience_is_the_clouds(script: Scripted, authority: Authority) -> None:
    """Another cloud's tokens are for another audience than its endpoint."""
    asked: list[str] = []

    class Noting(StaticToken):
        def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            asked.extend(scopes)
            return super().get_token(*scopes)

    script.answers[""] = Answer(body=b'{"value": []}')
    for audience in ("", "https://arm.example/"):
        access = ArmAccess(f"{script.url}/", audience, str(authority.ca_path))
        azure = ArmAzure(access, Noting())
        assert azure.list_private_link_services(SUBSCRIPTION) == ()
        azure.close()
    assert asked == [f"{script.url}/.default", "https://arm.example/.default"]


def test_the_environments_proxy_is_used_unless_it_is_told_not_to(
    script: Scripted, odd: ArmAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop in a company reaches Azure through a proxy only, as `az` does; a .netrc must not matter."""
    script.answers[""] = Answer(body=b'{"value": []}')
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    for name in ("https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RetryLater, match="proxy"):
        odd.list_private_link_services(SUBSCRIPTION)
    odd.close()
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert odd.list_private_link_services(SUBSCRIPTION) == ()
    [(_, _, headers)] = script.seen
    assert headers["Authorization"] == "Bearer secret"
    assert headers["User-Agent"].startswith("pls-reconciler")


def test_a_name_that_is_no_text_is_not_asked_for() -> None:
    """JSON can hold half a character, and an address cannot: a run must not break for that."""
    with pytest.raises(Rejected):
        path_of(f"{PLS}\ud800")
    with pytest.raises(Rejected):
        segment("\ud800")
