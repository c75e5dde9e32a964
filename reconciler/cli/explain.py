"""``explain``: why a Service has its Private Link Service, or none."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler import wiring
from reconciler.cli import codes
from reconciler.cli.plan import looks
from reconciler.cli.session import Session, mistake
from reconciler.errors import OutsideError
from reconciler.explain import Explanation, explain, explanation_json
from reconciler.lines import Line, shown
from reconciler.model import Service, Unknown, known
from reconciler.reconcile import Engine, Run
from reconciler.rendering import VERSION

_WORDS = {
    "yes": ("ok", "ok   "),
    "no": ("no", "NO   "),
    "waits": ("warning", "waits"),
    "tells": ("why", "     "),
}


def show_explanation(session: Session, name: str) -> int:
    """Explain a Service in each cluster that has it, or in all that are meant where none has."""
    namespace, slash, service = name.strip().partition("/")
    if not (namespace and slash and service):
        raise mistake(f"{shown(name)} is no Service: write NAMESPACE/NAME, as default/myapp")
    engine = wiring.planning_engine(session.settings, session.out)
    every = [_explained(engine, run, f"{namespace}/{service}") for run in looks(session, engine)]
    chosen = [e for e in every if e.found or e.unread] or every
    if session.screen.json:
        session.screen.document({"version": VERSION, "explanations": [explanation_json(e) for e in chosen]})
    else:
        for explanation in chosen:
            session.screen.show(_lines(explanation))
    return codes.worst(map(_code, chosen)) if chosen else codes.ERROR


def _explained(engine: Engine, run: Run, key: str) -> Explanation:
    seen, paused = run.look.observed, run.look.memory.state.paused
    listed = any(service.key == key for service in known(seen.services))
    other = None if listed or not run.look.complete else _by_name(engine, run, key)
    return explain(seen, run.plan, key, other=other, paused=paused)


def _by_name(engine: Engine, run: Run, key: str) -> Service | Unknown | None:
    """The Service where it is of another type."""
    try:
        return engine.cluster_of(run.config).get_service(*key.split("/", 1))
    except OutsideError as error:
        return Unknown(str(error))


def _code(explanation: Explanation) -> int:
    if explanation.unread or not explanation.found:
        return codes.ERROR
    return codes.DONE if explanation.ready else codes.FINDINGS


def _lines(explanation: Explanation) -> Iterator[Line]:
    ready = "ready" if explanation.ready else "not ready"
    kind = "ok" if explanation.ready else "no"
    yield Line((("title", f"{explanation.service} in {explanation.cluster}: "), (kind, ready)))
    width = max(len(check.name) for check in explanation.checks)
    for check in explanation.checks:
        kind, word = _WORDS[check.outcome]
        yield Line(((kind, f"  {word}  "), ("", f"{check.name:{width}}  {shown(check.value)}")))
    yield Line((("", "  => "), ("title", shown(explanation.verdict))))
