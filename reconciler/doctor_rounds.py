"""The doctor's rounds: what is looked at, and all looks at the same time within bounded time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.doctor import Diagnosis
from reconciler.doctor_permissions import Grant
from reconciler.errors import Denied, OutsideError
from reconciler.model import ClusterConfig, Limits, WriteBack
from reconciler.ports import Azure, Clock, Cluster, Documents, Ledger

AT_ONCE = 16


class Rights(Protocol):
    """What Azure Resource Manager tells of the caller, and of its own clock."""

    def at(self, scope: str) -> tuple[Grant, ...]:
        """What the caller's roles give at a scope. Raises OutsideError."""

    def identity(self) -> str:
        """An access token for Azure Resource Manager."""

    def time(self, subscription: str) -> datetime:
        """Its clock, by an answer about the subscription. Raises OutsideError."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look. ``run`` raises OutsideError, which becomes a failure.

    ``remedy`` is what to do where the right is missing, ``otherwise`` where it failed in another way.
    """

    area: str
    subject: str
    run: Callable[[], Iterable[Diagnosis]]
    remedy: str = ""
    otherwise: str = "try again; look at the network between"

    def failed(self, sentence: str, denied: bool = False) -> Diagnosis:
        """That it failed."""
        return Diagnosis(
            self.area, self.subject, "failed", sentence, self.remedy if denied else self.otherwise
        )


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at. ``ledger``, ``queue`` and ``documents`` are None where no storage is configured.

    ``write_back`` is what the deployment tells Services, unless a cluster says otherwise. ``topic`` raises
    OutsideError where events cannot be published, and is None where none are.
    """

    configs: Sequence[ClusterConfig]
    limits: Limits
    clock: Clock
    rights: Rights
    azure: Azure
    cluster_of: Callable[[ClusterConfig], Cluster]
    ledger: Ledger | None
    queue: Callable[[], int] | None
    app: Callable[[], str] | None = None
    write_back: WriteBack = "status"
    documents: Documents | None = None
    topic: Callable[[], None] | None = None


def examine(
    looks: Sequence[Look], seconds: float, done: Callable[[], None] = lambda: None
) -> list[Diagnosis]:
    """What all looks found, in their order; what has not answered in time is a failure.

    On daemon threads: a call that hangs must not keep the process from ending.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[int, list[Diagnosis]]] = queue.SimpleQueue()
    for number in range(len(looks)):
        todo.put(number)
    for _ in range(min(AT_ONCE, len(looks))):
        threading.Thread(target=_work, args=(looks, todo, ended), daemon=True).start()
    found: dict[int, list[Diagnosis]] = {}
    deadline = time.monotonic() + seconds
    while len(found) < len(looks) and (left := deadline - time.monotonic()) > 0:
        try:
            number, diagnoses = ended.get(timeout=left)
        except queue.Empty:
            break
        found[number] = diagnoses
        done()
    late = f"no answer within {seconds:g} s"
    return [each for number, look in enumerate(looks) for each in found.get(number) or [look.failed(late)]]


def _work(
    looks: Sequence[Look],
    todo: queue.SimpleQueue[int],
    ended: queue.SimpleQueue[tuple[int, list[Diagnosis]]],
) -> None:
    while True:
        try:
            number = todo.get_nowait()
        except queue.Empty:
            return
        ended.put((number, _one(looks[number])))


def _one(look: Look) -> list[Diagnosis]:
    """What a look found before it failed, and its failure."""
    found: list[Diagnosis] = []
    try:
        found.extend(look.run())
    except OutsideError as error:
        found.append(look.failed(str(error), isinstance(error, Denied)))
    except Exception as error:  # what nobody thought of must not hide the rest
        found.append(look.failed(f"{type(error).__name__}: {error}"))
    return found
