"""Faults to inject, and the log of requests: what the marked back door hands out."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Json = dict[str, Any]

MODES = (
    "answer",
    "reset-before",
    "reset-after",
    "truncate",
    "garbage",
    "hang",
    "half-list",
)
LOG_LIMIT = 20_000


@dataclass(frozen=True)
class Fault:
    """Requests that match get it, `times` times (-1: until cleared). `path` is a regular expression over path and query."""

    path: str = ""
    method: str = ""
    times: int = 1
    mode: str = "answer"
    status: int = 500
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}")
        re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        return (not self.method or self.method.upper() == method) and bool(re.search(self.path, path))


@dataclass
class _Armed:
    fault: Fault
    left: int


class Faults:
    """The faults of one cluster, first match first."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        self._armed.append(_Armed(fault, fault.times))

    def clear(self) -> None:
        self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted down."""
        for armed in self._armed:
            if armed.left and armed.fault.matches(method, path):
                armed.left -= 1
                return armed.fault
        return None

    def listed(self) -> list[Json]:
        return [asdict(armed.fault) | {"left": armed.left} for armed in self._armed if armed.left]


@dataclass(frozen=True)
class Request:
    """One line of the log. `time` is seconds since the epoch; status 0: no answer was sent."""

    method: str
    path: str
    time: float
    status: int
    user: str


class RequestLog:
    def __init__(self) -> None:
        self._lines: deque[Request] = deque(maxlen=LOG_LIMIT)

    def add(self, line: Request) -> None:
        self._lines.append(line)

    def clear(self) -> None:
        self._lines.clear()

    def listed(self) -> list[Json]:
        return [asdict(line) for line in self._lines]


def half_list(body: bytes) -> bytes:
    """A list that says it is complete and is not: the later half of the items and the continue are gone."""
    document = json.loads(body)
    for name in ("items", "rows"):
        if isinstance(document.get(name), list):
            document[name] = document[name][: len(document[name]) // 2]
    for name in ("continue", "remainingItemCount"):
        document.get("metadata", {}).pop(name, None)
    return json.dumps(document).encode()
