"""Plans and runs as text and as JSON. The JSON's shape is an interface: ``VERSION`` counts it.

A plan: ``version``, ``cluster``, ``mode``, ``digest``, ``heldDigest``, ``empty``, ``unread``, ``writes``, ``after``,
``held`` (each a list of writes) and ``findings``. A write: ``verb`` (create, update, delete,
delete-connection, disable-subnet-policy), ``target`` (ARM id), ``service`` (``namespace/name``),
``frontend`` (ARM id), ``reason``, ``sentence``, ``changes`` (``property``, ``before``, ``after``). A
finding: ``reason``, ``severity`` (error, warning, info), ``sentence``, ``service``, ``frontend``,
``privateLinkService``. Fields may be added within a version; none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from reconciler import arm_ids
from reconciler.bookkeeping import Outcome
from reconciler.desired import first_settings
from reconciler.lines import Line, line, shown
from reconciler.model import Mode
from reconciler.plan import Change, Finding, Plan, PutPls, PutSubnet, Reason, Write, frontend_of, target, verb

VERSION = 1
SIGNS = {"create": "+", "update": "~", "delete": "-", "delete-connection": "-", "disable-subnet-policy": "~"}
KINDS = {"+": "create", "~": "update", "-": "delete"}
# Why something is written, as docs/reference/reasons.md tells it.
WHY: Mapping[Reason, str] = {
    Reason.CREATE: "a Service asks, and its frontend has no PLS",
    Reason.UPDATE: "the claim changed",
    Reason.MOVE: "the Service is on another frontend; the PLS goes with it",
    Reason.REPAIR: "the claim is the same; somebody changed the PLS",
    Reason.RETRY: "the last write ended Failed or Canceled",
    Reason.RESTORE_OWNER: "the owner tag is missing; the ledger knows the owner",
    Reason.SUCCESSION: "the owner is gone; the oldest Service with equal settings follows (ownerSuccession: oldest)",
    Reason.SUBNET_POLICY: "the NAT subnet does not allow PLSs yet",
    Reason.SERVICE_GONE: "every Service that used it is proven gone; or all that its frontend still serves are, and "
    "the others left it a grace period ago",
    Reason.FRONTEND_GONE: "the frontend is gone, seen twice, a grace period apart",
}


def instant(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def change_json(change: Change) -> dict[str, Any]:
    """One changed property."""
    return {"property": change.property, "before": change.before, "after": change.after}


def write_json(write: Write) -> dict[str, Any]:
    """One write."""
    return {
        "verb": verb(write),
        "target": target(write),
        "service": write.service,
        "frontend": frontend_of(write),
        "reason": write.reason.value,
        "sentence": write.sentence,
        "changes": [change_json(c) for c in write.changes] if isinstance(write, PutPls | PutSubnet) else [],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "reason": finding.reason.value,
        "severity": finding.severity.value,
        "sentence": finding.sentence,
        "service": finding.service,
        "frontend": finding.frontend_id,
        "privateLinkService": finding.pls_id,
    }


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One write and what became of it."""
    error = {"error": str(outcome.error), "code": outcome.error.code} if outcome.error else {}
    return {**write_json(outcome.write), "result": outcome.result.value, **error}


def plan_json(plan: Plan, mode: Mode) -> dict[str, Any]:
    """A plan."""
    return {
        "version": VERSION,
        "cluster": plan.cluster,
        "mode": mode,
        "digest": plan.digest,
        "heldDigest": plan.held_digest,
        "empty": plan.empty,
        "unread": plan.unread,
        "writes": [write_json(w) for w in plan.writes],
        "after": [write_json(w) for w in plan.after],
        "held": [write_json(w) for w in plan.held],
        "findings": [finding_json(f) for f in plan.findings],
    }


def plan_lines(plan: Plan, mode: Mode, paused: bool = False) -> Iterator[Line]:
    """A plan as a diff: a headline, what is written, why, each property before and after; then the findings."""
    idle = "paused" if paused else "mode plan" if mode == "plan" else ""
    note = f" ({idle}: nothing is written)" if idle else ""
    yield Line((("title", f"{plan.cluster}: {_headline(plan)}"), ("", note)))
    for write in plan.writes:
        yield from _write_lines(write)
    for write in plan.after:
        yield from _write_lines(write, " (after)")
    for write in plan.held:
        yield from _write_lines(write, f" (held; release with {plan.held_digest})")
    for finding in plan.findings:
        severity = finding.severity.value
        yield Line(((severity, f"  ! {severity} {finding.reason.value}"), ("", f": {finding.sentence}")))


def _headline(plan: Plan) -> str:
    if plan.unread:
        return "left untouched, because it could not be read"
    if plan.empty and not plan.findings:
        return "nothing to write"
    parts = [_count(len(plan.writes), "write") if plan.writes else "nothing to write"]
    if plan.held:
        parts.append(f"{len(plan.held)} held back")
    if plan.findings:
        parts.append(_count(len(plan.findings), "finding"))
    digest = f", digest {plan.digest}" if not plan.empty else ""
    return ", ".join(parts) + digest


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _write_lines(write: Write, suffix: str = "") -> Iterator[Line]:
    sign = SIGNS[verb(write)]
    yield Line(((KINDS[sign], f"  {sign} {write.sentence}"), ("title", suffix)))
    yield line("why", f"      why: {WHY[write.reason]} ({write.reason.value})")
    for change in _changes(write):
        after = ("after", shown(change.after))
        if isinstance(write, PutPls) and write.created:
            yield Line((("after", "      + "), ("", f"{change.property}: "), after))
        else:
            before = ("before", shown(change.before))
            yield Line((("", f"      {change.property}: "), before, ("", " → "), after))


def _changes(write: Write) -> tuple[Change, ...]:
    """What an update changes, what a new Private Link Service will be, what of a subnet is written."""
    match write:
        case PutPls():
            return first_settings(write.body) if write.created else write.changes
        case PutSubnet():
            return write.changes
    return ()


def outcome_text(outcome: Outcome) -> str:
    """One line of progress."""
    name = arm_ids.last_name(target(outcome.write))
    return f"  {verb(outcome.write)} {name}: {outcome.result.value}" + (
        f" ({outcome.error})" if outcome.error else ""
    )
