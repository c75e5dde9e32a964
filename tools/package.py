"""The zip that is deployed: ``make package`` writes dist/app and, of the same files, dist/package.zip.

For Azure Functions, Flex Consumption (Linux x86_64): the product, and what requirements.lock names below the folder
where the platform's worker looks. Bytecode is compiled here, since the platform mounts the package read-only and would
compile it anew at each start; it holds for one minor version of Python, so that this runs on the version it is for.
Nothing but that Python and its pip is needed.

The same sources and the same Python give the same bytes, in whichever folder: entries are sorted and have one time,
bytecode is bound to no times of sources, names the platform's paths, and is compiled in one order with one hash seed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
KINDS = ("py", "css", "html", "js", "svg")  # not just any file that an editor or a test left there
SOURCES = ("function_app.py", "host.json", *(f"reconciler/**/*.{kind}" for kind in KINDS))
SITE_PACKAGES = ".python_packages/lib/site-packages"
RUNTIME_FOLDER = "/home/site/wwwroot"  # tracebacks name files there, not on the machine that compiled them
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
# Declared by the packages of the lock for asyncio, which nothing here uses. Where aiohttp is there, the storage SDK imports
# it at once: a fifth of what a cold start imports.
FOR_ASYNCIO = ("aiohappyeyeballs", "aiohttp", "aiohttp_retry", "aiosignal", "attrs", "frozenlist")
LEFT_OUT = (
    "reconciler/cli",  # for people's machines, with packages of its own
    "reconciler/__main__.py",
    f"{SITE_PACKAGES}/kubernetes/aio",  # the whole client once more, for asyncio: 41 MB; nothing imports it
    *(f"{SITE_PACKAGES}/{name}" for name in (*FOR_ASYNCIO, "attr")),  # attrs has two
    *(f"{SITE_PACKAGES}/{name}-*.dist-info" for name in FOR_ASYNCIO),
    f"{SITE_PACKAGES}/*/tests",
    f"{SITE_PACKAGES}/bin",  # commands; they begin with the path of this machine's Python
    f"{SITE_PACKAGES}/*.dist-info/INSTALLER",
    f"{SITE_PACKAGES}/*.dist-info/RECORD",
    f"{SITE_PACKAGES}/*.dist-info/REQUESTED",
    f"{SITE_PACKAGES}/*.dist-info/direct_url.json",
)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell
MEGABYTE = 1_000_000


def build(app: Path) -> None:
    """Everything that is deployed, into the folder ``app``, which is made anew."""
    shutil.rmtree(app, ignore_errors=True)
    _copy_sources(app)
    _install(app / SITE_PACKAGES)
    _leave_out(app)
    compile_bytecode(app)


def _copy_sources(app: Path) -> None:
    for source in (path for pattern in SOURCES for path in ROOT.glob(pattern)):
        target = app / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _install(target: Path) -> None:
    """Wheels for the platform, whatever this machine is. pip refuses what the lock does not name with its hash."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--root-user-action=ignore"]
    exact = ["--require-hashes", "--only-binary=:all:", "--no-compile", f"--requirement={LOCK}"]
    version = "{}.{}".format(*sys.version_info)
    platform = [
        *(f"--platform={name}" for name in PLATFORMS),
        "--implementation=cp",
        f"--python-version={version}",
    ]
    subprocess.run([*pip, *exact, *platform, f"--target={target}"], check=True)  # noqa: S603


def _leave_out(app: Path) -> None:
    for pattern in LEFT_OUT:  # one after the other: what is left out by one may hold what another names
        for path in list(app.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def compile_bytecode(app: Path) -> None:
    """One process, no `-j`: what is written twice or once into bytecode depends on what was compiled before it."""
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    renamed = ["-s", str(app), "-p", RUNTIME_FOLDER]
    subprocess.run([*command, *renamed, str(app)], env={**own, "PYTHONHASHSEED": "0"}, check=True)  # noqa: S603


def pack(app: Path, archive: Path) -> None:
    """The folder as a zip; ``archive`` is there when it is complete."""
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(part, "w") as zipped:
        for name, path in files(app):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, also where this is Windows
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            zipped.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    part.replace(archive)


def files(app: Path) -> Iterator[tuple[str, Path]]:
    """Names within the folder, with slashes and sorted, and where they are."""
    found = (path for path in app.rglob("*") if path.is_file())
    yield from sorted((path.relative_to(app).as_posix(), path) for path in found)


def summary(app: Path, archive: Path) -> str:
    """What was built, for people: sizes, the largest parts, the digest."""
    sizes = {name: path.stat().st_size for name, path in files(app)}
    bytecode = sum(size for name, size in sizes.items() if name.endswith(".pyc"))
    parts: Counter[str] = Counter()
    for name, size in sizes.items():
        parts[_part(name)] += size
    python = "{}.{}.{}".format(*sys.version_info)
    lines = (
        f"{archive}: {_megabytes(archive.stat().st_size)}, for Python {python[: python.rindex('.')]} on Linux x86_64",
        f"unpacked: {_megabytes(sum(sizes.values()))} in {len(sizes)} files, of that bytecode {_megabytes(bytecode)}",
        "largest: " + ", ".join(f"{part} {_megabytes(size)}" for part, size in parts.most_common(8)),
        f"sha256: {hashlib.sha256(archive.read_bytes()).hexdigest()} (compiled by Python {python})",
    )
    return "\n".join(lines)


def _part(name: str) -> str:
    """The package that a file belongs to; namespaces are told apart."""
    within = name.removeprefix(f"{SITE_PACKAGES}/").split("/")
    depth = 3 if within[:2] == ["azure", "mgmt"] else 2 if within[0] in ("azure", "opentelemetry") else 1
    return "/".join(within[:depth])


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MB"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.package", description="Build what is deployed.")
    parser.add_argument(
        "--dist", type=Path, default=ROOT / "dist", help="where app and package.zip are written"
    )
    parser.add_argument(
        "--python", metavar="X.Y", help="fail unless this is the version of the Python that runs"
    )
    told = parser.parse_args()
    running = "{}.{}".format(*sys.version_info)
    if told.python not in (None, running):
        parser.error(f"the package is for Python {told.python}, and this is {running}: {sys.executable}")
    dist: Path = told.dist.resolve()
    try:
        build(dist / "app")
    except subprocess.CalledProcessError as error:  # it has said itself what is wrong
        sys.exit(f"no package: {error.cmd[2]} failed")
    pack(dist / "app", dist / "package.zip")
    print(summary(dist / "app", dist / "package.zip"))


if __name__ == "__main__":
    main()
