"""What the product imports is declared, what is declared is used, and the lock is what is declared."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NOT_IMPORTED = {
    "azure-monitor-opentelemetry": "the platform's worker sets telemetry up with it",
}


def declared(name: str) -> list[Requirement]:
    """The requirements of a file, with version and marker. Hashes and comments are cut off."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = (re.split(r"\s#|\s\\", line)[0].strip() for line in lines if re.match(r"[A-Za-z]", line))
    return [Requirement(line) for line in found]


def names(requirements: list[Requirement]) -> set[str]:
    """As the index spells them."""
    return {canonicalize_name(requirement.name) for requirement in requirements}


def deployed() -> list[Path]:
    """The modules of the product that run in Azure: all but the command line."""
    product = ROOT / "reconciler"
    modules = (path for path in product.rglob("*.py") if product / "cli" not in path.parents)
    return [ROOT / "function_app.py", *modules]


def imports() -> Iterator[str]:
    """Dotted names that they import, at the top or at first use."""
    for path in deployed():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def third_party() -> set[str]:
    """Of those, what a package has to bring."""
    own = {*sys.stdlib_module_names, "reconciler"}
    return {name for name in imports() if name.split(".")[0] not in own}


@cache
def _files() -> dict[str, str]:
    """Path below site-packages → the package that brings it."""
    return {str(path): _name(known) for known in distributions() for path in known.files or ()}


def _name(distribution: Distribution) -> str:
    return canonicalize_name(distribution.metadata["Name"])


def package_of(name: str) -> str:
    """The package that brings a module, or what a module names. Several share the namespace `azure`."""
    path = name.replace(".", "/")
    for candidate in (f"{path}.py", f"{path}/__init__.py"):
        if candidate in _files():
            return _files()[candidate]
    assert "." in name, f"no package brings {name}"
    return package_of(name.rpartition(".")[0])


def test_what_the_product_imports_is_declared() -> None:
    """What another package happens to bring would be gone, or another, when that one changes."""
    used = {package_of(name) for name in third_party()}
    assert used - names(declared("requirements.txt")) == set()


def test_what_is_declared_is_used() -> None:
    """Each package is a megabyte to load and a supplier to trust."""
    used = {package_of(name) for name in third_party()}
    assert names(declared("requirements.txt")) - used == NOT_IMPORTED.keys()


def test_the_lock_holds_what_is_declared() -> None:
    """`make lock` was run after the last change. What these need in turn, pip asks for when the package is built."""
    locked = {(canonicalize_name(each.name), str(each.specifier)) for each in declared("requirements.lock")}
    wanted = {(canonicalize_name(each.name), str(each.specifier)) for each in declared("requirements.txt")}
    assert wanted - locked == set()


def test_each_locked_package_has_hashes() -> None:
    """One without would be refused by pip only when it is needed, which depends on the Python."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z])", text)[1:]
    assert len(entries) == len(declared("requirements.lock"))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
