"""How many writes go out at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from time import sleep

import pytest

from reconciler.gate import Gate
from tests.builders import NOW, after


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """More threads than any test lets work."""
    with ThreadPoolExecutor(20) as threads:
        yield threads


class Meter:
    """Counts how many of the same key are at work at once, at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.order: list[str] = []

    def work(self, item: str) -> str:
        keys = ("all", item[0])
        with self._lock:
            self.order.append(item)
            for key in keys:
                self._now[key] = self._now.get(key, 0) + 1
                self.most[key] = max(self.most.get(key, 0), self._now[key])
        sleep(0.002)  # long enough to meet the others
        with self._lock:
            for key in keys:
                self._now[key] -= 1
        return item.upper()


def key(item: str) -> frozenset[str]:
    """The network of an item: its first letter."""
    return frozenset({item[0]})


def test_every_item_is_done_once_and_its_result_comes_with_it(pool: ThreadPoolExecutor) -> None:
    """However they are spread over networks."""
    items = [f"{n}{i}" for n in "abc" for i in range(20)]
    ends = dict(Gate(4, 2).run(items, key, Meter().work, pool, lambda: True))
    assert ends == {item: item.upper() for item in items}


def test_no_more_than_the_limits_allow_are_in_flight(pool: ThreadPoolExecutor) -> None:
    """Neither in total nor below one network."""
    meter, items = Meter(), [f"{n}{i}" for i in range(15) for n in "abcdef"]
    list(Gate(5, 2).run(items, key, meter.work, pool, lambda: True))
    assert meter.most["all"] <= 5
    assert max(meter.most[n] for n in "abcdef") <= 2


def test_the_limit_is_used_in_full(pool: ThreadPoolExecutor) -> None:
    """Four below one network meet at a barrier: with three at once this would never end."""
    barrier = Barrier(4, timeout=20)

    def meet(item: str) -> int:
        return barrier.wait()

    ends = list(Gate(16, 4).run([f"a{i}" for i in range(8)], key, meet, pool, lambda: True))
    assert len(ends) == 8


def test_a_full_network_does_not_hold_up_the_others(pool: ThreadPoolExecutor) -> None:
    """What does not fit is passed over, not waited for."""
    barrier = Barrier(3, timeout=20)
    items = ["a1", "a2", "a3", "b1", "c1"]

    def meet(item: str) -> None:
        if item in ("a1", "b1", "c1"):
            barrier.wait()

    assert len(list(Gate(16, 1).run(items, key, meet, pool, lambda: True))) == 5


def test_the_fence_is_asked_before_new_work_and_what_is_left_comes_last(pool: ThreadPoolExecutor) -> None:
    """What has begun is ended and told; the rest comes back undone."""
    meter = Meter()
    ends = list(
        Gate(16, 1).run([f"a{i}" for i in range(6)], key, meter.work, pool, lambda: len(meter.order) < 2)
    )
    done = [item for item, result in ends if result is not None]
    assert done == ["a0", "a1"]
    assert [item for item, result in ends[2:]] == ["a2", "a3", "a4", "a5"]
    assert meter.order == done


def test_a_closed_fence_starts_nothing(pool: ThreadPoolExecutor) -> None:
    """Not even the first."""
    assert list(Gate(16, 4).run(["a1"], key, Meter().work, pool, lambda: False)) == [("a1", None)]


def test_operations_are_in_the_way_only_below_a_network_that_said_so(pool: ThreadPoolExecutor) -> None:
    """Requests end at once, what they begin goes on: where ARM serialises, the next is refused until it ends."""
    gate, items = Gate(16, 4), [f"{n}{i}" for n in "ab" for i in range(6)]
    gate.busy({"a"})

    def done(running: dict[str, int]) -> list[str]:
        ends = gate.run(items, key, Meter().work, pool, lambda: True, running, lambda result: True)
        return [item for item, result in ends if result]

    free = [f"b{i}" for i in range(6)]
    assert sorted(done({"b": 9})) == ["a0", "a1", *free]
    assert sorted(done({"a": 1})) == ["a0", *free]
    assert sorted(done({"a": 2})) == free


def test_only_what_may_come_to_start_is_a_candidate() -> None:
    """Intents are written for candidates: for a hundred that wait for one operation they would be written in vain."""
    gate, items = Gate(16, 4), [f"{n}{i}" for n in "ab" for i in range(20)]
    free = tuple(f"b{i}" for i in range(20))
    gate.busy({"a"})
    may, cannot = gate.candidates(items, key, {"a": 1, "b": 9})
    assert may == ("a0", "a1", "a2", "a3", "a4", *free)
    assert cannot == tuple(f"a{i}" for i in range(5, 20))
    assert gate.candidates(items, key, {"a": 2})[0] == free
    assert gate.candidates(items, lambda item: key(item) | {"a"}, {"a": 2})[0] == ()


def test_a_busy_answer_stops_the_rest_below_the_network(pool: ThreadPoolExecutor) -> None:
    """What began before it is in the way of all others: each further request would be one more refusal."""
    gate, tried = Gate(16, 1), list[str]()

    def first_only(item: str) -> str:
        tried.append(item)
        return "accepted" if item == "a0" else "busy"

    left = []
    ends = gate.run(
        [f"a{i}" for i in range(6)], key, first_only, pool, lambda: True, {}, lambda r: r == "accepted"
    )
    for item, result in ends:
        if result == "busy":
            gate.busy(key(item))
        left += [] if result else [item]
    assert tried == ["a0", "a1"]
    assert left == ["a2", "a3", "a4", "a5"]


def test_items_without_a_network_count_in_total_only(pool: ThreadPoolExecutor) -> None:
    """Nothing to serialise them by."""
    meter = Meter()
    ends = list(Gate(2, 1).run(["a1", "a2", "a3"], lambda _: frozenset(), meter.work, pool, lambda: True))
    assert len(ends) == 3
    assert meter.most["all"] <= 2


def test_a_busy_network_is_halved_down_to_one_and_alone() -> None:
    """4, 2, 1, 1; its neighbour keeps its limit."""
    gate = Gate(16, 4)
    limits = []
    for _ in range(4):
        limits.append(gate.limit("a"))
        gate.busy({"a"})
    assert limits == [4, 2, 1, 1]
    assert gate.limit("b") == 4


def test_a_throttled_subscription_waits_for_the_longest_wait_that_any_answer_asked_for() -> None:
    """Answers of writes that were in flight together come in any order, and from several clusters."""
    gate = Gate(8, 4)
    for seconds in (10, 300, 30):
        gate.close("sub", after(seconds=seconds), NOW)
    assert gate.closed_until("SUB", NOW) == after(seconds=300)
    assert gate.closed_until("sub", after(seconds=300)) is None
    gate.close("sub", after(seconds=310), after(seconds=305))
    assert gate.closed_until("sub", after(seconds=305)) == after(seconds=310)


def test_each_quiet_run_gives_one_back_up_to_the_limit() -> None:
    """And no further."""
    gate = Gate(16, 4)
    gate.busy({"a"})
    gate.busy({"a"})
    limits = []
    for _ in range(5):
        gate.quiet({"a", "b"})
        limits.append(gate.limit("a"))
    assert limits == [2, 3, 4, 4, 4]
    assert gate.limit("b") == 4
