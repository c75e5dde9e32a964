"""The line that tells of a run over HTTP; apart from the run, so that who prints it imports nothing else."""

from __future__ import annotations

PROPERTY = "over HTTP"


def line(number: int, steps: int, deliveries: int, deaths: int, links: int, equal: str) -> str:
    """A run in one line."""
    return (
        f"run {number:2}: {steps} steps, {deliveries:3} deliveries, {deaths} worker deaths, "
        f"{links} PLSs at the end, equal: {equal}"
    )
