"""What a Service is told about its Private Link Service: ready or not, a reason, a sentence. Pure.

The one source of these words: condition and events of the Service, ``explain``, the dashboard and published
events all show a :class:`Telling`. It rests on the ledger's rows and the findings of a run, so that it can be told
again later without a look at Azure or the cluster.

==  ===================================================================  ========  =======================
T   Service                                                              ready     reason
==  ===================================================================  ========  =======================
1   an error names it                                                    False     ``Refused`` + the finding's,
                                                                                   or the finding's own
2   owns or shares a PLS that is ``Succeeded``                           True      Provisioned, Shared,
                                                                                   OwnerMissing
3   owns or shares one that is being deleted, failed, or neither yet     False     Deleting, Failed,
                                                                                   Provisioning
4   only waits for something (no frontend yet, the in-tree controller)   False     the finding's
5   else (does not ask, or is of no concern)                             nothing is told
==  ===================================================================  ========  =======================

First row that matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler import arm_ids
from reconciler.model import PLANNED, Ownership, Sharing
from reconciler.plan import Finding, Reason, Severity

PROVISIONED, SHARED, PROVISIONING = "Provisioned", "Shared", "Provisioning"
DELETING, FAILED = "Deleting", "Failed"
# Reasons of an error that are the Service's own mistake, or Azure's answer to it.
REFUSALS = frozenset(
    {
        Reason.NOT_ELIGIBLE,
        Reason.INVALID_SETTINGS,
        Reason.FOREIGN_PLS,
        Reason.NOT_OWNER,
        Reason.NAME_TAKEN,
        Reason.CANNOT_RENAME,
        Reason.CANNOT_MOVE_GROUP,
        Reason.SUBNET_NOT_READY,
        Reason.REJECTED,
        Reason.MOVE_NOT_POSSIBLE,
    }
)
_USES = ("owner", "shares")


@dataclass(frozen=True, slots=True)
class Telling:
    """What one Service (``namespace/name``) is told. ``uid`` is "" where the run did not see the Service itself."""

    service: str
    ready: bool
    reason: str
    message: str
    uid: str = ""
    pls_id: str = ""
    frontend_id: str = ""
    alias: str = ""


def tellings(
    rows: Iterable[Ownership], sharing: Iterable[Sharing], findings: Iterable[Finding]
) -> tuple[Telling, ...]:
    """What each Service is told, sorted by name. ``rows`` are those after the writes of a run."""
    by_id = {arm_ids.key(row.pls_id): row for row in rows}
    uses = [s for s in sharing if s.role != "none"]
    parts = {s.service.key: s for s in sorted(uses, key=lambda s: s.role in _USES)}
    errors, waits, ownerless = _sorted_out(findings)
    names = sorted({*parts, *errors, *waits})
    told = (
        _told(name, parts.get(name), by_id, errors.get(name), waits.get(name), ownerless) for name in names
    )
    return tuple(telling for telling in told if telling)


def _sorted_out(
    findings: Iterable[Finding],
) -> tuple[dict[str, Finding], dict[str, Finding], dict[str, Finding]]:
    """The first error of each Service, the first other one, and missing owners by lower-case PLS id."""
    errors: dict[str, Finding] = {}
    waits: dict[str, Finding] = {}
    ownerless: dict[str, Finding] = {}
    for finding in findings:
        if finding.reason is Reason.OWNER_MISSING:
            ownerless.setdefault(arm_ids.key(finding.pls_id), finding)
        elif finding.service and finding.severity is Severity.ERROR:
            errors.setdefault(finding.service, finding)
        elif finding.service and finding.reason is not Reason.WARNING:
            waits.setdefault(finding.service, finding)
    return errors, waits, ownerless


def _told(
    name: str,
    part: Sharing | None,
    rows: Mapping[str, Ownership],
    error: Finding | None,
    wait: Finding | None,
    ownerless: Mapping[str, Finding],
) -> Telling | None:
    row = rows.get(arm_ids.key(part.pls_id)) if part and part.role in _USES else None
    uid = part.service.uid if part else ""
    if error:
        return _of_finding(error, name, uid, row)
    if part and row:
        return _of_row(name, part, row, ownerless.get(arm_ids.key(row.pls_id)))
    return _of_finding(wait, name, uid, row) if wait else None


def _of_finding(finding: Finding, name: str, uid: str, row: Ownership | None) -> Telling:
    """T1 and T4. A PLS that is there although its Service is refused something is named: it goes on working."""
    reason = f"Refused{finding.reason}" if finding.reason in REFUSALS else str(finding.reason)
    there = row is not None and row.alias and row.state != PLANNED
    stays = f" Private Link Service {title(row)} stays as it is." if row and there else ""
    return Telling(
        name,
        False,
        reason,
        f"{finding.sentence.rstrip('.')}.{stays}",
        uid,
        row.pls_id if row else finding.pls_id,
        row.frontend_id if row else finding.frontend_id,
        row.alias if row else "",
    )


def _of_row(name: str, part: Sharing, row: Ownership, ownerless: Finding | None) -> Telling:
    """T2 and T3."""
    shared = part.role == "shares"
    use = (
        f"Shares Private Link Service {title(row)} with Service {row.owner.key}"
        if shared
        else f"Private Link Service {title(row)}"
    )
    match row.state:
        case "Succeeded" if ownerless:
            ready, reason, message = (
                True,
                str(Reason.OWNER_MISSING),
                f"{use}; it is ready. {ownerless.sentence}",
            )
        case "Succeeded":
            ready, reason, message = True, SHARED if shared else PROVISIONED, f"{use}; it is ready."
        case "Deleting":
            ready, reason, message = False, DELETING, f"{use}; it is being deleted."
        case "Failed" | "Canceled":
            ready, reason, message = False, FAILED, f"{use}; Azure could not provision it. It is tried again."
        case _:
            ready, reason, message = False, PROVISIONING, f"{use}; Azure is provisioning it."
    return Telling(name, ready, reason, message, part.service.uid, row.pls_id, row.frontend_id, row.alias)


def title(known: Ownership | Telling) -> str:
    """Name, alias and id of a Private Link Service, as far as they are known."""
    alias = f"alias {known.alias}, " if known.alias else ""
    return f"{arm_ids.last_name(known.pls_id)} ({alias}id {known.pls_id})"
