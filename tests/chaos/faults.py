"""The faults of the matrix, each in the words of the system that it befalls: bodies for the back doors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.matrix_calls import Call

Json = dict[str, Any]

# Seconds that an answer is late: beyond what the product waits (matrix_ground.PATIENCE; KUBERNETES_TIMEOUT is 1 s).
LATE = {"arm": 0.7, "kubernetes": 1.3, "tables": 0.7, "queues": 0.7, "blobs": 0.7, "topic": 0.7}
# What each system calls a status; the matrix's 409 is ARM's own word, whoever says it.
CODES: dict[str, Mapping[int, str]] = {
    "arm": {
        429: "TooManyRequests",
        412: "PreconditionFailed",
        500: "InternalServerError",
        503: "ServiceUnavailable",
    },
    "kubernetes": {429: "TooManyRequests", 412: "", 500: "InternalError", 503: "ServiceUnavailable"},
    "tables": {
        429: "ServerBusy",
        412: "UpdateConditionNotSatisfied",
        500: "InternalError",
        503: "ServerBusy",
    },
    "queues": {429: "ServerBusy", 412: "ConditionNotMet", 500: "InternalError", 503: "ServerBusy"},
}
CODES |= {"blobs": CODES["queues"], "topic": CODES["arm"]}


@dataclass(frozen=True)
class Fault:
    """A column of the matrix: a status, or a mode of the back doors."""

    name: str
    status: int | None = None
    mode: str = "answer"
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def befalls(self, call: Call) -> bool:
        """Whether it can happen to this call: only ARM's writes start operations."""
        return call.starts_operation or not self.mode.startswith("async-")

    def body(self, call: Call) -> Json:
        """What the back door is told: for ever, for this call alone."""
        told: Json = {"path": call.pattern, "method": call.method, "times": None, "mode": self.mode}
        if self.mode == "answer" and self.status is None:
            return told | {"delay": LATE[call.system]}
        if self.status is not None:
            code = self.code or CODES[call.system][self.status]
            return told | {"status": self.status, "code": code, "headers": dict(self.headers)}
        return told | ({"code": self.code} if self.code else {})


FAULTS = (
    Fault("429 Retry-After", 429, headers={"Retry-After": "7"}),
    Fault("429", 429),
    Fault("409 busy", 409, code="AnotherOperationInProgress"),
    Fault("412", 412),
    Fault("500", 500),
    Fault("503", 503),
    Fault("timeout"),
    Fault("reset before", mode="reset-before"),
    Fault("reset after", mode="reset-after"),
    Fault("truncated", mode="truncate"),
    Fault("ends Failed", mode="async-failed", code="InternalServerError"),
    Fault("ends Canceled", mode="async-canceled", code="Canceled"),
)
