"""What `pip install` of the project holds: all that the modules read, and the command `plsctl`."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

from reconciler.cli import plsctl

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_files_that_are_no_modules_are_installed_too() -> None:
    """Templates and styles are read from beside the modules."""
    setuptools = PROJECT["tool"]["setuptools"]
    named = {
        file
        for package, patterns in setuptools["package-data"].items()
        for pattern in patterns
        for file in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    files = {f for f in (ROOT / "reconciler").rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc")}
    assert files
    assert files <= named
    packages = {f.parent for f in (ROOT / "reconciler").rglob("*.py")}
    assert all((package / "__init__.py").is_file() for package in packages)


def test_the_command_is_the_one_that_is_tested() -> None:
    """`make setup` installs the project, so that .venv/bin/plsctl is there."""
    (found,) = entry_points(group="console_scripts", name="plsctl")
    assert found.load() is plsctl
    assert PROJECT["project"]["scripts"] == {"plsctl": found.value}
