"""How long the queue extension waits between two polls."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

MINIMUM = timedelta(milliseconds=100)
SPREAD = 0.2


@dataclass
class Backoff:
    """0.1 s after messages; after nothing it doubles, spread by a fifth, up to `maximum`."""

    maximum: timedelta
    random: random.Random = field(default_factory=random.Random)
    _empty: int = 0

    def after(self, found: bool) -> timedelta:
        """The pause before the next poll, given whether this one found messages."""
        if found:
            self._empty = 0
            return MINIMUM
        # The exponent is capped: beyond it any maximum is reached, and floats stay finite.
        factor = 2.0 ** min(self._empty - 1, 40) if self._empty else 0.0
        self._empty += 1
        spread = 1 + self.random.uniform(-SPREAD, SPREAD)
        seconds = MINIMUM.total_seconds() * (1 + spread * factor)
        return min(timedelta(seconds=seconds), self.maximum)
