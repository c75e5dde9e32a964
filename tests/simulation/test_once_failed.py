"""Histories that the simulation once found a failure in, as it shrank them, and what each taught."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.simulation import steps as s
from tests.simulation.replay import Mode, replay
from tests.simulation.strategies import ADDRESS

PLAIN, SHARER, ONE = s.Settings(), s.Settings(address=ADDRESS), s.Settings(name="one")
SHARED_ONE = s.Settings(name="one", group="shared")
PUT = "put_private_link_service"

# What it taught, the seed, the mode, and the steps.
HISTORIES: Sequence[tuple[str, int, Mode, Sequence[s.Step]]] = [
    (
        "a failure of two in-tree controllers over one name is tried again by them long after, once",
        4489,
        Mode("active", "active"),
        [
            s.ApplyService("prod", "web", ONE),
            s.DeleteService("prod", "web"),
            s.FailOperations(200),
            s.Fault("azure", PUT, "cut", 200),
            s.DeleteService("prod", "web"),
            s.DeleteService("prod", "web"),
            s.Wait(400),
            s.ApplyService("dev", "web", SHARED_ONE),
            s.ApplyService("prod", "pay", SHARED_ONE),
            s.Fault("queue", "send", "down", 2),
            s.Fault("azure", PUT, "busy", 200),
            s.ApplyService("prod", "web", ONE),
            s.Wait(120),
            s.Wait(120),
        ],
    ),
    (
        "a refusal's waiting time, long over, hid how often the same content went out since",
        0,
        Mode("active", "active"),
        [
            s.FailOperations(200),
            s.Fault("azure", PUT, "cut", 200),
            s.ApplyService("prod", "web", ONE),
            s.ApplyService("prod", "api", ONE),
            s.DeleteService("prod", "web"),
            s.Wait(400),
        ],
    ),
    (
        "somebody's own PLS on a predecessor's frontend: the provider cannot take it away",
        0,
        Mode("absent", "absent"),
        [
            s.Meanwhile("azure", "get_private_link_service", s.MakeForeign("dev", 0, "theirs")),
            s.ApplyService("dev", "api", PLAIN),
            s.DeleteService("dev", "api", force=True),
            s.ApplyService("dev", "api", PLAIN),
        ],
    ),
    (
        "the same, while the load balancers are read",
        1,
        Mode("absent", "active"),
        [
            s.ApplyService("prod", "web", ONE),
            s.Meanwhile("azure", "list_load_balancers", s.MakeForeign("prod", 0, "theirs")),
            s.DeleteService("prod", "web", force=True),
            s.ApplyService("prod", "web", ONE),
        ],
    ),
    (
        "an owner left for a frontend where it is refused; the last sharer could never go",
        0,
        Mode("absent", "active"),
        [
            s.ApplyService("prod", "pay", SHARER),
            s.ApplyService("prod", "web", SHARER),
            s.ApplyService("prod", "pay", s.Settings(internal=False, floating=True)),
            s.DeleteService("prod", "web"),
        ],
    ),
    (
        "a successor that only names the address kept the PLS of its predecessor, and got no frontend",
        0,
        Mode("absent", "absent"),
        [
            s.ApplyService("dev", "web", SHARER),
            s.DeleteService("prod", "web"),
            s.DeleteService("dev", "web", force=True),
            s.ApplyService("dev", "web", SHARER),
        ],
    ),
    (
        "a denied read of a subnet is told, and a person asks for a run where no timer does",
        0,
        Mode("absent", "active", timer=False),
        [
            s.DeleteService("prod", "web"),
            s.Fault("azure", "get_subnet", "denied"),
            s.ApplyService("prod", "web", ONE),
        ],
    ),
    (
        "a name that another cluster's PLS has by now never reads as not found: the row of the one before stayed",
        819765,
        Mode("absent", "active"),
        [
            s.Wait(1200),
            s.Wait(120),
            s.ApplyService("prod", "pay", SHARED_ONE),
            s.Wait(120),
            s.Fault("queue", "send", "down", 2),
            s.ApplyService("dev", "api", SHARED_ONE),
            s.DeleteService("dev", "api"),
        ],
    ),
    (
        "an owner that stands elsewhere by now was still waited for: the row of a PLS that never came stayed",
        0,
        Mode("absent", "active"),
        [
            s.DeleteService("prod", "web"),
            s.Crash(0, 1, acted=False),
            s.ApplyService("prod", "api", s.Settings(address=ADDRESS, group="shared", count=9)),
            s.Meanwhile("azure", "list_load_balancers", s.ApplyService("prod", "web", PLAIN)),
            s.ApplyService("prod", "web", SHARER),
        ],
    ),
    (
        "somebody's own PLS of the name that we make, between our last look and the PUT: ARM has no condition for it",
        0,
        Mode("absent", "active"),
        [
            s.Meanwhile("azure", PUT, s.MakeForeign("prod", 0, "two")),
            s.ApplyService("prod", "web", s.Settings(name="two")),
        ],
    ),
]


@pytest.mark.parametrize(
    ("seed", "mode", "steps"),
    [history[1:] for history in HISTORIES],
    ids=[history[0] for history in HISTORIES],
)
def test_histories_that_once_failed(seed: int, mode: Mode, steps: Sequence[s.Step]) -> None:
    """They come to rest, and break no invariant on the way."""
    replay(seed, mode, steps)
