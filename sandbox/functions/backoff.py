"""How long the queue extension waits between two polls."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import uniform

MINIMUM = timedelta(milliseconds=100)
SPREAD = 0.2


@dataclass
class Backoff:
    """No pause after messages; after none 0.1 s, then about doubling, spread by a fifth, up to `maximum`."""

    maximum: timedelta
    uniform: Callable[[float, float], float] = uniform
    _empty: int = 0

    def after(self, found: bool) -> timedelta:
        """The pause before the next poll, given whether this one found messages."""
        if found:
            self._empty = 0
            return timedelta(0)
        # The exponent is capped: beyond it any maximum is reached, and floats stay finite.
        factor = 2.0 ** min(self._empty - 1, 40) if self._empty else 0.0
        self._empty += 1
        spread = 1 + self.uniform(-SPREAD, SPREAD)
        seconds = MINIMUM.total_seconds() * (1 + spread * factor)
        return min(timedelta(seconds=seconds), self.maximum)
