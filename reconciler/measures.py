"""What a run says in numbers: its span, and the values of the metrics of :mod:`reconciler.telemetry`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from opentelemetry.trace import Span

from reconciler import context, telemetry, wakeups
from reconciler.bookkeeping import Result
from reconciler.lenient import objects
from reconciler.model import known
from reconciler.plan import Severity, verb
from reconciler.ports import Clock, Lease
from reconciler.reconcile import Run
from reconciler.settling import settled
from reconciler.telemetry import Metric, Telemetry
from reconciler.wakeups import Arrival

Point = tuple[Metric, float, dict[str, str]]
# How old the time of an event may be at most to be believed: Event Grid tries for a day.
OLDEST = timedelta(days=1)


def believed(time: datetime | None, now: datetime) -> datetime | None:
    """The time that an event states, never later than now; None for one that no event of Event Grid has."""
    if time is None or not now - OLDEST <= time <= now + wakeups.SLACK:
        return None
    return min(time, now)


def wait_of(arrival: Arrival, found: Lease, now: datetime) -> str:
    """Why a wake-up did not lead to a run at once: "held", "resting"; "" where it is covered or guards nothing."""
    if wakeups.covered(arrival.time, found):
        return ""
    if wakeups.held(found, now):
        return "held"
    return "" if arrival.wake_up.reason == wakeups.GUARD else "resting"


def age(arrival: Arrival, now: datetime) -> float:
    """Seconds that a wake-up has waited. Insertion times are whole seconds, and clocks differ: never below 0."""
    return max(0.0, (now - arrival.time).total_seconds())


@contextmanager
def watched(
    told: Telemetry, clock: Clock, cluster: str, reason: str, run_id: str, wished: datetime | None
) -> Iterator[Callable[[Run | None], None]]:
    """A run's span and metrics. Call what it gives with the run once that has ended, with None if it was overtaken."""
    why = telemetry.trigger(reason)
    with (
        context.about(cluster=cluster, run=run_id),
        told.span(telemetry.RUN.name, cluster=cluster, run=run_id, trigger=why) as span,
    ):
        result = "broken"

        def ended(run: Run | None) -> None:
            nonlocal result
            result = result_of(run) if run else "overtaken"
            if run:
                _describe(span, run)
                for metric, value, attributes in points(run, wished, clock.now()):
                    told.tell(metric, value, cluster=cluster, **attributes)

        try:
            yield ended
        except BaseException as error:
            telemetry.fail(span, type(error).__name__)
            raise
        finally:
            span.set_attribute("result", result)
            told.tell(telemetry.RUNS, 1, cluster=cluster, trigger=why, result=result)


def result_of(run: Run) -> str:
    """How a run ended, in one word."""
    if not run.look.complete:
        return "unread"
    if run.config.mode == "plan" and run.plan.writes:
        return "planned"
    results = {outcome.result for outcome in run.applied.outcomes}
    if Result.FAILED in results:
        return "failed"
    if Result.ACCEPTED in results:
        return "changed"
    return "left" if results else "unchanged"


def points(run: Run, wished: datetime | None, finished: datetime) -> Iterator[Point]:
    """The values of one run, without the cluster. What it could not see, it says nothing about."""
    begun = Counter(
        (verb(o.write), o.result.name.lower()) for o in run.applied.outcomes if o.result is not Result.LEFT
    )
    for (action, result), number in begun.items():
        yield telemetry.ACTIONS, number, {"action": action, "result": result}
    if run.look.complete:
        yield from _seen(run)
        yield from _settling(run, wished, finished)


def _seen(run: Run) -> Iterator[Point]:
    memory = run.look.memory
    before = objects(memory.state.last_run, "findings")
    reasons = {str(f.get("reason")): 0 for f in before if f.get("severity") == Severity.ERROR}
    errors = Counter(f.reason.value for f in run.findings if f.severity is Severity.ERROR)
    for reason, number in {**reasons, **errors}.items():
        yield telemetry.REFUSALS, number, {"reason": reason}
    states = {row.state or "Unknown": 0 for row in memory.ownership}
    for state, number in {**states, **Counter(row.state or "Unknown" for row in run.plan.ownership)}.items():
        yield telemetry.LINKS, number, {"state": state}
    yield telemetry.HELD, len(run.plan.held), {}


def _settling(run: Run, wished: datetime | None, finished: datetime) -> Iterator[Point]:
    before = run.unsettled_before
    yield telemetry.UNSETTLED, _seconds(run.unsettled_after(wished), finished), {}
    if before and settled(run.plan):
        refused = any(f.severity is Severity.ERROR for f in run.findings)
        yield telemetry.SETTLE, _seconds(before, finished), {"result": "refused" if refused else "succeeded"}


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _describe(span: Span, run: Run) -> None:
    """The numbers of a run, and how it failed where it did."""
    results, seen = Counter(outcome.result for outcome in run.applied.outcomes), run.look.observed
    numbers = {
        "services": len(known(seen.services)),
        "frontends": sum(len(lb.frontends) for lb in known(seen.load_balancers)),
        "privateLinkServices": len(run.plan.ownership),
        "writes": len(run.plan.writes),
        "accepted": results[Result.ACCEPTED],
        "failed": results[Result.FAILED],
        "held": len(run.plan.held),
        "findings": len(run.plan.findings),
        "failures": len(run.look.failures),
    }
    span.set_attributes(numbers)
    errors = [*run.look.failures, *(o.error for o in run.applied.outcomes if o.result is Result.FAILED)]
    if errors and result_of(run) in ("unread", "failed"):
        telemetry.fail(span, type(errors[0]).__name__)
