"""When storage fails: which of our errors it becomes, and what a guarded write knows of a lost answer."""

import logging
import re
import socket
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken

from reconciler.adapters.blobs import BlobSetting
from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.queues import StorageQueue
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.table_access import Table
from reconciler.adapters.table_rows import entity_of
from reconciler.adapters.tables import TableLedger
from reconciler.errors import Denied, NotFound, OutcomeUnknown, OutsideError, Rejected, RetryLater, Stale
from reconciler.model import Reservation
from reconciler.ports import ClusterState, HistoryEntry, Lease, WakeUp
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from sandbox.tls import Authority
from tests.contract.azure_world import StaticToken
from tests.contract.forwarder import Forwarder, forwarding
from tests.contract.servers import Answer, Scripted

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
SIGNATURE = "c2VjcmV0"


def account(connection_string: str) -> StorageAccount:
    return StorageAccount(StorageSettings(connection_string=connection_string))


@pytest.fixture
def forwarder(azurite: Storage) -> Iterator[Forwarder]:
    with forwarding(azurite.endpoints["Table"]) as forwarder:
        yield forwarder


@pytest.fixture
def ledger(azurite: Storage, forwarder: Forwarder) -> TableLedger:
    """Tables reached through the forwarder."""
    through = azurite.connection_string.replace(azurite.endpoints["Table"], forwarder.url)
    made = TableLedger(account(through), prefix=f"t{uuid.uuid4().hex}")
    made.create_tables()
    return made


