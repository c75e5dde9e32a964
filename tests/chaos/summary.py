"""What the chaos tests print at the end of a run: their tables, put together from wherever the parts were run."""

from __future__ import annotations

from typing import Any

from tests.chaos_mode import FULL


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The hook, for the conftest of all tests: with xdist, the process that prints loads no other."""
    reports = [report for each in terminalreporter.stats.values() for report in each]
    told: dict[str, list[Any]] = {}
    for report in reports:
        for name, value in (
            getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ()
        ):
            told.setdefault(name, []).append(value)
    _fault_matrix(terminalreporter, told)
    _crashes(terminalreporter, told)
    _over_http(terminalreporter, told)


def _fault_matrix(reporter: Any, told: dict[str, list[Any]]) -> None:
    """The fault matrix; written into its page when asked for."""
    from tests.chaos import matrix_table

    cells = [tuple(cell) for value in told.get(matrix_table.PROPERTY, ()) for cell in value]
    if not cells:
        return
    reporter.write_sep("-", f"fault matrix: {matrix_table.summary(cells)}")
    if FULL:
        reporter.write_line(matrix_table.table(cells))
        if matrix_table.wanted():
            matrix_table.write(cells)


def _crashes(reporter: Any, told: dict[str, list[Any]]) -> None:
    """Where workers were killed, and what it took to recover."""
    from tests.chaos import crash_table

    if tests := told.get(crash_table.PROPERTY):
        reporter.write_sep("-", "workers killed before and after outside calls")
        reporter.write_line(crash_table.table(tests))


def _over_http(reporter: Any, told: dict[str, list[Any]]) -> None:
    """The simulation's steps over HTTP, a line per run."""
    from tests.simulation import over_http_line

    if lines := told.get(over_http_line.PROPERTY):
        reporter.write_sep("-", "the simulation's steps over HTTP, against sandbox and Azurite")
        for line in sorted(lines):
            reporter.write_line(line)
