"""The few kinds of failure that somebody handles; every adapter maps its system's errors to these."""

from __future__ import annotations


class ReconcilerError(Exception):
    """Root of all failures this package raises on purpose."""


class SettingsError(ReconcilerError):
    """The configuration is wrong; the message lists every mistake with the setting's name."""


class OutsideError(ReconcilerError):
    """An outside system failed. ``code`` is its own word for it ("" where it gave none)."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RetryLater(OutsideError):
    """Busy, throttled or down. ``after`` is the wait it asked for in seconds, None where it did not.

    ``throttled`` tells a quota of the whole subscription from one busy resource.
    """

    def __init__(
        self, message: str, *, code: str = "", after: float | None = None, throttled: bool = False
    ) -> None:
        super().__init__(message, code=code)
        self.after = after
        self.throttled = throttled


class OutcomeUnknown(RetryLater):
    """The request may or may not have been carried out: look again before anything else."""


class Stale(OutsideError):
    """Somebody else wrote first (ETag mismatch); read again."""


class NotFound(OutsideError):
    """The thing is not there. ``code`` tells a missing resource from a missing resource group."""


UNUSABLE = "Unusable"  # the code of a Denied that is the configuration's, not a role's


class Denied(OutsideError):
    """Not signed in or no permission: nobody but a person can mend this."""


class Rejected(OutsideError):
    """The request was understood and refused; the same request will be refused again."""


class Conflict(OutsideError):
    """The row or name exists already and belongs to somebody else."""
