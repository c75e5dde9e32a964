"""What the dashboard shows, as plain values for its templates. Pure; documents and rows may have been edited by hand.

==  ===========================================================  ===============
N   A cluster                                                    is shown as
==  ===========================================================  ===============
1   answers as another one than the one known                    Other cluster
2   could not be read to its end by the last run                 Unknown
3   is paused by a person                                        Paused
4   has deletes that wait for a person                           Held back
5   was not looked at for over an hour, or never                 Silent, Not seen
6   is not in the configuration (any more)                       Not configured
7   has Services that were refused                               Refusals
8   has writes or Services under way; in mode ``plan``           In progress, Would write
9   else                                                         In line
==  ===========================================================  ===============

All that hold are shown, 8 and 9 only where no other does; clusters are sorted by the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler import arm_ids, poison
from reconciler.dashboard.drawing import balancers
from reconciler.lenient import mapping, objects, texts
from reconciler.model import Json
from reconciler.ports import ClusterState
from reconciler.rendering import instant

SILENT = timedelta(hours=1)
MOST = 500  # lines of refusals, waits and writes; the picture is always whole


@dataclass(frozen=True, slots=True)
class Badge:
    """A word about a cluster, its tone (good, busy, warn, bad, calm) and its rank: the lower, the more urgent."""

    rank: int
    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What a document comes down to."""

    links: int = 0
    ready: int = 0
    refused: int = 0
    waiting: int = 0
    approved: int = 0
    pending: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster at a glance. ``mode`` is "" for one that is not configured; ``began`` None before its first run."""

    name: str
    mode: str
    badges: tuple[Badge, ...]
    counts: Counts
    began: str | None
    seconds: Any
    reason: str
    run: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about the whole cluster that needs a person."""

    tone: str
    title: str
    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """What one Service is told, or what was found about something."""

    about: str
    reason: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Detail:
    """A cluster in full. ``seen`` is False where there is no document yet; ``cut`` counts lines left out, by list."""

    cluster: Cluster
    seen: bool
    alerts: tuple[Alert, ...]
    refusals: tuple[Line, ...]
    waits: tuple[Line, ...]
    warnings: tuple[Line, ...]
    balancers: tuple[Json, ...]
    plan: Json
    history: tuple[Json, ...]
    cut: Mapping[str, int]


def counts(document: Json | None) -> Counts:
    """The counts of a document; zeros without one."""
    if document is None:
        return Counts()
    links, told = objects(document, "privateLinkServices"), objects(document, "tellings")
    connections: Counter[str] = Counter()
    for link in links:
        connections.update({state: n for state, n in mapping(link, "connections").items() if type(n) is int})
    refused = sum(_is_refusal(telling) for telling in told)
    ready = sum(telling.get("ready") is True for telling in told)
    return Counts(
        links=len(links),
        ready=ready,
        # A mode that never writes tells no Service; its findings do.
        refused=refused if told else len(_errors(document, frozenset())),
        waiting=len(told) - ready - refused,
        approved=connections["Approved"],
        pending=connections["Pending"],
        writes=len(objects(mapping(document, "plan"), "writes")),
    )


def cluster(name: str, mode: str, state: ClusterState, seen: Counts, now: datetime) -> Cluster:
    """A cluster at a glance; ``mode`` is "" where it is not configured."""
    run = state.last_run
    return Cluster(
        name=name,
        mode=mode,
        badges=_badges(mode, state, seen, now),
        counts=seen,
        began=str(run["began"]) if run.get("began") else None,
        seconds=run.get("seconds", ""),
        reason=str(run.get("reason", "")),
        run=str(run.get("run", "")),
    )


def _badges(mode: str, state: ClusterState, seen: Counts, now: datetime) -> tuple[Badge, ...]:
    run = state.last_run
    began = str(run.get("began") or "")
    silent = bool(began) and began < str(instant(now - SILENT))
    urgent = [
        (bool(state.offered), Badge(1, "Other cluster", "bad")),
        (bool(run) and not run.get("complete"), Badge(2, "Unknown", "bad")),
        (state.paused, Badge(3, "Paused", "warn")),
        (bool(objects(run, "held")), Badge(4, "Held back", "warn")),
        (silent and bool(mode) and not state.paused, Badge(5, "Silent", "warn")),
        (not run, Badge(5, "Not seen", "calm")),
        (not mode, Badge(6, "Not configured", "calm")),
    ]
    found = tuple(badge for holds, badge in urgent if holds)
    if found:
        return (*found, Badge(7, "Refusals", "bad")) if seen.refused else found
    if seen.refused:
        return (Badge(7, "Refusals", "bad"),)
    if seen.waiting or seen.writes:
        return (Badge(8, "Would write" if mode == "plan" else "In progress", "busy"),)
    return (Badge(9, "In line", "good"),)


