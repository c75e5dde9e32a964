"""docs/reference/reasons.md: every reason, what a Service is told, and its Events are the code's own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from reconciler import feedback, planning, telling
from reconciler.model import CONDITION
from reconciler.plan import Reason, Severity
from reconciler.rendering import WHY
from reconciler.transitions import Kind
from tests.docs.pages import first_column, tables, text_of

PAGE = text_of("docs/reference/reasons.md")
TABLES = tables(PAGE)
TOLD = TABLES["Reason | Ready | What it means | What to do"]
REFUSALS = TABLES["Reason | What it means | What to do"]
FINDINGS = TABLES["Reason | Severity | What it means | What to do"]
WRITES = TABLES["Reason | Why"]


def test_every_reason_has_one_row() -> None:
    """And every row a reason, in the code's order."""
    assert first_column([*WRITES, *REFUSALS, *FINDINGS]) == [reason.value for reason in Reason]


def test_every_row_says_what_to_do() -> None:
    """A reason without a way out leaves people alone with it."""
    assert all(all(cell for cell in row) for row in [*TOLD, *REFUSALS, *FINDINGS, *WRITES])


def test_why_something_is_written() -> None:
    """A plan says it in the page's words."""
    assert {row[0]: row[1].replace("`", "") for row in WRITES} == WHY


def test_refusals_are_those_that_a_service_is_told_as_such() -> None:
    """`Refused` stands before exactly these."""
    assert set(first_column(REFUSALS)) == {reason.value for reason in telling.REFUSALS}


def test_what_a_service_is_told() -> None:
    """Each word that a telling can have and that is no finding's, and whether it is ready."""
    words = {telling.PROVISIONED, telling.SHARED, telling.PROVISIONING, telling.DELETING, telling.FAILED}
    assert set(first_column(TOLD)) == words | {Reason.OWNER_MISSING.value, "Refused…"}
    ready = {row[0] for row in TOLD if row[1] == "True"}
    assert ready == {telling.PROVISIONED, telling.SHARED, Reason.OWNER_MISSING.value}
    assert CONDITION in PAGE


def test_events_of_a_service() -> None:
    """Name and type of each."""
    told = {row[0]: row[1] for row in TABLES["Event | Type | When"]}
    assert told == {
        name: "Warning" if kind in feedback._WARNINGS else "Normal" for kind, name in feedback._EVENTS.items()
    }
    assert set(Kind) - set(feedback._EVENTS) == {Kind.OWNER_CHANGED}


def test_severities() -> None:
    """A finding has the severity that the page tells, wherever the rules make one."""
    stated = {row[0]: row[1] for row in FINDINGS} | dict.fromkeys(first_column(REFUSALS), "error")
    assert set(stated.values()) == {severity.value for severity in Severity}
    made = {pair for file in Path(planning.__file__).parent.glob("*.py") for pair in _findings(file)}
    assert len(made) > 15
    assert made <= {(Reason(reason).name, severity.upper()) for reason, severity in stated.items()}


def _findings(file: Path) -> set[tuple[str, str]]:
    """(reason, severity) of the calls that name both."""
    pairs = set()
    for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
        named = [ast.unparse(arg).split(".") for arg in call.args[:2]]
        if [words[0] for words in named] == ["Reason", "Severity"] and all(
            len(words) == 2 for words in named
        ):
            pairs.add((named[0][1], named[1][1]))
    return pairs


def test_the_findings_that_a_service_waits_with_are_named() -> None:
    """They are told as the condition's reason, too."""
    named = set(re.findall(r"`(\w+)`", PAGE.partition("or what it waits for")[2].partition(")")[0]))
    info = {row[0] for row in FINDINGS if row[1] == "info"}
    assert named == info
