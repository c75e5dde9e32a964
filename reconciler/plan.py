"""The plan as a value: what would be written, what was found, what the ledger shall say afterwards.

A plan is computed by :mod:`reconciler.planning`, compared with ``==``, shown by
:mod:`reconciler.rendering`, and carried out exactly as shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

from reconciler import arm_ids
from reconciler.model import Json, Ownership, Sharing


class Reason(StrEnum):
    """Why something is written or found. The words are part of the interface: pipelines read them."""

    # writes
    CREATE = "Create"
    UPDATE = "Update"
    MOVE = "Move"
    REPAIR = "Repair"
    RETRY = "Retry"
    RESTORE_OWNER = "RestoreOwner"
    SUCCESSION = "OwnerSuccession"
    SUBNET_POLICY = "SubnetPolicy"
    SERVICE_GONE = "ServiceGone"
    FRONTEND_GONE = "FrontendGone"
    # findings: refusals of a Service
    NOT_ELIGIBLE = "NotEligible"
    INVALID_SETTINGS = "InvalidSettings"
    FOREIGN_PLS = "ForeignPrivateLinkService"
    NOT_OWNER = "NotOwner"
    NAME_TAKEN = "NameTaken"
    CANNOT_RENAME = "CannotRename"
    CANNOT_MOVE_GROUP = "CannotMoveResourceGroup"
    SUBNET_NOT_READY = "SubnetPolicyNotDisabled"
    REJECTED = "Rejected"
    MOVE_NOT_POSSIBLE = "MoveNotPossible"
    # findings: states
    WAITING = "Waiting"
    NO_FRONTEND = "NoFrontend"
    STUCK = "Stuck"
    SETTLING = "LeftToInTreeController"
    BACK_OFF = "BackOff"
    OWNER_MISSING = "OwnerMissing"
    KEPT = "Kept"
    DRIFT_FIGHT = "DriftFight"
    ORPHAN = "Orphan"
    BRAKE = "Brake"
    UNKNOWN_VIEW = "UnknownView"
    MODE = "Mode"
    FAILED = "Failed"
    WRITE_BACK_DENIED = "WriteBackDenied"
    NOT_PUBLISHED = "NotPublished"
    WARNING = "Warning"


class Severity(StrEnum):
    """How much a finding matters: an error needs a person, a warning may, info does not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know. ``sentence`` names the things and the way out."""

    reason: Reason
    severity: Severity
    sentence: str
    service: str = ""
    frontend_id: str = ""
    pls_id: str = ""


# Properties that a change may be of, by which something else is decided.
STATE = "provisioningState"
NAT_IPS = "ipConfigurations"


@dataclass(frozen=True, slots=True)
class Change:
    """One property that an update changes."""

    property: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class PutPls:
    """Create or update a PLS with this full body. ``created`` tells which of the two."""

    pls_id: str
    body: Json
    content_hash: str
    claim_hash: str
    created: bool
    frontend_id: str
    subnet_ids: tuple[str, ...]
    service: str
    reason: Reason
    sentence: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class PutSubnet:
    """Disable the Private Link Service network policies of a subnet: its JSON as read, one field changed.

    ``pls_id`` is the Private Link Service that waits for it: its row holds the back-off.
    """

    subnet_id: str
    body: Json
    etag: str
    reason: Reason
    sentence: str
    service: str
    pls_id: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class DeletePls:
    """Delete a PLS that has no connections (any more)."""

    pls_id: str
    frontend_id: str
    resource_guid: str
    service: str
    reason: Reason
    sentence: str


# What stands in the ledger instead of a content hash once the connections of a PLS, then the PLS itself,
# were asked to go: count and back-off are those of that step, not those of a PUT.
DISCONNECTED = "connections deleted"
DELETED = "delete"
# And before the id of a subnet that must be ready first.
SUBNET = "subnet:"


@dataclass(frozen=True, slots=True)
class DeleteConnection:
    """Delete a private endpoint connection; its PLS follows in a later run."""

    connection_id: str
    pls_id: str
    frontend_id: str
    resource_guid: str
    service: str
    reason: Reason
    sentence: str


Write = PutPls | PutSubnet | DeletePls | DeleteConnection


def target(write: Write) -> str:
    """The id of the resource a write goes to."""
    match write:
        case PutPls() | DeletePls():
            return write.pls_id
        case PutSubnet():
            return write.subnet_id
        case DeleteConnection():
            return write.connection_id
        case _:
            assert_never(write)


def frontend_of(write: Write) -> str:
    """The id of the frontend a write is about; a subnet has none."""
    return "" if isinstance(write, PutSubnet) else write.frontend_id


def verb(write: Write) -> str:
    """The word for a write in texts and JSON."""
    match write:
        case PutPls():
            return "create" if write.created else "update"
        case PutSubnet():
            return "disable-subnet-policy"
        case DeletePls():
            return "delete"
        case DeleteConnection():
            return "delete-connection"
        case _:
            assert_never(write)


def title_of(pls_id: str, subnet: str = "") -> str:
    """What is written, as a sentence begins; ``subnet`` names the subnet of the PLS where that is it."""
    pls = f"Private Link Service {arm_ids.last_name(pls_id)}"
    return f"Subnet {subnet} of {pls}" if subnet else pls


def not_written(title: str, service: str, error: str) -> str:
    """What a refused PUT is told as: by the run that heard it, and by those that know it from the row."""
    return f"{title} of Service {service} could not be written: {error}"


def deleted_of(pls_id: str, connections: bool) -> str:
    """What a step of a delete takes away, as a sentence begins: the PLS, or first its connections."""
    pls = f"Private Link Service {pls_id}"
    return f"The connections of {pls}" if connections else pls


def not_deleted(what: str, error: str) -> str:
    """What a refused delete is told as: by the run that heard it, and by those that know it from the row."""
    return f"{what} could not be deleted: {error}"


def content(write: Write) -> str:
    """What stands in the ledger for what a write says, so that a repeat is told from something new."""
    match write:
        case PutPls():
            return write.content_hash
        case PutSubnet():
            return SUBNET + write.subnet_id.lower()
        case DeletePls():
            return DELETED
        case DeleteConnection():
            return DISCONNECTED
        case _:
            assert_never(write)


def digest(writes: Iterable[Write]) -> str:
    """Twelve hex digits that tell one list of writes from another."""
    lines = [[verb(w), target(w).lower(), getattr(w, "content_hash", "")] for w in writes]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:12]


def release_digest(pls_ids: Iterable[str]) -> str:
    """Twelve hex digits that tell one set of Private Link Services from another; "" for none."""
    keys = sorted({pls_id.lower() for pls_id in pls_ids})
    lines = "\n".join(keys).encode("utf-8", "surrogatepass")
    return hashlib.sha256(lines).hexdigest()[:12] if keys else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one cluster.

    ``writes`` are carried out now, ``after`` in a later run (the delete of a PLS whose connections go
    first), ``held`` only once a person releases ``held_digest``. ``ownership``, ``sharing`` and
    ``sightings`` are the rows as they shall be, ``forget`` the ids whose rows go. ``come_back`` is when
    the next look is due at the latest, None where only the timer needs to look. ``unread`` says that the
    cluster is left untouched because a view on which all rests could not be read.
    """

    cluster: str
    writes: tuple[Write, ...] = ()
    after: tuple[Write, ...] = ()
    held: tuple[Write, ...] = ()
    findings: tuple[Finding, ...] = ()
    ownership: tuple[Ownership, ...] = ()
    sharing: tuple[Sharing, ...] = ()
    forget: tuple[str, ...] = ()
    sightings: Mapping[str, datetime] = field(default_factory=dict)
    come_back: datetime | None = None
    unread: bool = False

    @property
    def empty(self) -> bool:
        """No writes, held ones included; findings do not count."""
        return not self.writes and not self.held

    @property
    def digest(self) -> str:
        """Tells this plan's writes from another's."""
        return digest((*self.writes, *self.held))

    @property
    def held_digest(self) -> str:
        """What a person releases: exactly the Private Link Services held back. "" where nothing is held."""
        return release_digest(w.pls_id for w in self.held if isinstance(w, DeletePls | DeleteConnection))
