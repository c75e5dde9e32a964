"""The topic, judged by the Azure SDK's own publisher."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken, AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas

from sandbox.arm import ArmOptions
from sandbox.arm.access import issue
from sandbox.tls import Authority
from sandbox.topic import RunningTopic, start_topic
from tests.contract.servers import BackDoor, event_loop

Json = dict[str, Any]
AUDIENCE = "https://eventgrid.azure.net"


class Token:
    """A token for an audience."""

    def __init__(self, audience: str, seconds: int = 3600) -> None:
        self._made = issue(ArmOptions(token_seconds=seconds), audience, "app", "issuer")

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._made[0], int(time.time()) + 3600)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("topic"))


@pytest.fixture(scope="module")
def topic(authority: Authority) -> Iterator[RunningTopic]:
    with event_loop() as run, pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "REQUESTS_CA_BUNDLE", str(authority.ca_path)
        )  # the SDK's client of a topic takes no options
        running: RunningTopic = run(start_topic(authority))
        yield running
        run(running.stop())


@pytest.fixture
def door(topic: RunningTopic, authority: Authority) -> Iterator[BackDoor]:
    """Nothing published yet."""
    made = BackDoor(topic.url.removesuffix("/api/events"), authority.ca_path)
    made.clear()
    made.call("DELETE", "published")
    yield made
    made.close()


def event(name: str = "a", **data: Any) -> CloudEvent[Json]:
    return CloudEvent("/tests", "Test.Happened", id=name, subject="s", data=data or {"n": 1})


def signature(topic: RunningTopic, hours: float = 1) -> AzureSasCredential:
    return AzureSasCredential(generate_sas(topic.url, topic.key, datetime.now(UTC) + timedelta(hours=hours)))


@pytest.mark.parametrize(
    "credential",
    [lambda topic: Token(AUDIENCE), lambda topic: AzureKeyCredential(topic.key), signature],
    ids=["token", "key", "signature"],
)
def test_events_are_kept_as_they_were_sent(
    topic: RunningTopic, door: BackDoor, credential: Callable[[RunningTopic], Any]
) -> None:
    """By every way of signing in; in their order, doubles too."""
    with EventGridPublisherClient(topic.url, credential(topic)) as client:
        client.send([event("a", alias="größe"), event("b")])
        client.send(event("a", alias="größe"))
    found = door.call("GET", "published")["value"]
    assert [each["id"] for each in found] == ["a", "b", "a"]
    assert found[0]["data"] == {"alias": "größe"}
    assert (found[0]["type"], found[0]["specversion"]) == ("Test.Happened", "1.0")
    (log, second) = door.call("GET", "requests")["value"]
    assert (log["query"], log["status"], log["events"]) == ("api-version=2018-01-01", 200, 2)
    assert second["events"] == 1
    assert topic.published == found


@pytest.mark.parametrize(
    "credential",
    [
        lambda topic: Token("https://management.azure.com"),
        lambda topic: Token(AUDIENCE, seconds=-1),
        lambda topic: AzureKeyCredential("AAAA"),
        lambda topic: signature(topic, hours=-1),
        lambda topic: AzureSasCredential(generate_sas(topic.url, "AAAA", datetime(2099, 1, 1, tzinfo=UTC))),
    ],
    ids=["audience", "expired", "key", "old-signature", "signature"],
)
def test_who_is_not_signed_in_may_not_publish(
    topic: RunningTopic, door: BackDoor, credential: Callable[[RunningTopic], Any]
) -> None:
    """401, and nothing is kept."""
    with (
        EventGridPublisherClient(topic.url, credential(topic)) as client,
        pytest.raises(ClientAuthenticationError),
    ):
        client.send([event()])
    assert topic.published == []


def test_a_request_that_is_too_large_is_refused(topic: RunningTopic, door: BackDoor) -> None:
    """413; the same events in two requests are taken."""
    half = event("a", text="x" * 600_000)
    with EventGridPublisherClient(topic.url, AzureKeyCredential(topic.key)) as client:
        with pytest.raises(HttpResponseError) as caught:
            client.send([half, half])
        assert caught.value.status_code == 413
        client.send([half])
        client.send([half])
    assert len(topic.published) == 2


def test_another_schema_is_refused(topic: RunningTopic, door: BackDoor) -> None:
    """Event Grid's own: what a topic was made for cannot be told from its address."""
    other = EventGridEvent("s", "Test.Happened", {}, "1")
    client = EventGridPublisherClient(topic.url, AzureKeyCredential(topic.key))
    with client, pytest.raises(HttpResponseError) as caught:
        client.send([other])
    assert caught.value.status_code == 400
    assert topic.published == []


GOOD = {"id": "1", "source": "/s", "specversion": "1.0", "type": "T"}


@pytest.mark.parametrize(
    "broken", [{"time": "yesterday"}, {"time": "2026-01-01T00:00:00"}, {"source": ""}, {"Cluster": "prod"}]
)
def test_a_broken_event_takes_its_batch_along(
    topic: RunningTopic, door: BackDoor, authority: Authority, broken: Json
) -> None:
    """All of it or nothing."""
    assert posted(topic, authority, json.dumps([GOOD, {**GOOD, **broken}])) == 400
    assert topic.published == []
    assert posted(topic, authority, json.dumps([GOOD])) == 200


def posted(
    topic: RunningTopic, authority: Authority, body: str, path: str = "?api-version=1", **headers: str
) -> int:
    """The status of a request by hand; a refusal says why."""
    signed = {"aeg-sas-key": topic.key, "Content-Type": "application/cloudevents-batch+json"}
    ca = str(authority.ca_path)
    answer = requests.post(topic.url + path, body, headers={**signed, **headers}, verify=ca, timeout=10)
    assert answer.ok or answer.json()["error"]["code"]
    return answer.status_code


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"aeg-sas-key": ""}, 401),
        ({"path": ""}, 400),
        ({"path": "/other?api-version=1"}, 404),
        ({"body": "{}"}, 400),
        ({"body": "[1]"}, 400),
        ({"body": "["}, 400),
        ({"Content-Type": "application/json"}, 400),
        ({"body": "[]"}, 200),
    ],
)
def test_what_no_publisher_sends_is_answered_too(
    topic: RunningTopic, authority: Authority, changes: dict[str, str], status: int
) -> None:
    """An error with a code, never a crash."""
    assert posted(topic, authority, **{"body": "[]", **changes}) == status


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ({"status": 503, "code": "ServerBusy"}, []),
        ({"mode": "reset-before"}, []),
        ({"mode": "reset-after"}, ["a"]),
    ],
)
def test_a_topic_that_is_down(
    topic: RunningTopic, door: BackDoor, fault: dict[str, Any], kept: list[str]
) -> None:
    """By a fault; it may have taken the events all the same, and the next try makes doubles."""
    door.fault(times=None, **fault)
    key = AzureKeyCredential(topic.key)
    with EventGridPublisherClient(topic.url, key) as client, pytest.raises(AzureError):
        client.send([event()], retry_total=0)
    assert [each["id"] for each in topic.published] == kept
    door.call("DELETE", "faults")
    with EventGridPublisherClient(topic.url, key) as client:
        client.send([event()])
    assert [each["id"] for each in topic.published] == [*kept, "a"]
