"""docs/reference/http.md: functions, calls, parameters and error codes are the code's own."""

from __future__ import annotations

from typing import Any

from tests.docs.pages import codes, tables, text_of
from tests.docs.served import errors, parameters_of, routes, triggers

TABLES = tables(text_of("docs/reference/http.md"))
NONE = "\N{EN DASH}"


def test_functions_are_the_apps_own() -> None:
    """Name, trigger and key of every function."""
    assert [row[:3] for row in TABLES["Function | Trigger | Key | What it does"]] == [
        (name, *_trigger(binding)) for name, binding in triggers().items()
    ]


def _trigger(binding: dict[str, Any]) -> tuple[str, str]:
    match binding["type"]:
        case "queueTrigger":
            return f"queue `{binding['queueName']}`", NONE
        case "timerTrigger":
            return f"timer `{binding['schedule']}`", NONE
        case "httpTrigger":
            (method,) = binding["methods"]
            return f"{method.value} `/api/{binding['route']}`", binding["authLevel"].value
    return "Event Grid", NONE


def test_http_calls_and_parameters_are_the_codes_own() -> None:
    """Every call with exactly the parameters that it reads. What serves the dashboard is the page's own affair."""
    rows = {row[0]: set(codes(row[1])) for row in TABLES["Call | Parameters | Answer"]}
    assert rows == {
        f"{method} /api/{route}": parameters_of(route)
        for method, route, _ in routes().values()
        if not route.startswith("dashboard")
    }


def test_error_codes_are_the_codes_own() -> None:
    """Every code that the API raises, with its HTTP status."""
    assert {(row[0], int(row[1])) for row in TABLES["Code | Status | When"]} == errors()
