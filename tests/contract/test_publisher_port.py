"""The contract of the port Publisher, kept by the fake and by the adapter on the sandbox's topic alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from reconciler import published
from reconciler.adapters import event_topic
from reconciler.adapters.credentials import credential
from reconciler.adapters.event_topic import EventTopic
from reconciler.errors import Denied, NotFound, OutcomeUnknown, OutsideError, Rejected, RetryLater
from reconciler.model import Json
from reconciler.ports import Publisher
from sandbox.arm import ArmOptions, start_arm
from sandbox.tls import Authority
from sandbox.topic import start_topic
from tests.contract.conftest import Run
from tests.contract.servers import Answer, BackDoor, Scripted
from tests.fakes.publisher import MemoryPublisher


@dataclass
class Topic:
    """A topic as publisher and reader see it."""

    publisher: Publisher
    fake: MemoryPublisher | None = None
    door: BackDoor | None = None

    @property
    def events(self) -> list[Json]:
        if self.fake:
            return self.fake.events
        assert self.door
        found: list[Json] = self.door.call("GET", "published")["value"]
        return found


@pytest.fixture(scope="module")
def door_and_topic(authority: Authority, run: Run) -> Iterator[tuple[BackDoor, EventTopic]]:
    """A topic, and the adapter signed in as a managed identity."""
    arm, topic = run(start_arm(ArmOptions(default_world=False), authority)), run(start_topic(authority))
    ca = str(authority.ca_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDENTITY_ENDPOINT", arm.identity_endpoint)
        patch.setenv("IDENTITY_HEADER", arm.identity_header)
        adapter = EventTopic(topic.url, credential(ca_file=ca), ca)
        door = BackDoor(topic.url.removesuffix("/api/events"), authority.ca_path)
        yield door, adapter
    adapter.close()
    door.close()
    run(topic.stop())
    run(arm.stop())


@pytest.fixture(params=["fake", "real"])
def topic(request: pytest.FixtureRequest) -> Topic:
    """Both, one after the other; nothing published yet."""
    if request.param == "fake":
        fake = MemoryPublisher()
        return Topic(fake, fake=fake)
    door, adapter = request.getfixturevalue("door_and_topic")
    door.clear()
    door.call("DELETE", "published")
    return Topic(adapter, door=door)


def event(name: str = "1", **data: Any) -> Json:
    """As :mod:`reconciler.published` makes them."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": "/pls-reconciler/clusters/gr%C3%B6%C3%9Fe",
        "type": published.READY,
        "subject": "/clusters/größe/namespaces/default/services/web",
        "time": "2026-06-01T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "data": data or {"alias": "<script>", "ready": True, "message": "\u202e😀", "version": 1},
    }


def test_a_batch_arrives_as_it_was_sent(topic: Topic) -> None:
    """Every key and any text, in its order; the same once more is there twice."""
    sent = [event("1"), event("2")]
    topic.publisher.publish(sent)
    topic.publisher.publish(tuple(sent))
    assert topic.events == sent * 2


def test_the_largest_batch_is_taken(topic: Topic) -> None:
    """Of as many events, or as many bytes, as are ever put into one."""
    many = [event(str(n), message="x" * published.MOST_MESSAGE) for n in range(published.MOST_EVENTS)]
    large = [event(str(n), message="ü" * 20_000) for n in range(20)]
    (batch,) = published.batches(many)
    topic.publisher.publish(batch)
    batches = list(published.batches(large))
    assert len(batches) > 1
    for each in batches:
        topic.publisher.publish(each)
    assert topic.events == [*many, *large]


def test_what_is_too_large_or_broken_is_refused_as_a_whole(topic: Topic) -> None:
    """The same request will be refused again."""
    for events in ([event(text="x" * 600_000)] * 2, [event(), {**event(), "source": ""}]):
        with pytest.raises(Rejected):
            topic.publisher.publish(events)
    assert topic.events == []


@pytest.fixture
def adapter(script: Scripted, authority: Authority) -> Iterator[EventTopic]:
    """The adapter against a server that answers what it is told."""
    made = EventTopic(f"{script.url}/api/events", Token(), str(authority.ca_path))
    yield made
    made.close()


class Token:
    """Notes the scopes it is asked for."""

    scopes: tuple[str, ...] = ()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        Token.scopes = scopes
        return AccessToken("t", int(time.time()) + 3600)


