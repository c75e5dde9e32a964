"""ARM's token buckets: per subscription, principal and kind of request."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.arm.errors import gateway
from sandbox.arm.options import Bucket, Throttle
from sandbox.arm.world import Caller

_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


@dataclass
class _Level:
    tokens: float
    at: float


@dataclass
class Buckets:
    """The levels of all buckets. `clock` gives seconds."""

    limits: Throttle
    clock: Callable[[], float]
    _levels: dict[tuple[str, str, str], _Level] = field(default_factory=dict)

    def take(self, method: str, subscription: str, caller: Caller) -> dict[str, str]:
        """Take a token; the header that tells what is left, or SubscriptionRequestsThrottled."""
        kind = _KINDS.get(method, "writes")
        bucket: Bucket = getattr(self.limits, kind)
        level = self._level(kind, subscription.lower(), caller.object_id, bucket)
        if level.tokens < 1:
            seconds = max(1, math.ceil((1 - level.tokens) / bucket.refill))
            raise gateway.THROTTLED.error(
                headers={"Retry-After": str(seconds)},
                kind=kind.removesuffix("s"),
                subscription=subscription,
                actor=caller.object_id,
                seconds=seconds,
            )
        level.tokens -= 1
        return {f"x-ms-ratelimit-remaining-subscription-{kind}": str(int(level.tokens))}

    def _level(self, kind: str, subscription: str, actor: str, bucket: Bucket) -> _Level:
        now = self.clock()
        level = self._levels.setdefault((kind, subscription, actor), _Level(bucket.size, now))
        level.tokens = min(bucket.size, level.tokens + (now - level.at) * bucket.refill)
        level.at = now
        return level
