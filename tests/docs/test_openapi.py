"""docs/reference/openapi.yaml is valid, and its calls, keys, parameters, statuses, codes and words are the code's own.

That real answers have its shapes is asked where answers are: tests/shell/test_api.py, tests/scenarios/test_openapi.py.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from reconciler.bookkeeping import Result
from reconciler.model import Mode
from reconciler.plan import Severity
from reconciler.rendering import SIGNS
from tests.docs.openapi import amiss, document, operations, resolved
from tests.docs.served import API_FAILURES, errors_of, parameters_of, routes, statuses_of

SCHEMAS = document()["components"]["schemas"]
OF_THE_API = [
    name for name, (_, route, _) in routes().items() if not route.startswith(("dashboard", "health"))
]
api_calls = pytest.mark.parametrize("name", OF_THE_API)


def test_the_file_is_valid() -> None:
    """As the specification of OpenAPI 3.1 says."""
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_every_function_is_there_with_its_key() -> None:
    """Name, method, route, and whether a key is asked for."""
    told = {
        name: (method, path.removeprefix("/"), "function" if operation.get("security", True) else "anonymous")
        for name, (method, path, operation) in operations().items()
    }
    assert told == routes()


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The properties that a body may have."""
    content = resolved(operation["requestBody"])["content"]["application/json"]
    found: dict[str, Any] = content["schema"]["properties"]
    return found


@api_calls
def test_parameters_are_those_that_are_read(name: str) -> None:
    """In the query, and for POST in the body as well."""
    method, _, operation = operations()[name]
    assert {resolved(p)["name"] for p in operation["parameters"]} == parameters_of(name)
    assert ("requestBody" in operation) == (method == "POST")
    if method == "POST":
        assert set(body_of(operation)) == parameters_of(name)


@api_calls
def test_statuses_and_error_codes_are_those_that_are_answered(name: str) -> None:
    """Good ones, those of each mistake, those of what fails outside, and the platform's own."""
    responses = operations()[name][2]["responses"]
    codes = {
        (code, int(status))
        for status, response in responses.items()
        for schema in [resolved(response).get("content", {}).get("application/json", {}).get("schema", {})]
        for code in _codes(schema)
    }
    assert codes == errors_of(name) | API_FAILURES
    good = {int(status) for status in responses} - {status for _, status in codes} - {401}
    assert good == statuses_of(name)


def _codes(schema: dict[str, Any]) -> list[str]:
    closed = [part for part in schema.get("allOf", ()) if "properties" in part]
    return [code for part in closed for code in part["properties"]["error"]["properties"]["code"]["enum"]]


def test_words_are_the_codes_own() -> None:
    """Verbs, results, severities, modes."""
    assert SCHEMAS["Verb"]["enum"] == list(SIGNS)
    assert SCHEMAS["Result"]["enum"] == [*(result.value for result in Result), "planned"]
    assert SCHEMAS["Severity"]["enum"] == [severity.value for severity in Severity]
    assert set(SCHEMAS["Mode"]["enum"]) == set(get_args(Mode))


def test_a_field_too_many_or_too_few_is_found() -> None:
    """Else any answer would do."""
    assert amiss("pause", 200, {"cluster": "prod", "paused": True}) == []
    assert amiss("pause", 200, {"cluster": "prod", "paused": True, "more": 1})
    assert amiss("pause", 200, {"cluster": "prod"})
    assert amiss("pause", 418, {})
    assert amiss("plan", 404, {"error": {"code": "Paused", "message": "x"}})
    assert amiss("plan", 401, {"error": "x"})
