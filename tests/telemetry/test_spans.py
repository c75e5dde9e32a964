"""One span per run, with a child for each call of the outside, whatever thread it was made on."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from reconciler import context
from reconciler.errors import NotFound, OutsideError, Rejected, RetryLater
from reconciler.telemetry import CALL, OFF, RUN
from reconciler.tracing import traced, watch
from tests import builders
from tests.shell import world as worlds
from tests.shell.world import World
from tests.telemetry.ear import WEB, Ear, attributes, listen

SECRET = "what-somebody-wrote"


def settle(world: World, ear: Ear) -> None:
    """The PLS is there, nothing is to be done, and nothing was heard."""
    world.handle()
    world.azure.settle()
    world.clock.forward(10)
    world.drain(5)
    world.clock.forward(60)
    ear.exporter.clear()


def test_a_run_and_its_calls(world: World, ear: Ear) -> None:
    """The whole tree of a run with nothing to write: what a person opens to see where the time went."""
    settle(world, ear)
    world.handle("event")
    assert ear.below(ear.the("reconcile")) == sorted(
        [
            "arm list_load_balancers",
            "arm list_private_link_services",
            "arm get_subnet",
            "kubernetes identity",
            "kubernetes list_services",
            "tables state",
            "tables state",
            "tables ownership",
            "tables sharing",
            "tables write_state",
            "tables lease",
            "tables write_lease",
        ]
    )


def test_what_a_run_says(world: World, ear: Ear) -> None:
    """Who, why, how it ended, and the numbers."""
    world.handle("event")
    said = attributes(ear.the("reconcile"))
    assert set(said) | {"error"} == set(RUN.attributes)
    named = {name: said[name] for name in ("cluster", "trigger", "result", "services", "frontends", "writes")}
    assert named == {
        "cluster": "prod",
        "trigger": "event",
        "result": "changed",
        "services": 1,
        "frontends": 1,
        "writes": 1,
    }


def test_calls_on_threads_are_children(world: World, ear: Ear) -> None:
    """Context does not cross to a pool by itself: reads and writes would be roots, each alone."""
    world.handle()
    run = ear.the("reconcile")
    assert run.context
    for name in ("arm list_load_balancers", "arm put_private_link_service", "tables reserve"):
        child = ear.the(name)
        assert child.parent
        assert child.parent.span_id == run.context.span_id
        assert (attributes(child)["cluster"], attributes(child)["run"]) == (
            "prod",
            attributes(run)["run"],
        )


def test_what_a_call_says(world: World, ear: Ear) -> None:
    """Enough to find the PLS, in the words of the table."""
    world.handle()
    call = ear.the("arm put_private_link_service")
    said = attributes(call)
    assert set(said) <= set(CALL.attributes)
    assert (said["target"], said["method"]) == ("arm", "put_private_link_service")
    assert said["resource"] == builders.pls_id("pls-0")
    assert (call.kind, call.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)


def test_messages_that_lead_to_no_run_are_no_runs(world: World, ear: Ear) -> None:
    """Counting runs by spans must not count each event of a burst; nor are the probes' calls worth a span each."""
    settle(world, ear)
    world.handle("event")
    told = len(ear.spans())
    for _ in range(3):
        world.handle("event")
        world.handle("probe")
    assert (len(ear.spans("reconcile")), len(ear.spans())) == (1, told)


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (Rejected(f"refused {SECRET}", code="InvalidSubnet"), "Rejected", StatusCode.ERROR),
        (RetryLater("busy", code="TooManyRequests", after=7.0), "RetryLater", StatusCode.ERROR),
        (NotFound("no such thing", code="ResourceNotFound"), "NotFound", StatusCode.UNSET),
    ],
)
def test_a_failed_call(world: World, ear: Ear, error: OutsideError, kind: str, status: StatusCode) -> None:
    """The kind and the other side's code; an answer that is part of the protocol is no error."""
    world.azure.fail("get_subnet", error)
    world.handle()
    call = ear.the("arm get_subnet")
    said = attributes(call)
    assert (said["error"], said["code"], call.status.status_code) == (kind, error.code, status)
    assert said.get("retryAfter") == getattr(error, "after", None)


def test_a_run_whose_write_is_refused(world: World, ear: Ear) -> None:
    """The run is marked, with the kind of the failure."""
    world.azure.fail("put_private_link_service", Rejected("no", code="InvalidSubnet"))
    world.handle()
    run = ear.the("reconcile")
    assert (attributes(run)["result"], attributes(run)["error"]) == ("failed", "Rejected")
    assert run.status.status_code is StatusCode.ERROR


def test_a_run_that_could_not_read(world: World, ear: Ear) -> None:
    """The cluster is down: that is what the run says."""
    world.cluster.fail("list_services", RetryLater("down"))
    world.handle()
    run = ear.the("reconcile")
    assert (attributes(run)["result"], attributes(run)["failures"]) == ("unread", 1)
    assert run.status.description == "RetryLater"


def test_a_run_that_breaks(world: World, ear: Ear) -> None:
    """Storage fails in the middle: the exception goes on, and the run is told as broken."""
    world.azure.fail("put_ownership", RetryLater("storage is down"))
    with pytest.raises(RetryLater):
        world.handle()
    run = ear.the("reconcile")
    assert (attributes(run)["result"], run.status.status_code) == ("broken", StatusCode.ERROR)


def test_no_words_of_others(world: World, ear: Ear) -> None:
    """What stands in annotations, and what ARM quotes of it, stays out of spans: names and ids are told."""
    world.change(WEB, name="pls-0", fqdns=SECRET, visibility=SECRET)
    world.azure.fail("put_private_link_service", Rejected(f"{SECRET} is no domain", code="InvalidFqdn"))
    world.handle()
    assert SECRET not in str([(s.name, s.attributes, s.status.description, s.events) for s in ear.spans()])
    assert attributes(ear.the("arm put_private_link_service"))["code"] == "InvalidFqdn"


def test_spans_are_those_of_the_table(world: World, ear: Ear) -> None:
    """A name that is only in the code is missing in workbook and documents."""
    settle(world, ear)
    world.remove(WEB)
    world.handle("manual")
    for span in ear.spans():
        kind = _type_of(span)
        assert set(attributes(span)) <= set(kind.attributes), span.name


def _type_of(span: ReadableSpan) -> Any:
    if span.name == RUN.name:
        return RUN
    said = attributes(span)
    assert span.name == CALL.name.format(target=said["target"], method=said["method"])
    assert re.fullmatch(r"(arm|kubernetes|tables|queues|blobs) [a-z_]+", span.name)
    return CALL


def test_off_is_the_very_same_engine() -> None:
    """Where nobody listens nothing is wrapped: it costs nothing, and cannot break."""
    world = worlds.make(WEB)
    assert watch(world.engine, OFF) is world.engine
    assert traced(world.queue, "queues", OFF) is world.queue
    assert world.engine.telemetry is OFF


def test_a_port_with_one_more_method() -> None:
    """A method that a port gets is told without an edit here; what is no method stays as it is."""

    class Port:
        name = "x"

        def ask_anything(self, what: str, *, times: int) -> str:
            return what * times

    ear = listen()
    port = traced(Port(), "tables", ear.telemetry)
    with context.about(run="r1"):
        assert (port.ask_anything("ab", times=2), port.name) == ("abab", "x")
    assert [s.name for s in ear.spans()] == ["tables ask_anything"]
