"""Plans and runs as text and as JSON. The JSON's shape is an interface: ``VERSION`` counts it.

A plan: ``version``, ``cluster``, ``mode``, ``digest``, ``heldDigest``, ``empty``, ``unread``, ``writes``, ``after``,
``held`` (each a list of writes) and ``findings``. A write: ``verb`` (create, update, delete,
delete-connection, disable-subnet-policy), ``target`` (ARM id), ``service`` (``namespace/name``),
``frontend`` (ARM id), ``reason``, ``sentence``, ``changes`` (``property``, ``before``, ``after``). A
finding: ``reason``, ``severity`` (error, warning, info), ``sentence``, ``service``, ``frontend``,
``privateLinkService``. Fields may be added within a version; none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from reconciler import arm_ids
from reconciler.bookkeeping import Outcome
from reconciler.model import Mode
from reconciler.plan import Change, Finding, Plan, PutPls, Write, frontend_of, target, verb

VERSION = 1
SIGNS = {"create": "+", "update": "~", "delete": "-", "delete-connection": "-", "disable-subnet-policy": "~"}


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
        "changes": [change_json(c) for c in write.changes] if isinstance(write, PutPls) else [],
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


def plan_text(plan: Plan, mode: Mode) -> str:
    """A plan for people: a headline, one line per write, its changes below it, then the findings."""
    return "\n".join(_plan_lines(plan, mode))


def _plan_lines(plan: Plan, mode: Mode) -> Iterator[str]:
    yield f"{plan.cluster}: {_headline(plan)}" + (
        " (mode plan: nothing is written)" if mode == "plan" else ""
    )
    for write in plan.writes:
        yield from _write_lines(write)
    for write in plan.after:
        yield from _write_lines(write, " (after)")
    for write in plan.held:
        yield from _write_lines(write, f" (held; release with {plan.held_digest})")
    for finding in plan.findings:
        yield f"  ! {finding.severity.value} {finding.reason.value}: {finding.sentence}"


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


def _write_lines(write: Write, suffix: str = "") -> Iterator[str]:
    yield f"  {SIGNS[verb(write)]} {write.sentence}{suffix}"
    if isinstance(write, PutPls):
        for change in write.changes:
            yield f"      {change.property}: {_value(change.before)} → {_value(change.after)}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "(none)"
    return "(none)" if value is None or value == "" else _text(value)


def _text(value: Any) -> str:
    """On one line, and without what a terminal would act on: values come from annotations."""
    text = str(value)
    return text if text.isprintable() else ascii(text)


def outcome_text(outcome: Outcome) -> str:
    """One line of progress."""
    name = arm_ids.last_name(target(outcome.write))
    return f"  {verb(outcome.write)} {name}: {outcome.result.value}" + (
        f" ({outcome.error})" if outcome.error else ""
    )
