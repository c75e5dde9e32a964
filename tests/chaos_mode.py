"""How much of the exhaustive tests to run: everything with CHAOS=full (`make test-chaos`), else a seeded tenth.

CHAOS_SEED chooses another tenth, to be named when a failure is told.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("CHAOS") == "full"
SEED = int(os.environ.get("CHAOS_SEED", "20261121"))


def tenth(cases: Sequence[T]) -> list[T]:
    """All cases in full mode; else a tenth of them (at least one), the same for a seed, in their order."""
    if FULL or not cases:
        return list(cases)
    chosen = random.Random(SEED).sample(range(len(cases)), max(1, len(cases) // 10))
    return [cases[index] for index in sorted(chosen)]
