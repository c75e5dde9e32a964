"""docs/telemetry.md: its tables are those of the code. `python -m tests.docs.test_telemetry` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconciler import telemetry
from tests.docs.pages import ROOT, text_of

NAME = "docs/telemetry.md"


def rows(heading: Iterable[str], cells: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(heading)
    for line in (head, ["---"] * len(head), *cells):
        yield f"| {' | '.join(line)} |"


def codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def written() -> dict[str, str]:
    """The tables as the page must have them, by their mark."""
    metrics = (
        (f"`{m.name}`", m.kind.value, f"`{m.unit}`", codes(m.attributes), m.description)
        for m in telemetry.METRICS
    )
    spans = ((f"`{s.name}`", codes(s.attributes), s.description) for s in telemetry.SPANS)
    fields = ((f"`{name}`", means) for name, means in telemetry.FIELDS.items())
    tables = {
        "metrics": rows(("Metric", "Kind", "Unit", "Attributes", "One value is"), metrics),
        "spans": rows(("Span", "Attributes", "What it is"), spans),
        "fields": rows(("Field", "What it is"), fields),
    }
    return {name: "\n".join(table) for name, table in tables.items()}


def marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n\n).*?(?=\n\n<!-- {name} end -->)", re.S)


def test_the_page_has_the_tables_of_the_code() -> None:
    """A metric that was renamed in the code alone would be looked for in vain."""
    page = text_of(NAME)
    for name, table in written().items():
        (found,) = marked(name).findall(page)
        assert found == table


if __name__ == "__main__":
    text = text_of(NAME)
    for name, table in written().items():
        before, _, after = text.partition(marked(name).findall(text)[0])
        text = f"{before}{table}{after}"
    (ROOT / NAME).write_text(text, encoding="utf-8")
