"""What the command line says of itself: the help texts that several commands have in common."""

from __future__ import annotations

from collections.abc import Iterable

MODULE, PROGRAM = "python -m reconciler", "plsctl"
ERROR = 1  # also of a wrong command line
# By code. The reference and every command's help are made from it.
EXIT_CODES = {
    0: "plan: nothing to write; apply: all done; explain: it is ready; doctor: nothing is amiss; else: done",
    1: "an error, a view that could not be read, or a write that failed; doctor: something is amiss",
    2: "plan: there are writes; apply: writes are left or held back",
    3: "plan, apply: findings only; explain: it has no Private Link Service that is ready",
    4: "apply: the plan is not the expected one; nothing was written",
    130: "interrupted from the keyboard",
}
ABOUT = "Keeps Azure Private Link Services in line with the annotations of Kubernetes Services."


def epilog(rich: bool, codes: Iterable[int] = tuple(EXIT_CODES)) -> str:
    """The exit codes below a help text: paragraphs where rich draws it, else lines that are left alone."""
    lines = ["exit codes:", *(f"{code:>3}  {EXIT_CODES[code]}" for code in codes)]
    return "\n\n".join(lines) if rich else "\b\n" + "\n".join(lines)
