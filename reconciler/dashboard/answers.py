"""The dashboard in HTTP: the page, its files, its data, and the headers that keep all of it to itself.

Who may read the data: where App Service authentication is on, the platform signs people in, takes away what a
client says about itself and adds the header ``X-MS-CLIENT-PRINCIPAL``; then, and only then, that header is the
ticket. Elsewhere the platform asks for a function key before any of this runs.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.api import BadRequest, Reply, answer

if TYPE_CHECKING:
    from reconciler.dashboard.board import Board

POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        *(f"{what} 'none'" for what in ("base-uri", "form-action", "frame-ancestors")),
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
KEEP = "public, max-age=31536000, immutable"
WORTH_PACKING = 2_000  # bytes
PRINCIPAL = "x-ms-client-principal"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    mimetype: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def is_signed_in_by_platform(environ: Mapping[str, str]) -> bool:
    """Whether App Service authentication is on."""
    return environ.get("WEBSITE_AUTH_ENABLED", "").strip().lower() in ("true", "1")


def page(path: str, signed_in: bool) -> Answer:
    """The page without data. ``path`` is its own address, ``/api/dashboard``; its files and data are below it."""
    from reconciler.dashboard import assets, pages

    files = assets.by_file()
    text = pages.shell(
        base=path.rstrip("/").rpartition("/")[0],
        script=files["dashboard.js"].name,
        style=files["dashboard.css"].name,
        icon=files["icon.svg"].name,
        signed_in=signed_in,
    )
    return Answer(200, text.encode(), "text/html", {**HEADERS, "Cache-Control": "no-cache"})


def file(name: str) -> Answer:
    """A file of the page."""
    from reconciler.dashboard import assets

    found = assets.by_name().get(name)
    if found is None:
        return Answer(404, b"", "text/plain", {**HEADERS, "Cache-Control": "no-store"})
    return Answer(200, found.content, found.mimetype, {**HEADERS, "Cache-Control": KEEP})


def data(
    board: Callable[[], Board],
    now: datetime,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    signed_in: bool,
) -> Answer:
    """The data, as JSON: ``cluster`` names the one to show. 304 where it is what ``If-None-Match`` names.

    ``signed_in``: App Service authentication is on.
    """
    told = {name.lower(): value for name, value in headers.items()}
    if signed_in and not told.get(PRINCIPAL):
        return _json(
            Reply(401, {"error": {"code": "SignIn", "message": "sign in to see the clusters"}}), told
        )
    return _json(answer(lambda: _read(board(), params, now)), told)


def _read(board: Board, params: Mapping[str, str], now: datetime) -> Reply:
    from reconciler.dashboard.board import UnknownCluster

    wanted = params.get("cluster", "").strip()
    try:
        return Reply(200, board.data(wanted, now))
    except UnknownCluster:
        raise BadRequest(404, "UnknownCluster", f"there is no cluster {wanted[:80]!r}") from None


def _json(reply: Reply, asked: Mapping[str, str]) -> Answer:
    body = json.dumps(reply.body).encode("ascii")  # a text may hold what UTF-8 has no bytes for
    headers = {**HEADERS, "Cache-Control": "no-store"}
    if reply.status == 200:
        headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        if asked.get("if-none-match") == headers["ETag"]:
            return Answer(304, b"", headers=headers)
    if len(body) > WORTH_PACKING and "gzip" in asked.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        body = gzip.compress(body, 1)
    return Answer(reply.status, body, headers=headers)
