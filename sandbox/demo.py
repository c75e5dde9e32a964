"""`make demo`: the documents' story on a fresh sandbox, a line per step with the time it took.

Everything is asked of the outside only: the clusters' API, ARM, and the functions over HTTP. A step that does
not come true within its time ends the demo with 1 and what was seen instead.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from sandbox.demo_steps import STEPS
from sandbox.demo_world import DemoWorld, StepFailed
from sandbox.functions.process import FunctionsUnavailable
from sandbox.storage import StorageUnavailable
from sandbox.up import Sandbox, SandboxOptions

ROOT = Path(__file__).parents[1]
GRACE_SECONDS = 3


def run(argv: list[str]) -> int:
    """Play the story: 0 if each step came true."""
    parser = argparse.ArgumentParser(prog="python -m sandbox demo", description=__doc__)
    parser.add_argument("--provisioning-seconds", type=float, default=1.0)
    given = parser.parse_args(argv)
    began = time.monotonic()
    options = SandboxOptions(
        clusters=("prod", "dev"),
        provisioning_seconds=given.provisioning_seconds,
        extra_settings={"GRACE_SECONDS": str(GRACE_SECONDS)},
    )
    try:
        with Sandbox.start(options) as sandbox:
            _line("start Azure, two clusters, storage and the functions", time.monotonic() - began)
            played = _play(sandbox)
            _show_status(sandbox)
    except (StorageUnavailable, FunctionsUnavailable, OSError) as error:
        print(f"The demo cannot start: {error}", file=sys.stderr)
        return 1
    print(f"{'All steps came true' if played else 'A step failed'} ({time.monotonic() - began:.0f} s).")
    return 0 if played else 1


def _play(sandbox: Sandbox) -> bool:
    world = DemoWorld(sandbox)
    for title, step in STEPS:
        began = time.monotonic()
        try:
            detail = step(world)
        except StepFailed as failure:
            _line(title, time.monotonic() - began, mark="✗")
            print(f"      {failure}")
            print("      the end of the functions' log:")
            log = (sandbox.state / "functions.log").read_text(errors="replace").splitlines()
            print("\n".join(f"      | {line}" for line in log[-15:]))
            return False
        _line(title, time.monotonic() - began)
        for line in filter(None, detail.splitlines()):
            print(f"      {line}")
    return True


def _line(title: str, seconds: float, mark: str = "✓") -> None:
    print(f"  {mark} {seconds:5.1f} s  {title}", flush=True)


def _show_status(sandbox: Sandbox) -> None:
    """The product's own status command, with the sandbox's settings."""
    print("\n$ python -m reconciler status", flush=True)
    subprocess.run(
        [sys.executable, "-m", "reconciler", "status"],
        cwd=ROOT,
        env={**os.environ, **sandbox.settings},
        check=False,
    )
    print()
