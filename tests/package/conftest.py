"""The package, built once for all tests by ``make package`` itself."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Built:
    """What `make package` made: the folder of app and package.zip, and by which Python of which version."""

    dist: str
    python: str
    version: str

    @property
    def archive(self) -> Path:
        """The zip."""
        return Path(self.dist, "package.zip")

    def unpack(self, folder: Path) -> Path:
        """The zip's content in a folder of its own."""
        with zipfile.ZipFile(self.archive) as zipped:
            zipped.extractall(folder)
        return folder


def make(*arguments: str) -> str:
    """What a make says that knows nothing of the make that runs the tests."""
    own = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    command = ["make", "--silent", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(dist: Path) -> Built:
    """For the Python of the platform; where this machine has none, for the one that runs the tests."""
    line = 'found: ; @echo "$(PACKAGE_VERSION) $(PACKAGE_PYTHON)"'
    version, _, python = make("--eval", line, "found").strip().partition(" ")
    if not python:
        version, python = "{}.{}".format(*sys.version_info), sys.executable
    make("package", f"PACKAGE_VERSION={version}", f"PACKAGE_PYTHON={python}", f"ARGS=--dist {dist}")
    return Built(str(dist), python, version)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """One for all workers: who comes first builds it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "package"
    shared.mkdir(exist_ok=True)
    known = shared / "built.json"
    with _alone(shared / "lock"):
        if not known.exists():
            known.write_text(json.dumps(asdict(built(shared / "dist"))), encoding="utf-8")
    return Built(**json.loads(known.read_text(encoding="utf-8")))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
