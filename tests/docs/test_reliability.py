"""The page on reliability says what the fault matrix does. That each call has a row is asked where calls are found."""

from tests.chaos.faults import FAULTS
from tests.docs.pages import tables, text_of

PAGE = tables(text_of("docs/reliability.md"))
HEADING = " | ".join(["Call", *(fault.name for fault in FAULTS)])


def test_the_matrix_has_a_column_for_each_fault_and_only_good_words() -> None:
    """A fault without a column, or a cell that failed, would be a promise that is not kept."""
    rows = PAGE[HEADING]
    assert len(rows) > 30
    for call, *words in rows:
        assert call.partition(":")[0] in ("arm", "kubernetes", "tables", "queues", "blobs", "topic")
        for fault, word in zip(FAULTS, words, strict=True):
            empty = fault.mode.startswith("async-") and not call.startswith(("arm: `PUT", "arm: `DELETE"))
            assert word in ([""] if empty else ["converges", "reports"]), (call, fault.name)


def test_each_fault_is_told_in_words() -> None:
    """A column nobody can read is none."""
    told = ", ".join(name for name, _ in PAGE["Fault | What happens"])
    assert [fault.name for fault in FAULTS if fault.name not in told.split(", ")] == []
