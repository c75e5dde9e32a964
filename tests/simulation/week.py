"""A week in the life of two clusters: the same kinds of days for everybody, and something wrong on each."""

from __future__ import annotations

from tests.simulation import steps as s

DAYS = 7
Moment = tuple[float, s.Step]


def day(number: int) -> list[Moment]:
    """What happens on the n-th day, by the hour."""
    routine: list[Moment] = [
        (6.0, s.ApplyService("prod", "web", s.Settings(fqdns=(f"day-{number}",)))),
        (6.5, s.ApplyService("prod", "api", s.Settings(address="10.224.0.50"))),
        (6.6, s.ApplyService("prod", "pay", s.Settings(address="10.224.0.50"))),
        (7.0, s.ApplyService("dev", "web", s.Settings(count=1 + number % 3))),
        (8.0, s.Connect("prod", number)),
        (9.0, s.EditPls("prod", number, "fqdns")),
        (9.5, s.EditPls("dev", number, "owner-gone")),
        (11.0, s.DeletePls("dev", number)),
        (12.0, s.EnablePolicy("prod", "default")),
        (13.0, s.ApplyService("dev", "bus", s.Settings(name="one", group="shared"))),
        (13.1, s.ApplyService("prod", "bus", s.Settings(name="one", group="shared"))),
        (15.0, s.DeleteService("prod", "api")),
        (18.0, s.DeleteService("dev", "bus")),
        (20.0, s.DeleteService("prod", "pay")),
    ]
    return sorted([*routine, *TROUBLES[number % len(TROUBLES)]], key=lambda moment: moment[0])


TROUBLES: tuple[list[Moment], ...] = (
    [(5.9, s.Events("lost", 4 * 3600))],
    [(6.4, s.Crash(0, 9)), (7.0, s.Crash(1, 7, acted=True)), (8.9, s.Crash(0, 3))],
    [(8.9, s.Fault("azure", "put_private_link_service", "throttled", 3)), (10.9, s.FailOperations(3))],
    [(6.0, s.Events("reordered", 3600)), (9.0, s.Events("doubled", 7200)), (11.0, s.Freeze(0, 5, 700))],
    [(8.0, s.Fault("ledger", "*", "down", 50)), (12.5, s.Fault("queue", "send", "cut", 9))],
    [(10.0, s.EmptyList("prod", 3600)), (14.0, s.Imposter("dev", 3600)), (16.0, s.Jump(0, -90))],
    [(9.2, s.Fault("azure", "*", "denied", 40)), (17.0, s.MakeForeign("prod", 0, "theirs"))],
)
