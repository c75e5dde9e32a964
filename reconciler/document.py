"""The status document of a cluster: what the last complete look saw, and what its run did about it.

``version``, ``cluster``, ``mode``, ``frontends`` and ``privateLinkServices`` (as in :mod:`reconciler.picture`; each
Private Link Service with ``endpoints`` in addition: the first private endpoints, with ``endpoint`` (ARM id) and
``state``), ``tellings`` (``service``, ``uid``, ``ready``, ``reason``, ``message``, ``privateLinkService``, ``frontend``,
``alias``) and ``plan``, with the ``result`` of each write. It holds no time that changes with each run, so that a
cluster at rest keeps its document, and nothing that stands in the state row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler import arm_ids
from reconciler.lenient import objects
from reconciler.model import Json, PrivateLinkService, known
from reconciler.picture import picture
from reconciler.reconcile import Run
from reconciler.recording import writes_json
from reconciler.rendering import finding_json, plan_json
from reconciler.telling import Telling

VERSION = 1
MOST_ENDPOINTS = 10  # of one Private Link Service; it may have a thousand


def document_of(run: Run) -> Json:
    """The document of a run whose look was complete."""
    findings = [finding_json(finding) for finding in run.findings]
    seen = picture(run.rows, run.sharing, findings)
    return {
        "version": VERSION,
        "cluster": run.config.name,
        "mode": run.config.mode,
        "frontends": seen["frontends"],
        "privateLinkServices": _with_endpoints(
            seen["privateLinkServices"], known(run.look.observed.private_link_services)
        ),
        "tellings": [telling_json(telling) for telling in run.tellings],
        "plan": {**plan_json(run.plan, run.config.mode), "writes": writes_json(run), "findings": findings},
    }


def _with_endpoints(links: Iterable[Json], seen: Iterable[PrivateLinkService]) -> list[Json]:
    connections = {arm_ids.key(pls.id): pls.connections for pls in seen}
    return [
        {
            **link,
            "endpoints": [
                {"endpoint": c.endpoint_id or c.id, "state": c.status}
                for c in connections.get(arm_ids.key(link["id"]), ())[:MOST_ENDPOINTS]
            ],
        }
        for link in links
    ]


def telling_json(telling: Telling) -> Json:
    """What one Service is told."""
    return {
        "service": telling.service,
        "uid": telling.uid,
        "ready": telling.ready,
        "reason": telling.reason,
        "message": telling.message,
        "privateLinkService": telling.pls_id,
        "frontend": telling.frontend_id,
        "alias": telling.alias,
    }


def tellings_of(document: Json | None) -> tuple[Telling, ...]:
    """What the Services were told by a document; of one that somebody edited, as much as can be read."""
    return tuple(_telling(item) for item in objects(document or {}, "tellings") if item.get("service"))


def _telling(item: Mapping[str, Any]) -> Telling:
    texts = {name: str(item.get(name) or "") for name in _TEXTS}
    return Telling(
        service=texts["service"],
        ready=item.get("ready") is True,
        reason=texts["reason"],
        message=texts["message"],
        uid=texts["uid"],
        pls_id=texts["privateLinkService"],
        frontend_id=texts["frontend"],
        alias=texts["alias"],
    )


_TEXTS = ("service", "uid", "reason", "message", "privateLinkService", "frontend", "alias")


def digest(document: Json) -> str:
    """Sixteen hex digits that tell one document from another."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
