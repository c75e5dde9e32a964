"""What the reconciler tells of itself: the names of all spans, metrics and log fields in one table, and how to tell.

Workbook, alerts and docs/telemetry.md use exactly these names. Only the API of OpenTelemetry is used: where
nobody has configured an SDK (in Azure the platform's worker does), telling does nothing.

Attributes have few values each: clusters as configured, words of ours, states as ARM says them; never ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

SCOPE = "reconciler"


class Kind(StrEnum):
    """How values of a metric are put together."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. ``unit`` in UCUM; ``description`` says what one value is."""

    name: str
    kind: Kind
    unit: str
    attributes: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class SpanType:
    """A span. In a name, ``{…}`` stands for an attribute's value."""

    name: str
    attributes: tuple[str, ...]
    description: str


RUNS = Metric(
    "reconciler.runs",
    Kind.COUNTER,
    "{run}",
    ("cluster", "trigger", "result"),
    "Runs that ended. `trigger`: what woke the cluster (event, timer, probe, manual, parked, wanted, guard). "
    "`result`: unchanged (nothing to write), changed (a write was accepted), left (writes, none of them accepted "
    "yet), planned (mode plan), failed (a write was refused), unread (Azure or the cluster could not be read), "
    "overtaken (the lease was lost), broken (it raised)",
)
ACTIONS = Metric(
    "reconciler.actions",
    Kind.COUNTER,
    "{action}",
    ("cluster", "action", "result"),
    "Writes that were begun. `action`: create, update, delete, delete-connection, disable-subnet-policy. "
    "`result`: accepted, busy, unknown, failed, changed (by somebody else meanwhile)",
)
REFUSALS = Metric(
    "reconciler.refusals",
    Kind.GAUGE,
    "{finding}",
    ("cluster", "reason"),
    "Findings of severity error as of the last run that could look: what is refused, or needs a person. "
    "`reason` as in the plan; 0 is told once for a reason that has gone",
)
HELD = Metric(
    "reconciler.held",
    Kind.GAUGE,
    "{write}",
    ("cluster",),
    "Deletes that the brake holds back, as of the last run that could look",
)
EVENT_LAG = Metric(
    "reconciler.event.lag",
    Kind.HISTOGRAM,
    "s",
    ("cluster",),
    "From the time that an event states to the moment at which it is read from the queue",
)
QUEUE_AGE = Metric(
    "reconciler.queue.age",
    Kind.HISTOGRAM,
    "s",
    ("cluster", "trigger"),
    "From the time at which a wake-up was queued, or due where it was delayed, to its arrival at the worker",
)
LEASE_WAITS = Metric(
    "reconciler.lease.waits",
    Kind.COUNTER,
    "{message}",
    ("cluster", "wait"),
    "Wake-ups that could not lead to a run at once. `wait`: held (another run has the lease), resting (the "
    "cluster rests after a run, or backs off)",
)
THROTTLES = Metric(
    "reconciler.throttles",
    Kind.COUNTER,
    "{answer}",
    ("cluster", "target"),
    "Answers that say come back later: a quota is used up, or a time to wait was given. `target` as on spans",
)
LINKS = Metric(
    "reconciler.private_link_services",
    Kind.GAUGE,
    "{private_link_service}",
    ("cluster", "state"),
    "Private Link Services of a cluster by provisioning state, as of the last run that could look; 0 is told "
    "once for a state that has gone",
)
UNSETTLED = Metric(
    "reconciler.unsettled",
    Kind.GAUGE,
    "s",
    ("cluster",),
    "For how long the cluster has been on its way to what is wished, as of the last run that could look; 0: "
    "it is settled",
)
SETTLE = Metric(
    "reconciler.settle.duration",
    Kind.HISTOGRAM,
    "s",
    ("cluster", "result"),
    "From the event (or other wake-up) that led to work to the run that found all of it done. `result`: "
    "succeeded, refused (findings of severity error remain)",
)
POISON = Metric(
    "reconciler.poison",
    Kind.COUNTER,
    "{message}",
    ("cluster",),
    "Messages that failed for good and were set aside; `cluster` is empty where none of ours is named",
)
METRICS = (
    RUNS,
    ACTIONS,
    REFUSALS,
    HELD,
    EVENT_LAG,
    QUEUE_AGE,
    LEASE_WAITS,
    THROTTLES,
    LINKS,
    UNSETTLED,
    SETTLE,
    POISON,
)

