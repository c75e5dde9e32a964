"""Every outside call, with every way in which it can fail: it converges, or it reports, stays safe, and converges.

A seeded tenth of the cells, and all of them with CHAOS=full; the table is printed at the end of the run, and
written to docs/reliability.md with WRITE_DOCS=1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox.storage import Storage
from tests.chaos import matrix_table
from tests.chaos.matrix import CONVERGES, REPORTS, Matrix, row
from tests.chaos.matrix_ground import ground, impatient
from tests.chaos_mode import FULL, tenth

pytestmark = [pytest.mark.chaos, pytest.mark.sandbox, pytest.mark.azurite, pytest.mark.timeout(600)]
PARTS = 40 if FULL else 4


@pytest.fixture(scope="module")
def matrix(azurite: Storage) -> Iterator[Matrix]:
    """The matrix, on servers that serve all its cells."""
    with pytest.MonkeyPatch.context() as patch, ground(azurite) as base:
        impatient(patch)
        yield Matrix(base)


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_fails_it_converges_or_reports_and_stays_safe(
    matrix: Matrix, part: int, record_property: Callable[[str, object], None]
) -> None:
    """Nothing that is not ours is touched, nothing is written that the story does not ask for, nothing is silent,
    and once the fault is gone the world is the one that it would have been without."""
    places = tenth(matrix.places())[part::PARTS]
    verdicts = [(place, matrix.play(place)) for place in places]
    words = [(row(p.call), p.fault.name, "wrong" if v.wrong else v.word) for p, v in verdicts]
    record_property(matrix_table.PROPERTY, words)
    wrong = [f"{place}: {'; '.join(verdict.wrong)}" for place, verdict in verdicts if verdict.wrong]
    assert not wrong, "\n".join(wrong)
    assert {verdict.word for _, verdict in verdicts} <= {CONVERGES, REPORTS}


def test_every_call_has_a_row_in_the_page(matrix: Matrix) -> None:
    """A new outside call is found by itself; the page must tell of it. WRITE_DOCS=1 CHAOS=full writes the table."""
    told = matrix_table.rows_of_the_page()
    assert sorted({row(place.call) for place in matrix.places()} - told) == []


def test_the_stories_make_calls_of_every_system(matrix: Matrix) -> None:
    """A matrix that finds nothing would be green."""
    calls = {place.call for place in matrix.places()}
    assert {call.system for call in calls} == {"arm", "kubernetes", "tables", "queues", "blobs", "topic"}
    assert sum(call.starts_operation for call in calls) >= 4
