"""Rows of the tables as entities, and back. What people did to a row by hand is read as far as it goes.

Each row carries the version of its schema. A newer one than ours is refused; a row that lacks what makes
it a row (its PLS id, say) is read as None: ledgers are caches, rebuilt from tags and load balancers.
Properties that we do not know are ignored, and go when the row is next written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any, Literal, cast, get_args

from reconciler import arm_ids
from reconciler.adapters import table_keys as keys
from reconciler.errors import Rejected
from reconciler.model import Ownership, Reservation, ServiceRef, Sharing
from reconciler.ports import HistoryEntry, Lease

Entity = Mapping[str, Any]
Role = Literal["owner", "shares", "refused", "none"]

SCHEMA = 1
_LARGEST = 2**31 - 1
_LONGEST = 8_000
_LONGEST_IN_HISTORY = 512
_LONGEST_SENTENCE = 2_000


def check_schema(table: str, entity: Entity) -> None:
    """Raises Rejected where a newer version of this program wrote the row."""
    if whole(entity, "schema") > SCHEMA:
        row = f"{entity.get('PartitionKey')} / {entity.get('RowKey')}"
        raise Rejected(
            f"table {table}, row {row}: schema {whole(entity, 'schema')} is newer than {SCHEMA}, the newest "
            "this version knows; update the reconciler, or delete the row",
            code="NewerSchema",
        )


# Reading one property -------------------------------------------------------------------------------


def words(entity: Entity, name: str) -> str:
    """A text property; "" where it is missing or something else."""
    value = entity.get(name)
    return value if isinstance(value, str) else ""


def whole(entity: Entity, name: str) -> int:
    """A count; 0 where it is missing, something else, or one that no column takes one higher."""
    value = entity.get(name)
    value = getattr(value, "value", value)  # a 64-bit number comes wrapped
    try:
        count = int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return 0
    return count if 0 <= count < _LARGEST else 0


def moment(entity: Entity, name: str) -> datetime | None:
    """A time; also as ISO text, which is what people type. None where it is missing or something else.

    None, too, in the first and last year there are: no wait could be added to it.
    """
    value = entity.get(name)
    try:
        value = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return plain(value) if isinstance(value, datetime) and MINYEAR < value.year < MAXYEAR else None


def plain(value: datetime | None) -> datetime | None:
    """A time as the standard library's own type, in UTC: the SDK's subclass is not ours to pass on."""
    if value is None:
        return None
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime.combine(utc.date(), utc.timetz())


def yes(entity: Entity, name: str) -> bool:
    """A truth value. What can be neither read as yes nor as no counts as yes: it pauses, it does not act."""
    value = entity.get(name, False)
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no")
    return bool(value)


def parsed(entity: Entity, name: str, default: Any) -> Any:
    """A JSON property of the default's kind; the default where it is anything else."""
    try:
        value = json.loads(words(entity, name))
    except ValueError:
        return default
    return value if isinstance(value, type(default)) else default


# Writing --------------------------------------------------------------------------------------------


