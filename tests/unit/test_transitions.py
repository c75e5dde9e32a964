"""Transitions: what has come about between two tellings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bookkeeping import Outcome, Result
from reconciler.model import Ownership, ServiceRef
from reconciler.plan import Change, PutPls, Reason
from reconciler.telling import Telling
from reconciler.transitions import Kind, Told, Transition, told_by, told_now, transitions
from tests.builders import pls_id

PLS = pls_id("web")
KEY = PLS.lower()
NOTHING = Told()


def telling(service: str = "shop/web", **rest: Any) -> Telling:
    given_ = {"ready": True, "reason": "Provisioned", "message": "it is ready", "pls_id": PLS, "alias": "one"}
    return Telling(service, **{**given_, **rest})


def told(*tellings: Telling, owner: str = "shop/web") -> Told:
    return Told(tellings, {t.pls_id.lower(): owner for t in tellings if t.pls_id})


def put(reason: Reason, *, created: bool = False, result: Result = Result.ACCEPTED) -> Outcome:
    changes = () if created else (Change("visibility", [], ["*"]),)
    write = PutPls(PLS, {}, "h", "c", created, "f", (), "shop/web", reason, "words", changes)
    return Outcome(write, result)


def kinds(found: tuple[Transition, ...]) -> list[tuple[Kind, str]]:
    return [(each.kind, each.service) for each in found]


WAITING = telling(ready=False, reason="Provisioning", message="it is on its way")
REFUSED = telling(
    ready=False, reason="RefusedInvalidSettings", message="no such subnet: x", pls_id="", alias=""
)


def test_a_life() -> None:
    """Made, ready, gone: each once, and each to the Service it is about."""
    assert kinds(transitions(NOTHING, told(WAITING), [put(Reason.CREATE, created=True)])) == [
        (Kind.CREATED, "shop/web")
    ]
    (ready,) = transitions(told(WAITING), told(telling()), [])
    assert (ready.kind, ready.sentence, ready.alias, ready.pls_id) == (Kind.READY, "it is ready", "one", PLS)
    (gone,) = transitions(told(telling()), NOTHING, [])
    assert gone.kind is Kind.DELETED
    assert "alias one" in gone.sentence


def test_a_run_that_died_before_it_told_is_made_up_for() -> None:
    """No write in this run says so; the document never heard of it."""
    assert kinds(transitions(NOTHING, told(telling()), [])) == [
        (Kind.CREATED, "shop/web"),
        (Kind.READY, "shop/web"),
    ]


def test_sharers_hear_when_it_is_ready_and_not_who_made_it() -> None:
    """It was made for its owner."""
    guest = telling("shop/guest", reason="Shared", message="it shares")
    found = kinds(transitions(NOTHING, told(telling(), guest), []))
    assert (Kind.CREATED, "shop/guest") not in found
    assert (Kind.READY, "shop/guest") in found


def test_at_first_contact_only_what_the_run_did_and_what_is_wrong_is_news() -> None:
    """Ten thousand links that were there before us have not just come about."""
    assert transitions(None, told(telling()), []) == ()
    assert kinds(transitions(None, told(REFUSED), [])) == [(Kind.REFUSED, "shop/web")]
    assert kinds(transitions(None, told(WAITING), [put(Reason.CREATE, created=True)])) == [
        (Kind.CREATED, "shop/web")
    ]


@pytest.mark.parametrize(
    ("reason", "kind"), [(Reason.REPAIR, Kind.DRIFT_REPAIRED), (Reason.UPDATE, Kind.UPDATED)]
)
def test_what_was_written_is_told_with_what_changed(reason: Reason, kind: Kind) -> None:
    """A repair is somebody's doing, an update one's own."""
    (found,) = transitions(told(telling()), told(telling()), [put(reason)])
    assert found.kind is kind
    assert "visibility" in found.sentence


@pytest.mark.parametrize("result", [r for r in Result if r is not Result.ACCEPTED])
def test_what_was_not_accepted_has_not_come_about(result: Result) -> None:
    """A busy Azure is no update."""
    assert transitions(told(telling()), told(telling()), [put(Reason.UPDATE, result=result)]) == ()


def test_another_alias_is_told_with_the_old_one() -> None:
    """Consumers' endpoints hang on the old one, and nobody else remembers it."""
    (found,) = transitions(told(telling()), told(telling(ready=False, alias="two")), [])
    assert (found.kind, found.before, found.alias) == (Kind.ALIAS_CHANGED, "one", "two")
    assert "one" in found.sentence
    assert "two" in found.sentence


