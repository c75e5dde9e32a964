"""The GitHub workflow."""

import re
from typing import Any

import yaml

from tests.infra.bicep import ROOT

FILE = ROOT / ".github/workflows/ci.yml"


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["jobs"]["test"]["steps"]
    return found


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved to other code."""
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)


def test_it_runs_the_tests_and_the_bicep_compiler() -> None:
    """The only place where the compiler is sure to see the files."""
    commands = "\n".join(step.get("run", "") for step in steps())
    for command in (
        "make test",
        "make package",
        "bicep lint infra/main.bicep",
        "bicep build infra/main.bicep",
    ):
        assert command in commands


def test_it_may_read_and_nothing_else() -> None:
    """A token that a changed test could use."""
    told = yaml.safe_load(FILE.read_text())
    assert told["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in FILE.read_text()
