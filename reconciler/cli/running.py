"""From the words of a command line to an exit code."""

from __future__ import annotations

from collections.abc import Sequence

import typer
import typer.main

from reconciler.cli.app import app
from reconciler.cli.words import ERROR


def run(arguments: Sequence[str], program: str) -> int:
    """The exit code. Typer's own 2 for a wrong command line would say that there are writes."""
    try:
        ended = typer.main.get_command(app).main(list(arguments), program, standalone_mode=False)
    except typer.TyperException as error:
        error.show()  # type: ignore[attr-defined]  # all that it raises have it
        return ERROR
    return ended if isinstance(ended, int) else 0
