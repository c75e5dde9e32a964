"""Pages whose shell blocks are run as they stand, one after another in one shell, and whose outputs stand below them.

A page's `sh` block may be followed by a `text` block: what it printed, on both streams. `python -m tests.docs.walkthrough`
runs the tutorial in a fresh sandbox and writes its outputs anew; it needs kubectl and az.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.up import Sandbox, SandboxOptions
from tests.docs.pages import ROOT, text_of

PAGE = "docs/tutorial.md"
FOLDER = ".sandbox"  # as `make sandbox` calls it
_BLOCK = re.compile(r"^```sh\n(?P<script>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?", re.M | re.S)
# What differs from run to run: ids, addresses, times, numbers; and how wide a table is drawn around them.
_PASSING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{12,}\b|\b(?:\d+[smh])+\b|\d+"
    r"|(?<= s, )(?:event|manual|parked|probe|timer|wanted)$| from default namespace"  # what woke a run; newer kubectl
)


class Failed(Exception):
    """A block ended with an error, or did not end."""


@dataclass(frozen=True)
class Step:
    """A shell block, the output that the page shows (None: none), and the heading it stands below."""

    script: str
    output: str | None
    heading: str


def steps(text: str) -> list[Step]:
    """The shell blocks of a page, in their order."""
    return [Step(m["script"], m["output"], _heading(text[: m.start()])) for m in _BLOCK.finditer(text)]


def without(program: str, of: Sequence[Step]) -> list[Step]:
    """Those below headings where no block runs a program."""
    runs = re.compile(rf"(?:^|[(|;&]|\bdo)\s*{program} ", re.M)
    needing = {step.heading for step in of if runs.search(step.script)}
    return [step for step in of if step.heading not in needing]


def outputs(run: Sequence[Step], folder: Path, environment: Mapping[str, str], seconds: float) -> list[str]:
    """What each step printed. Raises Failed with the step that failed, and what it and the shell said."""
    for number, step in enumerate(run):
        (folder / f"step-{number}.sh").write_text(step.script)
    script = "set -e\n" + "".join(f". ./step-{n}.sh >step-{n}.out 2>&1\n" for n in range(len(run)))
    try:
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(f"not at its end after {seconds} s: {_last(run, folder)}") from late
    if ended.returncode:
        raise Failed(f"exit code {ended.returncode}: {_last(run, folder)}{ended.stderr}")
    return [(folder / f"step-{number}.out").read_text() for number in range(len(run))]


def _last(run: Sequence[Step], folder: Path) -> str:
    began = [n for n in range(len(run)) if (folder / f"step-{n}.out").exists()]
    return f"{run[began[-1]].script}\n{(folder / f'step-{began[-1]}.out').read_text()}" if began else ""


def stable(output: str) -> list[str]:
    """The lines of an output without what differs from run to run."""
    lines = (re.sub(r"[\s-]+", " ", _PASSING.sub("#", line)).strip() for line in output.splitlines())
    return [line for line in lines if line]


def environment(folder: Path) -> dict[str, str]:
    """That of a terminal in the repository's folder: our programs on PATH, a home of its own, nothing of the caller's."""
    programs = str(Path(sys.executable).parent)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "PATH": f"{programs}:{kept.get('PATH', '')}", "HOME": str(folder), "TERM": "dumb"}


def _heading(text: str) -> str:
    found = re.findall(r"^#+ (.+)$", text, re.M)
    return found[-1] if found else ""


def written(text: str, printed: Sequence[str]) -> str:
    """The page with these outputs in place of its own."""
    new: Iterator[str] = iter(printed)

    def block(match: re.Match[str]) -> str:
        output = next(new)
        below = f"\n```text\n{output.rstrip()}\n```\n" if match["output"] is not None else ""
        return f"```sh\n{match['script']}```\n{below}"

    return _BLOCK.sub(block, text)


def main() -> None:
    """Run the tutorial and write what it printed."""
    with TemporaryDirectory() as home:
        folder = Path(home)
        with Sandbox.start(SandboxOptions(state=folder / FOLDER)):
            printed = outputs(steps(text_of(PAGE)), folder, environment(folder), 300)
    (ROOT / PAGE).write_text(written(text_of(PAGE), printed), encoding="utf-8")


if __name__ == "__main__":
    main()
