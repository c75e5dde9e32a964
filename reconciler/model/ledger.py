"""What the ledger knows: which Private Link Service is whose, who shares it, who may make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from reconciler.model.services import ServiceRef

PLANNED = "Planned"  # the state of a PLS that is not there yet


@dataclass(frozen=True, slots=True)
class Ownership:
    """A row of the ledger: one PLS of one cluster, and what was last done about it.

    ``written_*`` guard against hot loops (hash, time and count of the content last written);
    ``attempts`` and ``not_before`` are the back-off after failures.
    """

    cluster: str
    pls_id: str
    frontend_id: str
    owner: ServiceRef
    resource_guid: str = ""
    claim_hash: str = ""
    alias: str = ""
    state: str = ""
    nat_ips: tuple[str, ...] = ()
    connections: Mapping[str, int] = field(default_factory=dict)
    written_hash: str = ""
    written_at: datetime | None = None
    written_count: int = 0
    attempts: int = 0
    not_before: datetime | None = None
    last_error: str = ""
    last_error_code: str = ""


@dataclass(frozen=True, slots=True)
class Sharing:
    """A row of the sharing ledger: a tenant of a frontend that has a PLS, and its part in it."""

    cluster: str
    pls_id: str
    frontend_id: str
    service: ServiceRef
    role: Literal["owner", "shares", "refused", "none"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who may create a PLS of this id: the first to insert the row."""

    pls_id: str
    cluster: str
    service_uid: str
    frontend_id: str
