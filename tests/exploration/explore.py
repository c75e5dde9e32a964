"""Search of all states: depth first, so that a circle is seen as well, with the way to what is broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.exploration.numbers import key
from tests.exploration.state import Broken, State
from tests.exploration.work import Step
from tests.exploration.world import World


@dataclass(frozen=True)
class Explored:
    """What was found: how many states and steps; how one comes to a broken promise, None where all are kept."""

    states: int
    steps: int
    broken: str | None = None
    way: tuple[str, ...] = ()


def explore(world: World, first: State) -> Explored:
    """All that can happen. No state comes twice on one way, and every way ends quiet: always quiet in the end."""
    states: set[int] = {key(first)}
    open_states: set[int] = {key(first)}
    steps = 0
    stack: list[tuple[str, State, Iterator[Step]]] = [("start", first, world.steps(first))]
    try:
        while stack:
            _, state, following = stack[-1]
            for what, after in following:
                steps += 1
                name = key(after)
                if name not in states:
                    states.add(name)
                    open_states.add(name)
                    stack.append((what, after, world.steps(after)))
                    break
                if name in open_states:
                    raise Broken(f"it never ends: {what}")
            else:
                require_kept(state)
                open_states.discard(key(state))
                stack.pop()
    except Broken as broken:
        return Explored(len(states), steps, str(broken), tuple(what for what, _, _ in stack))
    return Explored(len(states), steps)


def require_kept(state: State) -> None:
    """Once nothing is under way, nobody waits: whoever asked was served by a run that began afterwards.

    A state without a next one is quiet: time passes to every message, and every worker goes on.
    """
    if state.queue or any(state.tasks):
        return
    if state.wishes:
        raise Broken("lost: somebody asked, and nothing will lead to a run")
    if state.row.wanted is not None:
        raise Broken("a wish is noted, and nobody will read it")
