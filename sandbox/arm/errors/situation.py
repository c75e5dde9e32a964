"""What a refusal is: a row that says when, with what status, code and words, and how that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Evidence = Literal["REC", "SDK", "DOC", "3P", "INF", "UNV"]

FIDELITY_HEADER = "x-sim-fidelity"


class ArmError(Exception):
    """An answer that is a refusal."""

    def __init__(
        self, situation: Situation, message: str, details: list[Json] | None, headers: Mapping[str, str]
    ) -> None:
        super().__init__(f"{situation.code}: {message}")
        self.situation = situation
        self.status = situation.status
        self.code = situation.code
        self.message = message
        self.details = details
        self.headers = dict(headers)

    def body(self) -> Json:
        """`{"error": {"code", "message", "details"?}}`; the gateway's own errors have no details."""
        error: Json = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}


@dataclass(frozen=True)
class Situation:
    """What went wrong, and how ARM says so. `message` is a format string.

    evidence: REC recorded traffic, SDK read in source, DOC Microsoft's documents, 3P a third party's
    report of a real message, INF inferred, UNV unconfirmed.
    """

    name: str
    status: int
    code: str
    message: str
    evidence: Evidence
    gateway: bool = field(default=False, kw_only=True)

    @property
    def guess(self) -> bool:
        """Whether nobody has shown us ARM giving this answer."""
        return self.evidence in ("INF", "UNV")

    def error(
        self,
        *,
        details: list[Json] | None = None,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> ArmError:
        """The refusal, to be raised."""
        extra = dict(headers or {})
        if self.guess:
            extra[FIDELITY_HEADER] = "guess"
        if self.gateway:
            extra["x-ms-failure-cause"] = "gateway"
        shown = None if self.gateway else (details or [])
        return ArmError(self, self.message.format(**values), shown, extra)
