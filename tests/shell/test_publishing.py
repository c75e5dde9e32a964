"""Our own events: at least once, the same id for the same news, and a topic that fails is in nobody's way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler import published as core
from reconciler import telling
from reconciler.errors import Denied, NotFound, OutcomeUnknown, OutsideError, Rejected, RetryLater
from reconciler.model import OWNER_TAG, Json, Service
from reconciler.ports import ClusterState, Publication
from reconciler.publishing import Publishing
from reconciler.recording import update_state
from reconciler.telling import Telling
from reconciler.transitions import Told, transitions
from tests import builders
from tests.builders import service
from tests.fakes.documents import MemoryDocuments
from tests.fakes.publisher import MemoryPublisher
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
DOWN = RetryLater("the topic is down")
READY, REFUSED, DELETED, OWNER_CHANGED = (
    f"PrivateLink.{word}" for word in ("Ready", "Refused", "Deleted", "OwnerChanged")
)


class Published:
    """A world whose events are published, and what became of them."""

    def __init__(self, *services: Service, **settings: Any) -> None:
        self.topic, self.records = MemoryPublisher(), MemoryDocuments()
        plain = worlds.make(*services, **settings)
        told = Publishing(self.topic, self.records, plain.clock)
        self.world: World = replace(plain, worker=replace(plain.worker, publishing=told))

    @property
    def state(self) -> ClusterState:
        return self.world.ledger.state("prod")

    def settle(self) -> Published:
        """Run until nothing is left to do, and forget what was published."""
        self.run()
        self.go_on(30)
        self.world.clock.forward(60)
        self.world.queue.messages.clear()
        self.forget()
        return self

    def go_on(self, seconds: float) -> None:
        self.world.clock.forward(2)
        self.world.drain(seconds)

    def settled(self, seconds: float) -> None:
        """A run, what Azure then does, and the runs that follow."""
        self.run()
        self.world.azure.settle()
        self.go_on(seconds)

    def run(self, reason: str = "event") -> None:
        """A run, a minute later."""
        self.world.clock.forward(60)
        assert self.world.handle(reason).run is not None

    def forget(self) -> None:
        self.topic.batches.clear()
        self.topic.calls = 0
        self.records.written.clear()

    def refuse(self, value: str = "many") -> None:
        """Somebody writes nonsense into an annotation."""
        self.world.change(WEB, name="pls-0", **{"ip-configuration-ip-address-count": value})

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.topic.events]

    def told(self) -> list[Json]:
        """The findings of the last run that say that events wait."""
        return [f for f in self.state.last_run["findings"] if f["reason"] == "NotPublished"]


def test_ready_is_told_once_with_alias_and_id() -> None:
    """What a pipeline waits for; in the words of the Service's own condition."""
    published = Published(WEB, slow=True)
    published.run()
    assert published.types == []
    published.world.azure.settle()
    published.go_on(30)
    (event,) = published.topic.events
    assert (event["specversion"], event["type"], event["datacontenttype"]) == (
        "1.0",
        READY,
        "application/json",
    )
    assert event["source"] == "/pls-reconciler/clusters/prod"
    assert event["subject"] == "/clusters/prod/namespaces/shop/services/web"
    (row,) = published.world.ledger.ownership("prod")
    data = event["data"]
    assert data["alias"] == row.alias != ""
    assert (data["privateLinkService"], data["frontend"]) == (row.pls_id, row.frontend_id)
    assert (data["service"], data["namespace"], data["name"], data["uid"]) == (
        "shop/web",
        "shop",
        "web",
        WEB.uid,
    )
    assert (data["cluster"], data["ready"], data["reason"]) == ("prod", True, telling.PROVISIONED)
    assert row.alias in data["message"]
    assert row.pls_id in data["message"]


def test_ready_waits_for_the_alias() -> None:
    """Azure may answer a PUT without it, and who is told once must be told all."""
    published = Published(WEB)
    accepted = published.world.azure.put_private_link_service
    published.world.azure.put_private_link_service = (  # type: ignore[method-assign]
        lambda pls_id, body: replace(accepted(pls_id, body), alias="")
    )
    published.run()
    assert published.types == []
    published.go_on(30)
    assert [bool(event["data"]["alias"]) for event in published.topic.events] == [True]


def test_a_quiet_run_calls_nothing() -> None:
    """Neither topic nor storage, however often it runs."""
    published = Published(WEB).settle()
    published.records.fail = published.topic.fail = DOWN
    for reason in ("event", "timer", "manual"):
        published.run(reason)
    assert (published.topic.calls, published.records.written, published.told()) == (0, [], [])


