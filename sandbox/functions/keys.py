"""Access keys: one master key, a default key for all functions, one per function, one for Event Grid."""

import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LEVELS = {"anonymous": 0, "function": 1, "admin": 2}


@dataclass(frozen=True)
class Keys:
    """The keys of one host."""

    master: str
    host: str
    functions: dict[str, str]
    event_grid: str

    def level(self, given: str, function: str | None = None) -> str:
        """What a key entitles to: anonymous, function (for this function) or admin."""
        if _same(given, self.master):
            return "admin"
        allowed = [self.host]
        if function is not None:
            allowed.append(self.functions[function])
        return "function" if any(_same(given, key) for key in allowed) else "anonymous"

    def allows(self, given: str, needed: str, function: str) -> bool:
        """Whether a key suffices for a function of the level `needed`."""
        return LEVELS[self.level(given, function)] >= LEVELS[needed]

    def allows_event_grid(self, given: str) -> bool:
        """Whether a key opens the Event Grid webhook."""
        return _same(given, self.event_grid) or _same(given, self.master)

    def to_json(self) -> dict[str, object]:
        """The shape of `az functionapp keys list`, plus the keys per function."""
        return {
            "masterKey": self.master,
            "functionKeys": {"default": self.host},
            "systemKeys": {"eventgrid_extension": self.event_grid},
            "functions": {name: {"default": key} for name, key in self.functions.items()},
        }


def keys_in(path: Path, functions: Iterable[str]) -> Keys:
    """Read the keys in a file, make those that are missing, and write it (readable by its owner only)."""
    known = json.loads(path.read_text()) if path.exists() else {}
    per_function = known.get("functions", {})
    keys = Keys(
        master=known.get("masterKey") or _new(),
        host=known.get("functionKeys", {}).get("default") or _new(),
        functions={n: per_function.get(n, {}).get("default") or _new() for n in functions},
        event_grid=known.get("systemKeys", {}).get("eventgrid_extension") or _new(),
    )
    _write(path, json.dumps(keys.to_json(), indent=2))
    return keys


def _new() -> str:
    return secrets.token_urlsafe(40)


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode(), key.encode())


def _write(path: Path, text: str) -> None:
    """Whole or not at all: others read the file while the host starts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
