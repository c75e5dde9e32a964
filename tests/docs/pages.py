"""Reads the project's pages: tables, code blocks, links and anchors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_CELL = re.compile(r"(?<!\\)\|")
Row = tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


def text_of(page: str) -> str:
    """A page by its path below the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def tables(text: str) -> dict[str, list[Row]]:
    """The rows of each table, by the text of its heading row; cells without backticks around them."""
    found: dict[str, list[Row]] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if number and re.fullmatch(r"\|(-+\|)+", line.replace(" ", "")):
            heading = " | ".join(_cells(lines[number - 1]))
            rows = found.setdefault(heading, [])
            for row in lines[number + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append(_cells(row))
    return found


def _cells(line: str) -> Row:
    cells = (cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip()[1:-1]))
    return tuple(cell[1:-1] if re.fullmatch(r"`[^`]*`", cell) else cell for cell in cells)


def first_column(rows: list[Row]) -> list[str]:
    """What a table is about."""
    return [row[0] for row in rows]


def codes(cell: str) -> list[str]:
    """What stands in backticks in a cell, or the whole cell where its only backticks were around it."""
    return re.findall(r"`([^`]+)`", cell) or ([cell] if cell else [])


def blocks(text: str, language: str = "") -> list[Block]:
    """The fenced blocks, or those of one language."""
    found = [Block(*match) for match in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]
    return [block for block in found if language in ("", block.language)]


def commands(text: str) -> list[str]:
    """The lines of shell blocks, and commands of make, python and plsctl in running text, without comments."""
    lines = [line for block in blocks(text, "sh") for line in block.text.splitlines()]
    lines += re.findall(
        r"`((?:make|python -m|plsctl) [^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    )
    return [bare for line in lines if (bare := re.sub(r"\s+#.*", "", line).strip())]


def links(text: str) -> list[str]:
    """The targets of links."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