def test_what_is_there_at_first_contact_is_told() -> None:
    """Publishing is switched on where links are: who waits for one need not know which was first."""
    published = Published(WEB).settle()
    update_state(published.world.ledger, "prod", lambda s: replace(s, publication=Publication()))
    fresh = MemoryDocuments()
    told = Publishing(published.topic, fresh, published.world.clock)
    published.world = replace(published.world, worker=replace(published.world.worker, publishing=told))
    published.run()
    assert published.types == [READY]


def test_a_refusal_is_told_in_the_words_of_the_telling() -> None:
    """Once, though it is refused at each run; and again when the reason is another."""
    published = Published(WEB).settle()
    published.refuse()
    published.run()
    published.run()
    (event,) = published.topic.events
    (telling_now,) = published.world.run().tellings
    assert event["type"] == REFUSED
    assert (event["data"]["reason"], event["data"]["message"]) == (telling_now.reason, telling_now.message)
    assert event["data"]["ready"] is False
    published.refuse("none")
    published.run()
    assert published.types == [REFUSED, REFUSED]


def test_the_same_news_later_has_another_id() -> None:
    """Refused, mended, refused in the same words: who drops doubles must not drop the second."""
    published = Published(WEB).settle()
    for _ in range(2):
        published.refuse()
        published.run()
        published.world.change(WEB, name="pls-0")
        published.run()
    first, ready, second, _ = published.topic.events
    assert (first["type"], ready["type"], second["type"]) == (REFUSED, READY, REFUSED)
    assert first["data"] == second["data"]
    assert first["id"] != second["id"]


def test_deleted_is_told_when_it_is_gone() -> None:
    """Not when it is asked for; with the alias that is gone."""
    published = Published(WEB).settle()
    (alias,) = (row.alias for row in published.world.ledger.ownership("prod"))
    published.world.remove(WEB)
    published.run()
    assert DELETED not in published.types
    published.go_on(30)
    assert published.types == [DELETED]
    data = published.topic.events[0]["data"]
    assert (data["service"], data["alias"], data["ready"], data["reason"]) == (
        "shop/web",
        alias,
        False,
        "Deleted",
    )


def test_an_owner_handed_over_is_told() -> None:
    """With whom it was; by the tag, as people do it."""
    published = Published(WEB)
    sharer = service("api", age_days=1)
    published.world.cluster.put(sharer)
    published.world.azure.store(worlds.balancer([worlds.front(WEB, sharer)]))
    published.settle()
    pls_id = builders.pls_id("pls-0")
    body = published.world.azure.document(pls_id)
    published.world.azure.store({**body, "tags": {**body["tags"], OWNER_TAG: sharer.key}})
    published.run()
    changed = [event for event in published.topic.events if event["type"] == OWNER_CHANGED]
    assert [(e["data"]["service"], e["data"]["previousOwner"]) for e in changed] == [(sharer.key, WEB.key)]
    assert changed[0]["data"]["alias"]


def test_another_alias_is_told_as_ready() -> None:
    """Somebody deleted the PLS while the topic was down, and it was made anew: the old alias leads nowhere."""
    published = Published(WEB).settle()
    pls_id = builders.pls_id("pls-0")
    old = published.world.pls("pls-0").alias
    published.topic.fail = DOWN
    published.world.azure.delete_private_link_service(pls_id)
    published.run()
    published.go_on(60)
    published.topic.fail = None
    published.world.clock.forward(600)
    published.run()
    new = published.world.pls("pls-0").alias
    assert new != old
    assert [(e["type"], e["data"]["alias"]) for e in published.topic.events] == [(READY, new)]


def test_a_topic_that_is_down_loses_nothing() -> None:
    """And is in nobody's way: the run succeeds, the status document is written, it is said once."""
    published = Published(WEB)
    published.topic.fail = DOWN
    published.run()
    published.go_on(60)
    assert published.topic.events == []
    assert published.world.documents.read("prod")["tellings"][0]["ready"] is True  # type: ignore[index]
    (finding,) = published.told()
    assert "the topic does not answer, or is busy" in finding["sentence"]
    for _ in range(3):
        published.run()
    history = [e for e in published.world.ledger.history("prod", 100) if e.reason == "NotPublished"]
    assert len(history) == 1
    assert len(published.told()) == 1
    published.topic.fail = None
    published.world.clock.forward(600)
    published.run()
    assert published.types == [READY]
    assert published.told() == []
    assert published.state.publication.failures == 0