def by_urgency(clusters: Iterable[Cluster]) -> list[Cluster]:
    """Those first that need a person."""
    return sorted(clusters, key=lambda c: (c.badges[0].rank, c.name))


def detail(
    shown: Cluster, state: ClusterState, document: Json | None, history: Iterable[Json], now: datetime
) -> Detail:
    """A cluster in full."""
    seen = document or {}
    told = objects(seen, "tellings")
    refused = [_told(t) for t in told if _is_refusal(t)]
    refused += _errors(seen, frozenset(line.about for line in refused))
    waits = [_told(t) for t in told if t.get("ready") is not True and not _is_refusal(t)]
    plan, warnings = mapping(seen, "plan"), _warnings(seen)
    writes = {name: _writes(plan, name) for name in ("writes", "after", "held")}
    lists: dict[str, list[Any]] = {"refusals": refused, "waits": waits, "warnings": warnings, **writes}
    return Detail(
        cluster=shown,
        seen=document is not None,
        alerts=tuple(_alerts(shown, state, now)),
        refusals=tuple(refused[:MOST]),
        waits=tuple(waits[:MOST]),
        warnings=tuple(warnings[:MOST]),
        balancers=balancers(seen),
        plan={**plan, **{name: items[:MOST] for name, items in writes.items()}},
        history=tuple(history),
        cut={name: len(items) - MOST for name, items in lists.items() if len(items) > MOST},
    )


def _writes(plan: Json, name: str) -> list[Json]:
    return [{**write, "changes": objects(write, "changes")} for write in objects(plan, name)]


def _alerts(shown: Cluster, state: ClusterState, now: datetime) -> Iterator[Alert]:
    run, name = state.last_run, shown.name
    if state.offered:
        yield Alert(
            "bad",
            "Another cluster answers",
            f"The API server of {name} answers as {state.offered}, not as {state.identity}. Nothing is done until a "
            f'person accepts it: POST /api/release {{"cluster": "{name}", "identity": "{state.offered}"}}.',
        )
    if run and not run.get("complete"):
        text = "The last run could not read everything, and left the cluster untouched. What is shown below is older."
        yield Alert("bad", "Unknown", text, texts(run, "failures"))
    if state.paused:
        text = f'Nothing is done until it is resumed: POST /api/resume {{"cluster": "{name}"}}.'
        yield Alert("warn", "Paused", text)
    held = objects(run, "held")
    if held:
        yield Alert(
            "warn",
            f"{len(held)} held back",
            "Unannounced deletes wait for a person, who releases exactly these: POST /api/release "
            f'{{"cluster": "{name}", "digest": "{run.get("heldDigest", "")}"}}.',
            tuple(str(write.get("sentence", "")) for write in held[:MOST]),
        )
    if not shown.mode:
        text = "It is not in the configuration. Nothing is done for it, and nothing is deleted."
        yield Alert("calm", "Not configured", text)
    poisoned = poison.shown(state, now)
    if poisoned["count"]:
        text = f"{poisoned['count']} within a day, the last at {poisoned['last']}. The next full pass makes up for it."
        yield Alert("warn", "Messages that failed for good", text)


def _is_refusal(telling: Json) -> bool:
    return telling.get("ready") is not True and str(telling.get("reason", "")).startswith("Refused")


def _told(telling: Json) -> Line:
    tone = "bad" if _is_refusal(telling) else "busy"
    return Line(
        str(telling.get("service", "")), str(telling.get("reason", "")), str(telling.get("message", "")), tone
    )


def _errors(document: Json, told: frozenset[str]) -> list[Line]:
    """Errors that no Service was told: those of a whole cluster, and in mode ``plan`` all."""
    found = (f for f in objects(mapping(document, "plan"), "findings") if f.get("severity") == "error")
    told_otherwise = {str(t.get("service", "")) for t in objects(document, "tellings")} | told
    return [_found(f, "bad") for f in found if str(f.get("service", "")) not in told_otherwise]


def _warnings(document: Json) -> list[Line]:
    findings = objects(mapping(document, "plan"), "findings")
    return [_found(f, "warn") for f in findings if f.get("severity") == "warning"]


def _found(finding: Json, tone: str) -> Line:
    about = finding.get("service") or arm_ids.last_name(
        str(finding.get("privateLinkService") or finding.get("frontend") or "")
    )
    return Line(str(about), str(finding.get("reason", "")), str(finding.get("sentence", "")), tone)
