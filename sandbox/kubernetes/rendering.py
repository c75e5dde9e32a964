"""The form of an answer: objects as they are, metadata only, or a table, as the Accept header asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.listing import Page
from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.store import Entry, encode
from sandbox.kubernetes.tables import partial_metadata, table
from sandbox.kubernetes.watching import Bookmark, WatchEvent

Json = dict[str, Any]

PLAIN, TABLE, METADATA = "", "Table", "PartialObjectMetadata"
_FORMS = {PLAIN: PLAIN, TABLE: TABLE, METADATA: METADATA, f"{METADATA}List": METADATA}


def accepted_form(accept: str) -> str:
    """PLAIN, TABLE or METADATA: the first of the header that is JSON and known here; 406 if none is."""
    for alternative in accept.split(",") if accept else ["*/*"]:
        media_type, *parameters = (part.strip() for part in alternative.split(";"))
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        form = _FORMS.get(given.get("as", ""))
        known = media_type in ("application/json", "application/*", "*/*")
        if known and form is not None and given.get("v", "v1") == "v1":
            return form
    raise ApiError(406, "only the following media types are accepted: application/json")


@dataclass(frozen=True)
class Renderer:
    """Renders one resource type in one form; `include` is a table's `includeObject`."""

    resource: Resource
    form: str
    include: str
    clock: Callable[[], datetime]

    def one(self, entry: Entry) -> bytes:
        if self.form == METADATA:
            return encode(partial_metadata(entry.object))
        if self.form == TABLE:
            metadata = {"resourceVersion": entry.object["metadata"]["resourceVersion"]}
            return encode(self._table([entry.object], metadata))
        return self._whole(entry)

    def page(self, page: Page) -> bytes:
        if self.form == TABLE:
            return encode(self._table([entry.object for entry in page.entries], page.metadata))
        kind, version = f"{self.resource.kind}List", self.resource.api_version
        items = [entry.body for entry in page.entries]
        if self.form == METADATA:
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
            items = [encode(partial_metadata(entry.object)) for entry in page.entries]
        head = encode({"kind": kind, "apiVersion": version, "metadata": page.metadata})
        return head[:-1] + b',"items":[' + b",".join(items) + b"]}"

    def event(self, event: WatchEvent) -> bytes:
        """One line of a watch."""
        if isinstance(event, ApiError):
            return encode({"type": "ERROR", "object": event.body()}) + b"\n"
        if isinstance(event, Bookmark):
            return encode({"type": "BOOKMARK", "object": self._bookmark(event)}) + b"\n"
        kind, entry = event
        return b'{"type":"' + kind.encode() + b'","object":' + self.one(entry) + b"}\n"

    def _whole(self, entry: Entry) -> bytes:
        head = encode({"kind": self.resource.kind, "apiVersion": self.resource.api_version})
        return head[:-1] + b"," + entry.body[1:]

    def _table(self, items: list[Json], metadata: Json) -> Json:
        return table(self.resource, items, metadata, self.clock(), self.include)

    def _bookmark(self, event: Bookmark) -> Json:
        metadata: Json = {"resourceVersion": str(event.version), "creationTimestamp": None}
        if event.initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self.form == TABLE:
            return self._table([], metadata)
        kind, version = self.resource.kind, self.resource.api_version
        if self.form == METADATA:
            kind, version = METADATA, "meta.k8s.io/v1"
        return {"kind": kind, "apiVersion": version, "metadata": metadata}
