"""Keeps a cluster's status document in line with its runs: written where it says something new, and only then."""

from __future__ import annotations

import logging

from reconciler.document import digest, document_of
from reconciler.errors import OutsideError
from reconciler.ports import Documents
from reconciler.reconcile import Run

log = logging.getLogger("reconciler")


def keep(documents: Documents | None, run: Run, *, always: bool = False) -> str:
    """Write the document of a run; returns the digest for the state row.

    An incomplete look says nothing new. A write that fails fails no run: "" then, so that the next run writes
    again. ``always`` writes what has not changed, too: somebody may have removed it.
    """
    last = run.look.memory.state.document
    if documents is None or not run.look.complete:
        return last
    document = document_of(run)
    present = digest(document)
    if present == last and not always:
        return last
    try:
        documents.write(run.config.name, document)
    except OutsideError as error:
        log.warning("%s; the next run tries again", error)
        return ""
    return present
