"""What fails, or never comes to be, is not written over and over: the waits grow, and status tells why."""

from dataclasses import replace
from functools import partial

import pytest

from reconciler.errors import Denied, OutsideError, Rejected, Stale
from reconciler.model import PrivateLinkService
from reconciler.plan import Reason, Severity
from reconciler.ports import Accepted
from tests import builders
from tests.builders import pls_id, service
from tests.shell import world as worlds
from tests.shell.test_apply import BUSY, WEB, gone_service
from tests.shell.world import World


def repeated(world: World, seconds: int = 600) -> list[float]:
    """Serve the queue for a while; the seconds at which something reached Azure."""
    world.forget_calls()
    began, times = world.clock.now(), []
    world.handle()
    for _ in range(seconds):
        times += [(world.clock.now() - began).total_seconds()] * len(world.written())
        world.forget_calls()
        world.drain(1)
    return times


def told(world: World) -> list[str]:
    """The findings of the last run, as status tells them."""
    return [
        f"{f['severity']} {f['reason']}: {f['sentence']}"
        for f in world.ledger.state("prod").last_run["findings"]
    ]


def test_a_subnet_whose_policy_does_not_stick_is_not_written_over_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An Azure Policy that sets it back, or an operation that fails after it was accepted."""
    world = worlds.make(WEB, policy="Enabled")
    put = world.azure.put_subnet

    def undone(subnet_id: str, body: worlds.Json, etag: str) -> Accepted:
        answer = put(subnet_id, body, etag)
        world.azure.store({**worlds.subnet("default", "Enabled"), "etag": 'W/"9"'})
        return answer

    monkeypatch.setattr(world.azure, "put_subnet", undone)
    assert len(repeated(world)) <= 5
    (fight,) = [t for t in told(world) if "DriftFight" in t]
    assert "privateLinkServiceNetworkPolicies" in fight


@pytest.mark.parametrize(
    ("error", "most"), [(Denied("no role"), 3), (Rejected("policy"), 3), (BUSY, 7), (Stale("etag"), 7)]
)
def test_a_subnet_that_cannot_be_written_backs_off_and_says_why(error: OutsideError, most: int) -> None:
    """The Services wait for it without a word otherwise."""
    world = worlds.make(WEB, service("other"), policy="Enabled")
    world.azure.fail("put_subnet", error, times=1000)
    assert 3 <= len(repeated(world)) <= most
    refusals = [t for t in told(world) if "error Rejected: Subnet default" in t]
    assert refusals
    assert all(str(error) in t for t in refusals)


def test_a_subnet_in_transit_is_looked_at_less_and_less_and_called_stuck() -> None:
    """Each look costs a list of everything, and nobody would hear of an operation that hangs."""
    world = worlds.make(WEB, policy="Enabled")
    document = world.azure.document(builders.subnet_id("default"))
    document["properties"]["provisioningState"] = "Updating"
    world.azure.store(document)
    world.handle()
    world.drain(600)
    assert world.calls.count("list_load_balancers") < 25
    world.drain(1500)
    assert any("error Stuck: Subnet default is Updating" in t for t in told(world))


def test_a_delete_that_is_accepted_and_not_carried_out_is_not_sent_over_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The operation fails after the 202: the list shows the PLS as before."""
    world = gone_service()
    note = partial(world.azure.called, "delete_private_link_service")
    monkeypatch.setattr(world.azure, "delete_private_link_service", note)
    assert len(repeated(world)) == 4  # now, after 15 s, after 30 s, after 2 min
    assert any(t.startswith("error Failed: Private Link Service") and "4 times" in t for t in told(world))


def test_connections_that_do_not_go_are_not_deleted_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for them; and their PLS waits."""
    world = gone_service()
    document = world.azure.document(pls_id("pls-0"))
    document["properties"]["privateEndpointConnections"] = [builders.connection("pls-0")]
    world.azure.store(document)
    note = partial(world.azure.called, "delete_connection")
    monkeypatch.setattr(world.azure, "delete_connection", note)
    assert len(repeated(world)) == 4  # now, after 15 s, after 30 s, after 2 min
    assert any(t.startswith("error Failed: The connections of") for t in told(world))


@pytest.mark.parametrize("connections", [0, 2])
def test_a_refused_delete_is_told_once_and_in_the_same_words(connections: int) -> None:
    """By the run that heard it, and by those that know it from the row: two wordings look like two troubles."""
    world = gone_service()
    document = world.azure.document(pls_id("pls-0"))
    made = [builders.connection("pls-0", f"c{n}") for n in range(connections)]
    document["properties"]["privateEndpointConnections"] = made
    world.azure.store(document)
    method = "delete_connection" if connections else "delete_private_link_service"
    world.azure.fail(method, Rejected("it is locked", code="ScopeLocked"), times=99)
    first, second = (
        [f for f in run.findings if f.severity is Severity.ERROR] for run in (world.run(), world.run())
    )
    assert first == second
    assert [f.reason for f in first] == [Reason.FAILED]
    repeated(world)
    lines = [entry for entry in world.ledger.history("prod", 1000) if entry.kind == "finding"]
    assert [(entry.reason, entry.sentence) for entry in lines] == [("Failed", first[0].sentence)]


def test_a_list_and_a_get_that_differ_do_not_make_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that only one of the two answers tells: each delete is stale, and each look the same."""
    world = gone_service()
    read = world.azure.get_private_link_service

    def other(pls_id: str) -> PrivateLinkService:
        found = read(pls_id)
        return replace(found, tags={**found.tags, "hidden-link": "x"})

    monkeypatch.setattr(world.azure, "get_private_link_service", other)
    assert repeated(world, 300) == []
    world.forget_calls()
    world.drain(300)
    assert world.calls.count("list_load_balancers") <= 4
    assert any("error Failed" in t and "changed since" in t for t in told(world))
