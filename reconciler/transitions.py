"""What has come about since the last status document: made, ready, updated, refused, gone, another alias or owner. Pure.

Events of Services and published events tell these. What the document knows is compared, so that a run that died
before it wrote one is made up for by the next; updates are told from the writes of the run alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler import arm_ids
from reconciler.bookkeeping import Outcome, Result
from reconciler.lenient import objects
from reconciler.model import PLANNED, Json, Ownership
from reconciler.plan import PutPls, Reason
from reconciler.telling import Telling, title

REFUSED = "Refused"
ABSENT = ("", PLANNED, REFUSED)  # states of one that is not there yet
_UPDATES = frozenset({Reason.UPDATE, Reason.MOVE, Reason.RESTORE_OWNER, Reason.SUCCESSION})
# Times, counts and ids within Azure's own words: they differ with each try.
_PASSING = re.compile(r"[0-9a-fA-F-]*\d[0-9a-fA-F-]*")


class Kind(StrEnum):
    """What has come about."""

    CREATED = "Created"
    READY = "Ready"
    UPDATED = "Updated"
    REFUSED = "Refused"
    DELETED = "Deleted"
    DRIFT_REPAIRED = "DriftRepaired"
    ALIAS_CHANGED = "AliasChanged"
    OWNER_CHANGED = "OwnerChanged"


@dataclass(frozen=True, slots=True)
class Transition:
    """One change, as far as one Service (``namespace/name``) is concerned.

    ``before`` is the alias or owner that it had; ``reason`` that of the telling, or of the write.
    """

    kind: Kind
    service: str
    sentence: str
    uid: str = ""
    pls_id: str = ""
    frontend_id: str = ""
    alias: str = ""
    reason: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the Services are told, and who owns each Private Link Service that is there (lower-case id → Service)."""

    tellings: tuple[Telling, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)


def told_now(tellings: Iterable[Telling], rows: Iterable[Ownership]) -> Told:
    """What a run tells."""
    there = {arm_ids.key(r.pls_id): r.owner.key for r in rows if r.resource_guid or r.state not in ABSENT}
    return Told(tuple(tellings), there)


def told_by(document: Json, tellings: Iterable[Telling]) -> Told:
    """What a status document told; of one that somebody edited, as much as can be read."""
    there = {
        arm_ids.key(str(link.get("id") or "")): str(link.get("owner") or "")
        for link in objects(document, "privateLinkServices")
        if link.get("state") not in ABSENT
    }
    return Told(tuple(tellings), there)


def transitions(before: Told | None, after: Told, outcomes: Iterable[Outcome]) -> tuple[Transition, ...]:
    """What has come about. ``before`` is None at first contact: what is there already is no news then."""
    written = [o.write for o in outcomes if o.result is Result.ACCEPTED and isinstance(o.write, PutPls)]
    old = before or Told()
    if before is None:
        made = {arm_ids.key(write.pls_id) for write in written if write.created}
    else:
        made = after.owners.keys() - old.owners.keys()
    return (
        *_created(made, after),
        *_updated(written, after),
        *_of_services(before, after, made),
        *_owner_changed(old, after),
        *_deleted(old, after),
    )


def _created(made: AbstractSet[str], after: Told) -> Iterator[Transition]:
    for told in after.tellings:
        key = arm_ids.key(told.pls_id)
        if key in made and after.owners.get(key) == told.service:
            yield _transition(Kind.CREATED, told, f"Private Link Service {title(told)} was created.")


def _updated(written: Iterable[PutPls], after: Told) -> Iterator[Transition]:
    tellings = {told.service: told for told in after.tellings}
    for write in written:
        told = tellings.get(write.service)
        if told is None or write.created:
            continue
        name, changed = (
            arm_ids.last_name(write.pls_id),
            ", ".join(change.property for change in write.changes),
        )
        if write.reason is Reason.REPAIR:
            sentence = f"Private Link Service {name} was changed by somebody, and is set back: {changed}."
            yield _transition(Kind.DRIFT_REPAIRED, told, sentence, reason=write.reason)
        elif write.reason in _UPDATES:
            sentence = f"Private Link Service {name} is updated{f': {changed}' if changed else ''}."
            yield _transition(Kind.UPDATED, told, sentence, reason=write.reason)


def _of_services(before: Told | None, after: Told, made: AbstractSet[str]) -> Iterator[Transition]:
    """What each Service's telling says that it did not say before."""
    old = {told.service: told for told in before.tellings} if before else {}
    for told in after.tellings:
        was = old.get(told.service)
        if told.reason.startswith(REFUSED) and (was is None or _gist(was) != _gist(told)):
            yield _transition(Kind.REFUSED, told, told.message)
        if (
            was
            and was.alias
            and told.alias
            and was.alias != told.alias
            and arm_ids.same(was.pls_id, told.pls_id)
        ):
            yield _transition(Kind.ALIAS_CHANGED, told, _alias_changed(was, told), before=was.alias)
        news = before is not None or arm_ids.key(told.pls_id) in made
        if news and told.ready and not (was and was.ready and arm_ids.same(was.pls_id, told.pls_id)):
            yield _transition(Kind.READY, told, told.message)


def _owner_changed(old: Told, after: Told) -> Iterator[Transition]:
    tellings = {told.service: told for told in after.tellings}
    for key, owner in sorted(after.owners.items()):
        was, told = old.owners.get(key), tellings.get(owner)
        if was and was != owner and told and arm_ids.key(told.pls_id) == key:
            name = arm_ids.last_name(told.pls_id)
            sentence = f"Service {owner} owns Private Link Service {name} now; it was {was}."
            yield _transition(Kind.OWNER_CHANGED, told, sentence, before=was)


def _deleted(old: Told, after: Told) -> Iterator[Transition]:
    gone = old.owners.keys() - after.owners.keys()
    users = {key: [t for t in old.tellings if _concerns(t, key)] for key in sorted(gone)}
    for key, tellings in users.items():
        for told in tellings or [Telling(old.owners[key], False, "", "", pls_id=key)]:
            sentence = f"Private Link Service {title(told)} was deleted."
            yield _transition(Kind.DELETED, told, sentence)


def _concerns(told: Telling, key: str) -> bool:
    """Whether the Service has to do with this Private Link Service; who only wanted its name has not."""
    return arm_ids.key(told.pls_id) == key and told.reason != f"{REFUSED}{Reason.NAME_TAKEN}"


def _transition(
    kind: Kind, told: Telling, sentence: str, *, before: str = "", reason: str = ""
) -> Transition:
    return Transition(
        kind=kind,
        service=told.service,
        sentence=sentence,
        uid=told.uid,
        pls_id=told.pls_id,
        frontend_id=told.frontend_id,
        alias=told.alias,
        reason=reason or told.reason,
        before=before,
    )


def _gist(told: Telling) -> tuple[str, str]:
    return told.reason, _PASSING.sub("#", told.message)


def _alias_changed(was: Telling, told: Telling) -> str:
    return (
        f"The alias of Private Link Service {arm_ids.last_name(told.pls_id)} is {told.alias}; it was {was.alias}, "
        "until somebody deleted it. Private endpoints of the old alias are cut off: connect them anew."
    )
