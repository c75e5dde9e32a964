"""Where steps are played: the Protocol that the simulation implements, and that a stage over HTTP can implement too.

``facts()`` is all that the invariants of the end read, so that they hold for any stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.model import Ownership, Reservation, Sharing
from tests.simulation.steps import Settings, Step

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ServiceFact:
    """A Service as it is in Kubernetes now; ``settings`` are those of the step that applied it last."""

    name: str
    uid: str
    settings: Settings
    deleting: bool = False

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"shop/{self.name}"

    @property
    def live(self) -> bool:
        """A load balancer is, and stays, wished for."""
        return self.settings.type == "LoadBalancer" and not self.deleting

    @property
    def form(self) -> str:
        """What the names of its rules and of its own frontend begin with."""
        return ("a" + self.uid.replace("-", ""))[:32]


@dataclass(frozen=True)
class FrontendFact:
    """A frontend IP configuration, and the forms of the UIDs in the names of its rules."""

    id: str
    name: str
    internal: bool
    forms: frozenset[str]


@dataclass(frozen=True)
class ClusterFact:
    """One cluster: Kubernetes, its load balancers, and what the ledger and the last run say."""

    name: str
    group: str
    services: tuple[ServiceFact, ...]
    frontends: tuple[FrontendFact, ...]
    ownership: tuple[Ownership, ...]
    sharing: tuple[Sharing, ...]
    findings: tuple[Json, ...]


@dataclass(frozen=True)
class WriteFact:
    """A write as it reached ARM. ``by`` is a cluster's name for the reconciler's, ``in-tree`` or ``hand``."""

    at: float
    by: str
    method: str
    target: str
    accepted: bool


@dataclass(frozen=True)
class Facts:
    """Everything at one moment. ``links`` are the PLSs' JSON by lower-case id."""

    links: Mapping[str, Json]
    clusters: Mapping[str, ClusterFact]
    reservations: tuple[Reservation, ...]
    writes: tuple[WriteFact, ...]


class Stage(Protocol):
    """A world in which steps are played."""

    def play(self, step: Step) -> None:
        """Do what the step says, and let a little time go by."""

    def settle(self) -> None:
        """All faults end, a person releases what waits for one, and time goes on until nothing changes any more.

        Raises AssertionError where the world does not come to rest as it should.
        """

    def facts(self) -> Facts:
        """Everything as it is now."""
