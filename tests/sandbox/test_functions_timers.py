"""Timer triggers against a real blob store: what was missed is past due, and one host fires at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.functions.bindings import TimerTrigger
from sandbox.functions.connections import Connections
from sandbox.functions.timers import TimerListener
from sandbox.storage import Storage

pytestmark = pytest.mark.azurite

YEARLY = TimerTrigger("timer", "0 0 0 1 1 *", run_on_startup=False, use_monitor=True)
AT_START = TimerTrigger("timer", "0 0 0 1 1 *", run_on_startup=True, use_monitor=True)


@asynccontextmanager
async def _storage(azurite: Storage) -> AsyncIterator[Connections]:
    connections = Connections({"AzureWebJobsStorage": azurite.connection_string})
    try:
        yield connections
    finally:
        await connections.close()


async def _status(connections: Connections, name: str) -> Any:
    blob = connections.host_blob(f"{name}/status")
    return json.loads(await (await blob.download_blob()).readall()) if await blob.exists() else None


def _listener(
    connections: Connections, name: str, trigger: TimerTrigger, fired: list[dict[str, Any]]
) -> TimerListener:
    async def handle(timer: dict[str, Any]) -> None:
        fired.append(timer)

    lease, status = (connections.host_blob(f"{name}/{kind}") for kind in ("lease", "status"))
    return TimerListener(trigger, handle, connections.create_host_container, lease, status)


@asynccontextmanager
async def _running(*listeners: TimerListener) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until(condition: Callable[[], Awaitable[Any]], seconds: float = 15) -> Any:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (found := await condition()) and loop.time() < deadline:
        await asyncio.sleep(0.02)
    return found


def test_a_missed_occurrence_fires_past_due(azurite: Storage) -> None:
    """The status that the host before left says that the next one has passed; a new one is written."""

    async def play() -> None:
        async with _storage(azurite) as connections:
            await connections.create_host_container()
            new_year = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
            left = {"Last": (new_year - timedelta(days=300)).isoformat(), "Next": new_year.isoformat()}
            await connections.host_blob("missed/status").upload_blob(json.dumps(left))
            fired: list[dict[str, Any]] = []
            async with _running(_listener(connections, "missed", YEARLY, fired)):

                async def stored() -> bool:
                    following = datetime.fromisoformat((await _status(connections, "missed"))["Next"])
                    return following > datetime.now(UTC)

                assert await _until(stored)
            assert [(one["IsPastDue"], one["ScheduleStatus"]["Next"]) for one in fired] == [
                (True, left["Next"])
            ]

    asyncio.run(play())


def test_a_new_timer_waits_for_its_first_occurrence(azurite: Storage) -> None:
    """Its status is written, so that a host that starts later knows what was missed."""

    async def play() -> None:
        async with _storage(azurite) as connections:
            fired: list[dict[str, Any]] = []
            async with _running(_listener(connections, "new", YEARLY, fired)):
                assert await _until(lambda: _status(connections, "new"))
            assert fired == []

    asyncio.run(play())


def test_one_host_at_a_time_runs_a_timer(azurite: Storage) -> None:
    """The second waits for the lease; when the first has ended, it takes over."""

    async def play() -> None:
        async with _storage(azurite) as connections:
            first: list[dict[str, Any]] = []
            second: list[dict[str, Any]] = []

            async def fired() -> bool:
                return bool(first)

            async def second_fired() -> bool:
                return bool(second)

            one = _listener(connections, "one", AT_START, first)
            other = _listener(connections, "one", AT_START, second)
            async with _running(one):
                assert await _until(fired)
                async with _running(other):
                    await asyncio.sleep(0.3)
                    assert second == []
            async with _running(other):
                assert await _until(second_fired)

    asyncio.run(play())
