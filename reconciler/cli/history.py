"""``history``: what was written, found and decided, from the ledger alone."""

from __future__ import annotations

from reconciler import wiring
from reconciler.bookkeeping import Result
from reconciler.cli import codes
from reconciler.cli.session import Session
from reconciler.lines import Line, shown
from reconciler.plan import Severity
from reconciler.ports import HistoryEntry
from reconciler.rendering import VERSION, instant
from reconciler.status import entry_json

_KINDS = {Severity.ERROR: "error", Result.FAILED: "error", Severity.WARNING: "warning", Result.ACCEPTED: "ok"}


def show_history(session: Session, limit: int) -> int:
    """Print the newest entries first, of the clusters that are meant together."""
    ledger = wiring.ledger(session.settings)
    names = [config.name for config in session.configs] if session.named else [""]
    found = [entry for name in names for entry in ledger.history(name, limit)]
    entries = sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]
    if session.screen.json:
        session.screen.document({"version": VERSION, "entries": [entry_json(entry) for entry in entries]})
    else:
        session.screen.show(map(_line, entries))
    return codes.DONE


def _line(entry: HistoryEntry) -> Line:
    result = f" ({entry.result})" if entry.result else ""
    kinds = {str(key): kind for key, kind in _KINDS.items()}
    return Line(
        (
            ("why", f"{instant(entry.at)}  "),
            ("title", f"{entry.cluster or '-'}  "),
            (kinds.get(entry.result, ""), f"{entry.reason}{result}"),
            ("", f": {shown(entry.sentence)}"),
        )
    )
