"""Alerts and workbook ask for what the reconciler tells, by its names, and the pages say what each alert means."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reconciler import telemetry
from reconciler.telemetry import CALL, FIELDS, METRICS, RUN
from tests.docs.pages import text_of
from tests.functions.test_telemetry import SWITCHES
from tests.infra.bicep import INFRA, bicep
from tests.infra.kql import RESERVED, TABLES, Query

ALERTS: list[dict[str, Any]] = json.loads((INFRA / "alerts.json").read_text(encoding="utf-8"))
WORKBOOK: dict[str, Any] = json.loads((INFRA / "workbook.json").read_text(encoding="utf-8"))
MONITORING = INFRA / "modules/monitoring.bicep"
METRIC = {metric.name: metric for metric in METRICS}
WINDOWS = {
    "PT5M",
    "PT10M",
    "PT15M",
    "PT30M",
    "PT45M",
    "PT1H",
    "PT2H",
    "PT3H",
    "PT4H",
    "PT5H",
    "PT6H",
    "P1D",
    "P2D",
}


def of_workbook() -> dict[str, str]:
    """The workbook's queries, by their titles; those of its parameters by their names."""
    found = {}
    for item in WORKBOOK["items"]:
        content = item["content"]
        if "query" in content:
            found[content["title"]] = content["query"]
        for parameter in content.get("parameters", ()):
            if "query" in parameter:
                found[parameter["name"]] = parameter["query"]
    return found


QUERIES = {alert["title"]: "\n".join(alert["query"]) for alert in ALERTS} | of_workbook()
each_query = pytest.mark.parametrize(
    "query", [pytest.param(Query(q), id=title) for title, q in QUERIES.items()]
)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["name"])


@each_query
def test_a_query_knows_its_names(query: Query) -> None:
    """A misspelt column gives no rows, or an error that nobody sees: the alert would never fire."""
    assert query.tables
    assert query.unknown == set()


@each_query
def test_a_query_calls_nothing_by_a_word_of_the_language(query: Query) -> None:
    """`last = max(…)` is a mistake to Kusto's own parser; an alert with one is made all the same, and need never fire."""
    assert (query.defined | query.members) & RESERVED == set()


@each_query
def test_a_query_asks_for_what_is_told(query: Query) -> None:
    """Metrics and spans by their names, attributes of each of them, fields of log lines."""
    told: set[str] = set()
    if "AppMetrics" in query.tables:
        assert query.names
        assert query.names <= set(METRIC)
        told |= {attribute for name in query.names for attribute in METRIC[name].attributes}
        common = set.intersection(*(set(METRIC[name].attributes) for name in query.names))
        assert query.properties <= common
    if "AppDependencies" in query.tables:
        assert query.names <= {RUN.name}
        told |= set(RUN.attributes if query.names else CALL.attributes)
    if "AppTraces" in query.tables:
        told |= set(FIELDS)
    assert query.properties <= told


@each_query
def test_a_query_compares_with_words_that_there_are(query: Query) -> None:
    """A result that was renamed: the alert would wait for a word that does not come."""
    said = " ".join(METRIC[name].description for name in query.names if name in METRIC)
    for attribute in ("result", "Properties.result", "wait", "state"):
        assert query.compared(attribute) <= set(re.findall(r"\w+", said))


def test_each_metric_is_on_the_workbook() -> None:
    """What is told and never looked at costs for nothing."""
    shown = {name for query in of_workbook().values() for name in Query(query).names}
    assert shown == {*METRIC, RUN.name}


@each_alert
def test_an_alert_is_on_the_page(alert: dict[str, Any]) -> None:
    """Who gets the mail looks for its title: what it means, what to do."""
    section = re.search(r"^## Alerts$(.*?)^## ", text_of("docs/operations.md"), re.M | re.S)
    assert section
    assert f"\n### {alert['title']}\n\n" in section[1]
    assert alert["means"].endswith((".", ")."))


def test_the_page_has_no_other_alerts() -> None:
    """One that was taken away is gone from the page."""
    section = re.search(r"^## Alerts$(.*?)^## ", text_of("docs/operations.md"), re.M | re.S)
    assert section
    assert re.findall(r"^### (.*)$", section[1], re.M) == [alert["title"] for alert in ALERTS]


@each_alert
def test_an_alert_is_one_that_azure_takes(alert: dict[str, Any]) -> None:
    """Windows are a closed list, severities 0 to 4, and a dimension must be a column of the result."""
    assert set(alert) == {"name", "title", "means", "severity", "window", "dimensions", "query"}
    assert alert["window"] in WINDOWS
    assert alert["severity"] in range(5)
    query = Query("\n".join(alert["query"]))
    assert set(alert["dimensions"]) <= query.defined
    assert re.search(rf"by .*\b{alert['dimensions'][-1]}\b", query.text)


@each_alert
def test_an_alert_looks_no_further_back_than_its_window(alert: dict[str, Any]) -> None:
    """Rows older than the window are not there: a longer ago() would never be true."""
    minutes = {"M": 1, "H": 60}[alert["window"][-1]] * int(alert["window"][2:-1])
    for back in re.findall(r"ago\((\d+)m\)", "\n".join(alert["query"])):
        assert int(back) < minutes


def test_names_of_alerts_are_their_own() -> None:
    """They become names of resources."""
    names = [alert["name"] for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z-]+", name) for name in names)


def test_the_issue_s_alerts_are_there() -> None:
    """What must not happen unseen."""
    asked = {name for alert in ALERTS for name in Query("\n".join(alert["query"])).names}
    assert {
        telemetry.REFUSALS.name,
        telemetry.POISON.name,
        telemetry.HELD.name,
        telemetry.RUNS.name,
        telemetry.THROTTLES.name,
        telemetry.UNSETTLED.name,
    } <= asked


def test_the_module_takes_them_from_these_files() -> None:
    """And lets nobody in with a key."""
    text = MONITORING.read_text(encoding="utf-8")
    assert "loadJsonContent('../alerts.json')" in text
    assert "loadTextContent('../workbook.json'), '{workspaceId}', workspace.id" in text
    assert WORKBOOK["fallbackResourceIds"] == ["{workspaceId}"]
    resources = {r.of.partition("@")[0]: r for r in bicep(MONITORING).all("resource").values()}
    assert re.search(r"DisableLocalAuth: true\s", text)
    assert re.search(r"disableLocalAuth: true\s", text)
    assert set(resources) == {
        "Microsoft.OperationalInsights/workspaces",
        "Microsoft.Insights/components",
        "Microsoft.Insights/actionGroups",
        "Microsoft.Insights/scheduledQueryRules",
        "Microsoft.Insights/workbooks",
    }
    assert not any("preview" in r.of for r in bicep(MONITORING).all("resource").values())


def test_the_functions_tell_as_it_was_tried() -> None:
    """tests/functions/test_telemetry.py switches telemetry on as the functions in Azure do."""
    text = (INFRA / "modules/function-app.bicep").read_text(encoding="utf-8")
    for name, value in SWITCHES.items():
        assert f"  {name}: '{value}'\n" in text


def test_a_misspelt_name_would_be_seen() -> None:
    """The reader itself: a column that no table has, a function that is none, a property in a text is none."""
    assert Query('AppMetrics | where Nane == "x"').unknown == {"Nane"}
    assert Query("AppMetrics | summarize total = summ(Sum)").unknown == {"summ"}
    assert Query('AppTraces | where Message == "Properties.no such"').properties == set()
    assert set(TABLES) == {"AppMetrics", "AppDependencies", "AppTraces"}
