"""What can happen to the world, as plain data: a run is a seed and a list of these, so that it replays and shrinks.

Steps speak of PLSs by a number (``pick``): the n-th of the cluster at that moment, in the order of their
ids, counted round. A step that finds nothing to act on does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ident = Literal["prod", "dev"]
Edit = Literal[
    "fqdns",
    "proxy",
    "visibility",
    "nat-ips",
    "owner-gone",
    "owner-other",
    "cluster-gone",
    "foreign-tag",
]
Port = Literal["azure", "cluster", "ledger", "queue"]
FaultKind = Literal[
    "throttled",  # 429 of the whole subscription, with Retry-After
    "busy",  # 409 AnotherOperationInProgress, 429 RetryableError
    "down",  # 5xx, or no connection: not carried out
    "lost",  # the request was not carried out, and nobody knows
    "cut",  # it was carried out, and the answer was lost
    "denied",
    "rejected",
    "stale",
]


@dataclass(frozen=True)
class Settings:
    """What a Service says: its kind, and its azure-pls annotations. None and () leave an annotation out."""

    asks: bool = True
    internal: bool = True
    floating: bool = False
    address: str = ""
    name: str | None = None
    group: str | None = None
    subnet: str | None = None
    count: int | None = None
    static: tuple[str, ...] = ()
    fqdns: tuple[str, ...] = ()
    proxy: bool = False
    visibility: tuple[str, ...] = ()
    auto_approval: tuple[str, ...] = ()
    type: str = "LoadBalancer"


@dataclass(frozen=True)
class ApplyService:
    """``kubectl apply``: the Service as it shall be from now on."""

    cluster: Ident
    name: str
    settings: Settings


@dataclass(frozen=True)
class DeleteService:
    """``kubectl delete``; ``force`` takes its finalizers away as well, so that it is gone at once."""

    cluster: Ident
    name: str
    force: bool = False


@dataclass(frozen=True)
class EditPls:
    """Somebody edits a PLS by hand."""

    cluster: Ident
    pick: int
    edit: Edit


@dataclass(frozen=True)
class DeletePls:
    """Somebody deletes a PLS by hand, its connections first."""

    cluster: Ident
    pick: int


@dataclass(frozen=True)
class Connect:
    """A private endpoint is connected to a PLS."""

    cluster: Ident
    pick: int
    status: Literal["Approved", "Pending", "Disconnected"] = "Approved"


@dataclass(frozen=True)
class MakeForeign:
    """Somebody makes a PLS of their own, without our tags, on the n-th frontend that has none."""

    cluster: Ident
    pick: int
    name: str


@dataclass(frozen=True)
class EnablePolicy:
    """Somebody switches the Private Link Service network policies of a subnet on again."""

    cluster: Ident
    subnet: str


@dataclass(frozen=True)
class Resync:
    """A person asks for a run."""

    cluster: Ident


@dataclass(frozen=True)
class Events:
    """For so many seconds, events are lost, doubled, or come in any order."""

    how: Literal["lost", "doubled", "reordered"]
    seconds: int


@dataclass(frozen=True)
class Fault:
    """The next ``times`` calls of a method (``*`` for any) of a port fail in this way."""

    port: Port
    method: str
    kind: FaultKind
    times: int = 1


@dataclass(frozen=True)
class FailOperations:
    """The next operations on PLSs end Failed, after ARM accepted them."""

    times: int = 1


@dataclass(frozen=True)
class EmptyList:
    """For so many seconds the cluster's list of Services lacks all of them, or every second one."""

    cluster: Ident
    seconds: int
    half: bool = False


@dataclass(frozen=True)
class HideBalancers:
    """For so many seconds Azure's list lacks the cluster's load balancers. Not where no timer looks again afterwards."""

    cluster: Ident
    seconds: int


@dataclass(frozen=True)
class Imposter:
    """For so many seconds another, empty cluster answers under the address of this one."""

    cluster: Ident
    seconds: int


@dataclass(frozen=True)
class Crash:
    """A worker process dies before or after (``acted``) its n-th outside call from now; another one starts later."""

    process: int
    calls: int
    acted: bool = False


@dataclass(frozen=True)
class Freeze:
    """A worker process stands still for so many seconds from its n-th outside call on, and then goes on."""

    process: int
    calls: int
    seconds: int


@dataclass(frozen=True)
class Stall:
    """Whichever worker process makes the next call of a method of a port stands still with the answer in its hand."""

    port: Port
    method: str
    seconds: int


@dataclass(frozen=True)
class Jump:
    """The clock of a worker process goes wrong by so many seconds, until the next step of this kind."""

    process: int
    seconds: int


@dataclass(frozen=True)
class Meanwhile:
    """The step happens in the middle of a run: right before the next call of a method of a port acts."""

    port: Port
    method: str
    step: Happening


@dataclass(frozen=True)
class Wait:
    """Time goes on."""

    seconds: int


Happening = ApplyService | DeleteService | EditPls | DeletePls | Connect | MakeForeign | EnablePolicy | Resync
Step = (
    Happening
    | Meanwhile
    | Events
    | Fault
    | FailOperations
    | EmptyList
    | HideBalancers
    | Imposter
    | Crash
    | Freeze
    | Stall
    | Jump
    | Wait
)
