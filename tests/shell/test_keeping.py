"""The status document: written where it says something new, never in the way of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler import wakeups
from reconciler.document import tellings_of
from reconciler.errors import OutcomeUnknown, RetryLater
from reconciler.recording import update_state
from reconciler.telling import PROVISIONED
from tests.builders import service
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
DOWN = RetryLater("the API server is down")


def settled_world(**settings: Any) -> World:
    """A world in which nothing is to be done, a while after the last run."""
    world = worlds.make(WEB, **settings)
    world.handle()
    world.clock.forward(2)
    world.drain(30)
    world.clock.forward(60)
    world.queue.messages.clear()
    world.documents.written.clear()
    return world


def document(world: World) -> Any:
    """As JSON has it."""
    return world.documents.read("prod")


def later(world: World, reason: str = "event") -> None:
    """A run, a minute later."""
    world.clock.forward(60)
    assert world.handle(reason).run is not None


def test_it_tells_what_the_ledger_says_after_the_run() -> None:
    """Not before: a PLS just written is in it, with the write and its result, and its Service is told."""
    world = worlds.make(WEB)
    world.handle()
    first = document(world)
    (link,) = first["privateLinkServices"]
    assert (link["name"], link["owner"]) == ("pls-0", WEB.ref.key)
    assert [(w["verb"], w["result"]) for w in first["plan"]["writes"]] == [("create", "accepted")]
    world.clock.forward(2)
    world.drain(30)
    (telling,) = tellings_of(document(world))
    assert (telling.service, telling.ready, telling.reason) == (WEB.ref.key, True, PROVISIONED)
    assert telling.uid == WEB.ref.uid
    assert document(world)["plan"]["writes"] == []
    report = world.api.status({}).body["clusters"][0]
    shown = [
        {k: v for k, v in each.items() if k != "endpoints"} for each in document(world)["privateLinkServices"]
    ]
    assert (shown, document(world)["frontends"]) == (report["privateLinkServices"], report["frontends"])


def test_a_quiet_run_writes_none() -> None:
    """However much time passes."""
    world = settled_world()
    for _ in range(3):
        later(world)
    assert world.documents.written == []


def test_a_refusal_is_in_it() -> None:
    """As the Service itself is told."""
    world = settled_world()
    world.change(WEB, name="pls-0", **{"ip-configuration-ip-address-count": "many"})
    later(world)
    (telling,) = tellings_of(document(world))
    assert (telling.ready, telling.reason) == (False, "RefusedInvalidSettings")
    assert world.documents.written == ["prod"]


def test_a_document_that_could_not_be_written_is_written_by_the_next_run() -> None:
    """Also where nothing is new any more; and the run itself is a good one."""
    for failure in (DOWN, OutcomeUnknown("no answer")):
        world = settled_world()
        before = document(world)
        world.change(WEB, name="pls-0", visibility="*")
        world.documents.fail = failure
        later(world)
        assert world.written()[-1] == ("put_private_link_service", "pls-0")
        assert world.ledger.state("prod").document == ""
        world.documents.fail = None
        assert document(world) == before
        later(world)
        assert world.documents.written == ["prod"]
        assert world.ledger.state("prod").document != ""


def test_an_incomplete_look_leaves_it_as_it_was() -> None:
    """What cannot be seen has not changed."""
    world = settled_world()
    world.azure.fail("list_load_balancers", DOWN)
    later(world)
    assert not world.ledger.state("prod").last_run["complete"]
    assert world.documents.written == []
    assert len(tellings_of(document(world))) == 1


def test_a_persons_run_writes_it_anew() -> None:
    """The way out where somebody has removed it."""
    world = settled_world()
    later(world, wakeups.PERSON)
    assert world.documents.written == ["prod"]


def test_mode_plan_tells_its_plan_and_no_service() -> None:
    """What would be written, in the words of a plan."""
    world = worlds.make(WEB, mode="plan")
    world.handle()
    told = document(world)
    assert [(w["verb"], w["result"]) for w in told["plan"]["writes"]] == [("create", "planned")]
    assert (told["mode"], told["tellings"], told["privateLinkServices"]) == ("plan", [], [])


def test_who_lost_the_lease_writes_none() -> None:
    """It would put what it saw over what a later run saw."""
    world = settled_world()
    # It finds nothing to write but the document.
    update_state(world.ledger, "prod", lambda state: replace(state, document=""))

    def takes_over() -> None:
        lease = world.ledger.lease("prod")
        world.clock.forward(500)
        until = world.clock.now()
        world.ledger.write_lease(replace(lease, holder="other", until=until, fence=lease.fence + 1))

    world.azure.meanwhile["list_load_balancers"] = takes_over
    world.clock.forward(60)
    assert "another has taken over" in world.handle().sentence
    assert world.documents.written == []
