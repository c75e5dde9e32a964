"""Shell completion: the clusters' names. Read without the checks of the real settings, which take too long for a key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def clusters(config: str) -> list[str]:
    """The configured clusters; none where the configuration cannot be read, or is a blob."""
    return sorted(_names(config or os.environ.get("CLUSTERS", "")))


def _names(given: str) -> list[str]:
    import yaml

    try:
        text = given if given.lstrip().startswith(("[", "{")) else Path(given).expanduser().read_text("utf-8")
        found: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError):
        return []
    entries = found.get("clusters") if isinstance(found, dict) else found
    named = (entry.get("name") for entry in entries or () if isinstance(entry, dict))
    return [name for name in named if isinstance(name, str)]
