"""The dashboard as the functions' host serves it: what anybody gets, what a key opens, and what it costs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from pathlib import Path

import pytest

from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start
from tests.scenarios.hosts import host
from tests.scenarios.world import World

OURS = "11111111-1111-1111-1111-111111111111"  # the functions' identity at ARM

pytestmark = [pytest.mark.sandbox, pytest.mark.azurite]


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """One cluster with a Private Link Service; no timers, so that nothing but us asks Azure."""
    world = start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.1, timers=False))
    pls_id = world.make("prod", "web")
    world.address("prod", "web")
    world.run_now("prod")
    world.ready(pls_id)
    world.run_now("prod")
    return world


def get(base: str, path: str, **headers: str) -> tuple[int, str, Mapping[str, str]]:
    """Status, text and headers of a GET; ``_`` in a header's name is ``-``."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{base}{path}", headers=given)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), lowered(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), lowered(error.headers)


def lowered(headers: Message[str, str]) -> Mapping[str, str]:
    """With names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def test_anybody_gets_the_page_and_nobody_without_a_key_the_data(world: World) -> None:
    """The page tells no name; a wrong key, and a header that only the platform may set, open nothing."""
    known = world.sandbox.endpoints["functions"]
    status, page, headers = get(known["url"], "/api/dashboard")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "prod" not in page
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    script = page.split('<script src="')[1].split('"')[0]
    status, _, headers = get(known["url"], script)
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in headers["cache-control"]
    data = "/api/dashboard/data?cluster=prod"
    for wrong in (
        {},
        {"x_functions_key": "no"},
        {"X_MS_CLIENT_PRINCIPAL": "e30=", "X_MS_CLIENT_PRINCIPAL_ID": "me"},
    ):
        status, text, _ = get(known["url"], data, **wrong)
        assert (status, "pls-web" in text) == (401, False)
    status, text, headers = get(
        known["url"], data, x_functions_key=known["keys"]["functions"]["dashboard_data"]["default"]
    )
    assert status == 200
    assert "pls-web" in json.loads(text)["detail"]
    assert headers["cache-control"] == "no-store"


def test_looking_asks_neither_azure_nor_the_cluster(world: World) -> None:
    """However often, paused or not; nobody else of ours asks meanwhile."""
    world.expect(world.sandbox.function("POST", "/api/pause?cluster=prod"), 200)
    world.wait("the functions rest", lambda: not running(world))
    world.forget_requests()
    world.sandbox.cluster_backdoor("prod", "DELETE", "requests")
    for _ in range(3):
        body = world.expect(world.sandbox.function("GET", "/api/dashboard/data"), 200)
        assert "Paused" in body["overview"]
    assert [line for line in world.requests() if line["user"] == OURS] == []
    asked = world.expect(world.sandbox.cluster_backdoor("prod", "GET", "requests"), 200)["value"]
    assert [line for line in asked if line["user"] == "sandbox-admin"] == []
    world.expect(world.sandbox.function("POST", "/api/resume?cluster=prod"), 202)


def running(world: World) -> int:
    """How many calls of functions run now."""
    known = world.expect(world.sandbox.function("GET", "/admin/functions"), 200)
    return sum(int(each["running"]) for each in known)


def test_where_the_platform_signs_people_in_its_ticket_opens_the_data(world: World, tmp_path: Path) -> None:
    """Without a key; and a key without the ticket does not: nobody has checked it."""
    with host(world, tmp_path, "portal", ("--no-timers",), WEBSITE_AUTH_ENABLED="True") as portal:
        url, key = portal.running.url, json.loads(portal.running.keys.read_text())["masterKey"]
        status, text, _ = get(url, "/api/dashboard/data", X_MS_CLIENT_PRINCIPAL="e30=")
        assert (status, json.loads(text)["cluster"]) == (200, "prod")
        for wrong in ({}, {"x_functions_key": key}):
            status, text, _ = get(url, "/api/dashboard/data", **wrong)
            assert (status, json.loads(text)["error"]["code"]) == (401, "SignIn")
        assert get(url, "/api/status", X_MS_CLIENT_PRINCIPAL="e30=")[0] == 401
        assert 'data-ticket="session"' in get(url, "/api/dashboard")[1]