WORDS = b'{"error": {"code": "C", "message": "words of the topic\\nsecond line"}}'


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401, WORDS), Denied),
        (Answer(403, WORDS), Denied),
        (Answer(404, WORDS), NotFound),
        (Answer(400, WORDS), Rejected),
        (Answer(413, b""), Rejected),
        (Answer(429, WORDS, {"Retry-After": "7"}), RetryLater),
        (Answer(503, b"<html>", {"Content-Type": "text/html"}), RetryLater),
        (Answer(500, b"{", {"Content-Type": "application/json"}), OutsideError),
        (Answer(307, b"", {"Location": "/elsewhere"}), OutsideError),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else "",
)
def test_each_answer_is_an_error_of_ours(
    script: Scripted, adapter: EventTopic, answer: Answer, kind: type[OutsideError]
) -> None:
    """After one request: the SDK would try for minutes, with the lease held, and follow redirects with the token."""
    headers = {"Content-Type": "application/json", **answer.headers}
    script.answers["/api/events"] = Answer(answer.status, answer.body, headers)
    with pytest.raises(kind) as caught:
        adapter.publish([event()])
    assert len(script.seen) == 1
    assert "\n" not in str(caught.value)
    if answer.status == 429:
        assert isinstance(caught.value, RetryLater)
        assert caught.value.after == 7


def test_the_request_is_the_one_that_event_grid_documents(script: Scripted, adapter: EventTopic) -> None:
    """Path, version, content type, and a token for Event Grid."""
    script.answers["/api/events"] = Answer(200, b"")
    adapter.publish([event()])
    ((method, path, headers),) = script.seen
    assert (method, path) == ("POST", "/api/events?api-version=2018-01-01")
    assert headers["Content-Type"] == "application/cloudevents-batch+json; charset=utf-8"
    assert headers["Authorization"] == "Bearer t"
    assert Token.scopes == ("https://eventgrid.azure.net/.default",)
    assert headers["User-Agent"].startswith("pls-reconciler")


def test_a_topic_that_does_not_answer_is_given_up(
    script: Scripted, adapter: EventTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock; it may have taken the events. One that cannot be reached has not."""
    monkeypatch.setitem(event_topic._TIMES, "read_timeout", 0.2)

    def never() -> Iterator[bytes]:
        time.sleep(1)
        yield b""

    script.answers["/api/events"] = Answer(200, never())
    with pytest.raises(RetryLater):
        adapter.publish([event()])
    nowhere = EventTopic("https://localhost:9/api/events", Token())
    with pytest.raises(RetryLater) as caught:
        nowhere.publish([event()])
    assert not isinstance(caught.value, OutcomeUnknown)


def test_no_other_certificate_is_taken(script: Scripted) -> None:
    """The token goes to nobody who cannot prove who it is."""
    adapter = EventTopic(f"{script.url}/api/events", Token())
    with pytest.raises(RetryLater, match="certificate verify failed"):
        adapter.publish([event()])
    assert script.seen == []


def test_who_gets_no_token_is_told_so(script: Scripted, authority: Authority) -> None:
    """The credential's own words; no request goes out."""

    class Nobody(Token):
        def get_token(self, *scopes: str, **_: Any) -> AccessToken:
            raise Denied("Azure gives no token.")

    with pytest.raises(Denied, match="Azure gives no token"):
        EventTopic(f"{script.url}/api/events", Nobody(), str(authority.ca_path)).publish([event()])
    assert script.seen == []


def test_whether_we_may_publish_is_seen_without_publishing(
    door_and_topic: tuple[BackDoor, EventTopic],
) -> None:
    """The doctor's question leaves no trace for subscribers."""
    door, adapter = door_and_topic
    before = door.call("GET", "published")["value"]
    adapter.admits()
    assert door.call("GET", "published")["value"] == before


@pytest.mark.parametrize(
    ("answer", "error"),
    [(Answer(401, WORDS), Denied), (Answer(403, WORDS), Denied), (Answer(503, WORDS), RetryLater)],
    ids=["no token taken", "no right", "down"],
)
def test_a_topic_that_would_not_take_events_is_told(
    script: Scripted, adapter: EventTopic, answer: Answer, error: type[OutsideError]
) -> None:
    """Only its dislike of an empty batch is no obstacle."""
    script.answers["/api/events"] = answer
    with pytest.raises(error):
        adapter.admits()
    ((method, path, headers),) = script.seen
    assert (method, path) == ("POST", "/api/events?api-version=2018-01-01")
    assert headers["Authorization"] == "Bearer t"
