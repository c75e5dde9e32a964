"""Timer schedules: NCRONTAB (six fields, seconds first; five mean second 0) and time spans. All in UTC."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import CroniterError, croniter

from sandbox.functions.configuration import parse_timespan

Next = Callable[[datetime], datetime]

_NAMES = "(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT)"
_VALUE = rf"(?:\d+|{_NAMES})"
_ITEM = rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/\d+)?"
_FIELD = re.compile(rf"{_ITEM}(?:,{_ITEM})*", re.IGNORECASE)

# The platform keeps no status for timers that fire more often than this.
MONITORED = timedelta(minutes=1)


@dataclass(frozen=True)
class Schedule:
    """When a timer fires: `next(after)` is the first occurrence strictly after `after`."""

    text: str
    next: Next

    def is_monitored(self, now: datetime) -> bool:
        """Whether its occurrences are so far apart that the platform remembers a missed one."""
        times = [self.next(now)]
        for _ in range(4):
            times.append(self.next(times[-1]))
        return min(b - a for a, b in itertools.pairwise(times)) >= MONITORED


def parse_schedule(text: str) -> Schedule:
    """Read a schedule expression. Raises ValueError."""
    if ":" in text:
        interval = parse_timespan(text)
        if interval <= timedelta(0):
            raise ValueError(f"{text!r} is no interval")
        return Schedule(text, lambda after: after + interval)
    return Schedule(text, _ncrontab(text))


def _ncrontab(text: str) -> Next:
    fields = text.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6 or not all(_FIELD.fullmatch(f) for f in fields):
        raise ValueError(f"{text!r} is not an NCRONTAB expression of six fields")
    expression = " ".join(fields)

    def after(moment: datetime) -> datetime:
        # Unlike cron, a day has to match both the day of the month and the day of the week.
        return datetime.fromtimestamp(
            croniter(expression, moment, day_or=False, second_at_beginning=True).get_next(float),
            moment.tzinfo,
        )

    try:
        after(datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
    except CroniterError as error:
        raise ValueError(f"{text!r}: {error}") from error
    return after
