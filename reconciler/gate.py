"""How many writes go out at once: in total, per load balancer and per virtual network. Thread-safe.

ARM serialises writes below one network and answers 409 or 429 to the others; a limit is halved then,
down to one, and grows by one with each run that wrote without such an answer. What ARM serialises are
operations, which go on for long after their request was answered: below a network where it said so, those
that run count as well, and what does not fit beside them is left for a later run. Limits outlive a run: keep
one gate per process.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from datetime import datetime
from threading import Lock
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
# ARM gives this many writes per second to a subscription whose bucket is empty (its documents say so); a bucket
# holds twice of what flows in during the longest pause, so that none is lost.
TOKENS_PER_SECOND = 10.0
LONGEST_PAUSE = 10.0
# Candidates beyond what fits, in place of those that end without an operation.
SPARE = 4
NONE_RUN: Mapping[str, int] = MappingProxyType({})


class Gate:
    """The learned limits, and which subscriptions are throttled.

    Keys are lower-case ids of load balancers and virtual networks.
    """

    def __init__(self, total: int, per_network: int) -> None:
        self.total = total
        self.per_network = per_network
        self._limits: dict[str, int] = {}
        self._closed: dict[str, datetime] = {}
        self._closed_at: dict[str, datetime] = {}
        self._left: dict[str, dict[str, int]] = {}
        self._lock = Lock()

    def close(self, subscription: str, until: datetime | None, now: datetime) -> None:
        """A whole subscription is throttled: all clusters in it wait, for as long as any answer has asked."""
        key = subscription.lower()
        if until:
            with self._lock:
                self._closed[key] = max(until, self._closed.get(key, until))
                self._closed_at[key] = now

    def closed_at(self, subscription: str, now: datetime) -> datetime:
        """When the subscription was found throttled last; ``now`` if it never was."""
        with self._lock:
            return self._closed_at.get(subscription.lower(), now)

    def closed_until(self, subscription: str, now: datetime) -> datetime | None:
        """Until when no write to the subscription may start; None where it may now."""
        with self._lock:
            until = self._closed.get(subscription.lower())
        return until if until and now < until else None

    def pause(self, subscription: str, cluster: str, left: int) -> float:
        """Seconds until ARM has given out enough for all that was left of a throttled subscription's writes.

        ``left`` is what was left of the cluster's. Who comes back as soon as it may gets a few, and all its
        looks are for them.
        """
        self.waiting(subscription, cluster, left)
        with self._lock:
            clusters = self._left[subscription.lower()]
            return min(sum(clusters.values()) / TOKENS_PER_SECOND, LONGEST_PAUSE) if left else 0.0

    def waiting(self, subscription: str, cluster: str, writes: int) -> None:
        """So many writes of the cluster are still to be done: said while it writes, or others would reckon with
        what it was left with before."""
        with self._lock:
            self._left.setdefault(subscription.lower(), {})[cluster] = writes

    def limit(self, key: str) -> int:
        """How many writes may be in flight below ``key``."""
        with self._lock:
            return self._limits.get(key, self.per_network)

    def serialises(self, keys: Iterable[str]) -> bool:
        """Whether ARM said lately that it does so below one of these."""
        with self._lock:
            return any(key in self._limits for key in keys)

    def busy(self, keys: Iterable[str]) -> None:
        """ARM said that one of these was busy."""
        with self._lock:
            for key in keys:
                self._limits[key] = max(1, self._limits.get(key, self.per_network) // 2)

    def quiet(self, keys: Iterable[str]) -> None:
        """A run wrote below these, and ARM was never busy."""
        with self._lock:
            for key in keys:
                if key in self._limits:
                    self._limits[key] += 1
                    if self._limits[key] >= self.per_network:
                        del self._limits[key]

    def candidates(
        self, items: Iterable[T], keys: Callable[[T], frozenset[str]], running: Mapping[str, int]
    ) -> tuple[tuple[T, ...], tuple[T, ...]]:
        """Which items may come to start beside the operations that run, and which will not in this run."""
        counts: Counter[str] = Counter()
        may, cannot = list[T](), list[T]()
        for item in items:
            mine = keys(item)
            rooms = [(room, counts[key]) for key in mine if (room := self._room(key, running)) is not None]
            fits = all(room > 0 and count < room + SPARE for room, count in rooms)
            (may if fits else cannot).append(item)
            counts.update(mine if fits else ())
        return tuple(may), tuple(cannot)

    def run(
        self,
        items: Iterable[T],
        keys: Callable[[T], frozenset[str]],
        work: Callable[[T], R],
        pool: Executor,
        may_start: Callable[[], bool],
        running: Mapping[str, int] = NONE_RUN,
        runs_on: Callable[[R], bool] = lambda result: False,
    ) -> Iterator[tuple[T, R | None]]:
        """Do ``work`` for all items, as many at once as the limits allow, and yield each as it ends.

        ``running`` counts the operations that run already, by key; ``runs_on`` tells of a result that it began
        another. Items that ``may_start`` no longer lets begin, or that operations are in the way of, are yielded
        with None; ``may_start`` is asked again on the thread that does the work, since that may have had to wait
        for its turn. ``work`` must not raise.
        """
        waiting, operations = _grouped(items, keys), Counter(running)
        flying: dict[Future[R | None], tuple[T, frozenset[str]]] = {}
        while waiting or flying:
            if waiting and not may_start():
                break
            for item, mine in self._next(waiting, flying, operations):
                flying[pool.submit(lambda i: work(i) if may_start() else None, item)] = (item, mine)
            if not flying:
                break
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                (item, mine), result = flying.pop(future), future.result()
                if result is not None and runs_on(result):
                    operations.update(mine)
                yield item, result
        for future in list(flying):
            yield flying.pop(future)[0], future.result()
        for queue in waiting.values():
            for item in queue:
                yield item, None

    def _next(
        self,
        waiting: dict[frozenset[str], deque[T]],
        flying: Mapping[Future[R | None], tuple[T, frozenset[str]]],
        operations: Mapping[str, int],
    ) -> Iterator[tuple[T, frozenset[str]]]:
        """Take what fits beside what flies. ``flying`` grows while the caller goes on."""
        counts = Counter(key for _, mine in flying.values() for key in mine)
        for mine, queue in list(waiting.items()):
            while queue and len(flying) < self.total and all(self._fits(k, counts, operations) for k in mine):
                counts.update(mine)
                yield queue.popleft(), mine
            if not queue:
                del waiting[mine]

    def _room(self, key: str, operations: Mapping[str, int]) -> int | None:
        """How many operations may begin below a network where ARM serialises them; None elsewhere."""
        with self._lock:
            learned = self._limits.get(key)
        return None if learned is None else learned - operations.get(key, 0)

    def _fits(self, key: str, counts: Mapping[str, int], operations: Mapping[str, int]) -> bool:
        room = self._room(key, operations)
        return counts.get(key, 0) < (self.per_network if room is None else room)


def _grouped(items: Iterable[T], keys: Callable[[T], frozenset[str]]) -> dict[frozenset[str], deque[T]]:
    """Items below the same networks wait in one queue, so that a full network is looked at once."""
    groups: dict[frozenset[str], deque[T]] = {}
    for item in items:
        groups.setdefault(keys(item), deque()).append(item)
    return groups
