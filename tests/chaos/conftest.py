"""What the chaos tests print at the end of a run."""

from __future__ import annotations

from typing import Any

from tests.chaos import matrix_table
from tests.chaos_mode import FULL


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The fault matrix, from wherever its cells were played; written into its page when asked for."""
    reports = (report for each in terminalreporter.stats.values() for report in each)
    properties = (p for report in reports for p in getattr(report, "user_properties", ()))
    cells = [tuple(cell) for name, told in properties if name == matrix_table.PROPERTY for cell in told]
    if not cells:
        return
    terminalreporter.write_sep("-", f"fault matrix: {matrix_table.summary(cells)}")
    if FULL:
        terminalreporter.write_line(matrix_table.table(cells))
        if matrix_table.wanted():
            matrix_table.write(cells)
