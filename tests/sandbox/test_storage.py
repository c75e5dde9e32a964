"""The storage emulator as a process: it answers, and it never outlives whoever started it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox import storage as module
from sandbox.storage import Storage, StorageUnavailable, start_storage

pytestmark = pytest.mark.azurite


def _until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def _alive(pid: int) -> bool:
    """A zombie (its parent's business) does not count as alive."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_all_three_services_answer_on_the_connection_string(azurite: Storage) -> None:
    """The connection string names the right port for each service."""
    text = azurite.connection_string
    QueueServiceClient.from_connection_string(text).create_queue("storage-test")
    TableServiceClient.from_connection_string(text).create_table("storagetest")
    BlobServiceClient.from_connection_string(text).create_container("storage-test")
    queues = QueueServiceClient.from_connection_string(text).list_queues()
    assert "storage-test" in [queue.name for queue in queues]


def test_stop_ends_the_process_and_may_be_repeated() -> None:
    """A leaked emulator would keep its ports and 140 MB."""
    with start_storage() as storage:
        pid = storage.pid
        assert _alive(pid)
    assert not _alive(pid)
    storage.stop()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_it_ends_when_its_parent_is_killed() -> None:
    """SIGKILL lets no cleanup run; the emulator has to notice by itself."""
    code = (
        "import time; from sandbox.storage import start_storage\n"
        "print(start_storage().pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert _until(lambda: not _alive(pid))


def test_a_missing_installation_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forgot the set-up gets its command, not a stack of node."""
    monkeypatch.setattr(module, "AZURITE", Path(os.devnull) / "azurite.js")
    with pytest.raises(StorageUnavailable, match="make setup"):
        start_storage()