def test_it_is_tried_again_soon_and_then_ever_more_rarely() -> None:
    """A run that comes earlier leaves the topic alone; the cluster comes back by itself when it is time."""
    published = Published(WEB).settle()
    published.topic.fail = DOWN
    published.refuse()
    published.run()
    assert ("parked", 10.0) in published.world.waiting()
    published.world.clock.forward(6)
    assert published.world.handle("event").run is not None
    assert published.topic.calls == 1
    published.world.drain(25)
    assert published.topic.calls == 2
    published.world.drain(700)
    assert published.topic.calls <= 6
    published.topic.fail = None
    published.world.drain(300)
    assert published.types == [REFUSED]


def test_a_person_need_not_wait() -> None:
    """Who has mended the topic asks for a run."""
    published = Published(WEB).settle()
    published.topic.fail = DOWN
    published.refuse()
    published.run()
    published.topic.fail = None
    published.world.clock.forward(1)
    published.world.handle("manual")
    assert published.types == [REFUSED]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Denied("no role", code="Unauthorized"), "refuses our identity"),
        (NotFound("no such topic"), "is not there"),
        (Rejected("another schema", code="BadRequest"), "refuses them (BadRequest)"),
        (OutcomeUnknown("no answer"), "does not answer"),
    ],
)
def test_each_failure_is_told_in_its_words(error: OutsideError, words: str) -> None:
    """Whose turn it is: the role's, the topic's, time's."""
    published = Published(WEB).settle()
    published.topic.fail = error
    published.refuse()
    published.run()
    (finding,) = published.told()
    assert words in finding["sentence"]
    assert finding["severity"] == "warning"


def test_a_busy_topic_is_left_alone_for_as_long_as_it_asks() -> None:
    """Retry-After."""
    published = Published(WEB).settle()
    published.topic.fail = RetryLater("busy", after=900)
    published.refuse()
    published.run()
    until = published.state.publication.not_before
    assert until is not None
    assert until - published.world.clock.now() == timedelta(seconds=900)


def test_doubles_have_the_same_id() -> None:
    """The topic took the events, and its answer was lost."""
    published = Published(WEB).settle()
    published.topic.fail, published.topic.takes = OutcomeUnknown("no answer"), True
    published.refuse()
    published.run()
    published.topic.fail = None
    published.world.clock.forward(600)
    published.run()
    first, second = published.topic.events
    assert first["id"] == second["id"]
    assert first["data"] == second["data"]


@pytest.mark.parametrize("lost", ["record", "state"])
def test_a_run_that_dies_after_it_published_is_repeated(lost: str) -> None:
    """Before its record is written, or the state row after that: once more with the same id, or not at all."""
    published = Published(WEB).settle()
    published.refuse()
    if lost == "record":
        published.records.write = _broken  # type: ignore[method-assign]
    else:
        published.world.azure.fail("write_state", RetryLater("the ledger is down"))
    with pytest.raises((KeyboardInterrupt, RetryLater)):
        published.run()
    if lost == "record":
        del published.records.write
    published.world.clock.forward(600)
    published.run()
    assert set(published.types) == {REFUSED}
    assert len({event["id"] for event in published.topic.events}) == 1
    assert len(published.topic.events) == (2 if lost == "record" else 1)
    published.forget()
    published.run()
    assert published.topic.calls == 0


def _broken(cluster: str, document: Json) -> None:
    raise KeyboardInterrupt


def test_storage_that_is_down_holds_events_back() -> None:
    """What has been told cannot be read, or not be noted: as with a topic that is down."""
    published = Published(WEB).settle()
    published.records.fail = RetryLater("storage is down")
    published.refuse()
    published.run()
    assert published.topic.calls == 0
    assert "the storage of what was published does not answer" in published.told()[0]["sentence"]
    published.records.fail = None
    published.world.clock.forward(600)
    published.run()
    assert published.types == [REFUSED]


def test_a_record_that_is_none_is_made_anew() -> None:
    """Somebody edited it: all that is there is told once more, and it goes on."""
    published = Published(WEB).settle()
    read = published.records.read
    published.records.read = _unreadable  # type: ignore[method-assign]
    published.refuse()
    published.run()
    assert published.types == [REFUSED]
    published.records.read = read  # type: ignore[method-assign]
    published.world.change(WEB, name="pls-0")
    published.run()
    assert published.types == [REFUSED, READY]


def _unreadable(cluster: str) -> Json:
    raise Rejected("that is no record")


def test_mode_plan_publishes_nothing() -> None:
    """It writes nothing anywhere."""
    published = Published(WEB, mode="plan")
    published.run()
    published.run()
    assert (published.topic.calls, published.records.written) == (0, [])


