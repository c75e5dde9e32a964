"""Log lines with fields: what a line is about travels as ``extra`` (names in :data:`reconciler.telemetry.FIELDS`).

Where logs go to Application Insights or another collector, fields become attributes of the record.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from reconciler import context
from reconciler.bookkeeping import Outcome, Result
from reconciler.plan import Finding, Severity, frontend_of, verb

log = logging.getLogger("reconciler")
LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO}
# Each of their calls would be told at INFO, headers included.
NOISY = ("azure", "urllib3", "kubernetes")


def set_up() -> None:
    """Once per process: our lines are told from INFO on and carry what the work is about, the libraries' from WARNING on."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)
    log.addFilter(_add_context)


def _add_context(record: logging.LogRecord) -> bool:
    for name, value in context.present().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


def tell(begun: Iterable[Outcome], fresh: Iterable[Finding]) -> None:
    """A line for each write that was begun, in the words of the plan, and for each finding that is new."""
    for outcome in begun:
        level = logging.ERROR if outcome.result is Result.FAILED else logging.INFO
        log.log(level, "%s: %s", outcome.write.reason, outcome.sentence, extra=_of_write(outcome))
    for finding in fresh:
        log.log(
            LEVELS[finding.severity], "%s: %s", finding.reason, finding.sentence, extra=_of_finding(finding)
        )


def _of_write(outcome: Outcome) -> dict[str, str]:
    write = outcome.write
    return {
        "action": verb(write),
        "reason": write.reason.value,
        "result": outcome.result.name.lower(),
        "service": write.service,
        "frontend": frontend_of(write),
        "privateLinkService": write.pls_id,
    }


def _of_finding(finding: Finding) -> dict[str, str]:
    return {
        "reason": finding.reason.value,
        "result": finding.severity.value,
        "service": finding.service,
        "frontend": finding.frontend_id,
        "privateLinkService": finding.pls_id,
    }
