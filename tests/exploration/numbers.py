"""Numbers instead of parts of states: a set of millions of states fits into memory, and none is mistaken for another."""

from __future__ import annotations

from tests.exploration.state import State

_numbers: dict[object, int] = {}
WIDTH = 32


def number(part: object) -> int:
    """The same number for equal parts, and another one for others: in the order in which they come."""
    return _numbers.setdefault(part, len(_numbers))


def key(state: State) -> int:
    """One number for a state, without loss: it is made of those of its parts."""
    now, row, (first, second), queue, *others = state
    key = number(row)
    for part in (first, second, queue, (now, *others)):
        key = key << WIDTH | number(part)
    return key
