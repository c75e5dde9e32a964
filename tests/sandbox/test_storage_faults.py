"""Storage behind the forwarder: the SDKs notice nothing until a fault is asked for."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableClient, TableServiceClient
from azure.storage.queue import QueueClient

from sandbox.kubernetes.faults import MODES
from sandbox.storage import Storage
from sandbox.storage_faults import known_as
from tests.contract.forwarder import Forwarder, forwarding
from tests.sandbox.test_arm_readme import README

pytestmark = pytest.mark.azurite
ROW = {"PartitionKey": "p", "RowKey": "r%2F 'ä", "text": "ä" * 1000}


@pytest.fixture
def forwarder(azurite: Storage) -> Iterator[Forwarder]:
    with forwarding(azurite.endpoints["Table"]) as forwarder:
        yield forwarder


@pytest.fixture
def table(azurite: Storage, forwarder: Forwarder) -> Iterator[TableClient]:
    through = azurite.connection_string.replace(azurite.endpoints["Table"], forwarder.url)
    with TableServiceClient.from_connection_string(through, retry_total=0) as service:
        yield service.create_table(f"t{uuid.uuid4().hex}")


def test_tables_work_as_without_it(table: TableClient) -> None:
    """Odd keys, batches, queries, conditions and refusals: signatures and bodies pass unharmed."""
    table.create_entity(ROW)
    table.submit_transaction([("upsert", {**ROW, "RowKey": str(n)}) for n in range(100)])
    assert table.get_entity("p", ROW["RowKey"])["text"] == ROW["text"]
    assert len(list(table.query_entities("PartitionKey eq 'p'", results_per_page=30))) == 101
    with pytest.raises(HttpResponseError, match="EntityAlreadyExists"):
        table.create_entity(ROW)


def test_queues_work_as_without_it(azurite: Storage) -> None:
    """The other kind of signature, which covers the length of the body."""
    with forwarding(azurite.endpoints["Queue"]) as forwarder:
        through = azurite.connection_string.replace(azurite.endpoints["Queue"], forwarder.url)
        with QueueClient.from_connection_string(through, f"q{uuid.uuid4().hex}") as queue:
            queue.create_queue()
            queue.send_message("aGVsbG8=")
            (message,) = queue.receive_messages()
            assert message.content == "aGVsbG8="


@pytest.mark.parametrize(
    ("mode", "acted"), [("reset-before", False), ("reset-after", True), ("truncate", True), ("garbage", True)]
)
def test_a_mode_breaks_the_answer_before_or_after_the_service_acted(
    table: TableClient, forwarder: Forwarder, mode: str, acted: bool
) -> None:
    """Each once, with the error for the caller and the row there or not."""
    forwarder.fail(mode, times=1)
    with pytest.raises((AzureError, ValueError, AttributeError)):  # what the SDK makes of half a body
        table.create_entity(ROW)
    assert bool(list(table.list_entities())) is acted


def test_half_an_answer_without_a_body_is_no_answer(table: TableClient, forwarder: Forwarder) -> None:
    """A 204 has nothing to cut but its first line."""
    table.create_entity(ROW)
    forwarder.fail("truncate", times=1)
    with pytest.raises(AzureError):
        table.upsert_entity({**ROW, "text": "new"})
    assert table.get_entity("p", ROW["RowKey"])["text"] == "new"


def test_a_status_comes_with_its_headers_and_a_code_where_the_sdk_looks(
    table: TableClient, forwarder: Forwarder
) -> None:
    """As the service's own refusals."""
    forwarder.fail(503, times=1, retry_after="7")
    with pytest.raises(HttpResponseError) as caught:
        list(table.list_entities())
    response: Any = caught.value.response
    assert (caught.value.status_code, response.headers["Retry-After"]) == (503, "7")
    assert getattr(caught.value, "error_code", "") == "ServerBusy"


def test_a_batch_is_known_by_its_table(table: TableClient, forwarder: Forwarder) -> None:
    """Its path is the same for all tables, so that no fault could be for one of them."""
    table.submit_transaction([("upsert", ROW)])
    assert forwarder.paths[-1] == f"/devstoreaccount1/$batch#{table.table_name}"
    assert known_as("/devstoreaccount1/$batch", b"") == "/devstoreaccount1/$batch"


def test_the_page_tells_the_modes() -> None:
    """Modes are found by reading, not by trying."""
    assert [mode for mode in MODES if f"`{mode}`" not in README] == []
