"""The command line: the same engine without Functions, for a laptop or a pipeline.

``python -m reconciler``, or ``plsctl`` where the project is installed. The exit codes are in
:data:`reconciler.cli.words.EXIT_CODES`; the commands in :mod:`reconciler.cli.app`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reconciler.cli.words import MODULE, PROGRAM


def plsctl() -> int:
    """The installed command."""
    return main(sys.argv[1:], PROGRAM)


def main(arguments: Sequence[str], program: str = MODULE) -> int:
    """Run a command and return its exit code. A wrong command line is an error (1), not "there are writes" (2)."""
    try:
        from reconciler.cli.running import run
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write(f"The command line needs {error.name}: pip install -r requirements-cli.txt\n")
        return 1
    return run(arguments, program)
