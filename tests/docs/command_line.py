"""The command line as its pages must tell it: what is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
import typer.main

from reconciler.cli.app import app

GROUP: Any = typer.main.get_command(app)


def accepted(words: Sequence[str]) -> str:
    """What is wrong with the words after the program's name; "" for nothing."""
    if not words or words[0] == "--install-completion":
        return ""
    command = GROUP.commands.get(words[0])
    if command is None:
        return f"there is no command {words[:1]}"
    try:
        command.make_context(words[0], list(words[1:]))
    except typer.TyperException as error:
        return error.format_message()
    return ""
