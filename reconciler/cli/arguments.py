"""The arguments of the command line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any, NoReturn

from reconciler.cli.codes import ERROR

EXIT_CODES = """exit codes:
  0  plan: nothing to write; apply: all done
  1  an error, a view that could not be read, or a write that failed
  2  plan: there are writes; apply: writes are left or held back
  3  findings only
  4  apply: the plan is not the expected one; nothing was written
"""


class Parser(ArgumentParser):
    """Options in full only; a wrong command line is an error (1), not "there are writes" (2)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how it goes, and end."""
        self.print_usage(sys.stderr)
        self.exit(ERROR, f"{self.prog}: error: {message}\n")


def parser() -> ArgumentParser:
    """``plan``, ``apply`` and ``status`` with what they have in common."""
    common = Parser(add_help=False)
    common.add_argument("--config", metavar="FILE", help="the clusters, JSON or YAML (default: CLUSTERS)")
    common.add_argument(
        "--cluster", metavar="NAME", action="append", help="only this cluster; may be given several times"
    )
    common.add_argument("--output", choices=("text", "json"), default="text")
    top = Parser(
        prog="python -m reconciler",
        description="Keeps Azure Private Link Services in line with the annotations of Kubernetes Services.",
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> Parser:
        return commands.add_parser(
            name,
            parents=[common],
            help=text,
            description=text,
            epilog=EXIT_CODES,
            formatter_class=RawDescriptionHelpFormatter,
        )

    command("plan", "Show what would be written now, and what was found. Writes nothing.")
    _add_apply(command("apply", "Observe anew, show the plan, and carry it out."))
    command("status", "Show the state of everything, from the ledgers alone.")
    return top


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise ArgumentTypeError("wanted: a number of seconds, 0 or more")
    return int(text)


def _add_apply(apply: ArgumentParser) -> None:
    apply.add_argument(
        "--expect", metavar="DIGEST", help="end with 4 unless the plan has this digest (one cluster only)"
    )
    apply.add_argument(
        "--force", metavar="DIGEST", help="release the deletes that the brake holds back under this digest"
    )
    apply.add_argument(
        "--accept-identity", metavar="UID", help="accept that another cluster answers, with this identity"
    )
    apply.add_argument("--no-wait", action="store_true", help="return when the writes are accepted")
    apply.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=900,
        help="wait no longer than this (default 900)",
    )