def test_a_look_that_is_incomplete_tells_nothing() -> None:
    """Services that could not be listed are not gone; what waits goes on waiting."""
    published = Published(WEB).settle()
    published.topic.fail = DOWN
    published.refuse()
    published.run()
    before = published.state.publication
    published.world.cluster.fail("list_services", RetryLater("the API server is down"))
    published.world.clock.forward(1)
    published.world.handle("manual")
    assert published.topic.calls == 1
    assert published.state.publication == before


def test_who_lost_the_lease_publishes_nothing() -> None:
    """Another run has begun to observe since, and tells what it sees; this one had looked for long already."""
    published = Published(WEB).settle()
    published.refuse()
    world, read = published.world, published.records.read

    def frozen(cluster: str) -> Json | None:
        found = read(cluster)
        world.clock.forward(15)
        lease = world.ledger.lease("prod")
        until = world.clock.now() + timedelta(seconds=120)
        world.ledger.write_lease(replace(lease, holder="other", until=until, fence=lease.fence + 1))
        return found

    published.records.read = frozen  # type: ignore[method-assign]
    world.clock.forward(60)
    world.azure.meanwhile["list_private_link_services"] = lambda: world.clock.forward(110)
    assert world.handle().run is None
    assert (published.topic.calls, published.records.written) == (0, [])


def test_many_events_go_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of at most so many, in their order."""
    monkeypatch.setattr(core, "MOST_EVENTS", 3)
    published = Published(*worlds.some(8), slow=True)
    published.run("manual")
    published.world.azure.settle()
    published.go_on(30)
    assert [len(batch) for batch in published.topic.batches] == [3, 3, 2]
    assert [event["data"]["name"] for event in published.topic.events] == [f"web{i}" for i in range(8)]


def test_a_slow_topic_costs_no_lease_and_gets_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there was no time for is left for the next run, which goes on where this one ended; no trouble is told."""
    monkeypatch.setattr(core, "MOST_EVENTS", 3)
    published = Published(*worlds.some(16), slow=True)
    published.run("manual")
    published.world.azure.settle()
    published.world.clock.forward(30)
    publish, batches = published.topic.publish, []

    def slow(events: Any) -> None:
        published.world.clock.forward(15)
        publish(events)
        batches.append(published.world.clock.now())

    with monkeypatch.context() as patch:
        patch.setattr(published.topic, "publish", slow)
        assert published.world.handle("manual").run is not None
        assert (len(published.topic.events), len(batches)) == (6, 2)
        assert published.told() == []
        published.go_on(60)
    assert published.types == [READY] * 16
    assert len({event["data"]["service"] for event in published.topic.events}) == 16
    published.forget()
    published.run()
    assert published.topic.calls == 0


def test_a_run_at_the_end_of_its_lease_publishes_nothing() -> None:
    """Looking took long; a request would outlive the lease. The cluster comes back at once."""
    published = Published(WEB).settle()
    published.refuse()
    world = published.world
    world.azure.meanwhile["list_private_link_services"] = lambda: world.clock.forward(105)
    published.run()
    assert (published.topic.calls, published.records.written, published.told()) == (0, [], [])
    published.go_on(20)
    assert published.types == [REFUSED]


@pytest.mark.parametrize("mask", range(16))
def test_what_was_not_sent_is_as_it_was(mask: int) -> None:
    """Of an owner handed over, a PLS that is gone and a new sharer: each comes about once, now or at the next try."""
    one, two = (builders.pls_id(name).lower() for name in ("one", "two"))

    def telling(name: str, ready: bool, pls_id: str = one) -> Telling:
        return Telling(name, ready, "r", "m", "", pls_id, "", f"alias of {name}")

    x = telling("x", True)
    before = Told((telling("a", False), telling("b", True, two), x), {one: "x", two: "b"})
    after = Told((telling("a", True), telling("c", True), x), {one: "a"})
    events = core.events("prod", transitions(before, after, ()), after, 1, builders.NOW)
    assert sorted((e["data"]["service"], e["type"]) for e in events) == [
        ("a", OWNER_CHANGED),
        ("a", READY),
        ("b", DELETED),
        ("c", READY),
    ]
    left = [event for number, event in enumerate(events) if mask >> number & 1]
    reached = core.reached(before, after, left)
    again = core.events("prod", transitions(reached, after, ()), after, 2, builders.NOW)
    assert [e["data"] for e in again] == [e["data"] for e in left]


def test_a_paused_publication_is_kept_by_runs_without_a_topic() -> None:
    """The command line has none: the next run of the functions compares with what it knew."""
    published = Published(WEB).settle()
    before = published.state.publication
    published.refuse()
    without = replace(published.world, worker=replace(published.world.worker, publishing=None))
    without.clock.forward(60)
    assert without.handle().run is not None
    assert published.state.publication == before != Publication()
    published.run()
    assert published.types == [REFUSED]
