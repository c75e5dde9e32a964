"""The port ``Documents`` in memory: holds only what JSON holds."""

from __future__ import annotations

import json

from reconciler.errors import OutsideError
from reconciler.model import Json


class MemoryDocuments:
    """``fail`` is raised by the next calls; ``written`` tells the clusters written, in order."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self.written: list[str] = []
        self.fail: OutsideError | None = None

    def read(self, cluster: str) -> Json | None:
        if self.fail:
            raise self.fail
        text = self._texts.get(cluster)
        return None if text is None else json.loads(text)

    def write(self, cluster: str, document: Json) -> None:
        if self.fail:
            raise self.fail
        self._texts[cluster] = json.dumps(document)
        self.written.append(cluster)
