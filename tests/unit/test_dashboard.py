"""What the dashboard shows of states and documents, rendered: complete, escaped, and whatever the document holds."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from reconciler.dashboard import pages, view
from reconciler.ports import ClusterState
from reconciler.rendering import instant

Json = dict[str, Any]
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
GROUP = "/subscriptions/s/resourceGroups/MC_prod/providers/Microsoft.Network"
PLS = f"{GROUP}/privateLinkServices/pls-web"
FRONTEND = f"{GROUP}/loadBalancers/kubernetes-internal/frontendIPConfigurations/a1"
HOSTILE = "</textarea><script>hit=1</script><img src=x onerror=hit=1>\"'`{{7*7}}"

LINK = {
    "id": PLS,
    "name": "pls-web",
    "alias": "pls-web.guid.eastus.azure.privatelinkservice",
    "state": "Succeeded",
    "frontend": FRONTEND,
    "owner": "shop/web",
    "sharers": ["shop/admin"],
    "refused": ["shop/third"],
    "natIps": ["10.0.0.4", "10.0.0.5"],
    "connections": {"Approved": 2, "Pending": 1},
    "lastError": "the subnet is full",
    "notBefore": "2026-11-21T12:05:00Z",
    "endpoints": [{"endpoint": f"{GROUP}/privateEndpoints/pe-orders", "state": "Pending"}],
}
TELLING = {
    "service": "shop/third",
    "uid": "u",
    "ready": False,
    "reason": "RefusedNotOwner",
    "message": "It has settings of its own.",
    "privateLinkService": PLS,
    "frontend": FRONTEND,
    "alias": "",
}
WRITE = {
    "verb": "update",
    "target": PLS,
    "service": "shop/web",
    "frontend": FRONTEND,
    "reason": "Repair",
    "sentence": "update Private Link Service pls-web",
    "changes": [{"property": "visibility", "before": ["a"], "after": None}],
    "result": "failed",
    "error": "Azure said no",
}
FINDING = {
    "reason": "Orphan",
    "severity": "warning",
    "sentence": "the frontend is gone",
    "service": "",
    "frontend": FRONTEND,
    "privateLinkService": PLS,
}
DOCUMENT: Json = {
    "version": 1,
    "cluster": "prod",
    "mode": "sync",
    "frontends": [
        {
            "id": FRONTEND,
            "name": "a1",
            "loadBalancer": "kubernetes-internal",
            "privateLinkService": PLS,
            "services": [
                {"service": "shop/web", "role": "owner"},
                {"service": "shop/third", "role": "refused"},
            ],
        }
    ],
    "privateLinkServices": [LINK],
    "tellings": [TELLING, {**TELLING, "service": "shop/web", "ready": True, "reason": "Provisioned"}],
    "plan": {
        "writes": [WRITE],
        "after": [{**WRITE, "verb": "delete"}],
        "held": [WRITE],
        "findings": [FINDING, {**FINDING, "severity": "error", "reason": "UnknownView"}],
    },
}
LAST_RUN: Json = {
    "run": "r1",
    "reason": "event",
    "began": instant(NOW - timedelta(minutes=1)),
    "seconds": 0.2,
    "complete": True,
    "mode": "sync",
    "held": [],
    "heldDigest": "",
    "findings": [],
    "failures": [],
}
HISTORY: list[Json] = [
    {"at": "2026-11-21T11:59:00Z", "reason": "Create", "sentence": "create pls-web", "result": "accepted"}
]
STATE = ClusterState("prod", identity="one", document="d", last_run=LAST_RUN)


def html(document: Any = DOCUMENT, state: ClusterState = STATE, history: list[Json] = HISTORY) -> str:
    """Both parts of the page."""
    counted = view.counts(document)
    shown = view.cluster("prod", "sync", state, counted, NOW)
    found = view.detail(shown, state, document, history, NOW)
    return pages.overview([shown], "prod", (), {"count": 0, "last": None}) + pages.detail(found)


class Elements(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a value, the value itself aside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with something else at that path."""
    result = copy.deepcopy(value)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return result


