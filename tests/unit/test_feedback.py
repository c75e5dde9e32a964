"""Feedback: what is told where it differs, and nothing where it does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler import feedback
from reconciler.claims import read_claim
from reconciler.model import STANDARD_PREFIX, Condition, Service
from reconciler.telling import Telling
from reconciler.transitions import Kind, Transition
from tests.builders import NOW, after, pls_id, service

PREFIX = STANDARD_PREFIX
ALIAS, RESOURCE_ID = PREFIX + "alias", PREFIX + "resource-id"
WEB = service("web")
PLS = pls_id("web")


def telling(name: str = "shop/web", **rest: object) -> Telling:
    given_ = {"ready": True, "reason": "Provisioned", "message": "it is ready", "pls_id": PLS, "alias": "one"}
    return Telling(name, **{**given_, **rest})  # type: ignore[arg-type]


def with_conditions(services: Iterable[Service], tellings: Iterable[Telling]) -> list[Service]:
    """The Services once all patches are applied."""
    patches = {p.service.key: p.condition for p in feedback.condition_patches(services, tellings, NOW)}
    return [replace(s, condition=patches.get(s.key, s.condition)) for s in services]


def with_annotations(services: Iterable[Service], tellings: Iterable[Telling]) -> list[Service]:
    changes = {p.service.key: p.annotations for p in feedback.annotation_patches(services, tellings, PREFIX)}
    merged = [(s, {**s.annotations, **changes.get(s.key, {})}) for s in services]
    return [replace(s, annotations={k: v for k, v in found.items() if v is not None}) for s, found in merged]


NAMES = st.sampled_from(["a", "b", "c"])
CONDITIONS = st.builds(
    Condition,
    st.sampled_from(["True", "False", ""]),
    st.sampled_from(["Provisioned", "x"]),
    st.text(),
    st.just("2026"),
)
TELLINGS = st.builds(
    telling,
    NAMES.map(lambda name: f"shop/{name}"),
    ready=st.booleans(),
    reason=st.sampled_from(["Provisioned", "RefusedNotOwner"]),
    message=st.text(max_size=20),
    uid=st.sampled_from(["", "other", service("a").uid]),
    alias=st.sampled_from(["", "one", "two"]),
    pls_id=st.sampled_from(["", PLS, PLS.upper()]),
)
SERVICES = st.builds(
    lambda name, condition, own, deleting: service(
        name, annotations=own, condition=condition, deleting=deleting
    ),
    NAMES,
    st.none() | CONDITIONS,
    st.dictionaries(st.sampled_from([ALIAS, RESOURCE_ID, "theirs"]), st.sampled_from(["one", PLS, ""])),
    st.booleans(),
)


@given(st.lists(SERVICES, unique_by=lambda s: s.key), st.lists(TELLINGS, unique_by=lambda t: t.service))
def test_once_told_nothing_is_left_to_tell(services: list[Service], tellings: list[Telling]) -> None:
    """Whatever stood there before: a patch that does not converge is one per run, for ever."""
    told = with_annotations(with_conditions(services, tellings), tellings)
    assert feedback.condition_patches(told, tellings, after(days=1)) == ()
    assert feedback.annotation_patches(told, tellings, PREFIX) == ()


@given(st.lists(SERVICES, unique_by=lambda s: s.key), st.lists(TELLINGS, unique_by=lambda t: t.service))
def test_what_is_told_is_no_other_service(services: list[Service], tellings: list[Telling]) -> None:
    """The probe must see every change but our own."""
    told = with_annotations(with_conditions(services, tellings), tellings)
    for before, now in zip(services, told, strict=True):
        assert feedback.same_but_told(before, replace(now, resource_version="9"), PREFIX)
        others = {**now.annotations, "theirs": "changed"}
        assert not feedback.same_but_told(before, replace(now, annotations=others), PREFIX)


@given(SERVICES)
def test_without_a_telling_all_of_ours_goes(seen: Service) -> None:
    """A condition that says Provisioned of a PLS that is gone is a lie for as long as it stands."""
    (told,) = with_annotations(with_conditions([seen], []), [])
    if not seen.deleting:
        assert told.condition is None
        assert told.annotations.keys().isdisjoint({ALIAS, RESOURCE_ID})


def test_the_time_changes_with_the_status_only() -> None:
    """``kubectl wait`` and alerts go by it: a new sentence is no transition."""
    before = Condition("True", "Provisioned", "old words", "2026-01-01T00:00:00Z")
    (patch,) = feedback.condition_patches([replace(WEB, condition=before)], [telling()], NOW)
    assert patch.condition == replace(before, message="it is ready")
    (patch,) = feedback.condition_patches([replace(WEB, condition=before)], [telling(ready=False)], NOW)
    assert patch.condition == Condition("False", "Provisioned", "it is ready", "2026-06-01T12:00:00Z")


def test_what_was_true_of_another_of_that_name_is_not_told() -> None:
    """Deleted and made anew within a run."""
    assert feedback.condition_patches([WEB], [telling(uid="of-the-one-before")], NOW) == ()


def test_the_alias_is_written_once_and_stays_until_a_new_one_is_known() -> None:
    """Each change of an annotation makes the cloud provider sync the Service: one change, not two."""
    (patch,) = feedback.annotation_patches([WEB], [telling()], PREFIX)
    assert patch.annotations == {ALIAS: "one", RESOURCE_ID: PLS}
    shown = service("web", annotations={ALIAS: "one", RESOURCE_ID: PLS})
    waiting = telling(ready=False, reason="Provisioning", alias="")
    assert feedback.annotation_patches([shown], [waiting], PREFIX) == ()
    (patch,) = feedback.annotation_patches([shown], [telling(alias="two")], PREFIX)
    assert patch.annotations == {ALIAS: "two"}


def test_who_is_refused_another_s_pls_shows_none() -> None:
    """The refusal names the PLS of its owner; its alias is not this Service's."""
    shown = service("web", annotations={ALIAS: "one", RESOURCE_ID: PLS})
    refused = telling(ready=False, reason="RefusedNotOwner", alias="", pls_id=pls_id("theirs"))
    (patch,) = feedback.annotation_patches([shown], [refused], PREFIX)
    assert patch.annotations == {ALIAS: None, RESOURCE_ID: None}


def test_what_is_written_back_is_no_setting() -> None:
    """A sharer with a setting of its own is refused: our own words must not make it one."""
    shown = service("web", annotations={ALIAS: "one", RESOURCE_ID: PLS})
    assert read_claim(shown, PREFIX, "default") == read_claim(WEB, PREFIX, "default")


def test_events_are_about_services_whose_uid_is_known() -> None:
    """``kubectl describe`` asks by UID; one about nobody is shown to nobody."""
    known = Transition(Kind.DELETED, "shop/gone", "it was deleted", uid="uid-of-gone")
    seen = Transition(Kind.REFUSED, "shop/web", "no such subnet")
    nobody = Transition(Kind.DELETED, "shop/lost", "it was deleted")
    inner = Transition(Kind.OWNER_CHANGED, "shop/web", "owns it now")
    found = feedback.events([known, seen, nobody, inner], [WEB], NOW)
    assert [(e.service.uid, e.reason, e.warning) for e in found] == [
        ("uid-of-gone", "PrivateLinkServiceDeleted", False),
        (WEB.uid, "PrivateLinkServiceRefused", True),
    ]
    assert [e.message for e in found] == ["it was deleted", "no such subnet"]
