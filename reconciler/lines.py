"""Lines of text for people, each part with its kind: a terminal colours by it, a pipe gets the text alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One line: (kind, text) pairs. Kinds are "" and those of ``STYLES`` in :mod:`reconciler.cli.screen`."""

    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The bare words."""
        return "".join(text for _, text in self.parts)


def line(kind: str, text: str) -> Line:
    """A line of one kind."""
    return Line(((kind, text),))


def harmless(text: str) -> str:
    """A text, with whatever a terminal would act on (but the end of a line) as an escape one can read."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def shown(value: Any) -> str:
    """A value on one line, and without what a terminal would act on: values come from annotations."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_printable, value)) or "(none)"
    return "(none)" if value is None or value == "" else _printable(value)


def _printable(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() else ascii(text)
