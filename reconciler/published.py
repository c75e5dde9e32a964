"""The events that a topic gets: CloudEvents 1.0 made from what has come about. Pure.

``type`` is ``PrivateLink.Ready``, ``.Refused``, ``.Deleted`` or ``.OwnerChanged``; ``source`` names the cluster,
``subject`` the Service; ``data`` is the same set of keys in all of them, "" for what is not known (docs/events.md).
``id`` follows from what is told and from how often this cluster has told something: an event that is sent once more
has the id of the first, one that says the same again, later, has another.

The record (:func:`record`) is what a cluster's events have told so far: what the next run is compared with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from reconciler import arm_ids, transitions
from reconciler.document import digest, telling_json, tellings_of
from reconciler.model import Json, Ownership
from reconciler.telling import Telling
from reconciler.transitions import Kind, Told, Transition, told_by

VERSION = 1
MOST_EVENTS, MOST_BYTES = 100, 900_000  # of a batch; Event Grid takes 1 MB
MOST_MESSAGE = 4_000  # characters; Event Grid bills events by pieces of 64 KB
READY, REFUSED, DELETED, OWNER_CHANGED = (
    f"PrivateLink.{word}" for word in ("Ready", "Refused", "Deleted", "OwnerChanged")
)
# Who waits for a link waits for its alias, so that another alias is another link.
_TYPES: Mapping[Kind, str] = {
    Kind.READY: READY,
    Kind.ALIAS_CHANGED: READY,
    Kind.REFUSED: REFUSED,
    Kind.DELETED: DELETED,
    Kind.OWNER_CHANGED: OWNER_CHANGED,
}


def events(
    cluster: str, come_about: Iterable[Transition], after: Told, number: int, at: datetime
) -> tuple[Json, ...]:
    """The events of a cluster's transitions; ``number`` counts what it has told before."""
    told = {telling.service: telling for telling in after.tellings}
    found: dict[str, Json] = {}
    for each in sorted(come_about, key=lambda t: t.kind is Kind.ALIAS_CHANGED):
        telling, kind = told.get(each.service), _TYPES.get(each.kind)
        if kind is None or (kind == READY and not (telling and telling.ready)):
            continue
        event = _event(cluster, kind, each, telling, number, at)
        same = f"{kind} {each.service}" if kind == READY else event["id"]
        found.setdefault(same, event)
    return tuple(found.values())


def _event(
    cluster: str, kind: str, each: Transition, telling: Telling | None, number: int, at: datetime
) -> Json:
    namespace, _, name = each.service.partition("/")
    message = telling.message if telling and kind == READY else each.sentence
    data = {
        "version": VERSION,
        "cluster": cluster,
        "service": each.service,
        "namespace": namespace,
        "name": name,
        "uid": each.uid,
        "alias": each.alias,
        "privateLinkService": each.pls_id,
        "frontend": each.frontend_id,
        "ready": bool(telling and telling.ready and kind != DELETED),
        "reason": "Deleted" if kind == DELETED else each.reason,
        "message": message[:MOST_MESSAGE],
        "previousOwner": each.before if kind == OWNER_CHANGED else "",
    }
    return {
        "specversion": "1.0",
        "id": _id(kind, number, data),
        "source": f"/pls-reconciler/clusters/{quote(cluster, safe='')}",
        "type": kind,
        "subject": f"/clusters/{cluster}/namespaces/{namespace}/services/{name}",
        "time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "datacontenttype": "application/json",
        "data": data,
    }


def _id(kind: str, number: int, data: Json) -> str:
    """Thirty-two hex digits."""
    text = json.dumps([kind, number, data], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def batches(all_events: Iterable[Json]) -> Iterator[Sequence[Json]]:
    """The events in requests that Event Grid takes, in their order."""
    batch: list[Json] = []
    size = 0
    for event in all_events:
        length = len(json.dumps(event)) + 2
        if batch and (len(batch) == MOST_EVENTS or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch


def reached(before: Told, after: Told, unsent: Sequence[Json]) -> Told:
    """What has been told when these events were not: each rests on what was told before of a Service, or of an owner."""
    services = {event["data"]["service"] for event in unsent if event["type"] != OWNER_CHANGED}
    owned = (event for event in unsent if event["type"] in (OWNER_CHANGED, DELETED))
    links = {arm_ids.key(event["data"]["privateLinkService"]) for event in owned}
    tellings = [
        *(telling for telling in after.tellings if telling.service not in services),
        *(telling for telling in before.tellings if telling.service in services),
    ]
    owners = {key: owner for key, owner in before.owners.items() if key in links}
    return Told(tuple(sorted(tellings, key=lambda telling: telling.service)), {**after.owners, **owners})


def record(cluster: str, told: Told, number: int) -> Json:
    """What has been told; ``number`` counts how often there was something new."""
    return {"version": VERSION, "cluster": cluster, "number": number, **_contents(told)}


def told_now(tellings: Iterable[Telling], rows: Iterable[Ownership]) -> Told:
    """What a run tells. Nobody can connect to an alias that is not known yet: ready is who has one."""
    known = (replace(telling, ready=telling.ready and bool(telling.alias)) for telling in tellings)
    return transitions.told_now(known, rows)


def told_before(document: Json | None) -> tuple[Told, int]:
    """What has been told by a record, and its number: nothing where there is none."""
    if document is None:
        return Told(), 0
    number = document.get("number")
    return told_by(document, tellings_of(document)), number if isinstance(number, int) else 0


def told_digest(told: Told) -> str:
    """Sixteen hex digits that tell whether there may be something new."""
    return digest(_contents(told))


def _contents(told: Told) -> Json:
    return {
        "tellings": [telling_json(telling) for telling in told.tellings],
        "privateLinkServices": [
            {"id": pls_id, "owner": owner} for pls_id, owner in sorted(told.owners.items())
        ],
    }
