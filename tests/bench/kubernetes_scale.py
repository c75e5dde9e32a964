"""A look at a very large cluster next to fetching and parsing the same bytes; how both grow."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure, Target
from tests.bench.kubernetes_look import Answer, Round
from tests.bench.kubernetes_servers import Servers, servers

FEW, MANY = 1_000, 10_000
# In turns: a minute in which the machine is slower must not befall one of the two sizes alone. The growth is that of
# the turn in the middle: the best of all rounds of one size may be from a better minute than that of the other.
TURNS, ROUNDS = 5, 3
LOOK = Target("10,000 LoadBalancer Services in one cluster: observe + plan", must=2.0)
WORK = Target("The same, seconds of CPU of the worker", must=2.0)
MEMORY = Target("Peak memory of a process that looks at 10,000 Services (aim 400 MB)")
GROWTH = Target("Growth from 1,000 to 10,000 Services (exponent)", must=1.1)
TARGETS = (LOOK, WORK, MEMORY, GROWTH)

MIX = (
    "2.8 KB per Service with managedFields; 9,000 frontends on 18 load balancers, 500 public IPs, 1,000 PLSs, "
    "1,000 Services on a neighbour's frontend; ledger in memory; plan: nothing to write"
)


@dataclass(frozen=True)
class Measured:
    """The look and its floor in one cluster, each in processes of its own."""

    look: Answer
    floor: Answer


def measure() -> Iterator[Figure]:
    """One figure for each target."""
    turns = _turns()
    many = _together([turn[1] for turn in turns])
    (look, look_cpu), (floor, floor_cpu) = _best(many.look), _best(many.floor)
    size = many.floor.rounds[0].counted / 1e6
    yield LOOK.figure(
        f"{look:.2f} s", f"fetch and json.loads, {size:.0f} MB: {floor:.2f} s", look / floor, MIX
    )
    yield WORK.figure(
        f"{look_cpu:.2f} s",
        f"fetch and json.loads: {floor_cpu:.2f} s",
        look_cpu / floor_cpu,
        "what the API servers' own time does not blur",
    )
    yield MEMORY.figure(
        f"{many.look.peak:.0f} MB",
        f"fetch and json.loads, page by page: {many.floor.peak:.0f} MB",
        many.look.peak / 400,
        "the ratio is to 400 MB; the largest page, all 18 load balancers in one answer, has 45 MB",
    )
    growth, floor_growth = (median(found) for found in zip(*map(_growth, turns), strict=True))
    few_cpu = _best(_together([turn[0] for turn in turns]).look)[1]
    yield GROWTH.figure(
        f"{growth:.2f}",
        f"fetch and json.loads: {floor_growth:.2f}",
        growth,
        f"log10 of the worker's CPU seconds at 10,000 by those at 1,000 (best: {few_cpu:.3f} s and {look_cpu:.2f} s); "
        f"median of {TURNS} turns, in each the best of {ROUNDS}",
    )


def _growth(turn: tuple[Measured, Measured]) -> tuple[float, float]:
    """The exponents of the look and of its floor, from one turn."""
    few, many = turn
    return _exponent(few.look, many.look), _exponent(few.floor, many.floor)


def _exponent(few: Answer, many: Answer) -> float:
    return math.log10(_best(many)[1] / _best(few)[1]) / math.log10(MANY / FEW)


def _together(turns: list[Measured]) -> Measured:
    """All turns of one size."""
    looks, floors = [turn.look for turn in turns], [turn.floor for turn in turns]
    return Measured(_merged(looks), _merged(floors))


def _merged(answers: list[Answer]) -> Answer:
    return Answer([r for answer in answers for r in answer.rounds], max(answer.peak for answer in answers))


def _best(answer: Answer) -> tuple[float, float]:
    """The least seconds on the clock, and of CPU."""
    return min(r.wall for r in answer.rounds), min(r.cpu for r in answer.rounds)


def _turns() -> list[tuple[Measured, Measured]]:
    """Both sizes, turn by turn, each against servers of its own."""
    with ExitStack() as stack:
        few, many = (stack.enter_context(_running(count)) for count in (FEW, MANY))
        return [(_measured(few), _measured(many)) for _ in range(TURNS)]


@contextmanager
def _running(count: int) -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, servers(count, Path(folder)) as running:
        yield running


def _measured(running: Servers) -> Measured:
    return Measured(_rounds("look", running), _rounds("floor", running))


def _rounds(what: str, running: Servers) -> Answer:
    command = [sys.executable, "-m", "tests.bench.kubernetes_look", what, json.dumps(running.__dict__)]
    said = subprocess.run([*command, str(ROUNDS)], stdout=subprocess.PIPE, text=True, check=True).stdout
    answer = json.loads(said)
    rounds = [Round(**each) for each in answer["rounds"]]
    assert what == "floor" or not any(r.counted for r in rounds), "nothing is to be written"
    return Answer(rounds, answer["peak"])
