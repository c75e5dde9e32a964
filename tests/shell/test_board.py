"""What the dashboard reads, and what it answers in HTTP."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from reconciler.aks_known import Configured
from reconciler.dashboard import answers, assets
from reconciler.dashboard.board import Board
from reconciler.errors import RetryLater
from reconciler.ports import WakeUp
from tests.builders import service
from tests.fakes.documents import MemoryDocuments
from tests.shell import world as worlds
from tests.shell.world import POOL, World

WEB = service("web", settings={"name": "pls-0"})
PATH = "/api/dashboard"
UNFOUND = "which AKS clusters bear the tag pls is unknown (Azure answered 403)"


class CountedDocuments:
    """Documents, and the clusters read so far."""

    def __init__(self, world: World) -> None:
        self.world, self.reads = world, list[str]()

    def read(self, cluster: str) -> Any:
        self.reads.append(cluster)
        return self.world.documents.read(cluster)

    def write(self, cluster: str, document: Any) -> None:
        self.world.documents.write(cluster, document)


def board(world: World, configured: Configured | None = None, asked: bool = True) -> Board:
    """The dashboard of a world."""
    known = configured or Configured(world.configs)
    return Board(world.ledger, CountedDocuments(world), lambda: (known, asked), POOL)


def settled(**settings: Any) -> World:
    """Two clusters that have run; prod has a Private Link Service."""
    world = worlds.make(WEB, clusters=("prod", "dev"), **settings)
    world.handle(cluster="dev")
    world.handle()
    world.clock.forward(2)
    world.drain(30)
    world.forget_calls()
    return world


def ask(
    of: Board, world: World, signed_in: bool = False, cluster: str = "", **headers: str
) -> answers.Answer:
    """The data, asked for with these headers (``_`` for ``-``)."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return answers.data(lambda: of, world.clock.now(), {"cluster": cluster, "code": "k"}, given, signed_in)


def told(answer: answers.Answer) -> Any:
    """The JSON of an answer."""
    body = gzip.decompress(answer.body) if "Content-Encoding" in answer.headers else answer.body
    return json.loads(body)


# What is read


def test_neither_azure_nor_a_cluster_is_asked() -> None:
    """State rows, one page of history, the documents; and a document once, as long as it is the same."""
    world = settled()
    shown = board(world)
    for _ in range(3):
        assert "pls-0" in told(ask(shown, world, cluster="prod"))["detail"]
    assert world.calls == ["states", "history"] * 3
    assert sorted(shown.documents.reads) == ["dev", "prod"]  # type: ignore[attr-defined]


def test_a_new_document_is_shown() -> None:
    """The state row tells of it."""
    world = settled()
    shown = board(world)
    ask(shown, world, cluster="prod")
    world.change(WEB, name="pls-0", **{"ip-configuration-ip-address-count": "many"})
    world.clock.forward(60)
    world.handle()
    assert "RefusedInvalidSettings" in told(ask(shown, world, cluster="prod"))["detail"]
    assert shown.documents.reads.count("prod") == 2  # type: ignore[attr-defined]


def test_the_cluster_that_needs_a_person_is_shown_where_none_is_named() -> None:
    """Else the one that was asked for."""
    world = settled()
    world.api.pause({"cluster": "prod"})
    body = told(ask(board(world), world))
    assert body["cluster"] == "prod"
    assert told(ask(board(world), world, cluster="dev"))["cluster"] == "dev"


def test_a_document_that_cannot_be_read_is_as_none() -> None:
    """Its blob was removed or edited; the rest is shown, and the way out."""
    world = settled()
    shown = Board(world.ledger, MemoryDocuments(), lambda: (Configured(world.configs), True), POOL)
    assert "no status document of this cluster yet" in told(ask(shown, world, cluster="prod"))["detail"]


@pytest.mark.parametrize(
    ("asked", "problems", "word"),
    [(True, (), "Not configured"), (False, (UNFOUND,), "In line"), (True, (UNFOUND,), "In line")],
)
def test_what_is_not_configured_is_told_once_that_is_certain(
    asked: bool, problems: tuple[str, ...], word: str
) -> None:
    """A young process does not know yet which clusters a discovery finds, nor does one whose search failed."""
    world = settled()
    shown = board(world, Configured({}, problems), asked)
    assert word in told(ask(shown, world, cluster="dev"))["overview"]