def test_another_owner_is_told_with_the_old_one() -> None:
    """To the one who owns it now."""
    guest = telling("shop/guest")
    before, now = told(telling(), guest), told(telling(), guest, owner="shop/guest")
    (found,) = transitions(before, now, [])
    assert (found.kind, found.service, found.before) == (Kind.OWNER_CHANGED, "shop/guest", "shop/web")


def test_a_refusal_is_told_again_when_it_is_another() -> None:
    """The second mistake is not the first one; the same one with a new time of Azure's is."""
    other = telling(ready=False, reason="RefusedInvalidSettings", message="no such name", pls_id="", alias="")
    assert kinds(transitions(told(REFUSED), told(other), [])) == [(Kind.REFUSED, "shop/web")]
    first, second = (
        telling(ready=False, reason="RefusedRejected", message=f"busy at {time}, operation {guid}")
        for time, guid in (("12:00:01", "8f2d6ae7-0000-4000-8000-000000000001"), ("12:10:01", "a-1"))
    )
    assert transitions(told(first), told(second), []) == ()


def test_who_only_wanted_its_name_did_not_lose_it() -> None:
    """Its former owner is told, though nothing tells of that Service any more."""
    envious = telling("shop/envious", ready=False, reason="RefusedNameTaken", alias="")
    [gone] = transitions(told(envious, owner="shop/web"), Told((envious,)), ())
    assert (gone.kind, gone.service) == (Kind.DELETED, "shop/web")


def test_a_service_that_no_longer_asks_has_not_lost_its_pls() -> None:
    """The PLS lives as long as its frontend: its row is still there."""
    assert transitions(told(telling()), Told((), {KEY: "shop/web"}), []) == ()


def test_a_pls_that_was_only_planned_is_not_there() -> None:
    """Its row is an intent: Azure may yet refuse it."""
    row = Ownership("prod", PLS, "f", ServiceRef("shop", "web", "u"), state="Planned")
    assert told_now((), [row]).owners == {}
    link = {"id": PLS, "owner": "shop/web"}
    for state in ("Planned", "Refused"):
        assert told_by({"privateLinkServices": [{**link, "state": state}]}, ()).owners == {}
    assert told_by({"privateLinkServices": [{**link, "state": "Succeeded"}]}, ()).owners == {KEY: "shop/web"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["id", "owner", "state", "x"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["privateLinkServices", "x"]), JSON))
def test_a_document_that_somebody_edited_is_read_as_far_as_it_goes(document: dict[str, Any]) -> None:
    """A blob is anybody's who has the role; a run must not end in it."""
    transitions(told_by(document, ()), NOTHING, [])


TELLINGS = st.builds(
    telling,
    st.sampled_from(["shop/a", "shop/b"]),
    ready=st.booleans(),
    reason=st.sampled_from(["Provisioned", "RefusedNotOwner", "Deleting"]),
    message=st.text(max_size=10),
    pls_id=st.sampled_from(["", PLS, pls_id("other")]),
    alias=st.sampled_from(["", "one", "two"]),
)
STATES = st.builds(
    Told,
    st.lists(TELLINGS, unique_by=lambda t: t.service).map(tuple),
    st.dictionaries(st.sampled_from([KEY, pls_id("other").lower()]), st.sampled_from(["shop/a", "shop/b"])),
)


@given(STATES)
def test_where_nothing_changed_nothing_is_told(state: Told) -> None:
    """The quiet case: no event, ever."""
    assert transitions(state, state, []) == ()