@pytest.fixture
def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_connections_to_storage_are_kept_for_all_threads(
    azurite: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    """Of ten that were kept, the rest of an engine's threads would make a new one for each call, and warn of it."""
    threads, storage = 32, account(azurite.connection_string)
    queue, made = StorageQueue(storage, f"q{uuid.uuid4().hex}"), TableLedger(storage)
    queue.create()
    made.create_tables()
    documents, together = BlobDocuments(storage), threading.Barrier(threads)

    def work(number: int) -> None:
        for call in (
            lambda: queue.send(WakeUp("prod", "timer")),
            lambda: made.lease("x"),
            lambda: documents.read("x"),
        ):
            together.wait(20)
            call()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_netrc_does_not_take_the_place_of_the_token(
    script: Scripted, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its password would go to the storage account, and our calls would be refused."""
    (tmp_path / "netrc").write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    storage = StorageAccount(
        StorageSettings(table_uri=script.url, queue_uri=script.url, blob_uri=script.url), StaticToken()
    )
    for call in (
        lambda: TableLedger(storage).lease("prod"),
        lambda: StorageQueue(storage).create(),
        lambda: BlobDocuments(storage).read("prod"),
    ):
        with suppress(OutsideError):
            call()
    assert {headers["Authorization"] for _, _, headers in script.seen} == {"Bearer secret"}
    assert len({path.partition("?")[0].split("/")[1][:5] for _, path, _ in script.seen}) == 3


def test_a_signature_is_in_no_error(closed_port: str) -> None:
    """Of a connection string, or of the address of CLUSTERS_BLOB: whoever reads the log could use it."""
    services = "".join(f"{name}Endpoint={closed_port}/;" for name in ("Table", "Queue", "Blob"))
    signed = account(f"{services}SharedAccessSignature=sv=2024&sig={SIGNATURE}&se=1")
    for call in (
        lambda: TableLedger(signed).lease("prod"),
        StorageQueue(signed).create,
        lambda: BlobDocuments(signed).read("prod"),
        lambda: BlobSetting(signed, f"{closed_port}/c/b.yaml?sv=2024&sig={SIGNATURE}&se=1", str).read(),
    ):
        with pytest.raises(OutsideError) as caught:
            call()
        told = "".join(traceback.format_exception(caught.value))  # the host logs what ends a function
        assert SIGNATURE not in told


@pytest.mark.parametrize("fresh", [True, False])
def test_a_lease_whose_answer_was_lost_is_held(
    ledger: TableLedger, forwarder: Forwarder, fresh: bool
) -> None:
    """The write arrived, its answer did not: the row tells.

    Else the cluster would stand still until the lease ends, held by a worker that believes it lost.
    """
    seen = Lease("prod") if fresh else ledger.write_lease(Lease("prod"))
    forwarder.fail("reset-after", times=1)
    taken = ledger.write_lease(replace(seen, holder="me", until=NOW, fence=1))
    assert taken == ledger.lease("prod")
    assert taken.holder == "me"
    assert taken.stamp


def test_a_large_state_whose_answer_was_lost_is_written(ledger: TableLedger, forwarder: Forwarder) -> None:
    """The same with properties of every kind."""
    state = ClusterState(
        "prod",
        paused=True,
        released_until=NOW,
        sightings={"x": NOW},
        last_run={"findings": list(range(40_000))},
    )
    forwarder.fail("reset-after", times=1)
    assert ledger.write_state(state) == ledger.state("prod")


def test_a_lease_whose_request_was_lost_is_not_held(ledger: TableLedger, forwarder: Forwarder) -> None:
    """Nobody can know at once; reading the row again tells, and the message comes back."""
    seen = ledger.write_lease(Lease("prod"))
    forwarder.fail("reset-before", times=1)
    with pytest.raises(OutcomeUnknown):
        ledger.write_lease(replace(seen, holder="me"))
    assert ledger.lease("prod") == seen


def test_who_lost_the_lease_with_the_answer_does_not_hold_it(
    ledger: TableLedger, forwarder: Forwarder
) -> None:
    """The row is another's: what is read again must be what was sent."""
    seen = ledger.write_lease(Lease("prod"))
    theirs = ledger.write_lease(replace(seen, holder="other"))
    forwarder.fail("reset-after", times=1)
    with pytest.raises((OutcomeUnknown, Stale)):
        ledger.write_lease(replace(seen, holder="me"))
    assert ledger.lease("prod") == theirs


def test_a_lost_answer_doubles_nothing_in_the_other_tables(ledger: TableLedger, forwarder: Forwarder) -> None:
    """History lines carry their keys with them, so that a repetition is the same line."""
    forwarder.fail("reset-after", times=1)
    ledger.add_history([HistoryEntry("prod", NOW, "write", "Created", "once")])
    assert [entry.sentence for entry in ledger.history("prod", 10)] == ["once"]


def test_a_line_that_the_sdk_sent_twice_is_one(azurite: Storage) -> None:
    """It sends again what it thinks was never sent; the run that wrote the line must not fail for that."""
    table = Table(account(azurite.connection_string), f"t{uuid.uuid4().hex}")
    table.create()
    line = entity_of("prod", "1", sentence="once")
    table.append([line])
    table.append([line])
    assert [entity["sentence"] for entity in table.partition("prod")] == ["once"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Denied),
        (403, Denied),
        (404, NotFound),
        (408, RetryLater),
        (413, Rejected),
        (429, RetryLater),
        (500, RetryLater),
        (503, RetryLater),
    ],
)
def test_each_status_has_its_kind(
    ledger: TableLedger, forwarder: Forwarder, status: int, kind: type[OutsideError]
) -> None:
    """The shell decides by it: come back, tell a person, or give up."""
    forwarder.fail(status)
    with pytest.raises(kind, match="sharing"):
        ledger.sharing("prod")
    with pytest.raises((kind, Stale)):
        ledger.write_lease(Lease("prod"))


@pytest.mark.parametrize(("asked", "seconds"), [("700", 700), ("9" * 20, 3600)])
def test_a_throttled_write_tells_when_to_come_back(
    ledger: TableLedger, forwarder: Forwarder, asked: str, seconds: float
) -> None:
    """And is asked once: sleeping here would hold the lease. No wait is longer than an hour."""
    forwarder.forget()
    forwarder.fail(503, retry_after=asked)
    with pytest.raises(RetryLater) as caught:
        ledger.sharing("prod")
    assert (caught.value.after, caught.value.throttled, caught.value.code) == (seconds, True, "ServerBusy")
    assert len(forwarder.paths) <= 3


@pytest.mark.parametrize("mode", ["garbage", "truncate", "reset-after", "reset-before"])
def test_an_answer_that_makes_no_sense_is_a_reason_to_come_back(
    ledger: TableLedger, forwarder: Forwarder, mode: str
) -> None:
    """A proxy's page, half an answer, none: never an empty list."""
    forwarder.fail(mode)
    with pytest.raises(RetryLater):
        ledger.ownership("prod")


