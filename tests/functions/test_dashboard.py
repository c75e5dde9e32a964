"""The dashboard's functions, invoked by the platform's own worker library."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.functions.conftest import Functions

pytestmark = [pytest.mark.sandbox, pytest.mark.azurite]

Json = dict[str, Any]


def get(functions: Functions, function: str, path: str, headers: Json | None = None, **params: str) -> Json:
    """An HTTP request as the host hands it over, and its answer."""
    request = {
        "method": "GET",
        "url": f"https://app.example/api/{path}",
        "headers": headers or {},
        "params": params,
        "query": {},
    }
    ended = functions.invoke(function, {"http": request})
    assert (ended["status"], ended["error"]) == (1, "")
    answer: Json = ended["http"]
    return {**answer, "headers": {name.lower(): value for name, value in answer["headers"].items()}}


def test_the_page_its_files_and_its_data(functions: Functions) -> None:
    """Types and headers as a browser gets them; what has not changed is not sent again."""
    page = get(functions, "dashboard", "dashboard")
    assert page["headers"]["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in page["headers"]["content-security-policy"]
    (name,) = re.findall(r'src="/api/dashboard/static/([^"]+)"', page["body"])
    script = get(functions, "dashboard_file", f"dashboard/static/{name}", name=name)
    assert (script["status"], script["headers"]["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert get(functions, "dashboard_file", "dashboard/static/x", name="x")["status"] == 404
    data = get(functions, "dashboard_data", "dashboard/data")
    assert json.loads(data["body"])["cluster"] == "prod"
    again = get(functions, "dashboard_data", "dashboard/data", {"if-none-match": data["headers"]["etag"]})
    assert (again["status"], again["body"] or "") == (304, "")


def test_the_page_comes_whatever_the_settings(unset: Functions) -> None:
    """It asks for the data, and those say what is wrong."""
    assert get(unset, "dashboard", "dashboard")["status"] == 200
    data = get(unset, "dashboard_data", "dashboard/data")
    assert (data["status"], json.loads(data["body"])["error"]["code"]) == (500, "WrongSettings")
