"""The Bicep compiler itself, where it is on PATH (in the workflow it is)."""

import json
import shutil
import subprocess

import pytest

from tests.infra.bicep import INFRA, ROOT

BICEP = shutil.which("bicep") or ""
pytestmark = pytest.mark.skipif(not BICEP, reason="the Bicep CLI is not on PATH; no package registry has it")


def bicep_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BICEP, *arguments, str(INFRA / "main.bicep")], cwd=ROOT, capture_output=True, text=True
    )


def test_it_builds() -> None:
    """Types of resources, functions' arguments, scopes: what the other tests cannot see."""
    built = bicep_cli("build", "--stdout")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["resources"]


def test_it_lints() -> None:
    """bicepconfig.json says which rules are errors."""
    linted = bicep_cli("lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr
