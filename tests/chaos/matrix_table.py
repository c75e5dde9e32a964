"""The matrix as a table: printed at the end of a run, kept in docs/reliability.md between two markers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tests.chaos.faults import FAULTS

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- fault matrix: written by CHAOS=full WRITE_DOCS=1 -->", "<!-- end of the fault matrix -->"
# Under this name a test hands its cells to the process that prints them.
PROPERTY = "fault matrix"
SHORT = {"converges": "converges", "reports, then converges": "reports"}
_WORST = (*SHORT, "wrong")
Cell = tuple[str, str, str]  # call, fault, word


def table(cells: Iterable[Cell]) -> str:
    """Markdown: a row for each call, a column for each fault; of a call tried in two stories the worse word."""
    words = {
        (call, fault): word for call, fault, word in sorted(cells, key=lambda cell: _WORST.index(cell[2]))
    }
    names = [fault.name for fault in FAULTS]
    lines = ["| Call | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for call in sorted({call for call, _ in words}):
        found = (words.get((call, name)) for name in names)
        lines.append(f"| {call} | " + " | ".join(SHORT.get(w, f"**{w}**") if w else "" for w in found) + " |")
    return "\n".join(lines) + "\n"


def summary(cells: Iterable[Cell]) -> str:
    """One line: how many cells have which word."""
    words = [word for _, _, word in cells]
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))


def rows_of_the_page() -> set[str]:
    """The calls that the page's table tells of."""
    return set(re.findall(r"^\| (\w+: `[^`]+`) \|", _kept(), re.MULTILINE))


def write(cells: Iterable[Cell]) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(_kept(), f"\n\n{table(cells)}\n"), encoding="utf-8")


def wanted() -> bool:
    """Whether the page is to be written."""
    return os.environ.get("WRITE_DOCS") == "1"


def _kept() -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
