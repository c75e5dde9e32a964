"""How far a cluster's events are published, and what is said while they cannot be. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.errors import Denied, NotFound, OutsideError, RetryLater
from reconciler.plan import Finding, Reason, Severity
from reconciler.ports import Publication

# Seconds until the next try: at first soon, since somebody waits; then as often as every cluster is looked at anyway.
DELAYS = (10, 30, 120, 300)


def put_off(before: Publication, error: OutsideError, where: str, now: datetime) -> Publication:
    """After a try that failed. ``where`` names what failed: "the topic"."""
    failures = before.failures + 1
    asked = (error.after or 0.0) if isinstance(error, RetryLater) else 0.0
    pause = max(asked, DELAYS[min(failures, len(DELAYS)) - 1])
    return Publication(before.digest, failures, now + timedelta(seconds=pause), f"{where} {_why(error)}")


def _why(error: OutsideError) -> str:
    """The kind of failure in words that stay the same from one try to the next: they are told once."""
    match error:
        case Denied():
            return "refuses our identity, or Azure gives it no token"
        case NotFound():
            return "is not there"
        case RetryLater():
            return "does not answer, or is busy"
        case _:
            return f"refuses them ({error.code or type(error).__name__})"


def trouble(cluster: str, publication: Publication | None) -> tuple[Finding, ...]:
    """What is said while events wait."""
    if publication is None or not publication.failures:
        return ()
    sentence = (
        f"Events of cluster {cluster} are not published: {publication.trouble}. None is lost: they are tried again, "
        "at the latest every five minutes. See docs/events.md."
    )
    return (Finding(Reason.NOT_PUBLISHED, Severity.WARNING, sentence),)
