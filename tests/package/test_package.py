"""What `make package` builds: only what runs, complete, from bytecode, and the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sandbox.demo_world import DemoWorld
from sandbox.up import Sandbox, SandboxOptions
from tests.chaos_mode import FULL
from tests.package.conftest import ROOT, Built, built
from tests.package.test_dependencies import NOT_IMPORTED, declared, third_party
from tools.package import FOR_ASYNCIO, SITE_PACKAGES

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.azurite,
    pytest.mark.timeout(300),
]  # the first waits for the build

Json = dict[str, Any]


@pytest.fixture(scope="module")
def app(package: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, unpacked."""
    return package.unpack(tmp_path_factory.mktemp("unpacked"))


def names(package: Built) -> list[str]:
    """What the zip holds."""
    with zipfile.ZipFile(package.archive) as zipped:
        return zipped.namelist()


def test_only_what_runs_is_in_it(package: Built) -> None:
    """No tests, no sandbox, no command line, no page; of dependencies no commands and nothing of this machine's pip."""
    below = {name.split("/")[0] for name in names(package)}
    assert below == {".python_packages", "function_app.py", "__pycache__", "host.json", "reconciler"}
    ours = {name for name in names(package) if name.startswith("reconciler/") and not name.endswith(".pyc")}
    known = {path.relative_to(ROOT).as_posix() for path in (ROOT / "reconciler").rglob("*") if path.is_file()}
    left = {name for name in known - ours if not name.endswith(".pyc")}
    assert left == {name for name in left if name.startswith(("reconciler/cli/", "reconciler/__main__.py"))}
    theirs = {
        name.removeprefix(f"{SITE_PACKAGES}/") for name in names(package) if name.startswith(SITE_PACKAGES)
    }
    noise = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
    assert [
        name for name in theirs if "/tests/" in name or name.startswith("bin/") or name.endswith(noise)
    ] == []


def test_each_module_has_its_bytecode(package: Built) -> None:
    """Of the one version that runs it, and none without its source."""
    sources = {name for name in names(package) if name.endswith(".py")}
    compiled = [name for name in names(package) if name.endswith(".pyc")]
    folders = [(name.rpartition("__pycache__/")[0], name.rpartition("/")[2]) for name in compiled]
    assert sorted(f"{folder}{name.split('.')[0]}.py" for folder, name in folders) == sorted(sources)
    assert len({name.split(".")[1] for _, name in folders}) == 1


def test_nothing_names_the_machine_that_built_it(package: Built, app: Path) -> None:
    """Its paths would tell of it, and differ between two machines."""
    machine = {str(ROOT).encode(), package.dist.encode(), str(Path(package.python).parent).encode()}
    telling = [
        path for path in app.rglob("*") if path.is_file() and any(m in path.read_bytes() for m in machine)
    ]
    assert telling == []


def test_it_holds_what_is_declared_and_what_that_needs(package: Built, app: Path) -> None:
    """Each version is the lock's; nothing is missing, and nothing is there that nobody needs, or only asyncio."""
    found = map(PathDistribution, (app / SITE_PACKAGES).glob("*.dist-info"))
    held: dict[str, PathDistribution] = {canonicalize_name(known.metadata["Name"]): known for known in found}
    unused = {canonicalize_name(name) for name in FOR_ASYNCIO}
    locked = [
        each
        for each in declared("requirements.lock")
        if applies(each, package.version) and canonicalize_name(each.name) not in unused
    ]
    assert {(canonicalize_name(each.name), str(each.specifier)) for each in locked} == {
        (name, f"=={known.version}") for name, known in held.items()
    }
    needed: set[str] = set(unused)
    for each in declared("requirements.txt"):
        follow(each, held, package.version, needed)
    assert needed - unused == held.keys()
    assert unused <= {canonicalize_name(each.name) for each in declared("requirements.lock")}


