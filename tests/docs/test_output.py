"""docs/output.md: the JSON shapes are the code's own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

from reconciler import explain_values, planning, wakeups
from reconciler.bookkeeping import Outcome, Result
from reconciler.doctor import AREAS, Diagnosis, State, diagnosis_json
from reconciler.errors import Rejected
from reconciler.explain import explain, explanation_json
from reconciler.model import Ownership, ServiceRef
from reconciler.observe import Look, Memory
from reconciler.plan import Finding, Plan, PutPls, Reason, Severity
from reconciler.ports import ClusterState, HistoryEntry
from reconciler.reconcile import Run
from reconciler.recording import report_of
from reconciler.rendering import finding_json, outcome_json, plan_json
from reconciler.status import entry_json, status
from tests import builders
from tests.docs.pages import blocks, codes, first_column, tables, text_of
from tests.fakes.ledger import MemoryLedger

PAGE = text_of("docs/output.md")
TABLES = tables(PAGE)


def told(what: str) -> list[str]:
    """The fields that the page tells of something."""
    article = "an" if what[0] in "aeiou" else "a"
    return first_column(TABLES[f"Field of {article} {what} | Meaning"])


def a_plan() -> Plan:
    """An update of one PLS by its owner."""
    service = builders.service(settings={"fqdns": "a.example"})
    return builders.decide(service, links=[builders.pls(builders.frontend(service), service)])


def test_plan_write_change_and_finding() -> None:
    """Every field, and no other."""
    shape = plan_json(a_plan(), "sync")
    assert list(shape) == told("plan")
    assert list(shape["writes"][0]) == told("write")
    assert list(shape["writes"][0]["changes"][0]) == told("change")
    assert list(finding_json(Finding(Reason.KEPT, Severity.INFO, ""))) == told("finding")


def test_the_example_has_the_shape_of_a_plan() -> None:
    """What a pipeline's author copies."""
    example = json.loads(blocks(PAGE, "json")[0].text)
    assert list(example) == told("plan")
    assert list(example["writes"][0]) == told("write")


def a_run() -> Run:
    """A run that carried nothing out."""
    return Run(builders.CONFIG, Look(builders.observe(), Memory(ClusterState("prod"))), a_plan())


def test_run() -> None:
    """Every field, and what a write has besides those of a plan."""
    assert list(report_of(a_run(), "1", wakeups.PERSON, builders.NOW)) == told("run")
    (write,) = a_plan().writes
    refused = outcome_json(Outcome(write, Result.FAILED, Rejected("no", code="X")))
    assert set(refused) - set(told("write")) == {"result", "error", "code"}


def test_results() -> None:
    """Every word for how a write ended."""
    assert first_column(TABLES["Result | Meaning"]) == [result.value for result in Result]


def test_status_and_history() -> None:
    """Every field of a cluster, a PLS and a line of history."""
    ledger = MemoryLedger()
    (write,) = a_plan().writes
    assert isinstance(write, PutPls)
    ledger.put_ownership([Ownership("prod", write.pls_id, write.frontend_id, ServiceRef("shop", "web"))])
    report: dict[str, Any] = status(ledger, {"prod": builders.CONFIG}, now=builders.NOW)
    (cluster,) = report["clusters"]
    assert list(cluster) == told("cluster")
    assert list(cluster["poison"]) == list(report["poison"]) == told("poison count")
    assert list(cluster["privateLinkServices"][0]) == told("Private Link Service")
    assert list(cluster["frontends"][0]) == told("frontend")
    entry = HistoryEntry("prod", builders.NOW, "write", "Create", "")
    assert list(entry_json(entry)) == first_column(TABLES["Field of an entry | Meaning"])


def test_explanation_and_diagnosis() -> None:
    """Every field, area, state and outcome."""
    seen = builders.observe(builders.service())
    explained = explanation_json(explain(seen, planning.plan(seen, builders.LIMITS), "shop/web"))
    assert list(explained) == told("explanation")
    assert list(explained["checks"][0]) == told("check")
    assert list(diagnosis_json(Diagnosis("clock", "Azure", "ok", ""))) == told("diagnosis")
    meanings = {row[0]: row[1] for row in TABLES["Field of a diagnosis | Meaning"]}
    assert tuple(codes(meanings["area"])) == AREAS
    assert tuple(codes(meanings["state"])) == get_args(State)
    outcomes = {row[0]: row[1] for row in TABLES["Field of a check | Meaning"]}
    assert tuple(codes(outcomes["outcome"])) == get_args(explain_values.Outcome)


def test_last_run_leaves_out_what_stands_beside_it() -> None:
    """As the page says in brackets."""
    ledger = MemoryLedger()
    report = report_of(a_run(), "1", wakeups.PERSON, builders.NOW)
    ledger.write_state(replace(ledger.state("prod"), last_run=report))
    (cluster,) = status(ledger, {"prod": builders.CONFIG}, now=builders.NOW)["clusters"]
    assert set(report) - set(cluster["lastRun"]) == {"digest", "heldDigest", "held", "findings"}
