"""`make audit` tells apart: something found, nothing found, nobody asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.package.test_dependencies import ROOT
from tools.audit import verdict

Json = dict[str, Any]
ADVISORY = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1"],
    "summary": "it can be done",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "urllib3"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


@contextmanager
def advisories(about: str, status: int = 200) -> Iterator[str]:
    """A service of advisories in the form of OSV, with one about a package; its address."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = [ADVISORY] if asked["package"]["name"] == about else []
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit(address: str) -> tuple[int, str]:
    """Exit code and words of the tool that asks this service."""
    command = [sys.executable, "-m", "tools.audit", "--vulnerability-service=osv", f"--osv-url={address}"]
    direct = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        command, cwd=ROOT, env=direct, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout


def test_a_vulnerability_fails_the_audit() -> None:
    """With its package, its names and the version that repairs it."""
    with advisories("urllib3") as address:
        code, said = audit(address)
    assert code == 1
    assert "urllib3" in said
    assert "PYSEC-2026-1, CVE-2026-1; repaired in 99.0" in said


def test_no_vulnerability_passes() -> None:
    """Each package of the lock was asked about."""
    with advisories("another") as address:
        code, said = audit(address)
    assert code == 0
    assert "packages checked, no known vulnerability" in said


def test_a_service_that_cannot_be_reached_is_told() -> None:
    """Not a failure, and not "nothing found" either."""
    code, said = audit("http://127.0.0.1:9/v1/query")
    assert code == 0
    assert "nothing was checked" in said


@pytest.mark.parametrize(
    ("packages", "words", "code"),
    [
        ([{"name": "a", "skip_reason": "not found"}], "nothing was checked", 0),
        (
            [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}],
            "not checked: a",
            0,
        ),
        ([], "nothing was checked", 0),
    ],
)
def test_what_was_not_checked_is_said(packages: list[Json], words: str, code: int) -> None:
    """A mirror that knows no advisories says of each package that it does not know it."""
    said, found = verdict({"dependencies": packages})
    assert words in said
    assert found == code
