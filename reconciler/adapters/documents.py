"""Documents as blobs: ``status/CLUSTER.json.gz``, compressed JSON, one per cluster.

Status documents, and in a container of their own the records of published events.
"""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.adapters import table_keys as keys
from reconciler.adapters.storage import StorageAccount, translated
from reconciler.errors import Conflict, NotFound, Rejected
from reconciler.model import Json

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

CONTAINER = "status"
# Bytes: many times what a cluster with 2,000 Private Link Services needs.
LONGEST, LONGEST_PACKED = 64_000_000, 16_000_000


class BlobDocuments:
    """The port ``Documents``. The container is made at the first write; threads may share it.

    ``kind`` is what a document is called in messages.
    """

    def __init__(
        self, account: StorageAccount, container: str = CONTAINER, kind: str = "status document"
    ) -> None:
        self._account, self._container, self._kind = account, container, kind

    @cached_property
    def _blobs(self) -> ContainerClient:
        return self._account.container(self._container)

    def read(self, cluster: str) -> Json | None:
        """The document, None where there is none. Raises Rejected for what is no document."""
        what = f"the {self._kind} of cluster {cluster}"
        try:
            with translated(f"reading {what}"):
                answer = self._blobs.download_blob(_name(cluster))
                content: bytes = answer.readall() if answer.size <= LONGEST_PACKED else b""
        except NotFound:
            return None
        return _unpacked(what, content)

    def write(self, cluster: str, document: Json) -> None:
        """Insert or replace the document."""
        content = gzip.compress(json.dumps(document, default=str).encode("ascii"), 6, mtime=0)
        try:
            self._upload(cluster, content)
        except NotFound:
            with suppress(Conflict), translated(f"creating the container {self._container}"):
                self._blobs.create_container()
            self._upload(cluster, content)

    def _upload(self, cluster: str, content: bytes) -> None:
        with translated(f"writing the {self._kind} of cluster {cluster}"):
            self._blobs.upload_blob(_name(cluster), content, overwrite=True)


def _name(cluster: str) -> str:
    return f"{keys.cluster_key(cluster)}.json.gz"


def _unpacked(what: str, content: bytes) -> Json:
    try:
        document = json.loads(zlib.decompressobj(wbits=31).decompress(content, LONGEST))
    except (ValueError, zlib.error, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Rejected(f"{what} is not one; a run on request writes it anew")
    return document
