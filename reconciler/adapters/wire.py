"""What every HTTP answer needs: words made fit for a log line, and how long a server asks to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SENTENCE_LIMIT = 500
LONGEST_WAIT = 3600.0


def clean(words: str, limit: int = SENTENCE_LIMIT) -> str:
    """One line of printable characters, at most ``limit`` long; an ellipsis marks what was cut."""
    # Cut first: whoever sends a megabyte need not have all of it looked at.
    line = " ".join("".join(c if c.isprintable() else " " for c in words[: limit * 4]).split())
    return line if len(line) <= limit and len(words) <= limit * 4 else line[: limit - 1] + "…"


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait (0 to an hour) as the answer asks, in seconds or as an HTTP date; else None."""
    found = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        wait = _seconds(found.get(name, ""), now)
        if wait is not None:
            return min(max(wait * unit, 0.0), LONGEST_WAIT)
    return None


def _seconds(value: str, now: datetime) -> float | None:
    try:
        return float(value) if value.strip().replace(".", "", 1).isdecimal() else _until(value, now)
    except (ValueError, TypeError, OverflowError):
        return None


def _until(value: str, now: datetime) -> float:
    date = parsedate_to_datetime(value)
    return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
