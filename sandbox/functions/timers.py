"""A timer trigger, as the Timers extension runs it.

One host at a time runs a timer (a blob lease, as the platform holds one). It never fires while its
previous invocation runs; occurrences missed meanwhile are skipped. With `use_monitor` the last and
next occurrence are kept in a blob, and a host that finds the next one passed fires at once, past due.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient

from sandbox.functions.bindings import TimerTrigger
from sandbox.functions.invocation import FunctionFailed
from sandbox.functions.schedules import Schedule, parse_schedule

log = logging.getLogger(__name__)

LEASE_SECONDS = 15
RENEW_SECONDS = 5.0
NEVER = datetime.min.replace(tzinfo=UTC)

Handle = Callable[[dict[str, Any]], Awaitable[Any]]  # the timer's JSON; raises FunctionFailed


@dataclass(frozen=True)
class Status:
    """When a timer fired last and is due next."""

    last: datetime
    next: datetime

    def to_json(self) -> dict[str, str]:
        """The names that the platform uses; it knows one more time, which for us is the last."""
        last = self.last.isoformat()
        return {"Last": last, "Next": self.next.isoformat(), "LastUpdated": last}


def initial_status(schedule: Schedule, stored: Status | None, now: datetime) -> Status:
    """Where to go on from; a stored occurrence of a schedule that has changed since is no longer due."""
    if stored is None:
        return Status(NEVER, schedule.next(now))
    anchor = stored.last if stored.last > NEVER else None
    if anchor is not None and schedule.next(anchor) != stored.next:
        return Status(stored.last, schedule.next(now))
    return stored


class TimerListener:
    """Fires one timer while it holds the timer's lease."""

    def __init__(
        self,
        trigger: TimerTrigger,
        handle: Handle,
        create_container: Callable[[], Awaitable[None]],
        lease: BlobClient,
        status: BlobClient,
    ) -> None:
        self._trigger = trigger
        self._schedule = parse_schedule(trigger.schedule)
        self._handle = handle
        self._create_container = create_container
        self._lease_blob = lease
        self._status_blob = status

    async def run(self) -> None:
        """Hold the lease and fire, until cancelled; without the lease, wait for it."""
        while True:
            lease = await self._acquire()
            fire, keep = asyncio.create_task(self._fire()), asyncio.create_task(_keep(lease))
            try:
                await asyncio.wait({fire, keep}, return_when=asyncio.FIRST_COMPLETED)
                log.warning("timer: its lease was lost, or it broke: %s", fire.done() and fire.result())
            finally:
                for task in (fire, keep):
                    task.cancel()
                await asyncio.gather(fire, keep, return_exceptions=True)
                with suppress(AzureError):
                    await lease.release()
            await asyncio.sleep(RENEW_SECONDS)

    async def _acquire(self) -> BlobLeaseClient:
        while True:
            try:
                await self._create_container()
                await _create_empty(self._lease_blob)
                return await self._lease_blob.acquire_lease(LEASE_SECONDS)
            except HttpResponseError as error:
                log.debug("waiting for the lease of a timer: %s", error.message)
            except AzureError as error:
                log.warning("timer: %s", error.message)
            await asyncio.sleep(RENEW_SECONDS)

    async def _fire(self) -> None:
        now = datetime.now(UTC)
        monitored = self._trigger.use_monitor and self._schedule.is_monitored(now)
        stored = await self._stored() if monitored else None
        status = initial_status(self._schedule, stored, now)
        if monitored and status != stored:
            await self._store(status)
        past_due = status.next <= now
        immediately = past_due or self._trigger.run_on_startup
        while True:
            due = now if immediately else status.next
            await _sleep_until(due)
            await self._invoke(status if monitored else None, past_due=past_due)
            # From now, not from `due`: what was missed while the function ran is skipped.
            fired = max(due, datetime.now(UTC))
            status = Status(fired, self._schedule.next(fired))
            immediately = past_due = False
            if monitored:
                await self._store(status)

    async def _invoke(self, status: Status | None, *, past_due: bool) -> None:
        with suppress(FunctionFailed):  # logged; the schedule goes on
            await self._handle(timer_json(status, past_due=past_due))

    async def _stored(self) -> Status | None:
        try:
            document = json.loads(await (await self._status_blob.download_blob()).readall())
            last, following = (datetime.fromisoformat(document[k]) for k in ("Last", "Next"))
            return Status(last, following)
        except ResourceNotFoundError:
            return None
        except (AzureError, ValueError, KeyError) as error:
            log.warning("timer: its status cannot be read: %s", error)
            return None

    async def _store(self, status: Status) -> None:
        try:
            await self._status_blob.upload_blob(json.dumps(status.to_json()), overwrite=True)
        except AzureError as error:
            log.warning("timer: its status was not stored: %s", error.message)


def timer_json(status: Status | None, *, past_due: bool) -> dict[str, Any]:
    """What the function gets as its timer."""
    return {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status.to_json() if status else None,
        "IsPastDue": past_due,
    }


async def _keep(lease: BlobLeaseClient) -> None:
    """Renew until that fails: then somebody else may hold it."""
    with suppress(AzureError):
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await lease.renew()


async def _create_empty(blob: BlobClient) -> None:
    with suppress(HttpResponseError):  # it is there, or leased
        await blob.upload_blob(b"", overwrite=False)


async def _sleep_until(moment: datetime) -> None:
    """Sleep in short steps: a clock that is set, or a machine that slept, does not lose an occurrence."""
    while (left := moment - datetime.now(UTC)) > timedelta(0):
        await asyncio.sleep(min(left.total_seconds(), 30))
