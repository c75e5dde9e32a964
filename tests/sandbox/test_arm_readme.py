"""The page's ARM section says what the code does."""

from pathlib import Path
from typing import get_args

import sandbox
from sandbox.arm import fidelity
from sandbox.arm.faults import Mode

README = (Path(sandbox.__file__).parent / "README.md").read_text()


def test_the_table_of_guesses_is_the_codes_own() -> None:
    """A new guess without a row would pass as a fact. Print the right table with `fidelity.markdown()`."""
    assert fidelity.markdown() in README


def test_every_fault_mode_is_told() -> None:
    """Modes are found by reading, not by trying."""
    assert [mode for mode in get_args(Mode) if f"`{mode}`" not in README] == []


def test_no_refusal_has_two_rows_and_none_is_without_words() -> None:
    """One situation, one row."""
    rows = [row for _, row in fidelity.refusals()]
    assert len({row.name for row in rows}) == len(rows) > 50
    assert all(row.message and 400 <= row.status < 600 for row in rows)
