"""The script that uploads the package with az: the package as it is, to its end, and failures that are told."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep import INFRA, ROOT
from tests.infra.sites import served

SCRIPT = INFRA / "hooks/publish.py"
PACKAGE = b"PK-the-package"
UPLOAD = ("POST", "/api/publish?RemoteBuild=false", "Bearer the-token", PACKAGE)
LOOK = ("GET", "/api/deployments/the-id", "Bearer the-token", b"")


class _Site(BaseHTTPRequestHandler):
    """The app's deployment site: notes what it is asked, and answers GETs with ``answers`` in turn."""

    seen: list[tuple[str, str, str, bytes]]
    upload: tuple[int, object]
    answers: list[tuple[int, object]]

    def do_POST(self) -> None:
        self._answer(self.upload)

    def do_GET(self) -> None:
        self._answer(self.answers.pop(0))

    def _answer(self, answer: tuple[int, object]) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, self.headers["Authorization"], content))
        body = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def publish() -> Iterator[Callable[[], None]]:
    """The upload to a site on this machine."""
    _Site.seen, _Site.upload, _Site.answers = [], (202, "the-id"), []
    script = runpy.run_path(str(SCRIPT))
    with served(_Site) as site:
        address = f"http://127.0.0.1:{site.server_port}"
        yield lambda: script["publish"](address, "the-token", PACKAGE, pause=0, tries=4)


def status(number: int, text: str = "") -> tuple[int, object]:
    return 200, {"status": number, "status_text": text}


def test_the_package_goes_up_as_it_is_and_its_end_is_waited_for(publish: Callable[[], None]) -> None:
    """A build in Azure would take another Python, check no hashes and leave bytecode out."""
    _Site.answers = [(404, ""), status(0), status(2), status(4)]
    publish()
    assert _Site.seen == [UPLOAD, LOOK, LOOK, LOOK, LOOK]


def test_who_was_seen_and_is_gone_is_done(publish: Callable[[], None]) -> None:
    """The site forgets a deployment soon after its end."""
    _Site.answers = [status(2), (404, "")]
    publish()
    assert _Site.answers == []


@pytest.mark.parametrize("number", [-1, 3, 5, 6])
def test_a_deployment_that_fails_is_told(number: int, publish: Callable[[], None]) -> None:
    """The hook after it would find the functions of the last package, and call all well."""
    _Site.answers = [status(number, "no room")]
    with pytest.raises(SystemExit, match=f"status {number}: no room"):
        publish()


def test_one_that_does_not_end_is_given_up(publish: Callable[[], None]) -> None:
    """A site that is never heard of again, or answers nothing that helps."""
    _Site.answers = [(404, ""), (503, ""), status(0), status(1)]
    with pytest.raises(SystemExit, match="does not end"):
        publish()


def test_a_refused_upload_says_why_and_tells_no_token(publish: Callable[[], None]) -> None:
    """403 while rights take effect: the way out is on the page."""
    _Site.upload = (403, "no right to write")
    with pytest.raises(SystemExit, match=r"403.*no right to write") as told:
        publish()
    assert "the-token" not in str(told.value)


def test_it_asks_for_the_deployments_own_app(tmp_path: Path) -> None:
    """The outputs of the deployment, in the subscription that azd or the person named; what is missing is named."""
    script, package, az = (tmp_path / name for name in ("infra/hooks/publish.py", "dist/package.zip", "az"))
    script.parent.mkdir(parents=True)
    shutil.copy(SCRIPT, script)
    az.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexit 3\n')
    az.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AZURE_RESOURCE_GROUP": "rg"}

    def run() -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-I", script], env=environ, capture_output=True, text=True)
        return done.returncode, done.stderr

    assert run() == (1, "FUNCTION_APP_NAME: is not set\n")
    environ |= {"FUNCTION_APP_NAME": "func-pls", "AZURE_SUBSCRIPTION_ID": "sub"}
    assert run() == (1, "There is no dist/package.zip: make package\n")
    package.parent.mkdir()
    package.write_bytes(PACKAGE)
    assert run() == (3, "")
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.startswith("functionapp show --resource-group rg --name func-pls --query ")
    assert asked.endswith(" --output tsv --subscription sub")


def test_the_page_deploys_with_it() -> None:
    """`config-zip` has Python built in Azure on this plan."""
    page = (ROOT / "docs/deploy.md").read_text()
    assert "python3 infra/hooks/publish.py" in page
    assert "config-zip" not in page
