"""Reads what the dashboard shows: the state rows, one page of history, and documents that have changed. Nothing else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler import poison
from reconciler.aks_known import Configured
from reconciler.dashboard import view
from reconciler.errors import Rejected
from reconciler.model import Json
from reconciler.ports import ClusterState, Documents, Ledger
from reconciler.status import NOBODY, entry_json

VERSION = 1
MOST_HISTORY = 100
KEPT = 4  # whole documents; one of 2,000 Private Link Services is 10 MB of objects


class UnknownCluster(Exception):
    """Neither configured nor remembered."""


@dataclass(slots=True)
class Board:
    """The data of the dashboard.

    ``configs`` gives the clusters as configured now and what is amiss with them as a whole, and whether AKS was asked
    for them: nobody asks for the dashboard's sake, so that a young process may not know yet what a discovery finds.
    """

    ledger: Ledger
    documents: Documents
    configs: Callable[[], tuple[Configured, bool]]
    pool: Executor
    _documents: OrderedDict[tuple[str, str], Json] = field(default_factory=OrderedDict, init=False)
    _counts: dict[str, tuple[str, view.Counts]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def data(self, wanted: str, now: datetime) -> dict[str, Any]:
        """``version``, ``cluster`` (the one shown), ``run`` (its last), ``overview`` and ``detail`` as HTML.

        ``wanted`` is the cluster to show; "" shows the one that needs a person most. Raises UnknownCluster, and
        OutsideError where storage fails.
        """
        # Here, so that no other function pays for Jinja2.
        from reconciler.dashboard import pages

        configured, asked = self.configs()
        configs, problems = configured.clusters, configured.problems if asked else ()
        all_known = asked and not problems
        states = {state.cluster: state for state in self.ledger.states()}
        nobody = states.pop(NOBODY, ClusterState(NOBODY))
        names = sorted({*states, *configs})
        if wanted and wanted not in names:
            raise UnknownCluster(wanted)

        def glance(name: str) -> view.Cluster:
            state = states.get(name, ClusterState(name))
            mode = configs[name].mode if name in configs else "" if all_known else _mode_before(state)
            return view.cluster(name, mode, state, self._count(state), now)

        clusters = view.by_urgency(self.pool.map(glance, names))
        selected = next((c for c in clusters if c.name == wanted), clusters[0] if clusters else None)
        if selected is None:
            return _body("", "", pages.overview([], "", problems, poison.shown(nobody, now)), "")
        state = states.get(selected.name, ClusterState(selected.name))
        history = [entry_json(entry) for entry in self.ledger.history(selected.name, MOST_HISTORY)]
        found = view.detail(selected, state, self._document(state), history, now)
        overview = pages.overview(clusters, selected.name, problems, poison.shown(nobody, now))
        return _body(selected.name, selected.run, overview, pages.detail(found))

    def _count(self, state: ClusterState) -> view.Counts:
        """Of the document that the state row tells of; counted once."""
        known = self._counts.get(state.cluster)
        if known and known[0] == state.document:
            return known[1]
        counted = view.counts(self._document(state))
        self._counts[state.cluster] = (state.document, counted)
        return counted

    def _document(self, state: ClusterState) -> Json | None:
        """The document, read again where the state row tells of another one; None for one nobody can read."""
        if not state.document:
            return None
        key = (state.cluster, state.document)
        with self._lock:
            if key in self._documents:
                self._documents.move_to_end(key)
                return self._documents[key]
        try:
            document = self.documents.read(state.cluster)
        except Rejected:
            return None
        if document is not None:
            with self._lock:
                self._documents[key] = document
                while len(self._documents) > KEPT:
                    self._documents.popitem(last=False)
        return document


def _mode_before(state: ClusterState) -> str:
    return str(state.last_run.get("mode") or "")


def _body(cluster: str, run: str, overview: str, detail: str) -> dict[str, Any]:
    return {"version": VERSION, "cluster": cluster, "run": run, "overview": overview, "detail": detail}
