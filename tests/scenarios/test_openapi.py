"""What the running functions answer is what docs/reference/openapi.yaml describes: good answers, mistakes, no key."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.docs.openapi import amiss, operations
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

Json = dict[str, Any]


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """A cluster with an owner, a connection, one that is refused, and a write by hand that was set back."""
    world = start(SandboxOptions(clusters=("prod", "dev"), provisioning_seconds=0.3))
    pls_id = world.make("prod", "web", pls_visibility="*")
    world.make("prod", "bad", port=81, pls_ip_configuration_ip_address_count="many")
    world.ready(pls_id)
    world.connect(pls_id, "consumer")
    world.finding("prod", "InvalidSettings", "bad")
    return world


class Asked:
    """Calls over HTTP; what is amiss with an answer fails the test. Statuses are remembered by call."""

    def __init__(self, world: World) -> None:
        functions = world.sandbox.endpoints["functions"]
        self._url, self._key = functions["url"], functions["keys"]["masterKey"]
        self.statuses: set[tuple[str, int]] = set()
        self.etag = ""

    def __call__(
        self, operation: str, query: str = "", body: Json | None = None, name: str = "", **headers: str
    ) -> Any:
        """The body of an answer. ``name`` is part of the path; headers are ``x_functions_key`` and so on."""
        method, path, _ = operations()[operation]
        path = path.replace("{name}", name)
        given = {"x-functions-key": self._key} | {n.replace("_", "-"): v for n, v in headers.items()}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self._url}/api{path}{query}", data, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return self._judged(operation, reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as refused:
            return self._judged(operation, refused.code, refused.headers, refused.read())

    def _judged(self, operation: str, status: int, headers: Any, content: bytes) -> Any:
        mimetype = headers.get_content_type()
        body = json.loads(content) if content and mimetype == "application/json" else content.decode()
        assert amiss(operation, status, body, mimetype) == []
        self.statuses.add((operation, status))
        self.etag = headers.get("ETag", "")
        return body


@pytest.fixture(scope="module")
def ask(world: World) -> Asked:
    return Asked(world)


def test_what_is_looked_at(world: World, ask: Asked) -> None:
    """A plan with a refusal, a status with a PLS and its connection, a history with writes."""
    world.quiet_plan("prod")
    (plan,) = ask("plan", "?cluster=prod")["plans"]
    assert [finding["reason"] for finding in plan["findings"]] == ["InvalidSettings"]
    asked = {"cluster": "prod", "wait": True}  # while another run is under way the answer has none
    run = world.wait("a run of prod", lambda: ask("resync", body=asked).get("run"))
    assert run["services"] == 2
    status = ask("status")
    (prod,) = [cluster for cluster in status["clusters"] if cluster["name"] == "prod"]
    assert prod["privateLinkServices"][0]["connections"]
    assert prod["lastRun"]["run"]
    assert {"write", "finding"} <= {entry["kind"] for entry in ask("history", "?limit=500")["entries"]}
    assert ask("health", x_functions_key="") == {"status": "ok"}


def test_what_is_done(ask: Asked) -> None:
    """Queued, planned, run; paused and resumed; a release that is none."""
    assert ask("resync")["queued"] == ["dev", "prod"]
    assert "plans" in ask("resync", "?dryRun=true")
    assert ask("pause", body={"cluster": "dev"})["paused"] is True
    assert ask("resync", "?cluster=dev")["error"]["code"] == "Paused"
    assert ask("resume", "?cluster=dev")["queued"] == ["dev"]
    assert ask("release", "?cluster=dev&digest=0123456789ab")["error"]["code"] == "NothingHeld"


def test_mistakes_and_keys(ask: Asked) -> None:
    """Of every call that takes a key: none, and a parameter that it does not know."""
    for operation, (_, _, told) in operations().items():
        if told.get("security", True):
            ask(operation, x_functions_key="wrong")
            if not operation.startswith("dashboard"):
                assert ask(operation, "?nope=1")["error"]["code"] == "BadParameter"
            more = "&digest=x" if operation == "release" else ""
            assert ask(operation, f"?cluster=nowhere{more}")["error"]["code"] == "UnknownCluster"
    assert {status for _, status in ask.statuses} >= {200, 202, 400, 401, 404, 409}


def test_the_pages_own_calls(world: World, ask: Asked) -> None:
    """The page and its files without a key, its data with one, and once more while nothing has changed."""
    page = ask("dashboard", x_functions_key="")
    files = re.findall(r'"static/([\w.-]+)"|dashboard/static/([\w.-]+)', page)
    assert len(files) > 1
    for name in ["missing.js", *(one or other for one, other in files)]:
        ask("dashboard_file", name=name, x_functions_key="")
    assert {("dashboard_file", 200), ("dashboard_file", 404)} <= ask.statuses
    assert ask("dashboard_data", "?cluster=dev")["cluster"] == "dev"

    def seen_again() -> bool:
        ask("dashboard_data", "?cluster=dev", if_none_match=ask.etag)
        return ("dashboard_data", 304) in ask.statuses

    world.wait("an answer that is as the one before", seen_again)
