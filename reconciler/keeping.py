"""Keeps a cluster's status document in line with its runs: written where it says something new, and only then."""

from __future__ import annotations

import logging
from collections.abc import Callable

from reconciler.document import digest, document_of, tellings_of
from reconciler.errors import OutsideError, Rejected
from reconciler.ports import Documents
from reconciler.reconcile import Run
from reconciler.transitions import Told, told_by

# Gets what the document told so far, None where there is none.
Tell = Callable[[Told | None], None]
log = logging.getLogger("reconciler")


def keep(documents: Documents | None, run: Run, *, always: bool = False, tell: Tell | None = None) -> str:
    """Write the document of a run; returns the digest for the state row.

    An incomplete look says nothing new. A write that fails fails no run: "" then, so that the next run writes
    again. ``always`` writes what has not changed, too: somebody may have removed it. ``tell`` is called before what
    it compares with is replaced, so that it is called again where this process dies in between.
    """
    last = run.look.memory.state.document
    if documents is None or not run.look.complete:
        return last
    document = document_of(run)
    present = digest(document)
    if present == last and not always:
        return last
    try:
        if tell and present != last:
            tell(_told_before(documents, run.config.name))
        documents.write(run.config.name, document)
    except OutsideError as error:
        log.warning("%s; the next run tries again", error)
        return ""
    return present


def _told_before(documents: Documents, cluster: str) -> Told | None:
    try:
        document = documents.read(cluster)
    except Rejected as error:
        log.warning("the status document of cluster %s is made anew: %s", cluster, error)
        return None
    return None if document is None else told_by(document, tellings_of(document))
