"""docs/tutorial.md and README's terminal session: run as they stand, they print what the pages show.

Compared is what stays the same from run to run: names, states, reasons and sentences, not ids, addresses and times.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.up import Sandbox, SandboxOptions
from tests.docs import session, walkthrough
from tests.docs.pages import text_of
from tests.docs.walkthrough import Failed, Step, outputs, stable, steps, without

TUTORIAL = steps(text_of(walkthrough.PAGE))


def why_not_kubectl() -> str:
    """Why the tutorial cannot be run with the kubectl that is here; "" where it can."""
    if not shutil.which("kubectl"):
        return "no kubectl on this machine"
    asked = subprocess.run(
        ["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, check=False
    )
    version = json.loads(asked.stdout)["clientVersion"]
    fits = (int(version["major"]), int(version["minor"].strip("+"))) >= (1, 31)
    return "" if fits else f"kubectl {version['gitVersion']} is older than 1.31"


@pytest.mark.timeout(300)  # az alone takes seconds per line
def test_the_tutorial(tmp_path: Path) -> None:
    """Every block in its order; without az on the machine, the sections that need none."""
    if why := why_not_kubectl():
        pytest.skip(why)
    run = TUTORIAL if shutil.which("az") else without("az", TUTORIAL)
    options = SandboxOptions(state=tmp_path / walkthrough.FOLDER, provisioning_seconds=0.3)
    with Sandbox.start(options):
        printed = outputs(run, tmp_path, walkthrough.environment(tmp_path), 240)
    for step, output in zip(run, printed, strict=True):
        assert stable(output) == stable(step.output or ""), step.script


def test_the_session_of_the_readme() -> None:
    """Each command and what it prints."""
    shown = session.shown()
    assert stable(session.recorded(session.commands(shown))) == stable(shown)


def test_the_tutorial_is_whole_without_az() -> None:
    """What is left uses nothing that an az section made, and is most of it."""
    left = without("az", TUTORIAL)
    assert {step.heading for step in TUTORIAL} - {step.heading for step in left} == {
        "3. Look at it in Azure",
        "4. A consumer's private endpoint",
    }
    assert not any("AKS_" in step.script or "CONNECTION" in step.script for step in left)


def test_what_is_compared() -> None:
    """Ids, ages and widths of tables may differ, words may not."""
    here = "NAME   AGE\npls-a1b2c3d4e5f60718293a4b5c6d7e8f90  Succeeded  1m2s\n"
    assert stable(here) == stable("NAME  AGE\n\npls-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1 Succeeded 3s")
    assert stable(here) != stable(here.replace("Succeeded", "Failed"))


def test_a_block_that_fails_is_told(tmp_path: Path) -> None:
    """With what it said; the blocks behind it are not run."""
    run = [Step("A=1\n", None, ""), Step('echo "$A"\nfalse\n', None, ""), Step("touch here\n", None, "")]
    with pytest.raises(Failed, match=r"exit code 1: echo \"\$A\"\nfalse\n\n1\n"):
        outputs(run, tmp_path, walkthrough.environment(tmp_path), 20)
    assert not (tmp_path / "here").exists()
