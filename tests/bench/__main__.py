"""python -m tests.bench: measures every topic and prints one table. 1 where a ratio misses its bound."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.bench.figures import (
    Figure,
    dump,
    load,
    machine,
    not_measured,
    table,
    targets,
    topics,
    written,
)

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
LONGEST = 900.0  # seconds for one topic


def main(argv: Sequence[str]) -> int:
    """0: every ratio keeps its bound; 1: one does not, or a topic broke; 2: a wrong command line."""
    known = topics()
    given = _parser(known).parse_args(argv)
    if given.measure:
        Path(given.to).write_text(dump(known[given.measure].measure()), encoding="utf-8")
        return 0
    where, figures = machine(), list(_measured(given.only or known))
    print(f"\nMeasured on: {where}. Ratios decide; times are of this machine, as busy as it is.\n")
    print(table(figure.cells for figure in figures))
    if given.json:
        given.json.write_text(dump(figures) + "\n", encoding="utf-8")
    if given.write:
        _write(figures, where)
    missed = [figure.name for figure in figures if not figure.reached or not figure.beside]
    print("\n" + ("\n".join(f"missed: {name}" for name in missed) or "every bound is kept"))
    return 1 if missed else 0


def _parser(known: Iterable[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Speed against the limits.")
    add = parser.add_argument
    add("--only", action="append", choices=list(known), metavar="TOPIC", help=f"one of {', '.join(known)}")
    add("--write", action="store_true", help="write the rows measured into README.md and docs/performance.md")
    add("--json", type=Path, metavar="FILE", help="write the figures there, too")
    add("--measure", choices=list(known), help=argparse.SUPPRESS)
    add("--to", help=argparse.SUPPRESS)
    return parser


def _measured(names: Iterable[str]) -> Iterator[Figure]:
    """All figures, each topic in a fresh process: what one leaves in memory is no burden to the next."""
    for name in names:
        began = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        yield from _topic(name)
        print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _topic(name: str) -> list[Figure]:
    wanted = topics()[name].TARGETS
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        answer = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "tests.bench", "--measure", name, "--to", str(answer)]
        try:
            ended = subprocess.run(command, cwd=ROOT, timeout=LONGEST, check=False).returncode
        except subprocess.TimeoutExpired:
            return [not_measured(target, f"took over {LONGEST:.0f} s") for target in wanted]
        if ended:
            return [not_measured(target, f"the measurement ended with {ended}") for target in wanted]
        found = {figure.name: figure for figure in load(answer.read_text(encoding="utf-8"))}
    return [found.get(target.name) or not_measured(target, "no figure came") for target in wanted]


def _write(figures: Sequence[Figure], where: str) -> None:
    known = targets()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(written(text, figures, known, where), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
