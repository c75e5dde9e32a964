"""Where words go: colours in a terminal, the bare words in a pipe. NO_COLOR is heeded.

Nothing here breaks a line: what is piped is read by others, and a terminal wraps by itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from reconciler.lines import Line, harmless, line

if TYPE_CHECKING:
    from rich.progress import Progress

STYLES = {
    "title": "bold",
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "before": "red",
    "after": "green",
    "why": "dim",
    "ok": "green",
    "no": "red",
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
}


class Screen:
    """Standard output and standard error of one command. With ``json`` only the document goes to the first."""

    def __init__(self, json: bool = False) -> None:
        self.json = json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # in a pipe it may be one that has no arrows
                stream.reconfigure(errors="backslashreplace")
        self.out, self.err = Console(highlight=False), Console(highlight=False, stderr=True)
        self._bar: Progress | None = None

    def show(self, lines: Iterable[Line]) -> None:
        """Lines to standard output."""
        self._print(self.out, lines)

    def tell(self, lines: Iterable[Line]) -> None:
        """How it goes: to standard output, or to standard error where that is for a document."""
        self._print(self.err if self.json else self.out, lines)

    def complain(self, sentence: str) -> None:
        """An error."""
        self._print(self.err, [line("error", sentence)])

    def document(self, value: Any) -> None:
        """The JSON document."""
        print(json.dumps(value, indent=2), flush=True)

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Steps]:
        """A bar below the words; nothing where nobody watches a terminal, or there is one step only."""
        if not self.err.is_terminal or total == 1 or self._bar:
            yield Steps()
            return
        with _bar(self.err, total) as self._bar:
            try:
                yield Steps(self._bar, self._bar.add_task(what, total=total))
            finally:
                self._bar = None

    def _print(self, console: Console, lines: Iterable[Line]) -> None:
        bar = self._bar
        if bar:  # it is drawn below what is said, on another stream perhaps
            bar.stop()
        for each in lines:
            parts = ((harmless(text), STYLES.get(kind, "")) for kind, text in each.parts)
            console.print(Text.assemble(*parts), soft_wrap=True)
        if bar:
            bar.start()


class Steps:
    """How far something has come."""

    def __init__(self, bar: Progress | None = None, task: Any = None) -> None:
        self._bar, self._task = bar, task

    def done(self) -> None:
        """One more is done."""
        if self._bar:
            self._bar.advance(self._task)

    def say(self, what: str) -> None:
        """What is being done now."""
        if self._bar:
            self._bar.update(self._task, description=what)


def _bar(console: Console, total: int | None) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    counted = () if total is None else (BarColumn(), MofNCompleteColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *counted, TimeElapsedColumn())
    # What is printed meanwhile must not be led to this stream: it may be for a pipe.
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
