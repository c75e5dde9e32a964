"""What the triggers do: events and timers become wake-ups, wake-ups become runs, poison becomes a record."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from reconciler.dead_letters import DeadLetter, understood, unreadable
from reconciler.errors import OutsideError, SettingsError
from reconciler.events import Event, clusters_woken, read_events
from reconciler.measures import believed
from reconciler.messages import read_wake_up
from reconciler.ports import WakeUp
from reconciler.telemetry import EVENT_LAG
from reconciler.wakeups import PROBE
from reconciler.worker import Done, Worker

log = logging.getLogger("reconciler")
EVENT = "event"
RESYNC = "timer"
# Full passes of many clusters are spread over this many seconds, by a hash of the name.
SPREAD_SECONDS = 240
SECONDS_PER_CLUSTER = 2


def on_events(worker: Worker, body: bytes | str) -> tuple[str, ...]:
    """Wake the clusters that a message of Event Grid is about; what cannot be read is logged and dropped."""
    try:
        events = read_events(body)
    except ValueError as error:
        log.warning("an event was ignored: %s", error)
        return ()
    return wake_for(worker, events)


def wake_for(worker: Worker, events: tuple[Event, ...]) -> tuple[str, ...]:
    """Wake the clusters that events are about, each once."""
    now = worker.engine.clock.now()
    since = {name: _earliest(about, now) for name, about in _about(worker, events).items()}
    for name, time in since.items():
        if time:
            worker.engine.telemetry.tell(EVENT_LAG, (now - time).total_seconds(), cluster=name)
    worker.send_all((WakeUp(name, EVENT, since=time) for name, time in since.items()), now)
    return tuple(since)


def _earliest(events: Iterable[Event], now: datetime) -> datetime | None:
    """When the first of these happened, as far as they tell."""
    return min((time for event in events if (time := believed(event.time, now))), default=None)


def _about(worker: Worker, events: tuple[Event, ...]) -> dict[str, list[Event]]:
    """The clusters that events are about, sorted, each with its events."""
    configs = worker.configs()

    def holder(pls_id: str) -> str:
        reservation = worker.ledger.reservations([pls_id]).get(pls_id.lower())
        return reservation.cluster if reservation else ""

    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        for name in clusters_woken(event, configs.values(), holder):
            found[name].append(event)
    return dict(sorted(found.items()))


def on_timer(worker: Worker) -> None:
    """A full pass over every cluster, spread over the interval; then what is too old in the history goes."""
    configs = worker.configs()
    now = worker.engine.clock.now()
    window = min(SPREAD_SECONDS, SECONDS_PER_CLUSTER * (len(configs) - 1))
    worker.send_all((_full_pass(name, now, spread(name, window)) for name in configs), now)
    if worker.retention:
        worker.retention.tick(now)


def _full_pass(name: str, now: datetime, delay: int) -> WakeUp:
    return WakeUp(name, RESYNC, now + timedelta(seconds=delay) if delay else None)


def spread(name: str, window: int) -> int:
    """Seconds from 0 to ``window``, always the same for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % (window + 1)


def on_probe(worker: Worker) -> None:
    """Ask of every cluster whether its Services changed; the worker looks, a message each."""
    worker.send_all((WakeUp(name, PROBE) for name in worker.configs()), worker.engine.clock.now())


def on_wake_up(worker: Worker, body: bytes | str, inserted: datetime) -> Done:
    """Serve a message of the work queue. Raises OutsideError where it is to be tried again."""
    try:
        wake_up = read_wake_up(body)
    except ValueError as error:
        worker.poison("", f"{error}: {unreadable(body)}")
        return Done(f"a message was set aside: {error}")
    done = worker.handle(wake_up, inserted)
    about = {"cluster": wake_up.cluster, "run": done.run_id, "trigger": wake_up.reason}
    idle = done.run is None and wake_up.reason == PROBE  # twice a minute for each cluster
    log.log(logging.DEBUG if idle else logging.INFO, "%s (%s)", done.sentence, wake_up.reason, extra=about)
    return done


def on_poison(worker: Worker, body: bytes | str, queue: str) -> None:
    """Record a message that failed for good, so that status and history show it, and log it as an error."""
    message = understood(body)
    named = {"cluster": message.cluster}
    log.error(
        "poison message in %s, cluster %s: %s",
        queue,
        message.cluster or "unknown",
        message.words,
        extra=named,
    )
    for cluster in _concerned(worker, message) or ("",):
        worker.poison(cluster, f"{queue}: {message.words}")


def _concerned(worker: Worker, message: DeadLetter) -> tuple[str, ...]:
    """The configured clusters that a message is about, as far as that can still be told."""
    try:
        if message.cluster in worker.configs():
            return (message.cluster,)
        return tuple(_about(worker, message.events))
    except (OutsideError, SettingsError) as error:
        # Perhaps what has poisoned the message in the first place: it is recorded all the same.
        log.warning("whom the poison message is about cannot be told: %s", error)
        return ()
