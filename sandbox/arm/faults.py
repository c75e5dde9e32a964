"""Faults on request: which calls go wrong, how, and how often."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from sandbox.arm.operations import Ending

Mode = Literal["answer", "reset-before", "reset-after", "truncate", "async-failed", "async-canceled"]


@dataclass(frozen=True)
class Fault:
    """One fault. `path` is a regular expression searched in the path, in any casing; `times` None is for ever.

    answer: reply with `status`, `code`, `message`, `headers` instead of acting (without a status: only delay).
    reset-before, reset-after: drop the connection before or after acting. truncate: act, send half a body.
    async-failed, async-canceled: act, and let the operation end with `code` and `message`.
    """

    path: str
    method: str | None = None
    times: int | None = 1
    mode: Mode = "answer"
    status: int | None = None
    code: str = "InternalServerError"
    message: str = "An error occurred."
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Fault:
        """From the back door's JSON; ValueError tells what is wrong."""
        unknown = set(body) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        fault = cls(**{"path": ".*", **body})
        if fault.mode not in get_args(Mode):
            raise ValueError(f"mode is none of {', '.join(get_args(Mode))}")
        try:
            re.compile(fault.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error
        return fault

    def hits(self, method: str, path: str) -> bool:
        """Whether the fault is for this call."""
        wanted = self.method is None or self.method.upper() == method
        return wanted and re.search(self.path, path, re.IGNORECASE) is not None

    @property
    def ending(self) -> Ending:
        """How an operation started by the call ends."""
        match self.mode:
            case "async-failed":
                return Ending("Failed", self.code, self.message)
            case "async-canceled":
                return Ending("Canceled", self.code, self.message)
        return Ending()

    def body(self) -> dict[str, Any]:
        """The error that an `answer` fault replies with."""
        return {"error": {"code": self.code, "message": self.message, "details": []}}


class Faults:
    """The faults still to come, first match first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add one behind the others."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all."""
        self._faults.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Those left, as JSON."""
        return [asdict(fault) for fault in self._faults]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, counted down."""
        for index, fault in enumerate(self._faults):
            if fault.hits(method, path):
                if fault.times is not None:
                    left = fault.times - 1
                    self._faults[index : index + 1] = [replace(fault, times=left)] if left > 0 else []
                return fault
        return None
