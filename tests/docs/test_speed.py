"""The tables of speed are those of `make bench`: its figures, its bounds, and what it measured."""

from __future__ import annotations

import pytest

from tests.bench.figures import BEGIN, END, HEADING, Figure, Target, read_rows, targets, written
from tests.docs.pages import text_of

pages = pytest.mark.parametrize("page", ["README.md", "docs/performance.md"])
FAST = Target("fast|er", must=1.5)
TOLD = Target("told")
GROWS = Target("grows", must=3, at_least=True)


def rows_of(page: str) -> list[tuple[str, ...]]:
    """The rows that a page quotes, from a machine that it names."""
    text = text_of(page)
    rows = list(read_rows(text).values())
    assert rows, "no run is quoted: make bench ARGS=--write"
    assert "Measured on: " in text
    return rows


@pages
def test_rows_are_the_figures_names_and_bounds(page: str) -> None:
    """A figure that is new, renamed or bound otherwise is not told with old numbers."""
    told = [(row[0], row[HEADING.index("Must be")]) for row in rows_of(page)]
    assert told == [(target.name, target.bound) for target in targets()]


@pages
def test_every_bound_was_reached(page: str) -> None:
    """What the page shows is a run that passed, on a machine that is named."""
    for row in rows_of(page):
        assert row[HEADING.index("Reached")] in ("", "yes"), row[0]
        assert row[HEADING.index("Measured here")] != "not measured", row[0]


def page_with(*figures: Figure) -> str:
    """A page as the benchmark writes it."""
    return written(f"before\n{BEGIN}\nold\n{END}\nafter\n", figures, (FAST, TOLD, GROWS), "a machine")


def test_a_ratio_decides_only_where_it_is_bound() -> None:
    """From above, from below, or not at all; a figure without its ratio has not reached its bound."""
    assert FAST.figure("3 s", "2 s", 1.5).reached
    assert not FAST.figure("4 s", "2 s", 2.0).reached
    assert not FAST.figure("3 s", "2 s").reached
    assert not GROWS.figure("2", "1", 2.0).reached
    assert GROWS.figure("3", "1", 3.0).reached
    assert TOLD.figure("9 h", "1 s", 32400.0).reached


def test_a_page_keeps_what_was_not_measured_now() -> None:
    """One topic can be measured anew; text around the markers stays."""
    first = page_with(FAST.figure("3 s", "2 s", 1.5), TOLD.figure("a | b", "c"))
    again = written(first, [FAST.figure("2 s", "2 s", 1.0)], (FAST, TOLD), "another machine")
    assert again.startswith("before\n")
    assert again.endswith("\nafter\n")
    assert read_rows(again)["fast|er"][1] == "2 s"
    assert read_rows(again)["told"][1] == "a | b"
    assert "another machine" in again
    assert "a machine." not in again


def test_a_figure_that_was_never_measured_says_so() -> None:
    """No row is left out."""
    assert read_rows(page_with())["grows"][1] == "not measured"
