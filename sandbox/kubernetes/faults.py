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
    """One fault. `path` is a regular expression searched in path and query, in any casing; `times` None is for ever.

    answer: a Status of `status`, `code` (its reason) and `message` instead of acting (without a status: only delay).
    reset-before, reset-after: drop the connection before or after acting. truncate: act, send half a body.
    half-list: a list that claims to be complete and is not. garbage: 200 and `message`, or half a JSON document.
    hang: no answer for `delay` seconds (an hour unless told). `delay` goes before every other mode.
    """

    path: str = ""
    method: str | None = None
    times: int | None = 1
    mode: str = "answer"
    status: int | None = None
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @classmethod
    def parse(cls, body: object) -> Fault:
        """From the back door's JSON; ValueError tells what is wrong."""
        if not isinstance(body, dict):
            raise ValueError("a fault is an object")
        unknown = set(body) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(map(str, unknown)))}")
        fault = cls(**body)
        if fault.mode not in MODES:
            raise ValueError(f"mode is none of {', '.join(MODES)}")
        try:
            re.compile(fault.path)
        except (re.error, TypeError) as error:
            raise ValueError(f"path is no regular expression: {error}") from error
        return fault

    def matches(self, method: str, path: str) -> bool:
        wanted = not self.method or self.method.upper() == method
        return wanted and re.search(self.path, path, re.IGNORECASE) is not None


@dataclass
class _Armed:
    fault: Fault
    left: int | None


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
            if armed.left != 0 and armed.fault.matches(method, path):
                if armed.left is not None:
                    armed.left -= 1
                return armed.fault
        return None

    def listed(self) -> list[Json]:
        return [asdict(armed.fault) | {"left": armed.left} for armed in self._armed if armed.left != 0]


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