RUN = SpanType(
    "reconcile",
    (
        "cluster",
        "run",
        "trigger",
        "result",
        "error",
        "services",
        "frontends",
        "privateLinkServices",
        "writes",
        "accepted",
        "failed",
        "held",
        "findings",
        "failures",
    ),
    "One run of one cluster, from the taken lease to its release. The numbers are what was seen, planned, done "
    "and not read; a run that failed, broke or could not read has status Error",
)
CALL = SpanType(
    "{target} {method}",
    ("cluster", "run", "target", "method", "resource", "error", "code", "retryAfter", "peer.service"),
    "One call of the outside that a run makes. `target`: arm, kubernetes, tables, queues, blobs, topic; `method`: of the port; `resource`: an "
    "ARM id where the call is about one; `error`: the kind of a failure, `code` the other side's word for it. "
    "NotFound, Stale and Conflict are answers: only other failures have status Error",
)
SPANS = (RUN, CALL)

FIELDS: Mapping[str, str] = {
    "cluster": "the cluster, as configured",
    "run": "the run, as in the history",
    "trigger": "what woke the cluster",
    "service": "the Service, `namespace/name`",
    "frontend": "the frontend, as ARM id",
    "privateLinkService": "the Private Link Service, as ARM id",
    "action": "the verb of a write, as in the plan",
    "reason": "why, as in the plan",
    "result": "how a write or a run ended; the severity of a finding",
}

ANSWERS = ("NotFound", "Stale", "Conflict")
_TRIGGERS = ("event", "timer", "probe", "manual", "parked", "wanted", "guard")


def trigger(reason: str) -> str:
    """The reason of a wake-up as an attribute: a queue may hold any text."""
    return reason if reason in _TRIGGERS else "other"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Tells. ``on`` is false where nobody listens; telling is allowed all the same."""

    on: bool
    tracer: trace.Tracer
    instruments: Mapping[str, Callable[..., None]] = field(repr=False)

    def tell(self, metric: Metric, value: float, **attributes: str) -> None:
        """Add to a counter, set a gauge, or record one value of a histogram. Attributes are the metric's own."""
        self.instruments[metric.name](value, attributes)

    @contextmanager
    def span(self, name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any) -> Iterator[Span]:
        """A span around what is done within. Failures are told by :func:`fail`, never an exception's words."""
        with self.tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span


def fail(span: Span, error: str) -> None:
    """The span's work failed: the kind of failure, not its words, which may quote what somebody wrote."""
    span.set_attribute("error", error)
    if error not in ANSWERS:
        span.set_status(Status(StatusCode.ERROR, error))


def over(tracers: trace.TracerProvider, meters: metrics.MeterProvider) -> Telemetry:
    """Telemetry to these providers."""
    meter = meters.get_meter(SCOPE)
    instruments = {metric.name: _instrument(meter, metric) for metric in METRICS}
    return Telemetry(_given(tracers) or _given(meters), tracers.get_tracer(SCOPE), instruments)


def configured() -> Telemetry:
    """Telemetry to the providers of this process: those of the SDK, where one was set up before this call."""
    return over(trace.get_tracer_provider(), metrics.get_meter_provider())


def _instrument(meter: metrics.Meter, metric: Metric) -> Callable[..., None]:
    match metric.kind:
        case Kind.COUNTER:
            return meter.create_counter(metric.name, metric.unit, metric.description).add
        case Kind.GAUGE:
            latest = _Latest()
            meter.create_observable_gauge(metric.name, [latest.drain], metric.unit, metric.description)
            return latest.set
        case Kind.HISTOGRAM:
            return meter.create_histogram(metric.name, metric.unit, metric.description).record


class _Latest:
    """The values of a gauge since they were collected last, each told once.

    A plain gauge would be told on and on by an instance that ran a cluster last an hour ago, beside the one
    that runs it now.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[tuple[str, str], ...], float] = {}
        self._lock = Lock()

    def set(self, value: float, attributes: Mapping[str, str]) -> None:
        with self._lock:
            self._values[tuple(sorted(attributes.items()))] = value

    def drain(self, options: metrics.CallbackOptions) -> list[metrics.Observation]:
        with self._lock:
            values, self._values = self._values, {}
        return [metrics.Observation(value, dict(attributes)) for attributes, value in values.items()]


def _given(provider: object) -> bool:
    """Whether somebody made it: those of the API itself do nothing."""
    return not type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


OFF = over(trace.NoOpTracerProvider(), metrics.NoOpMeterProvider())
