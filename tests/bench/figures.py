"""What a benchmark says: targets (name and bound, known beforehand), figures (measured), and their table.

A topic is a module beside this one with `TARGETS: tuple[Target, ...]` and
`def measure() -> Iterable[Figure]`, which yields one figure for each target:

    CALLS = Target("ARM calls for those 100", must=1.0)
    TARGETS = (CALLS,)

    def measure() -> Iterator[Figure]:
        yield CALLS.figure("108 calls", "100 PUTs + 12 = 112", 108 / 112, "counted in ARM's request log")

Only ratios decide; seconds, calls and bytes are told for whoever reads the table. A new or renamed target
goes into the pages with `python -m tests.bench --only TOPIC --write`: a test compares them.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

BEGIN, END = "<!-- bench: written by `make bench ARGS=--write` -->", "<!-- bench ends -->"
HEADING = ("Figure", "Measured here", "Beside it", "Ratio", "Must be", "Reached", "Note")
REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to measure. ``must`` bounds its ratio from above (``at_least``: from below); None: only told."""

    name: str
    must: float | None = None
    at_least: bool = False

    @property
    def bound(self) -> str:
        """As the table says it."""
        if self.must is None:
            return REPORTED
        return f"at {'least' if self.at_least else 'most'} {self.must:g}"

    def figure(self, measured: str, beside: str, ratio: float | None = None, note: str = "") -> Figure:
        """What was measured, next to its floor or the naive way."""
        return Figure(self.name, measured, beside, ratio, self.must, note, self.at_least)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: texts with their units, and the ratio that decides where ``must`` is not None."""

    name: str
    measured: str
    beside: str
    ratio: float | None = None
    must: float | None = None
    note: str = ""
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the ratio keeps the bound; what has none is reached once it is measured."""
        if self.must is None:
            return True
        if self.ratio is None:
            return False
        return self.ratio >= self.must if self.at_least else self.ratio <= self.must

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        bound = Target(self.name, self.must, self.at_least).bound
        reached = "" if self.must is None else "yes" if self.reached else "**no**"
        return (self.name, self.measured, self.beside, ratio, bound, reached, self.note)


def not_measured(target: Target, why: str) -> Figure:
    """The row of a target whose measurement broke."""
    return target.figure("not measured", "", None, why)


def topics() -> dict[str, ModuleType]:
    """The modules beside this one that measure something, by name, in alphabetical order."""
    folder = Path(__file__).parent
    names = sorted(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("__"))
    modules = {name: importlib.import_module(f"{__package__}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "measure")}


def targets() -> tuple[Target, ...]:
    """Those of all topics, in the order of the table."""
    return tuple(target for module in topics().values() for target in module.TARGETS)


def machine() -> str:
    """Processor, cores that this process may use, Python, system."""
    found = re.search(r"^model name\s*: (.+)$", _text("/proc/cpuinfo"), re.M)
    model = found[1] if found else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, Python {platform.python_version()}, {platform.system()}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table with the heading above."""
    lines = [HEADING, tuple("---" for _ in HEADING), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def read_rows(page: str) -> dict[str, tuple[str, ...]]:
    """The rows between a page's markers, by the figure's name."""
    lines = [line for line in _between(page).splitlines() if line.startswith("| ")]
    rows = (tuple(c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", x)[1:-1]) for x in lines[2:])
    return {row[0]: row for row in rows}


def _between(page: str) -> str:
    found = re.search(f"{re.escape(BEGIN)}(.*?){re.escape(END)}", page, re.S)
    return found[1] if found else ""


def written(page: str, figures: Iterable[Figure], known: Iterable[Target], where: str) -> str:
    """The page with the figures between its markers. Rows that were not measured now stay as they are.

    Raises ValueError where the page has no markers.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"no line {BEGIN} before a line {END}")
    rows = {**read_rows(page), **{figure.name: figure.cells for figure in figures}}
    ordered = [rows.get(t.name) or not_measured(t, "").cells for t in known]
    text = f"{BEGIN}\n\nMeasured on: {where}.\n\n{table(ordered)}\n\n{END}"
    return page[: page.index(BEGIN)] + text + page[page.index(END) + len(END) :]


def dump(figures: Iterable[Figure]) -> str:
    """Figures as JSON."""
    return json.dumps([asdict(figure) for figure in figures], indent=1)


def load(text: str) -> list[Figure]:
    """Figures from JSON."""
    items: list[Mapping[str, Any]] = json.loads(text)
    return [Figure(**item) for item in items]