@pytest.mark.parametrize("mode", ["garbage", "truncate", "reset-after", "reset-before"])
def test_a_write_whose_answer_makes_no_sense_is_one_of_ours(
    ledger: TableLedger, forwarder: Forwarder, mode: str
) -> None:
    """Of every kind of write, inserts too: anything but an OutsideError would be taken for a bug, and poison."""
    for write in (
        lambda: ledger.reserve(Reservation("/pls/a", "prod", "u", "/f")),
        lambda: ledger.add_history([HistoryEntry("prod", NOW, "write", "Created", "x")]),
        lambda: ledger.write_lease(Lease("prod")),
        lambda: ledger.forget_ownership("prod", ["/pls/a"]),
        ledger.create_tables,
    ):
        forwarder.fail(mode)
        with suppress(OutsideError):
            write()
        forwarder.mend()


def test_one_hiccup_of_a_read_is_not_noticed(ledger: TableLedger, forwarder: Forwarder) -> None:
    """A connection that was closed while idle is daily bread."""
    forwarder.fail("reset-after", times=1)
    assert ledger.sharing("prod") == ()


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize(
    "body", [b"nicht verf\xfcgbar", b"1", b"[" * 100_000, b'{"error":{"code":[],"message":{}}}']
)
@pytest.mark.parametrize("kind", ["application/json", "application/xml"])
def test_whatever_answers_in_place_of_storage_is_an_error_of_ours(
    script: Scripted,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    body: bytes,
    status: int,
) -> None:
    """A proxy's page in another encoding, say: the SDKs fail in reading it, each in its own way."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    addresses = StorageSettings(table_uri=script.url, queue_uri=script.url, blob_uri=script.url)
    script.answers[""] = Answer(status, body, {"Content-Type": kind, "Content-Range": "x"})
    for call in _calls(StorageAccount(addresses, StaticToken())):
        with suppress(OutsideError):
            call()


def test_an_object_that_is_no_row_is_no_empty_row(
    script: Scripted, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty state is not paused, and an empty lease is free."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    script.answers[""] = Answer(200, b'{"message":"try later"}', {"Content-Type": "application/json"})
    ledger = TableLedger(StorageAccount(StorageSettings(table_uri=script.url), StaticToken()))
    for read in (ledger.state, ledger.lease):
        with pytest.raises(RetryLater):
            read("prod")


def _calls(account: StorageAccount) -> list[Callable[[], object]]:
    ledger, queue = TableLedger(account), StorageQueue(account)
    return [
        ledger.create_tables,
        lambda: ledger.lease("prod"),
        lambda: ledger.write_lease(Lease("prod")),
        lambda: ledger.history("", 5),
        queue.create,
        lambda: queue.send(WakeUp("prod", "event")),
        BlobSetting(account, "config/clusters.json", str).read,
    ]


def test_storage_that_cannot_be_reached_is_tried_again_later(azurite: Storage, closed_port: str) -> None:
    """Every call of every service, and each within its few tries."""
    nowhere = re.sub(r"http://127\.0\.0\.1:\d+", closed_port, azurite.connection_string)
    for call in _calls(account(nowhere)):
        with pytest.raises(RetryLater):
            call()


def test_a_wrong_key_is_for_a_person_to_mend(azurite: Storage) -> None:
    """Denied, not an endless retry."""
    wrong = re.sub("AccountKey=[^;]*", "AccountKey=bm90IHRoZSBrZXk=", azurite.connection_string)
    for call in _calls(account(wrong)):
        with pytest.raises(Denied):
            call()


class NoToken:
    """An identity that is not switched on."""

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        raise Denied("Azure gives no token.")


def test_an_identity_without_a_token_is_for_a_person_to_mend(closed_port: str) -> None:
    """Its own words reach the caller, through each of the three SDKs."""
    secure = closed_port.replace("http:", "https:")
    by_identity = StorageSettings(table_uri=secure, queue_uri=secure, blob_uri=secure)
    for call in _calls(StorageAccount(by_identity, NoToken())):
        with pytest.raises(Denied, match="Azure gives no token"):
            call()


def test_missing_tables_are_said_to_be_missing(azurite: Storage) -> None:
    """Not taken for empty ledgers: an empty ledger would forget who owns what."""
    ledger = TableLedger(account(azurite.connection_string), prefix="never")
    for call in (
        lambda: ledger.ownership("prod"),
        lambda: ledger.lease("prod"),
        lambda: ledger.state("prod"),
        lambda: ledger.write_lease(Lease("prod")),
        lambda: ledger.write_lease(Lease("prod", version="W/\"datetime'2026-11-21T03%3A02%3A24.5019412Z'\"")),
        lambda: ledger.forget_ownership("prod", ["/a"]),
    ):
        with pytest.raises(NotFound):
            call()
