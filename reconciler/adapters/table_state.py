"""The state row of a cluster: small properties as they are, the big ones packed to fit into one entity.

An entity holds 1 MiB, a property 64 KiB. What is short is JSON that people can read in any storage
browser; what is long is compressed and cut into pieces; what is too long even so loses list entries from
the end, and says how many (``truncated``).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.adapters import table_keys as keys
from reconciler.adapters.table_rows import Entity, compact, entity_of, moment, whole, words, yes
from reconciler.ports import ClusterState, Publication

ROW = "state"
_READABLE = 16_000  # characters
_PIECE = 60_000  # bytes
_SIGHTINGS_BYTES = 250_000
_LAST_RUN_BYTES = 600_000
_UNPACKED_BYTES = 64_000_000


def from_state(state: ClusterState) -> dict[str, Any]:
    """The entity of a state."""
    entity = entity_of(
        keys.cluster_key(state.cluster),
        ROW,
        cluster=state.cluster,
        identity=state.identity,
        offered=state.offered,
        digest=state.digest,
        paused=state.paused,
        released=state.released,
        releasedUntil=state.released_until,
        poisoned=state.poisoned,
        poisonedAt=state.poisoned_at,
        document=state.document,
        denied=compact(_texts(state.denied)) if state.denied else None,
        publication=compact(_from_publication(state.publication))
        if state.publication.digest or state.publication.failures
        else None,
    )
    return {
        **entity,
        **_packed("sightings", _newest(_texts(state.sightings)), _SIGHTINGS_BYTES),
        **_packed("lastRun", _fitting(state.last_run), _LAST_RUN_BYTES),
    }


def to_state(cluster: str, entity: Entity, version: str) -> ClusterState:
    """The state; what cannot be read is as in a new one (a lost sighting only makes us wait anew)."""
    return ClusterState(
        cluster=cluster,
        identity=words(entity, "identity"),
        offered=words(entity, "offered"),
        digest=words(entity, "digest"),
        paused=yes(entity, "paused"),
        released=words(entity, "released"),
        released_until=moment(entity, "releasedUntil"),
        poisoned=whole(entity, "poisoned"),
        poisoned_at=moment(entity, "poisonedAt"),
        document=words(entity, "document"),
        denied=_times(_unpacked("denied", entity)),
        publication=_publication(_unpacked("publication", entity)),
        sightings=_times(_unpacked("sightings", entity)),
        last_run=_unpacked("lastRun", entity),
        version=version,
    )


def _from_publication(publication: Publication) -> dict[str, Any]:
    until = publication.not_before
    return {
        "digest": publication.digest,
        "failures": publication.failures,
        "notBefore": until.isoformat() if until else "",
        "trouble": publication.trouble,
    }


def _publication(read: Entity) -> Publication:
    return Publication(
        words(read, "digest"), whole(read, "failures"), moment(read, "notBefore"), words(read, "trouble")
    )


def _texts(times: Mapping[str, datetime]) -> dict[str, str]:
    return {key: at.isoformat() for key, at in times.items()}


def _times(texts: Entity) -> dict[str, datetime]:
    read = {key: moment(texts, key) for key in texts}
    return {key: at for key, at in read.items() if at is not None}


def _packed(name: str, value: Mapping[str, Any], most: int) -> dict[str, Any]:
    text = compact(value)
    if len(text) <= _READABLE:
        return {name: text}
    data = _compressed(value)
    if len(data) > most:
        return {name: compact({"truncated": {"everything": 1}})}
    return {f"{name}{i:02d}": data[at : at + _PIECE] for i, at in enumerate(range(0, len(data), _PIECE))}


def _unpacked(name: str, entity: Entity) -> dict[str, Any]:
    try:
        text: str | bytes = words(entity, name)
        if not text:
            data = b"".join(entity[key] for key in sorted(entity) if _is_piece(name, key))
            text = zlib.decompressobj().decompress(data, _UNPACKED_BYTES)
        value = json.loads(text)
    except (ValueError, TypeError, zlib.error, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_piece(name: str, key: str) -> bool:
    return key[:-2] == name and key[-2:].isdecimal()


def _compressed(value: Mapping[str, Any]) -> bytes:
    return zlib.compress(compact(value).encode("ascii"), 6)


def _newest(sightings: dict[str, str]) -> dict[str, str]:
    """As many as fit; the oldest stay, since they are the nearest to being acted upon."""
    while len(_compressed(sightings)) > _SIGHTINGS_BYTES:
        oldest = sorted(sightings, key=lambda key: sightings[key])
        sightings = {key: sightings[key] for key in oldest[: len(oldest) // 2]}
    return sightings


def _fitting(last_run: Mapping[str, Any]) -> dict[str, Any]:
    """The outcome with its longest list halved until it fits; ``truncated`` counts what went, by list."""
    run = dict(last_run)
    gone: dict[str, int] = dict(run.get("truncated") or {})
    while len(_compressed(run)) > _LAST_RUN_BYTES:
        lists = {key: value for key, value in run.items() if isinstance(value, list | tuple) and value}
        if not lists:
            break
        longest = max(lists, key=lambda key: len(compact(lists[key])))
        kept = list(lists[longest])[: len(lists[longest]) // 2]
        gone[longest] = gone.get(longest, 0) + len(lists[longest]) - len(kept)
        run |= {longest: kept, "truncated": gone}
    return run
