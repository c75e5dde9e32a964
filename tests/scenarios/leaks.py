"""Looks for secrets in what the product writes: logs, errors, what the command line prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.storage import ACCOUNT_KEY

SHAPES: Mapping[str, re.Pattern[str]] = {
    "a bearer token": re.compile(r"Bearer\s+(?!authorization_uri)[\w.~+/-]{8,}"),
    "a JSON web token": re.compile(r"eyJ[\w-]{8,}\.eyJ"),
    "a storage signature": re.compile(r"SharedKey(Lite)?\s+\w+:"),
    "an account key": re.compile(r"AccountKey\s*=\s*\w"),
    "a shared access signature": re.compile(r"[?&;\s]sig=(?!REDACTED)\w"),
    "a function key in an address": re.compile(r"[?&]code=\w{8,}"),
    "a private key": re.compile(r"client-key-data|BEGIN (\w+ )?PRIVATE KEY"),
    "claims of an event": re.compile(
        r"[\"']?claims[\"']\s*:|schemas\.(xmlsoap|microsoft)|[\"']evidence[\"']|roleAssignmentId|clientIpAddress"
    ),
}


def leaks(text: str, secrets: Iterable[str] = ()) -> list[str]:
    """The lines that hold something of these shapes, or one of these secrets; what it is goes first."""
    known = {"a secret of the sandbox": re.compile("|".join(map(re.escape, secrets)))} if secrets else {}
    return [
        f"{what}: {line.strip()[:400]}"
        for what, shape in {**SHAPES, **known}.items()
        for line in text.splitlines()
        if shape.search(line)
    ]


def secrets_of(endpoints: Mapping[str, Any]) -> list[str]:
    """Every key and token of a running sandbox."""
    clusters = [str(cluster["token"]) for cluster in endpoints["clusters"].values()]
    keys = _texts((endpoints.get("functions") or {}).get("keys") or {})
    found = [ACCOUNT_KEY, str(endpoints["arm"]["identityHeader"]), *clusters, *keys]
    return [secret for secret in found if len(secret) > 8]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [str(value)]


def in_logs(folder: Path, endpoints: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """The leaks in all logs below a folder, with the names of the files."""
    secrets = [ACCOUNT_KEY, *(secret for known in endpoints for secret in secrets_of(known))]
    secrets += [key for file in folder.rglob("*keys.json") for key in _texts(json.loads(file.read_text()))]
    return [
        f"{file.name}: {leak}"
        for file in sorted(folder.rglob("*log"))
        if file.is_file()
        for leak in leaks(file.read_text(errors="replace"), [s for s in secrets if len(s) > 8])
    ]
