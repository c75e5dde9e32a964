"""The ground of the fault matrix: fresh servers for each cell, and faults in front of every system.

ARM, the cluster and the topic are started anew for each cell, which takes milliseconds, so that no cell sees
another's leftovers; Azurite and the forwarders in front of it stay, and each cell has names of its own there.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from azure.storage.blob import BlobServiceClient, _download
from azure.storage.blob import LinearRetry as BlobRetry
from azure.storage.queue import LinearRetry as QueueRetry

from reconciler import wiring
from reconciler.adapters import credentials, documents, event_topic, storage
from reconciler.adapters.arm import ArmAccess
from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.tables import TableLedger
from sandbox import up_files
from sandbox.storage import Storage
from sandbox.storage_faults import start_storage_faults
from sandbox.up import Sandbox, SandboxOptions
from sandbox.up_servers import Servers, start_servers
from tests.chaos.matrix_world import Cell, Json
from tests.contract.servers import BackDoor, event_loop

Run = Callable[[Any], Any]

# Seconds that the product waits for an answer here; a timeout is an answer that takes longer.
PATIENCE = 0.4
PROVISIONING = 0.03
SERVICES = {"tables": "Table", "queues": "Queue", "blobs": "Blob"}


def impatient(patch: pytest.MonkeyPatch) -> None:
    """The product's waits, shortened: nothing else about its clients is another."""
    patch.setattr(wiring, "ArmAccess", partial(ArmAccess, read_seconds=PATIENCE))
    patch.setattr(credentials, "_READ_SECONDS", PATIENCE)
    for times in (storage._TIMES, event_topic._TIMES):
        patch.setitem(times, "read_timeout", PATIENCE)
    for policy in (BlobRetry, QueueRetry):
        patch.setattr(policy, "get_backoff_time", lambda self, settings: 0.0)
    # The SDK waits a second before each further try to read a body that broke off.
    patch.setattr(_download, "time", SimpleNamespace(sleep=lambda seconds: None))


@dataclass(frozen=True)
class Ground:
    """What stays from cell to cell: a loop, the emulator, the forwarders in front of it (system → address)."""

    run: Run
    azurite: Storage
    folder: Path
    forwarders: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def through(self) -> str:
        """The connection string that leads through the forwarders."""
        text = self.azurite.connection_string
        for system, url in self.forwarders.items():
            text = text.replace(self.azurite.endpoints[SERVICES[system]], url)
        return text

    @contextmanager
    def cell(self) -> Iterator[Cell]:
        """A world of its own."""
        with ExitStack() as stack:
            name = f"c{os.getpid()}x{next(self.numbers)}z"
            state = self.folder / name
            state.mkdir()
            stack.callback(shutil.rmtree, state)
            options = SandboxOptions(
                clusters=(name,),
                provisioning_seconds=PROVISIONING,
                cloud_provider=False,
                functions=False,
                publish=True,
            )
            servers: Servers = self.run(start_servers(options, state, self.azurite.connection_string))
            stack.callback(lambda: self.run(servers.stop()))
            sandbox = _sandbox(self, options, servers, state)
            yield stack.enter_context(_opened(name, sandbox, self.forwarders, stack))


@contextmanager
def ground(azurite: Storage) -> Iterator[Ground]:
    """Start what stays."""
    with event_loop() as run, tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        urls = {}
        for system, service in SERVICES.items():
            forwarder = run(start_storage_faults(azurite.endpoints[service]))
            stack.callback(lambda f: run(f.stop()), forwarder)
            urls[system] = forwarder.url
        yield Ground(run, azurite, Path(folder), urls)


def _sandbox(base: Ground, options: SandboxOptions, servers: Servers, state: Path) -> Sandbox:
    """The running servers, configured for the product: it reads its clusters from a blob."""
    (name,) = options.clusters
    clusters = up_files.clusters_document(options, servers)
    clusters["clusters"][0] |= {"ownerSuccession": "oldest", "settleSeconds": 0}
    values = up_files.settings(options, servers, state, base.through)
    del values["CLUSTERS"]
    values["CLUSTERS_BLOB"] = _uploaded(base.azurite, f"{name}-settings", clusters)
    # Straight to ARM's: between the two, a dropped connection would become an answer.
    values |= {"KUBERNETES_TIMEOUT": "1", "IDENTITY_ENDPOINT": servers.arm.identity_endpoint}
    up_files.write_configuration(state, clusters, values)
    endpoints = up_files.endpoints(options, servers, base.azurite.connection_string, None, {})
    return Sandbox(options, state, endpoints, {}, ExitStack())


def _uploaded(azurite: Storage, container: str, clusters: Json) -> str:
    """Where the clusters are now, as a blob."""
    with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        service.create_container(container).upload_blob("clusters.yaml", yaml.safe_dump(clusters))
    return f"{container}/clusters.yaml"


@contextmanager
def _opened(name: str, sandbox: Sandbox, forwarders: Mapping[str, str], stack: ExitStack) -> Iterator[Cell]:
    endpoints, values = sandbox.endpoints, sandbox.settings
    places = {
        "arm": endpoints["arm"]["url"],
        "kubernetes": endpoints["clusters"][name]["server"],
        "topic": endpoints["topic"]["url"].removesuffix("/api/events"),
        **forwarders,
    }
    ca = Path(endpoints["arm"]["ca"])
    doors = {system: BackDoor(url, ca) for system, url in places.items()}
    cell = Cell(sandbox, None, stack, name, doors)  # type: ignore[arg-type]  # no nursery: it runs in this process
    try:
        with cell.listening(), pytest.MonkeyPatch.context() as patch:
            # The SDK looks where App Service puts them, at each request.
            for variable in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
                patch.setenv(variable, values[variable])
            patch.setattr(wiring, "TableLedger", partial(TableLedger, prefix=name))
            patch.setattr(wiring, "BlobDocuments", _own_containers(name))
            cell.forget()
            yield cell
    finally:
        cell.close()


def _own_containers(name: str) -> Callable[..., BlobDocuments]:
    def make(
        account: storage.StorageAccount, container: str = documents.CONTAINER, *kind: str
    ) -> BlobDocuments:
        return BlobDocuments(account, f"{name}-{container}", *kind)

    return make
