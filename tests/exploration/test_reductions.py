"""What the exploration leaves out changes nothing: states that are taken for the same, orders that are not tried.

Compared with a world in which nothing is left out: two states are the same only if they differ in no clock,
no worker's number and no fence, and everything comes in all orders.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations_with_replacement

import pytest

from tests.chaos_mode import FULL
from tests.exploration.sameness import harder, same
from tests.exploration.state import ANY, KINDS, Budget, State, start, to_come
from tests.exploration.test_exploration import SKEWED, SLOW_TROUBLE, TROUBLE, TWO_TROUBLES
from tests.exploration.world import World

RACES = Budget(0, 0, 0, 0)
ALL = Budget(2, 1, 1, 1)
RAW = World(merged=False, all_orders=True)
RAW_SKEWED = World(skews=SKEWED.skews, queue=SKEWED.queue, table=SKEWED.table, merged=False, all_orders=True)
WALKS = 1500 if FULL else 100


def reached(world: World, first: State) -> set[State]:
    """All states."""
    found, ways = {first}, [first]
    while ways:
        for _, after in world.steps(ways.pop()):
            if after not in found:
                found.add(after)
                ways.append(after)
    return found


def walked(world: World, budget: Budget, walks: int = WALKS) -> Iterator[State]:
    """The states on random ways through a world of three messages of any kinds."""
    draw = random.Random(f"{world.skews} {budget}")
    for _ in range(walks):
        state: State | None = start((ANY, ANY, ANY), budget)
        while state is not None:
            yield state
            following = [found for _, found in world.steps(state)]
            state = draw.choice(following) if following else None


def after(world: World, state: State, twins: bool) -> set[State]:
    """What may come next, up to sameness."""
    return {same(found, twins) for _, found in world.steps(state)}


def require_alike(world: World, state: State) -> None:
    """A state and the one that stands for it have the same next ones."""
    twins = world.skews[0] == world.skews[1]
    stands = same(state, twins)
    assert same(stands, twins) == stands
    assert after(world, state, twins) == after(world, stands, twins), f"{state}\n{stands}"


Small = tuple[tuple[str, ...], Budget]
SMALL: list[Small] = [((kind,), TROUBLE) for kind in KINDS] + [
    (("event", "timer"), RACES),
    (("event", "probe"), RACES),
]
LARGE: list[Small] = [((ANY,), TROUBLE), (("event", "event"), TROUBLE), ((ANY, ANY), RACES)]


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kinds", "budget"), SMALL + LARGE if FULL else SMALL)
def test_a_small_world_is_explored_as_if_nothing_were_left_out(
    kinds: tuple[str, ...], budget: Budget
) -> None:
    """The same states are reached, each with the same next ones; fewer orders end in the same quiet states."""
    first = start(kinds, budget)
    raw = reached(RAW, first)
    for state in raw:
        require_alike(RAW, state)
    merged = reached(World(all_orders=True), same(first, True))
    fewer = reached(World(), same(first, True))
    assert merged == {same(state, True) for state in raw}
    assert fewer < merged
    assert {s for s in fewer if not after(World(), s, True)} == {s for s in merged if not after(RAW, s, True)}


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("budget", [TROUBLE, ALL], ids=["trouble", "all"])
@pytest.mark.parametrize("world", [RAW, RAW_SKEWED], ids=["twins", "skewed"])
def test_states_that_are_the_same_have_the_same_next_ones(world: World, budget: Budget) -> None:
    """Three messages: on random ways, since the world in which nothing is left out is too large."""
    for state in walked(world, budget):
        require_alike(world, state)


def others(world: World, state: State, but: int) -> Iterator[State]:
    """What may come next but for this worker's own steps."""
    other = world.receive if state.tasks[1 - but] is None else world.work
    for steps in (world.send_wishes(state), other(state, 1 - but), world.pass_time(state)):
        yield from (found for _, found in steps)


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("budget", [TROUBLE, TWO_TROUBLES, SLOW_TROUBLE], ids=["once", "twice", "slow"])
def test_a_step_that_nobody_notices_may_as_well_come_first(budget: Budget) -> None:
    """Whatever comes before it could have come after it, and it stays possible and unnoticed meanwhile."""
    compared = 0
    for state in walked(RAW, budget, 4 * WALKS):
        worker = RAW.unnoticed(state)
        if worker is None:
            continue
        first = {same(s, True) for _, own in RAW.work(state, worker) for _, s in RAW.steps(own)}
        for other in others(RAW, state, worker):
            task, before = other.tasks[worker], state.tasks[worker]
            assert task is not None
            assert before is not None
            assert task in (before, before._replace(row=None))
            last = {same(found, True) for _, found in RAW.work(other, worker)}
            assert last <= first, state
            compared += len(last)
    assert compared > WALKS


def harder_or_same(late: State, early: State) -> bool:
    """Whether the states differ at most in what was seen of the wishes, and whoever serves the late ones serves all."""
    if late._replace(wishes=()) != early._replace(wishes=()):
        return False
    return all(any(harder(one, other) for one in late.wishes) for other in early.wishes)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_message_may_as_well_be_sent_when_it_is_received_or_time_passes() -> None:
    """Whatever comes after a sending could have come before it, unless it is the receiving itself."""
    world, put_off, compared = RAW_SKEWED, World(skews=SKEWED.skews, queue=-3, table=3, merged=False), 0
    for state in walked(world, TROUBLE, WALKS // 3):
        received = [
            same(found, False)
            for worker, task in enumerate(state.tasks)
            if task is None
            for _, found in put_off.receive(state, worker)
        ]
        later = [same(sent, False) for _, found in world.steps(state) for _, sent in world.send_wishes(found)]
        for _, sent in world.send_wishes(state):
            for what, found in world.steps(sent):
                if not what.startswith("time passes"):
                    early = same(found, False)
                    assert any(harder_or_same(late, early) for late in (*later, *received)), what
                    compared += 1
                else:
                    assert sent in [s for _, s in put_off.send_wishes(state)]
    assert compared > WALKS


def test_messages_of_any_kind_are_those_of_all_kinds() -> None:
    """One exploration stands for twenty."""

    def sent(unsent: tuple[str, ...]) -> set[tuple[str, ...]]:
        if not unsent:
            return {()}
        return {tuple(sorted((kind, *more))) for kind, rest in to_come(unsent) for more in sent(rest)}

    assert sent((ANY, ANY, ANY)) == {
        tuple(sorted(kinds)) for kinds in combinations_with_replacement(KINDS, 3)
    }
    assert len(sent((ANY, ANY, ANY))) == 20
