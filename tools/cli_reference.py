"""Writes docs/reference/cli.md, the page about each command, from the commands: ``python -m tools.cli_reference``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from reconciler.cli.app import app
from reconciler.cli.words import EXIT_CODES, PROGRAM

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
HEAD = """# The command line

Made from the commands by `tools/cli_reference.py`; do not edit.

`plsctl` and `python -m reconciler` are the same. They read the settings of the function app
([settings](settings.md)) from the environment. In a terminal there are colours, frames and progress; what is piped is
plain text (`NO_COLOR=1` takes the colours off a terminal, too). With `--output json` standard output holds one JSON document and
nothing else ([its fields](../output.md)); what is said on the way goes to standard error.

`plsctl --install-completion` teaches bash, zsh, fish and PowerShell to complete commands, options and the names of the clusters
in `--config` or `CLUSTERS`.
"""


def page() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    commands = [part for name, command in group.commands.items() for part in _command(name, command)]
    return "\n".join([HEAD, *commands, *_exit_codes()])


def _command(name: str, command: Any) -> Iterator[str]:
    parameters = [p for p in command.params if "--help" not in p.opts]
    arguments = " ".join(value_of(p) for p in parameters if p.param_type_name == "argument")
    yield f"## {PROGRAM} {name}\n"
    yield f"```text\n{PROGRAM} {name} {arguments}{' ' if arguments else ''}[OPTIONS]\n```\n"
    yield f"{command.help.strip()}\n"
    yield "| Option | Meaning | Default |\n|---|---|---|"
    yield from map(_row, parameters)
    yield ""


def _row(parameter: Any) -> str:
    word = " ".join(filter(None, (_name(parameter), value_of(parameter)))).replace("|", "\\|")
    default = parameter.default if parameter.show_default and not getattr(parameter, "is_flag", False) else ""
    return f"| `{word}` | {parameter.help} | {f'`{default}`' if default else ''} |"


def _name(parameter: Any) -> str:
    return "" if parameter.param_type_name == "argument" else str(parameter.opts[0])


def value_of(parameter: Any) -> str:
    """The word for a parameter's value; "" for a flag."""
    if getattr(parameter, "is_flag", False):
        return ""
    group = typer.main.get_command(app)
    return parameter.metavar or str(parameter.display_type(typer.Context(group))).strip("<>[]")


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| Exit code | Meaning |\n|---|---|"
    yield from (f"| `{code}` | {meaning} |" for code, meaning in EXIT_CODES.items())
    yield "\nOf several clusters the worst counts: 1, 4, 2, 3, 0. A command line that cannot be read ends with 1.\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
