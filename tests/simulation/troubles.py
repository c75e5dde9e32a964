"""What is told of a cluster and is not so: by its own API, or by Azure's list of load balancers."""

from __future__ import annotations

SELDOM = 600.0  # no run may be between two of the timer's


class Trouble:
    """What is wrong, and until when (seconds of the kernel's time)."""

    def __init__(self) -> None:
        self.empty_until, self.imposter_until, self.half = 0.0, 0.0, False
        self.hidden_since, self.hidden_until = 0.0, -SELDOM

    def hide(self, now: float, seconds: float) -> None:
        """Azure's list lacks the load balancers from now on, or for longer. Who looks seldom sees no short gap."""
        if now >= self.hidden_until + SELDOM:
            self.hidden_since = now
        self.hidden_until = max(self.hidden_until, now + seconds)

    def end(self, now: float) -> None:
        """The truth again."""
        self.empty_until = self.imposter_until = 0.0
        self.hidden_until = min(self.hidden_until, now)
