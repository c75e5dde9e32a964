"""A port whose calls are watched: a span for each that a run makes, and a count of the answers that say come back later.

One wrapper for all ports; a port that gets a method needs nothing here. Only where somebody listens.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from reconciler import context
from reconciler.errors import OutsideError, RetryLater
from reconciler.reconcile import Engine
from reconciler.telemetry import THROTTLES, Telemetry, fail

P = TypeVar("P")


def traced(port: P, target: str, telemetry: Telemetry) -> P:
    """The port, its calls told; the very same where telemetry is off."""
    return cast(P, _Traced(port, target, telemetry)) if telemetry.on else port


def watch(engine: Engine, told: Telemetry) -> Engine:
    """The engine, all its calls of the outside told; the very same where telemetry is off."""
    if not told.on:
        return engine
    return replace(
        engine,
        cluster_of=lambda config: traced(engine.cluster_of(config), "kubernetes", told),
        azure_of=lambda config: traced(engine.azure_of(config), "arm", told),
        ledger=traced(engine.ledger, "tables", told) if engine.ledger else None,
        telemetry=told,
    )


class _Traced:
    def __init__(self, port: object, target: str, telemetry: Telemetry) -> None:
        self._port, self._target, self._telemetry = port, target, telemetry

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return partial(self._call, name, found) if callable(found) else found

    def _call(self, method: str, call: Callable[..., Any], /, *values: Any, **named: Any) -> Any:
        with self._span(method, values) as span:
            try:
                return call(*values, **named)
            except OutsideError as error:
                self._failed(span, error)
                raise
            except Exception as error:
                fail(span, type(error).__name__)
                raise

    def _span(self, method: str, values: tuple[Any, ...]) -> AbstractContextManager[Span]:
        """Of calls that a run makes. The probes' would be most of all spans, and tell nothing."""
        about = {**context.present(), "target": self._target, "method": method, "peer.service": self._target}
        if "run" not in about:
            return nullcontext(INVALID_SPAN)
        if values and isinstance(values[0], str) and values[0].startswith("/subscriptions/"):
            about["resource"] = values[0]
        return self._telemetry.span(f"{self._target} {method}", SpanKind.CLIENT, **about)

    def _failed(self, span: Span, error: OutsideError) -> None:
        fail(span, type(error).__name__)
        if error.code:
            span.set_attribute("code", error.code[:100])
        if isinstance(error, RetryLater) and (error.throttled or error.after is not None):
            span.set_attribute("retryAfter", error.after or 0.0)
            cluster = context.present().get("cluster", "")
            self._telemetry.tell(THROTTLES, 1, cluster=cluster, target=self._target)