def bounded(text: str, longest: int = _LONGEST) -> str:
    """Text that the service takes: no lone surrogates, not longer than asked."""
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def compact(value: Any) -> str:
    """JSON in ASCII, so that its length in characters is its length in UTF-16 units."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def entity_of(partition: str, row: str, **properties: Any) -> dict[str, Any]:
    """An entity of our schema; properties that are None are left out."""
    kept = {k: bounded(v) if isinstance(v, str) else v for k, v in properties.items() if v is not None}
    return {"PartitionKey": partition, "RowKey": row, "schema": SCHEMA, **kept}


# Ownership ------------------------------------------------------------------------------------------


def from_ownership(row: Ownership) -> dict[str, Any]:
    """The entity of an ownership row."""
    return entity_of(
        keys.cluster_key(row.cluster),
        keys.pls_key(row.pls_id),
        plsId=row.pls_id,
        frontendId=row.frontend_id,
        ownerNamespace=row.owner.namespace,
        ownerName=row.owner.name,
        ownerUid=row.owner.uid,
        resourceGuid=row.resource_guid,
        claimHash=row.claim_hash,
        alias=row.alias,
        state=row.state,
        natIps=compact(list(row.nat_ips)),
        connections=compact(dict(row.connections)),
        writtenHash=row.written_hash,
        writtenAt=row.written_at,
        writtenCount=row.written_count,
        attempts=row.attempts,
        notBefore=row.not_before,
        lastError=row.last_error,
        lastErrorCode=row.last_error_code,
    )


def to_ownership(cluster: str, entity: Entity) -> Ownership | None:
    """The row, or None where it does not say for which PLS it is (or says another than its key)."""
    pls_id = words(entity, "plsId")
    if not arm_ids.is_private_link_service(pls_id) or keys.pls_key(pls_id) != entity.get("RowKey"):
        return None
    counts = parsed(entity, "connections", {})
    return Ownership(
        cluster=cluster,
        pls_id=pls_id,
        frontend_id=words(entity, "frontendId"),
        owner=_service(entity, "owner"),
        resource_guid=words(entity, "resourceGuid"),
        claim_hash=words(entity, "claimHash"),
        alias=words(entity, "alias"),
        state=words(entity, "state"),
        nat_ips=tuple(ip for ip in parsed(entity, "natIps", []) if isinstance(ip, str)),
        connections={status: n for status, n in counts.items() if isinstance(n, int)},
        written_hash=words(entity, "writtenHash"),
        written_at=moment(entity, "writtenAt"),
        written_count=whole(entity, "writtenCount"),
        attempts=whole(entity, "attempts"),
        not_before=moment(entity, "notBefore"),
        last_error=words(entity, "lastError"),
        last_error_code=words(entity, "lastErrorCode"),
    )


def _service(entity: Entity, prefix: str) -> ServiceRef:
    return ServiceRef(
        words(entity, f"{prefix}Namespace"), words(entity, f"{prefix}Name"), words(entity, f"{prefix}Uid")
    )


# Reservations ---------------------------------------------------------------------------------------


def from_reservation(row: Reservation) -> dict[str, Any]:
    """The entity of a reservation."""
    return entity_of(
        keys.reservation_partition(row.pls_id),
        keys.pls_key(row.pls_id),
        plsId=arm_ids.key(row.pls_id),
        cluster=row.cluster,
        serviceUid=row.service_uid,
        frontendId=row.frontend_id,
    )


def to_reservation(entity: Entity) -> Reservation | None:
    """The reservation, or None where it does not say for which PLS and cluster it is."""
    pls_id, cluster = words(entity, "plsId"), words(entity, "cluster")
    if not cluster or keys.pls_key(pls_id) != entity.get("RowKey"):
        return None
    return Reservation(pls_id, cluster, words(entity, "serviceUid"), words(entity, "frontendId"))


# Sharing --------------------------------------------------------------------------------------------


def from_sharing(row: Sharing) -> dict[str, Any]:
    """The entity of a sharing row."""
    return entity_of(
        keys.cluster_key(row.cluster),
        keys.sharing_key(row.pls_id, row.service),
        plsId=row.pls_id,
        frontendId=row.frontend_id,
        serviceNamespace=row.service.namespace,
        serviceName=row.service.name,
        serviceUid=row.service.uid,
        role=row.role,
    )


def to_sharing(cluster: str, entity: Entity) -> Sharing | None:
    """The row, or None where it does not say for which PLS and Service it is (or says others than its key)."""
    pls_id, service, role = words(entity, "plsId"), _service(entity, "service"), words(entity, "role")
    if not pls_id or keys.sharing_key(pls_id, service) != entity.get("RowKey"):
        return None
    if role not in get_args(Role):
        return None
    return Sharing(cluster, pls_id, words(entity, "frontendId"), service, cast(Role, role))


# Leases ---------------------------------------------------------------------------------------------


def from_lease(lease: Lease, row: str) -> dict[str, Any]:
    """The entity of a lease."""
    return entity_of(
        keys.cluster_key(lease.cluster),
        row,
        cluster=lease.cluster,
        holder=lease.holder,
        until=lease.until,
        fence=lease.fence,
        wanted=lease.wanted,
        covered=lease.covered,
        parked=lease.parked,
        notBefore=lease.not_before,
        failures=lease.failures,
    )


def to_lease(cluster: str, entity: Entity, version: str, stamp: datetime | None) -> Lease:
    """The lease; what cannot be read is as in a new one, but the row stays guarded by its version."""
    return Lease(
        cluster=cluster,
        holder=words(entity, "holder"),
        until=moment(entity, "until"),
        fence=whole(entity, "fence"),
        wanted=moment(entity, "wanted"),
        covered=moment(entity, "covered"),
        parked=moment(entity, "parked"),
        not_before=moment(entity, "notBefore"),
        failures=whole(entity, "failures"),
        version=version,
        stamp=stamp,
    )


# History --------------------------------------------------------------------------------------------

_HISTORY_TEXTS: dict[str, str] = {
    "kind": "kind",
    "reason": "reason",
    "service": "service",
    "frontend_id": "frontendId",
    "pls_id": "plsId",
    "run": "run",
    "result": "result",
}


def from_history(partition: str, row: str, entry: HistoryEntry) -> dict[str, Any]:
    """The entity of a line, short enough for a hundred of them in one transaction of 4 MiB."""
    texts = {to: bounded(getattr(entry, name), _LONGEST_IN_HISTORY) for name, to in _HISTORY_TEXTS.items()}
    sentence = bounded(entry.sentence, _LONGEST_SENTENCE)
    return entity_of(partition, row, cluster=entry.cluster, at=entry.at, sentence=sentence, **texts)


def to_history(entity: Entity) -> HistoryEntry | None:
    """The line, or None where it has no time."""
    at = moment(entity, "at")
    if at is None:
        return None
    texts = {name: words(entity, to) for name, to in _HISTORY_TEXTS.items()}
    return HistoryEntry(cluster=words(entity, "cluster"), at=at, sentence=words(entity, "sentence"), **texts)