def texts(value: Any) -> Any:
    """The value, each text in it hostile; what decides how it is shown stays."""
    if isinstance(value, dict):
        kept = ("severity", "ready", "id", "privateLinkService", "role")
        return {key: item if key in kept else texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [texts(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


ODD: tuple[Any, ...] = (None, 5, "x", [], {}, [5], {"a": 1}, True)


# Escaping


def test_every_text_is_only_text() -> None:
    """Whatever the documents, rows and history hold: the same elements and attributes as ever."""
    held = {**LAST_RUN, "held": [WRITE], "complete": False, "failures": ["a", "b"]}
    state = replace(STATE, offered="another", paused=True, last_run=held, poisoned=1, poisoned_at=NOW)
    plain = Elements(html(state=state))
    mean = replace(state, identity=HOSTILE, offered=HOSTILE, last_run={**texts(held), "began": HOSTILE})
    bad = Elements(html(texts(DOCUMENT), mean, texts(HISTORY)))
    assert bad.tags <= plain.tags
    assert bad.attributes <= plain.attributes
    assert not {"script", "img", "style"} & bad.tags
    assert not {name for name in bad.attributes if name.startswith(("on", "style"))}
    assert bad.text.count(HOSTILE) > 20


def test_what_is_hidden_is_shown_by_its_number() -> None:
    """Marks of direction and control characters cannot make a name look like another one."""
    document = changed(DOCUMENT, ("privateLinkServices", 0, "owner"), "shop/\u202egpj.exe\x00\ud800\u200b")
    assert "shop/⟨U+202E⟩gpj.exe⟨U+0000⟩⟨U+D800⟩⟨U+200B⟩" in html(document)
    document = changed(
        DOCUMENT, ("privateLinkServices", 0, "owner"), "shop/web\U000e0041\ufff9\u180e é\u00a0→\n."
    )
    assert "shop/web⟨U+E0041⟩⟨U+FFF9⟩⟨U+180E⟩ é\u00a0→\n." in html(document)


def test_a_document_edited_by_hand_shows_what_it_can() -> None:
    """Anything in the place of anything: never an error for whoever looks."""
    for path in places(DOCUMENT):
        for odd in ODD:
            assert "prod" in html(changed(DOCUMENT, path, odd)), (path, odd)


def test_a_state_row_edited_by_hand_shows_what_it_can() -> None:
    """The same of the row."""
    for path in places(LAST_RUN):
        for odd in ODD:
            assert "prod" in html(state=replace(STATE, last_run=changed(LAST_RUN, path, odd))), (path, odd)


# What is shown


def test_the_picture_names_everything() -> None:
    """Load balancer, frontend, PLS, owner, sharers, refused, NAT addresses, connections, the error and when again."""
    shown = Elements(html()).text
    for text in (
        "kubernetes-internal",
        "a1",
        "pls-web",
        LINK["alias"],
        "shop/web",
        "shop/admin",
        "shop/third",
    ):
        assert str(text) in shown
    for text in (
        "10.0.0.4, 10.0.0.5",
        "2 Approved",
        "1 Pending",
        "pe-orders",
        "the subnet is full; again after",
    ):
        assert text in shown


def test_refusals_stand_before_the_picture() -> None:
    """In the words of the telling; then errors that are no Service's."""
    shown = Elements(html()).text
    assert "shop/third RefusedNotOwner It has settings of its own." in shown
    assert shown.index("RefusedNotOwner") < shown.index("UnknownView") < shown.index("kubernetes-internal")


def test_a_service_is_told_once() -> None:
    """The finding behind a telling is not said again."""
    finding = {**FINDING, "severity": "error", "service": "shop/third", "sentence": "said twice"}
    document = changed(DOCUMENT, ("plan", "findings"), [finding])
    assert "said twice" not in html(document)


def test_in_mode_plan_findings_tell_what_no_service_is_told() -> None:
    """There are no tellings."""
    finding = {**FINDING, "severity": "error", "service": "shop/third", "reason": "NotOwner"}
    document = {
        **DOCUMENT,
        "mode": "plan",
        "tellings": [],
        "plan": {**DOCUMENT["plan"], "findings": [finding]},
    }
    assert "shop/third NotOwner the frontend is gone" in Elements(html(document)).text
    assert view.counts(document).refused == 1


def test_without_a_document_it_says_so() -> None:
    """And how one comes to be; the history is there all the same."""
    shown = Elements(html(None)).text
    assert "There is no status document of this cluster yet." in shown
    assert "create pls-web" in shown


def test_long_lists_are_cut_and_say_so_the_picture_is_whole() -> None:
    """A page with thousands of refusals is of no use; a picture with a hole is a lie."""
    many = view.MOST + 7  # and the error that is no Service's
    links = [{**LINK, "id": f"{PLS}{n}", "name": f"pls-{n}"} for n in range(many)]
    document = {**DOCUMENT, "privateLinkServices": links, "tellings": [TELLING] * many}
    shown = html(document)
    assert "and 8 more refusals" in shown
    found = {"severity": "warning", "reason": "Warning", "sentence": "careful", "service": "shop/web"}
    document = {**DOCUMENT, "plan": {"findings": [found] * many}}
    assert "and 7 more warnings" in html(document)
    assert shown.count('class="row front"') == many + 1


OLD = instant(NOW - timedelta(hours=2))


@pytest.mark.parametrize(
    ("change", "mode", "refused", "words"),
    [
        ({}, "sync", 0, ["In line"]),
        ({}, "sync", 1, ["Refusals"]),
        ({"paused": True}, "sync", 1, ["Paused", "Refusals"]),
        (
            {"offered": "two", "last_run": {**LAST_RUN, "complete": False}},
            "sync",
            0,
            ["Other cluster", "Unknown"],
        ),
        ({"last_run": {**LAST_RUN, "held": [WRITE]}, "paused": True}, "sync", 0, ["Paused", "Held back"]),
        ({"last_run": {}}, "sync", 0, ["Not seen"]),
        ({"last_run": {**LAST_RUN, "began": OLD}}, "sync", 0, ["Silent"]),
        ({"last_run": {**LAST_RUN, "began": OLD}, "paused": True}, "sync", 0, ["Paused"]),
        ({"last_run": {**LAST_RUN, "began": OLD}}, "", 0, ["Not configured"]),
    ],
)
def test_what_a_cluster_is_shown_as(change: Json, mode: str, refused: int, words: list[str]) -> None:
    """Table N."""
    shown = view.cluster("prod", mode, replace(STATE, **change), view.Counts(refused=refused), NOW)
    assert [badge.word for badge in shown.badges] == words


@pytest.mark.parametrize(("mode", "word"), [("sync", "In progress"), ("plan", "Would write")])
def test_writes_that_are_due_are_told(mode: str, word: str) -> None:
    """In mode plan they stay due: no cluster that waits for them is in line."""
    (badge,) = view.cluster("prod", mode, STATE, view.Counts(writes=1), NOW).badges
    assert badge.word == word


def test_what_needs_a_person_comes_first() -> None:
    """Then by name."""
    states: dict[str, Callable[[ClusterState], ClusterState]] = {
        "a": lambda s: s,
        "b": lambda s: replace(s, paused=True),
        "c": lambda s: replace(s, last_run={**LAST_RUN, "complete": False}),
        "d": lambda s: replace(s, last_run={**LAST_RUN, "held": [WRITE]}),
        "e": lambda s: s,
    }
    shown = [view.cluster(name, "sync", change(STATE), view.Counts(), NOW) for name, change in states.items()]
    assert [c.name for c in view.by_urgency(reversed(shown))] == ["c", "b", "d", "a", "e"]


def test_counts() -> None:
    """What the glance tells."""
    seen = view.counts(DOCUMENT)
    assert (seen.links, seen.ready, seen.refused, seen.waiting) == (1, 1, 1, 0)
    assert (seen.approved, seen.pending, seen.writes) == (2, 1, 1)
    assert view.counts(json.loads("{}")) == view.counts(None)
