"""A listener: the SDK of OpenTelemetry with exporters that keep everything in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from reconciler import context, telemetry
from reconciler.api import Api
from reconciler.telemetry import Metric, Telemetry
from reconciler.tracing import traced, watch
from tests.builders import service
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})  # who claims a PLS in most of the tests
Values = dict[tuple[str, ...], float]


@dataclass(frozen=True)
class Ear:
    """What was heard. ``telemetry`` is what to tell to."""

    telemetry: Telemetry
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    heard: dict[str, dict[Any, Any]] = field(default_factory=lambda: defaultdict(dict))

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """The spans that ended, in that order; all, or those of a name."""
        return [s for s in self.exporter.get_finished_spans() if name in ("", s.name)]

    def the(self, name: str) -> ReadableSpan:
        """The only span of a name."""
        (span,) = self.spans(name)
        return span

    def below(self, parent: ReadableSpan) -> list[str]:
        """The names of a span's children, sorted."""
        assert parent.context
        mine = parent.context.span_id
        return sorted(s.name for s in self.spans() if s.parent and s.parent.span_id == mine)

    def collect(self) -> dict[str, list[Any]]:
        """What an exporter would get this minute, by the metric's name."""
        data = self.reader.get_metrics_data()
        metrics = [
            m for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for m in s.metrics
        ]
        return {m.name: list(m.data.data_points) for m in metrics}

    def points(self) -> dict[str, list[Any]]:
        """The last of each series, by the metric's name."""
        for name, points in self.collect().items():
            for point in points:
                self.heard[name][frozenset(point.attributes.items())] = point
        return {name: list(series.values()) for name, series in self.heard.items()}

    def values(self, metric: Metric) -> Values:
        """By the values of the attributes, in the table's order: a count, what a gauge shows, a histogram's sum."""
        return {
            tuple(str(point.attributes[name]) for name in metric.attributes): _value(point)
            for point in self.points().get(metric.name, [])
        }


def _value(point: Any) -> float:
    value: float = point.sum if isinstance(point, HistogramDataPoint) else point.value
    return value


def listen() -> Ear:
    """A fresh ear."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    return Ear(telemetry.over(tracers, meters), exporter, reader)


def listened(world: World, told: Telemetry, threads: int = 8) -> World:
    """The same world, wired as the composition root wires it."""
    engine = watch(replace(world.engine, pool=context.Threads(threads)), told)
    worker = replace(
        world.worker,
        engine=engine,
        ledger=engine.ledger or world.ledger,
        queue=traced(world.queue, "queues", engine.telemetry),
    )
    return replace(world, engine=engine, worker=worker, api=Api(worker))


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """What a span says."""
    return span.attributes or {}
