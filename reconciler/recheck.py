"""The last look before a write: how a Private Link Service stands in Azure now.

A few are read one by one, right before each write, and so is whatever is to be deleted. Where many are
written, a read each would double the calls: they are looked up in a list of all, read anew as soon as it
is :data:`MAX_AGE` old. Thread-safe; one for the writes of one run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from reconciler import arm_ids
from reconciler.errors import NotFound, OutsideError, RetryLater, Stale
from reconciler.model import Observed, PrivateLinkService, known
from reconciler.plan import PutPls, Write
from reconciler.ports import Azure, Clock

FEW = 8
MAX_AGE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list, and when it was asked for."""

    at: datetime
    found: dict[str, PrivateLinkService]

    def fresh(self, now: datetime) -> bool:
        return timedelta(0) <= now - self.at < MAX_AGE


NO_LIST = _Listed(datetime.min.replace(tzinfo=UTC), {})


class Recheck:
    """Compares with what a plan was made of. ``writes`` are all that may be asked about."""

    def __init__(self, azure: Azure, clock: Clock, observed: Observed, writes: Iterable[Write]) -> None:
        self._azure, self._clock = azure, clock
        self._planned = {arm_ids.key(p.id): p for p in known(observed.private_link_services)}
        self._whole = not observed.groups  # the role may list the subscription
        self._one_by_one = sum(isinstance(write, PutPls) for write in writes) <= FEW
        self._lists: dict[tuple[str, str], _Listed] = {}
        self._used_up: RetryLater | None = None
        self._lock = Lock()

    def require(self, write: PutPls) -> None:
        """Raises Stale where somebody made the PLS since it was looked for, or changed what the PUT replaces."""
        present = self._lately(write.pls_id)
        if write.created and present:
            raise Stale(f"Private Link Service {write.pls_id} was made by somebody else meanwhile")
        planned = None if write.created else self._planned[arm_ids.key(write.pls_id)]
        if planned and (present is None or _replaced(present) != _replaced(planned)):
            raise Stale(
                f"Private Link Service {write.pls_id} changed since it was looked at; it is not written"
            )

    def still_there(self, pls_id: str) -> bool:
        """Whether it is still the same PLS; False where it is gone already.

        Raises Stale where somebody changed it since: the next look decides anew.
        """
        present, planned = self._now(pls_id), self._planned[arm_ids.key(pls_id)]
        if present and _identity(present) != _identity(planned):
            raise Stale(
                f"Private Link Service {planned.id} changed since it was looked at; nothing was deleted"
            )
        return present is not None

    def _now(self, pls_id: str) -> PrivateLinkService | None:
        """As it stands this moment; None where it is not there."""
        try:
            return self._azure.get_private_link_service(pls_id)
        except NotFound:
            return None

    def _lately(self, pls_id: str) -> PrivateLinkService | None:
        """As it stood at most MAX_AGE ago; None where it was not there."""
        listed = self._listed(pls_id)
        return self._now(pls_id) if listed is None else listed.get(arm_ids.key(pls_id))

    def _listed(self, pls_id: str) -> dict[str, PrivateLinkService] | None:
        """The list that would tell of the PLS; None where each is read by itself. Raises RetryLater for a quota.

        Whoever comes while it is read waits for it, and for its failure: one after another they would wait
        for a timeout each, or ask on where a quota is used up.
        """
        parsed = arm_ids.parse(pls_id)
        if parsed is None:
            return {}
        place = parsed.subscription, "" if self._whole else parsed.resource_group
        with self._lock:
            if self._used_up:
                raise self._used_up
            if not self._one_by_one and not self._fresh(place):
                self._lists[place] = self._read(*place)
                # Too old when it comes: whoever waits would have to read it anew, one after another.
                self._one_by_one = not self._fresh(place)
            return None if self._one_by_one else self._lists[place].found

    def _fresh(self, place: tuple[str, str]) -> bool:
        return self._lists.get(place, NO_LIST).fresh(self._clock.now())

    def _read(self, subscription: str, resource_group: str) -> _Listed:
        asked = self._clock.now()
        try:
            if resource_group:
                found = self._azure.list_private_link_services_in(subscription, resource_group)
            else:
                found = self._azure.list_private_link_services(subscription)
        except OutsideError as error:
            if isinstance(error, RetryLater) and error.throttled:
                self._used_up = error
                raise
            return NO_LIST
        return _Listed(asked, {arm_ids.key(pls.id): pls for pls in found})


def _identity(pls: PrivateLinkService) -> tuple[object, ...]:
    """What makes a PLS the one that was planned. Connections may go meanwhile, but none may come."""
    return (
        pls.resource_guid,
        arm_ids.key(pls.frontend_id),
        tuple(sorted(pls.tags.items())),
    )


def _replaced(pls: PrivateLinkService) -> tuple[object, ...]:
    """What a PUT would undo. Not the ETag: connections come and go, and change it too."""
    return (
        *_identity(pls),
        pls.provisioning_state,
        pls.nat_ips,
        pls.fqdns,
        pls.proxy_protocol,
        pls.visibility,
        pls.auto_approval,
    )
