"""``status``: the state of everything, from the ledgers alone."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler import wiring
from reconciler.cli import codes
from reconciler.cli.session import Session
from reconciler.lines import Line, line
from reconciler.status import status, status_text

_BEGINNINGS = {
    "  ! error": "error",
    "  ! warning": "warning",
    "  ! info": "info",
    "  held": "delete",
    "  ! ": "error",
}


def show_status(session: Session) -> int:
    """Print the status of the clusters that are meant, and of those no longer configured where none is named."""
    by_name = {config.name: config for config in session.configs}
    ledger, now = wiring.ledger(session.settings), wiring.SystemClock().now()
    report = status(ledger, by_name, now=now, problems=session.problems)
    if session.named:
        report["clusters"] = [c for c in report["clusters"] if c["name"] in by_name]
    if session.screen.json:
        session.screen.document(report)
    else:
        session.screen.show(_lines(status_text(report)))
    return codes.DONE


def _lines(text: str) -> Iterator[Line]:
    """The lines of the table, coloured by how they begin."""
    for each in text.splitlines():
        kind = next((kind for beginning, kind in _BEGINNINGS.items() if each.startswith(beginning)), "")
        yield line(kind if each.startswith(" ") else "title", each)
