"""The table of crashes: what was told by each test's properties, added up wherever the lives were lived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.crash_lives import Verdict

PROPERTY = "crashes"
# A row per act; the points there are are told by each test, all others are added up.
COLUMNS = ("points", "before", "after", "not reached", "converged", "by redelivery", "by timer")
Rows = dict[str, dict[str, int]]


def told(verdicts: Iterable[Verdict], points: Mapping[str, int]) -> Rows:
    """The rows of one test, as a property that travels between processes. ``points``: how many each act has."""
    rows = {act: Counter({"points": count}) for act, count in points.items()}
    for verdict in verdicts:
        row = rows[verdict.point.act]
        row[verdict.point.side if verdict.reached else "not reached"] += 1
        row["converged"] += not verdict.problem
        row["by redelivery"] += verdict.by_redelivery
        row["by timer"] += verdict.by_timer
    return {act: dict(row) for act, row in rows.items()}


def table(tests: Sequence[Rows]) -> str:
    """All tests' rows as one text table, with a line of sums."""
    rows = [(act, _added([test[act] for test in tests])) for act in tests[0]]
    everything: Counter[str] = sum((row for _, row in rows), Counter())
    named = [*rows, ("all", everything)]
    lines = [["act", *COLUMNS], *([name, *(str(row[c]) for c in COLUMNS)] for name, row in named)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.rjust, line, widths)) for line in lines)


def _added(rows: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    points = 0
    for row in rows:
        total.update(row)
        points = max(points, row.get("points", 0))
    total["points"] = points
    return total
