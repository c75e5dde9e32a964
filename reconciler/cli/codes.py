"""Exit codes."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.reconcile import Run

DONE, ERROR, WRITES, FINDINGS, UNEXPECTED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def of_plan(run: Run) -> int:
    """The code of one plan."""
    if not run.look.complete:
        return ERROR
    if not run.plan.empty:
        return WRITES
    return FINDINGS if run.plan.findings else DONE


def worst(codes: Iterable[int]) -> int:
    """The code of several clusters: the one that needs a person most."""
    rank = (ERROR, UNEXPECTED, WRITES, FINDINGS, DONE)
    return min(codes, key=rank.index, default=DONE)
