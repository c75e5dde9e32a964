"""What a cold start loads: each library that can wait for its first use does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WAITING = (
    "azure.eventgrid",
    "azure.identity",
    "azure.mgmt",
    "azure.monitor",
    "azure.storage.blob",
    "jinja2",
    "kubernetes",
    "opentelemetry.sdk",
)


def test_libraries_wait_for_their_first_use() -> None:
    """An import at the top of a module would be paid for by every start, whatever it is for."""
    code = f"import sys, function_app; print(*[n for n in {WAITING} if n in sys.modules])"
    told = {**os.environ, "PYTHONWARNINGS": "ignore"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=told,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert found.stdout.split() == []
