"""What Services are to be told and are not yet: our condition, two annotations, Events. Pure.

Made from the tellings of a run and the Services as it saw them, so that a cluster at rest gets no call at all.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler import arm_ids
from reconciler.annotations import WRITTEN_BACK
from reconciler.model import Condition, Service, ServiceEvent, ServiceRef
from reconciler.plan import Finding, Reason, Severity
from reconciler.telling import Telling
from reconciler.transitions import Kind, Transition

# What is written, each a right of its own, and what to do where it lacks.
STATUS, ANNOTATIONS, EVENTS = "status", "annotations", "events"
_FOR_STATUS = "Apply infra/rbac/services-status.yaml, or set WRITE_BACK=off"
_RIGHTS = {
    STATUS: ("patch services/status", _FOR_STATUS),
    EVENTS: ("create and patch events", _FOR_STATUS),
    ANNOTATIONS: ("patch services", "Apply infra/rbac/services-annotate.yaml, or set WRITE_BACK=status"),
}
ALIAS, RESOURCE_ID = WRITTEN_BACK  # what follows the prefix of the Private Link annotations
_MOST_MESSAGE = 32_768  # what the API's own types allow of a condition's message
_EVENTS = {
    Kind.CREATED: "PrivateLinkServiceCreated",
    Kind.READY: "PrivateLinkServiceReady",
    Kind.UPDATED: "PrivateLinkServiceUpdated",
    Kind.REFUSED: "PrivateLinkServiceRefused",
    Kind.DELETED: "PrivateLinkServiceDeleted",
    Kind.DRIFT_REPAIRED: "PrivateLinkServiceDriftRepaired",
    Kind.ALIAS_CHANGED: "AliasChanged",
}
_WARNINGS = frozenset({Kind.REFUSED, Kind.DRIFT_REPAIRED, Kind.ALIAS_CHANGED})


@dataclass(frozen=True, slots=True)
class ConditionPatch:
    """Our condition for a Service as it was seen; None removes it."""

    service: Service
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class AnnotationsPatch:
    """Annotations for a Service as it was seen; those of None are removed."""

    service: Service
    annotations: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class FedBack:
    """What became of it in one run.

    ``digest`` is over the Services with the versions that our own patches gave them, "" where there were none.
    ``denied`` tells since when the cluster refuses what. ``left`` Services wait for the next run.
    """

    digest: str = ""
    denied: Mapping[str, datetime] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    left: int = 0


def condition_patches(
    services: Iterable[Service], tellings: Iterable[Telling], now: datetime
) -> tuple[ConditionPatch, ...]:
    """The conditions that differ from what is to be told."""
    told = {telling.service: telling for telling in tellings}
    wanted = (
        (service, _condition(_about(service, told), service.condition, now)) for service in _kept(services)
    )
    return tuple(ConditionPatch(service, want) for service, want in wanted if want != service.condition)


def annotation_patches(
    services: Iterable[Service], tellings: Iterable[Telling], prefix: str
) -> tuple[AnnotationsPatch, ...]:
    """The annotations that differ: alias and id of the Private Link Service while there is one."""
    told = {telling.service: telling for telling in tellings}
    patches = (AnnotationsPatch(s, _annotations(s, _about(s, told), prefix)) for s in _kept(services))
    return tuple(patch for patch in patches if patch.annotations)


def events(
    transitions: Iterable[Transition], services: Iterable[Service], now: datetime
) -> tuple[ServiceEvent, ...]:
    """The Events that tell what has come about. A Service whose UID nobody knows cannot be spoken of."""
    uids = {service.key: service.uid for service in services}
    refs = ((_ref(each, uids), each) for each in transitions if each.kind in _EVENTS)
    return tuple(
        ServiceEvent(ref, _EVENTS[each.kind], each.sentence, now, each.kind in _WARNINGS)
        for ref, each in refs
        if ref.uid and ref.name
    )


def same_but_told(seen: Service, found: Service, prefix: str) -> bool:
    """Whether a Service, as found after a patch, is what the run rests on: nothing but what we write differs."""
    return _untold(seen, prefix) == _untold(found, prefix)


def refusals(cluster: str, denied: Container[str]) -> tuple[Finding, ...]:
    """What is said while a cluster refuses to be told."""
    lacking: dict[str, list[str]] = {}
    for right, remedy in (_RIGHTS[kind] for kind in _RIGHTS if kind in denied):
        lacking.setdefault(remedy, []).append(right)
    return tuple(_refusal(cluster, ", ".join(rights), remedy) for remedy, rights in lacking.items())


def _refusal(cluster: str, rights: str, remedy: str) -> Finding:
    return Finding(
        Reason.WRITE_BACK_DENIED,
        Severity.WARNING,
        f"The Services of cluster {cluster} are not told all results: its API refuses us: {rights}. {remedy}. "
        "It is tried again after a day, or with the next resync that a person asks for.",
    )


def _kept(services: Iterable[Service]) -> Iterable[Service]:
    """Who is being deleted is told nothing any more."""
    return (service for service in services if not service.deleting)


def _about(service: Service, told: Mapping[str, Telling]) -> Telling | None:
    """What this Service is told; not what was true of another that bore its name."""
    telling = told.get(service.key)
    return telling if telling and telling.uid in ("", service.uid) else None


def _condition(telling: Telling | None, present: Condition | None, now: datetime) -> Condition | None:
    if telling is None:
        return None
    status = "True" if telling.ready else "False"
    lasts = present.since if present and present.status == status else ""
    since = lasts or f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return Condition(status, telling.reason, telling.message[:_MOST_MESSAGE], since)


def _annotations(service: Service, telling: Telling | None, prefix: str) -> dict[str, str | None]:
    names = (prefix + ALIAS, prefix + RESOURCE_ID)
    present = {name: service.annotations.get(name) for name in names}
    if telling and telling.alias:
        wanted = dict(zip(names, (telling.alias, telling.pls_id), strict=True))
    elif telling and arm_ids.same(telling.pls_id, present[names[1]] or ""):
        return {}  # it is on its way; the alias that is not known yet comes with one change, not two
    else:
        wanted = {}
    return {name: wanted.get(name) for name in names if wanted.get(name) != present[name]}


def _ref(transition: Transition, uids: Mapping[str, str]) -> ServiceRef:
    namespace, _, name = transition.service.partition("/")
    return ServiceRef(namespace, name, transition.uid or uids.get(transition.service, ""))


def _untold(service: Service, prefix: str) -> Service:
    ours = (prefix + ALIAS, prefix + RESOURCE_ID)
    others = {name: value for name, value in service.annotations.items() if name not in ours}
    return replace(service, annotations=others, condition=None, resource_version="")
