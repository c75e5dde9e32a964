"""The contract of the port Queue, kept by the fake and by the storage queue alike; and the wire form."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.queues import StorageQueue
from reconciler.adapters.storage import StorageAccount
from reconciler.errors import NotFound
from reconciler.messages import encode, read_wake_up
from reconciler.ports import Queue, WakeUp
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from tests.fakes.queue import MemoryQueue

DUE = datetime(2026, 11, 21, 7, 0, 0, 123456, tzinfo=UTC)


@dataclass
class Subject:
    """A queue under test, and a way to take out what is visible."""

    queue: Queue
    receive: Callable[[], list[WakeUp]]


def _memory() -> Subject:
    queue = MemoryQueue()
    return Subject(queue, lambda: [sent.wake_up for sent in queue.receive()])


def _stored(azurite: Storage) -> Subject:
    account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    name = f"q-{uuid.uuid4().hex}"
    client = account.queues.get_queue_client(name)

    def receive() -> list[WakeUp]:
        return [read_wake_up(m.content) for m in client.receive_messages(max_messages=32)]

    return Subject(StorageQueue(account, name), receive)


@pytest.fixture(params=["memory", "azurite"])
def subject(request: pytest.FixtureRequest) -> Subject:
    made = _memory() if request.param == "memory" else _stored(request.getfixturevalue("azurite"))
    made.queue.create()
    return made


def test_a_message_arrives_as_it_was_sent(subject: Subject) -> None:
    """Names with any letters and times to the microsecond survive the wire."""
    sent = [WakeUp("prod", "event"), WakeUp("größe/ß 😀\x00", "", DUE)]
    for wake_up in sent:
        subject.queue.send(wake_up)
    assert sorted(subject.receive(), key=lambda w: w.cluster) == sorted(sent, key=lambda w: w.cluster)


def test_creating_again_loses_nothing(subject: Subject) -> None:
    """Every start of the app creates what is missing, and only that."""
    subject.queue.send(WakeUp("prod", "timer"))
    subject.queue.create()
    assert subject.receive() == [WakeUp("prod", "timer")]


def test_a_delayed_message_is_hidden_until_its_time(subject: Subject) -> None:
    """A fraction of a second is rounded up: never early."""
    subject.queue.send(WakeUp("prod", "parked", DUE), 0.2)
    assert subject.receive() == []
    deadline = time.monotonic() + 20
    while not (arrived := subject.receive()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert arrived == [WakeUp("prod", "parked", DUE)]


@pytest.mark.parametrize("delay", [7 * 24 * 3600, 10**9])
def test_a_delay_of_a_week_or_more_is_accepted(subject: Subject, delay: float) -> None:
    """The service refuses more than a week; who waits longer looks again in between."""
    subject.queue.send(WakeUp("prod", "parked"), delay)
    assert subject.receive() == []


def test_a_negative_delay_is_none(subject: Subject) -> None:
    """A moment that has passed while it was computed."""
    subject.queue.send(WakeUp("prod", "parked"), -3)
    assert subject.receive() == [WakeUp("prod", "parked")]


def test_a_missing_queue_is_said_to_be_missing(azurite: Storage) -> None:
    """Not an SDK error, and not after the SDK's 80 seconds."""
    account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    with pytest.raises(NotFound, match="nowhere"):
        StorageQueue(account, "nowhere").send(WakeUp("prod", "event"))


def test_the_message_on_the_wire_is_base64_of_json() -> None:
    """The Functions host expects base64, and people read JSON."""
    message = json.loads(base64.b64decode(encode(WakeUp("prod", "event", DUE)), validate=True))
    assert message == {"cluster": "prod", "reason": "event", "due": "2026-11-21T07:00:00.123456+00:00"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("\x00\ufffe", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[]", "list, not an object"),
        ("{}", "no cluster"),
        ('{"cluster": ""}', "no cluster"),
        ('{"cluster": 5}', "no cluster"),
        ('{"cluster": "a", "reason": []}', "reason"),
        ('{"cluster": "a", "due": "tomorrow"}', "due time"),
        ('{"cluster": "a", "due": "2026-11-21T07:00:00"}', "due time"),
        ('{"cluster": "a", "due": 5}', "due time"),
    ],
)
def test_garbage_is_a_value_error_with_the_reason(text: str | bytes, reason: str) -> None:
    """So that the shell records it and drops it."""
    with pytest.raises(ValueError, match=reason):
        read_wake_up(text)


@given(st.text() | st.binary())
def test_any_message_is_a_wake_up_or_a_value_error(text: str | bytes) -> None:
    """Nothing that somebody puts into the queue raises anything else."""
    try:
        read_wake_up(text)
    except ValueError:
        return


@given(st.builds(WakeUp, st.text(min_size=1), st.text(), st.none() | st.datetimes(timezones=st.just(UTC))))
def test_reading_undoes_writing(wake_up: WakeUp) -> None:
    """Any cluster, any reason, any due time."""
    assert read_wake_up(encode(wake_up)) == wake_up


def test_unknown_keys_are_ignored() -> None:
    """A newer version's message, or a person's, still wakes the cluster."""
    assert read_wake_up('{"cluster": "prod", "reason": "x", "more": 1}') == WakeUp("prod", "x")
