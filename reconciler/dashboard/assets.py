"""The files of the page: named after what is in them, so that a browser may keep them for a year."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. ``name`` is the one it is served under: ``dashboard.0123456789ab.css``."""

    name: str
    content: bytes
    mimetype: str


@cache
def by_file() -> Mapping[str, Asset]:
    """The files by their own names."""
    return {path.name: _asset(path) for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}


@cache
def by_name() -> Mapping[str, Asset]:
    """The files by the names they are served under."""
    return {asset.name: asset for asset in by_file().values()}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{path.stem}.{digest}{path.suffix}", content, TYPES[path.suffix])