def applies(requirement: Requirement, version: str) -> bool:
    """Whether a requirement without extras counts for a version of Python."""
    known = {"python_version": version, "python_full_version": f"{version}.0", "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(known)


def follow(wanted: Requirement, held: dict[str, PathDistribution], version: str, found: set[str]) -> None:
    """Add what a requirement leads to, extras aside: PyJWT's is cryptography, which others ask for, too."""
    name = canonicalize_name(wanted.name)
    if not applies(wanted, version) or name in found:
        return
    found.add(name)
    for line in held[name].requires or ():
        follow(Requirement(line), held, version, found)


def test_a_reconcile_runs_from_it(package: Built, app: Path) -> None:
    """Whatever the product imports is there, and nothing is compiled or taken from elsewhere on the way."""
    before = listing(app)
    options = SandboxOptions(clusters=("prod",), provisioning_seconds=0.1, functions=False)
    with Sandbox.start(options) as sandbox:
        world = DemoWorld(sandbox)
        annotations = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": "packed"}
        world.apply_service("prod", "packed", annotations)
        world.address("prod", "packed")
        group = sandbox.endpoints["clusters"]["prod"]["nodeResourceGroup"]
        open_subnet(world, group)
        said = woken_up(package, app, sandbox)
        world.wait_for_pls(world.pls_id(group, "packed"), "the PLS is there", lambda pls: True)
    assert said["compiled"] == []
    assert listing(app) == before
    assert strangers(said["modules"], app, said["stdlib"]) == set()
    assert {
        cached for file, cached in said["modules"].values() if is_below(app, file) and file.endswith(".py")
    } <= {str(app / name) for name in before}


def open_subnet(world: DemoWorld, group: str) -> None:
    """What the first run would do, so that the next makes the PLS at once."""
    network = f"{world.group(group)}/providers/Microsoft.Network/virtualNetworks/aks-vnet"
    subnet = f"{network}/subnets/default"

    def settled() -> Json | None:
        body: Json = world.expect(world.sandbox.arm("GET", subnet), 200)
        return body if body["properties"]["provisioningState"] == "Succeeded" else None

    body = world.wait("the subnet is there", settled)
    body["properties"]["privateLinkServiceNetworkPolicies"] = "Disabled"
    world.expect(world.sandbox.arm("PUT", subnet, body), 200, 201)
    world.wait("the subnet is written", settled)


def woken_up(package: Built, app: Path, sandbox: Sandbox) -> Json:
    """One wake-up in a process of its own, after which everything is imported that the product ever imports."""
    program = Path(__file__).with_name("wake_up.py")
    later = sorted({*third_party(), *(name.replace("-", ".") for name in NOT_IMPORTED)})
    done = subprocess.run(
        [package.python, "-I", "-S", "-W", "ignore", str(program), str(app), "prod", *later],
        env={name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        | sandbox.settings,
        cwd=app.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    said: Json = json.loads(done.stdout.splitlines()[-1])
    return said


def is_below(folder: Path, file: str) -> bool:
    """Whether a file is in a folder."""
    return file.startswith(f"{folder}/")


def strangers(modules: dict[str, tuple[str, str | None]], app: Path, stdlib: str) -> set[str]:
    """Modules that came from neither the package nor the standard library."""
    others = {file for file, _ in modules.values() if not is_below(app, file)}
    return {file for file in others if not is_below(Path(stdlib), file) or "/site-packages/" in file}


def listing(folder: Path) -> dict[str, int]:
    """Each file and when it was written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.chaos
def test_the_same_bytes_again(package: Built, app: Path, tmp_path: Path) -> None:
    """Compiled and packed elsewhere, from files written at another time and in another order.

    With CHAOS=full all of it again, from the wheels on.
    """
    if FULL:
        again = built(tmp_path / "far/away").archive
    else:
        again = tmp_path / "again.zip"
        copy = sources_again(app, tmp_path / "far/away")
        program = "import sys; from pathlib import Path; from tools.package import compile_bytecode, pack; "
        program += "compile_bytecode(Path(sys.argv[1])); pack(Path(sys.argv[1]), Path(sys.argv[2]))"
        subprocess.run(
            [package.python, "-c", program, str(copy), str(again)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu"},
            check=True,
        )
    assert digest(again) == digest(package.archive)


def sources_again(app: Path, folder: Path) -> Path:
    """What is not bytecode, written last first."""
    for path in sorted((path for path in app.rglob("*") if path.is_file()), reverse=True):
        if path.suffix != ".pyc":
            target = folder / path.relative_to(app)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder


def digest(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
