"""The contract of the port Documents, kept by the fake and by the blobs in the emulator alike."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reconciler.adapters import documents as adapter
from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.storage import StorageAccount
from reconciler.errors import OutsideError, Rejected
from reconciler.ports import Documents
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from tests.fakes.documents import MemoryDocuments

HARD: dict[str, Any] = {"cluster": "größe", "texts": ["<script>", "\u202e", "\x00", "\ud800", "😀" * 10_000]}


def blobs(azurite: Storage, container: str) -> BlobDocuments:
    settings = StorageSettings(connection_string=azurite.connection_string)
    return BlobDocuments(StorageAccount(settings), container)


@pytest.fixture(params=["memory", "azurite"])
def documents(request: pytest.FixtureRequest) -> Documents:
    """Nothing written yet; of the blobs not even the container."""
    if request.param == "memory":
        return MemoryDocuments()
    return blobs(request.getfixturevalue("azurite"), f"s{uuid.uuid4().hex}")


def test_what_was_written_is_read(documents: Documents) -> None:
    """Any text in it; each cluster its own, names that differ in case or dots included."""
    assert documents.read("prod") is None
    documents.write("prod", {"version": 1})
    documents.write("prod", HARD)
    documents.write("Prod.1_a-b", {"version": 2})
    assert documents.read("prod") == HARD
    assert documents.read("Prod.1_a-b") == {"version": 2}
    assert documents.read("dev") is None


def test_writers_at_once_leave_one_whole_document(documents: Documents) -> None:
    """Also where both find that the container is missing."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: documents.write("prod", {"n": n, "text": "x" * 100_000}), range(4)))
    found = documents.read("prod")
    assert found is not None
    assert found["n"] in range(4)


@pytest.mark.azurite
@pytest.mark.parametrize(
    "content",
    [b"", b"{}", gzip.compress(b"[]"), gzip.compress(b"{"), gzip.compress(b'{"a": "b"}')[:-12], b"\x1f\x8b"],
    ids=[
        "empty",
        "not packed",
        "a list",
        "half of an object",
        "cut off",
        "a beginning",
    ],  # packed bytes tell the time
)
def test_what_is_no_document_is_told(azurite: Storage, content: bytes) -> None:
    """Somebody has edited the blob: an error that says the way out, never a crash."""
    container = f"s{uuid.uuid4().hex}"
    documents = blobs(azurite, container)
    documents.write("prod", {})
    service = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    service.container(container).upload_blob("prod.json.gz", content, overwrite=True)
    with pytest.raises(Rejected, match="a run on request writes it anew"):
        documents.read("prod")


@pytest.mark.azurite
def test_a_document_that_is_too_long_is_none(azurite: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write the blob must not take all memory of whoever reads it."""
    written = blobs(azurite, f"s{uuid.uuid4().hex}")
    written.write("prod", HARD)
    monkeypatch.setattr(adapter, "LONGEST_PACKED", 100)
    with pytest.raises(Rejected, match="a run on request writes it anew"):
        written.read("prod")


@pytest.mark.parametrize("call", [lambda d: d.read("prod"), lambda d: d.write("prod", {})])
def test_storage_that_does_not_answer_is_an_error_of_ours(call: Callable[[Documents], object]) -> None:
    """Whatever the SDK raises."""
    nowhere = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;BlobEndpoint=http://127.0.0.1:9/a;"
        "QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a;"
    )
    with pytest.raises(OutsideError):
        call(BlobDocuments(StorageAccount(StorageSettings(connection_string=nowhere))))
