"""What goes wrong with outside calls: faults in a row, and the errors that the adapters would make of them."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.errors import Denied, OutcomeUnknown, OutsideError, Rejected, RetryLater, Stale
from tests.simulation.steps import Fault, FaultKind, Happening, Meanwhile, Stall

WRITES = frozenset(
    [
        "put_private_link_service",
        "put_subnet",
        "delete_private_link_service",
        "delete_connection",
        "put_ownership",
        "forget_ownership",
        "replace_sharing",
        "reserve",
        "write_lease",
        "write_state",
        "add_history",
        "send",
    ]
)


class Faults:
    """The faults still to come, each for a number of calls; and what happens in the middle of a run.

    ``happen`` does what people do; ``hit`` is called with each fault.
    """

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int]] = []
        self._meanwhile: list[Meanwhile] = []
        self._stalls: list[Stall] = []
        self.happen: Callable[[Happening], None] = lambda step: None
        self.hit: Callable[[], None] = lambda: None

    def wait_for(self, meanwhile: Meanwhile) -> None:
        """Let it happen at the next such call."""
        self._meanwhile.append(meanwhile)

    def meanwhile(self, port: str, method: str) -> None:
        """What was to happen right before this call."""
        for waiting in [m for m in self._meanwhile if (m.port, m.method) == (port, method)]:
            self._meanwhile.remove(waiting)
            self.happen(waiting.step)

    def stall(self, port: str, method: str) -> int:
        """For how many seconds the process that made this call stands still with the answer in its hand."""
        for waiting in self._stalls:
            if (waiting.port, waiting.method) == (port, method):
                self._stalls.remove(waiting)
                return waiting.seconds
        return 0

    def add_stall(self, stall: Stall) -> None:
        """At the next such call."""
        self._stalls.append(stall)

    def add(self, fault: Fault) -> None:
        """From now on."""
        self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Everything works again."""
        self._left.clear()
        self._meanwhile.clear()
        self._stalls.clear()

    def next(self, port: str, method: str) -> FaultKind | None:
        """What goes wrong with this call."""
        for index, (fault, left) in enumerate(self._left):
            if fault.port == port and fault.method in ("*", method):
                if left > 1:
                    self._left[index] = (fault, left - 1)
                else:
                    del self._left[index]
                return fault.kind
        return None


def error_of(kind: FaultKind, method: str) -> OutsideError:
    """The adapters' error. Of a read, nothing is unknown: it is only not known yet."""
    said = f"{method}: made to fail ({kind})"
    match kind:
        case "throttled":
            return RetryLater(said, code="TooManyRequests", after=17, throttled=True)
        case "busy":
            return RetryLater(said, code="AnotherOperationInProgress")
        case "down":
            return RetryLater(said, code="ServiceUnavailable")
        case "lost" | "cut":
            return OutcomeUnknown(said) if method in WRITES else RetryLater(said)
        case "denied":
            return Denied(said, code="AuthorizationFailed")
        case "rejected":
            return Rejected(said, code="InvalidRequestFormat")
        case "stale":
            return Stale(said, code="PreconditionFailed")