@pytest.mark.parametrize("clusters", [True, False])
def test_a_search_for_clusters_that_failed_is_shown(clusters: bool) -> None:
    """Else a cluster that is missing looks like one that nobody tagged; what was not asked yet is no problem."""
    world = settled() if clusters else worlds.make()
    found = Configured(world.configs if clusters else {}, (UNFOUND,))
    assert UNFOUND in told(ask(board(world, found), world))["overview"]
    assert UNFOUND not in told(ask(board(world, found, asked=False), world))["overview"]


def test_storage_that_fails_is_told() -> None:
    """As by every function."""
    world = settled()
    world.azure.fail("states", RetryLater("the tables are down"))
    answer = ask(board(world), world)
    assert (answer.status, told(answer)["error"]["code"]) == (503, "RetryLater")
    world.documents.fail = RetryLater("the blobs are down")
    assert ask(board(world), world).status == 503


def test_an_unknown_cluster_is_not_found() -> None:
    """With its name, cut."""
    world = settled()
    answer = ask(board(world), world, cluster="x" * 500)
    assert answer.status == 404
    assert len(told(answer)["error"]["message"]) < 200


def test_no_cluster_at_all() -> None:
    """A fresh deployment."""
    world = worlds.make()
    body = told(ask(board(world, Configured({})), world))
    assert (body["cluster"], body["detail"]) == ("", "")
    assert "No cluster is configured" in body["overview"]


# HTTP


def test_what_has_not_changed_is_not_sent_again() -> None:
    """The page says what it has; a run changes it."""
    world = settled()
    shown = board(world)
    tag = ask(shown, world, cluster="prod").headers["ETag"]
    same = ask(shown, world, cluster="prod", If_None_Match=tag)
    assert (same.status, same.body) == (304, b"")
    world.handle("manual")
    assert ask(shown, world, cluster="prod", If_None_Match=tag).status == 200


def test_it_is_packed_for_who_can_unpack_it() -> None:
    """The same JSON."""
    world = settled()
    packed = ask(board(world), world, Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert told(packed) == told(ask(board(world), world))


def test_where_the_platform_signs_in_its_ticket_is_needed() -> None:
    """And elsewhere that header opens nothing: the platform has asked for a key before."""
    world = settled()
    answer = ask(board(world), world, signed_in=True)
    assert (answer.status, told(answer)["error"]["code"]) == (401, "SignIn")
    assert world.calls == []
    assert ask(board(world), world, signed_in=True, X_MS_CLIENT_PRINCIPAL="e30=").status == 200


def test_every_answer_keeps_to_itself() -> None:
    """No inline script or style, no frame, no guessing of types, no referrer; data is stored nowhere."""
    world = settled()
    files = [answers.file(name) for name in assets.by_name()]
    pages = [
        answers.page(PATH, False),
        *files,
        answers.file("x"),
        ask(board(world), world),
        ask(board(world), world, True),
    ]
    for answer in pages:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert {answer.headers["Cache-Control"] for answer in pages[-2:]} == {"no-store"}


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "/dashboard", "/a/b/dashboard"])
def test_the_page_names_its_own_files_only(path: str) -> None:
    """Below its own address, whatever the route's prefix; each is there, and may be kept for a year."""
    page = answers.page(path, False).body.decode()
    named = re.findall(r'(?:src|href)="([^#"]+)"', page)
    below = f"{path.rstrip('/')}/static/"
    assert len(named) == 3
    assert all(name.startswith(below) for name in named)
    found = [answers.file(name.removeprefix(below)) for name in named]
    assert {answer.status for answer in found} == {200}
    assert all("immutable" in answer.headers["Cache-Control"] for answer in found)
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", page)


@pytest.mark.parametrize(
    "name", ["", "dashboard.js", "../pages.py", "..%2Fpages.py", "/etc/passwd", "x" * 10_000]
)
def test_nothing_but_its_files_is_served(name: str) -> None:
    """By the names they have."""
    assert answers.file(name).status == 404


@pytest.mark.parametrize(
    ("value", "on"),
    [("True", True), ("true", True), ("1", True), ("False", False), ("", False), ("yes", False)],
)
def test_when_the_platform_signs_in(value: str, on: bool) -> None:
    """Its own setting says so."""
    assert answers.is_signed_in_by_platform({"WEBSITE_AUTH_ENABLED": value}) is on
    assert not answers.is_signed_in_by_platform({})


def test_the_last_run_is_named() -> None:
    """By it the page knows that the run it asked for has ended."""
    world = settled()
    before = told(ask(board(world), world, cluster="prod"))["run"]
    world.clock.forward(60)
    done = world.worker.handle(WakeUp("prod", "manual"), world.clock.now())
    after = told(ask(board(world), world, cluster="prod"))["run"]
    assert before != after == done.run_id
