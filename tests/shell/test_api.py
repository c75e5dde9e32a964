"""What can be asked over HTTP, without HTTP: each endpoint, each refusal, and that asking changes nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler import api, wakeups
from reconciler.api import Api, BadRequest, Params, Reply
from reconciler.errors import Denied, NotFound, OutsideError, Rejected, RetryLater, SettingsError
from reconciler.model import Limits
from reconciler.recording import update_state
from tests import builders
from tests.builders import service
from tests.docs.openapi import amiss
from tests.shell import world as worlds
from tests.shell.world import World

WEB = service("web", settings={"name": "pls-0"})
CALLS: dict[str, Callable[[Api, Params], Reply]] = {
    name: getattr(Api, name) for name in ("resync", "plan", "release", "pause", "resume", "status", "history")
}


def ask(world: World, name: str, **params: str) -> Reply:
    """One call, its failures as JSON. Every answer is one that the OpenAPI file describes."""
    reply = api.answer(lambda: CALLS[name](world.api, params))
    assert amiss(name, reply.status, json.loads(json.dumps(reply.body))) == []
    return reply


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of a refusal, which has a message as well."""
    error = reply.body["error"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    return reply.status, error["code"]


def queued(world: World) -> list[tuple[str, str]]:
    return [(m.wake_up.cluster, m.wake_up.reason) for m in world.queue.messages]


@pytest.fixture
def world() -> World:
    """Two clusters; prod has a Service that asks."""
    return worlds.make(WEB, clusters=("prod", "dev"))


# -- resync


def test_resync_queues_every_cluster(world: World) -> None:
    """202 and what was queued; nothing is done in the request."""
    reply = ask(world, "resync")
    assert (reply.status, reply.body) == (202, {"queued": ["dev", "prod"], "paused": []})
    assert queued(world) == [("dev", wakeups.PERSON), ("prod", wakeups.PERSON)]
    assert world.written() == []


def test_resync_of_one_cluster(world: World) -> None:
    """And of no other."""
    assert ask(world, "resync", cluster=" prod ").body["queued"] == ["prod"]
    assert queued(world) == [("prod", wakeups.PERSON)]


def test_resync_leaves_paused_clusters_out(world: World) -> None:
    """Their messages would be dropped: say so."""
    ask(world, "pause", cluster="dev")
    assert ask(world, "resync").body == {"queued": ["prod"], "paused": ["dev"]}
    assert code(ask(world, "resync", cluster="dev")) == (409, "Paused")
    assert code(ask(world, "resync", cluster="dev", wait="true")) == (409, "Paused")


def test_resync_that_waits_does_it_now(world: World) -> None:
    """And tells what came of it."""
    reply = ask(world, "resync", cluster="prod", wait="true")
    assert reply.status == 200
    assert [(w["verb"], w["result"]) for w in reply.body["run"]["writes"]] == [("create", "accepted")]
    assert world.written() == [("put_private_link_service", "pls-0")]


def test_resync_that_waits_while_another_run_is_under_way(world: World) -> None:
    """202: the other run looks again afterwards."""
    lease = world.ledger.lease("prod")
    world.ledger.write_lease(replace(lease, holder="other", until=builders.after(seconds=90)))
    reply = ask(world, "resync", cluster="prod", wait="1")
    assert reply.status == 202
    assert "under way" in reply.body["message"]
    assert world.ledger.lease("prod").wanted == world.clock.now()


def test_resync_that_waits_needs_a_cluster(world: World) -> None:
    """A request must end within minutes; hundreds of clusters do not."""
    assert code(ask(world, "resync", wait="true")) == (400, "BadParameter")


@pytest.mark.parametrize("params", [{"dryRun": "true"}, {"dryRun": "1", "wait": "true", "cluster": "prod"}])
def test_a_dry_run_writes_nothing_anywhere(world: World, params: dict[str, str]) -> None:
    """Neither to Azure, nor the ledger, nor the queue."""
    reply = ask(world, "resync", **params)
    assert reply.status == 200
    plan = next(p for p in reply.body["plans"] if p["cluster"] == "prod")
    assert [w["verb"] for w in plan["writes"]] == ["create"]
    assert not {*worlds.WRITES, *worlds.LEDGER_WRITES} & set(world.calls)
    assert world.queue.messages == []


@pytest.mark.parametrize("value", ["yes", "2", "null", '"'])
def test_a_flag_that_is_none_is_refused(world: World, value: str) -> None:
    """A dry run that was spelt wrong must not write."""
    assert code(ask(world, "resync", cluster="prod", dryRun=value)) == (400, "BadParameter")
    assert queued(world) == []


@pytest.mark.parametrize("name", ["resync", "plan", "release", "pause", "resume", "status", "history"])
@pytest.mark.parametrize(("wrong", "hint"), [("dryrun", "dryRun"), ("clutser", "cluster"), ("x", "Known")])
def test_a_misspelt_parameter_does_nothing(world: World, name: str, wrong: str, hint: str) -> None:
    """A dry run spelt wrong must not become a real one of all clusters."""
    reply = ask(world, name, **{wrong: "true"})
    assert code(reply) == (400, "BadParameter")
    assert world.calls == []
    if name == "resync":
        assert hint in reply.body["error"]["message"]


@pytest.mark.parametrize("name", ["resync", "plan", "release", "pause", "resume", "status", "history"])
def test_an_unknown_cluster_is_named(world: World, name: str) -> None:
    """With those there are; a typo must not pause nothing in silence."""
    digest = {"digest": "x"} if name == "release" else {}
    reply = ask(world, name, cluster="prdo", **digest)
    assert code(reply) == (404, "UnknownCluster")
    assert "configured: dev, prod" in reply.body["error"]["message"]


@pytest.mark.parametrize("name", ["release", "pause", "resume"])
def test_what_changes_a_cluster_needs_its_name(world: World, name: str) -> None:
    """Nobody pauses hundreds by leaving out a parameter."""
    assert code(ask(world, name, digest="x")) == (400, "BadParameter")


# -- plan


def test_plan_tells_what_would_be_written(world: World) -> None:
    """Of all clusters, by name."""
    reply = ask(world, "plan")
    assert reply.status == 200
    assert reply.body["version"] == 1
    assert [(p["cluster"], len(p["writes"])) for p in reply.body["plans"]] == [("dev", 0), ("prod", 1)]
    assert len(ask(world, "plan", cluster="dev").body["plans"]) == 1


def test_a_plan_of_a_cluster_that_fails_is_a_finding(world: World) -> None:
    """The plan of the others is worth having."""
    world.clusters["dev"].fail("list_services", Denied("401"))
    dev, prod = ask(world, "plan").body["plans"]
    assert [f["reason"] for f in dev["findings"]] == ["UnknownView"]
    assert len(prod["writes"]) == 1


# -- release


@pytest.fixture
def braked() -> World:
    """Four Services went without a word: the brake holds their PLSs."""
    world = worlds.make(*worlds.some(4), limits=Limits(brake_minimum=3))
    world.handle()
    world.drain(5)
    for each in worlds.some(4):
        world.remove(each)
    world.handle(wakeups.PERSON)
    world.queue.messages.clear()
    world.forget_calls()
    return world


def test_the_list_that_was_shown_is_released(braked: World) -> None:
    """By its digest, as status tells it; and the cluster is woken."""
    digest = ask(braked, "status").body["clusters"][0]["heldDigest"]
    reply = ask(braked, "release", cluster="prod", digest=digest)
    assert (reply.status, reply.body["released"]) == (202, digest)
    assert queued(braked) == [("prod", wakeups.PERSON)]
    assert braked.ledger.state("prod").released_until == braked.clock.now() + timedelta(hours=1)
    braked.clock.forward(6)
    braked.drain(5)
    assert len(braked.written()) == 4
    entries = ask(braked, "history", cluster="prod").body["entries"]
    assert any(e["kind"] == "person" and digest in e["sentence"] for e in entries)


def test_another_list_is_not_released(braked: World) -> None:
    """What a person has not read."""
    assert code(ask(braked, "release", cluster="prod", digest="0123456789ab")) == (409, "OtherDigest")
    assert braked.ledger.state("prod").released == ""
    assert queued(braked) == []


def test_nothing_held_is_not_released(world: World) -> None:
    """Else the next mass delete would pass."""
    refused = ask(world, "release", cluster="prod", digest="0123456789ab")
    assert code(refused) == (409, "NothingHeld")
    assert "holds back nothing; look at the plan again" in refused.body["error"]["message"]


@pytest.mark.parametrize("params", [{}, {"digest": " "}, {"digest": "x", "identity": "y"}])
def test_a_release_is_of_one_thing(world: World, params: dict[str, str]) -> None:
    """Of a digest, or of an identity."""
    assert code(ask(world, "release", cluster="prod", **params)) == (400, "BadParameter")


def test_the_identity_that_was_offered_is_accepted(world: World) -> None:
    """The cluster was rebuilt; a third one is not."""
    update_state(world.ledger, "prod", lambda s: replace(s, identity="before"))
    world.handle(wakeups.PERSON)
    assert ask(world, "status", cluster="prod").body["clusters"][0]["offeredIdentity"] == "uid-of-prod"
    assert code(ask(world, "release", cluster="prod", identity="third")) == (409, "OtherIdentity")
    assert world.ledger.state("prod").identity == "before"
    assert ask(world, "release", cluster="prod", identity="uid-of-prod").status == 202
    assert world.ledger.state("prod").identity == "uid-of-prod"
    world.drain(10)
    assert len(world.written()) == 1


def test_an_identity_that_nobody_offered_is_not_accepted(world: World) -> None:
    """It would make the cluster unknown from now on."""
    refused = ask(world, "release", cluster="prod", identity="x")
    assert code(refused) == (409, "OtherIdentity")
    assert refused.body["error"]["message"].endswith("offers no other identity: nothing to accept")


# -- pause and resume


def test_a_paused_cluster_is_resumed(world: World) -> None:
    """Wake-ups are dropped meanwhile, and a full run makes up for them."""
    assert ask(world, "pause", cluster="prod").body == {"cluster": "prod", "paused": True}
    assert queued(world) == []
    world.handle()
    assert world.written() == []
    reply = ask(world, "resume", cluster="prod")
    assert (reply.status, reply.body["queued"]) == (202, ["prod"])
    world.drain(3)
    assert len(world.written()) == 1
    sentences = [e.sentence for e in world.ledger.history("prod", 10) if e.kind == "person"]
    assert sentences == ["the cluster was resumed", "the cluster was paused"]


# -- status and history


def test_status_asks_nobody(world: World) -> None:
    """It must answer while ARM and the clusters are down."""
    world.handle()
    world.forget_calls()
    assert ask(world, "status").status == 200
    assert set(world.calls) <= {"state", "states", "ownership", "sharing"}


def test_status_of_a_cluster_that_was_taken_out(world: World) -> None:
    """Its rows are still there, and somebody must be told."""
    world.handle()
    del world.configs["prod"]
    shown = ask(world, "status").body["clusters"]
    assert [(c["name"], c["configured"]) for c in shown] == [("dev", True), ("prod", False)]
    assert ask(world, "status", cluster="prod").body["clusters"][0]["privateLinkServices"]


def test_history_is_told_newest_first(world: World) -> None:
    """Of one cluster or all, as many as asked for."""
    ask(world, "pause", cluster="dev")
    world.clock.forward(1)
    world.handle()
    entries = ask(world, "history").body["entries"]
    assert [(e["cluster"], e["kind"]) for e in entries] == [("prod", "write"), ("dev", "person")]
    assert [e["cluster"] for e in ask(world, "history", cluster="dev").body["entries"]] == ["dev"]
    assert len(ask(world, "history", limit="1").body["entries"]) == 1
    entry = entries[0]
    assert set(entry) == {
        "at",
        "cluster",
        "kind",
        "reason",
        "result",
        "sentence",
        "service",
        "frontend",
        "privateLinkService",
        "run",
    }
    assert (entry["at"], entry["service"], entry["result"]) == (
        "2026-06-01T12:00:01Z",
        "shop/web",
        "accepted",
    )


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", "٣", "1" * 5000, "0000000019999"])
def test_a_limit_out_of_bounds_is_refused(world: World, limit: str) -> None:
    """Nobody reads a million rows with one request."""
    assert code(ask(world, "history", limit=limit)) == (400, "BadParameter")


def test_health_reads_configuration_and_ledger(world: World) -> None:
    """Both must work for anything to work; it tells nothing."""
    assert world.api.health() == Reply(200, {})
    world.azure.fail("lease", RetryLater("down"))
    assert api.answer(world.api.health).status == 503


def test_a_problem_of_the_whole_configuration_shows_in_status_and_health(world: World) -> None:
    """Clusters that cannot be found are in nobody's status; an alert looks at health."""
    asked = replace(world.api, problems=lambda: ("which AKS clusters bear the tag is unknown",))
    assert asked.status({}).body["problems"] == ["which AKS clusters bear the tag is unknown"]
    assert api.answer(asked.health).status == 503
    assert world.api.status({}).body["problems"] == []


def test_a_persons_resync_has_what_was_amiss_asked_for_again(world: World) -> None:
    """Whoever started a stopped cluster does not wait a minute; whoever only looks asks for nothing."""
    told: list[str] = []
    asked = replace(world.api, renew=lambda: told.append("renewed"))
    asked.status({})
    assert told == []
    asked.resync({"cluster": "prod"})
    asked.resync({"cluster": "prod", "dryRun": "true"})
    assert told == ["renewed", "renewed"]


# -- parameters and errors


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        ({}, b"", {}),
        ({"a": "1"}, b"  \n", {"a": "1"}),
        (
            {},
            b'{"cluster": "prod", "dryRun": true, "limit": 5}',
            {"cluster": "prod", "dryRun": "true", "limit": "5"},
        ),
        ({"cluster": "query"}, b'{"cluster": "body", "wait": false}', {"cluster": "query", "wait": "false"}),
        ({}, b"{}", {}),
    ],
)
def test_parameters_come_from_query_and_body(query: Params, body: bytes, expected: Params) -> None:
    """The query wins: it is what a log shows."""
    assert dict(api.parameters(query, body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"5",
        b'{"a": null}',
        b'{"a": ["x"]}',
        b'{"a": {}}',
        b'{"a": 1.5}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"cluster=prod",
    ],
)
def test_a_body_that_is_no_object_of_texts_is_refused(body: bytes) -> None:
    """As JSON, not with a stack."""
    reply = api.answer(lambda: Reply(200, dict(api.parameters({}, body))))
    assert code(reply) == (400, "BadBody")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BadRequest(418, "Teapot", "short and stout"), (418, "Teapot")),
        (SettingsError("CLUSTERS: is not set"), (500, "WrongSettings")),
        (Denied("403"), (502, "Denied")),
        (NotFound("no table"), (502, "NotFound")),
        (RetryLater("busy"), (503, "RetryLater")),
        (Rejected("400"), (502, "OutsideFailed")),
        (OutsideError("odd"), (502, "OutsideFailed")),
    ],
)
def test_each_failure_has_its_status(error: Exception, expected: tuple[int, str]) -> None:
    """503 is worth another try, 502 is not."""

    def fail() -> Reply:
        raise error

    reply = api.answer(fail)
    assert code(reply) == expected
    assert reply.body["error"]["message"] == str(error)


def test_a_value_of_a_request_is_not_repeated_at_length(world: World) -> None:
    """10 kB in, 10 kB into each log."""
    for params in ({"cluster": "x" * 10_000}, {"cluster": "prod", "digest": "y" * 10_000}):
        given: dict[str, Any] = params
        assert len(ask(world, "release", **given).body["error"]["message"]) < 300
