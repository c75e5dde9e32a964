"""Event Grid: what is told, when, in which shape, and how delivery may go wrong."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from sandbox.arm import ArmOptions, EventOptions, WebhookSink
from tests.sandbox.arm_support import (
    BALANCER,
    NETWORK,
    OPTIONS,
    SUBSCRIPTION,
    Arm,
    Json,
    load_balancer,
    private_link_service,
    running_arm,
    until,
)

pytestmark = pytest.mark.sandbox

WRITE = "Microsoft.Resources.ResourceWriteSuccess"


class Box:
    """Collects events; its `put` is a sink."""

    def __init__(self) -> None:
        self.events: list[Json] = []

    async def put(self, event: Json) -> None:
        """Keep one event."""
        self.events.append(event)

    def told(self, noun: str) -> list[str]:
        """The types of the events about one operation name's beginning."""
        found = [item for item in self.events if item["data"]["operationName"].startswith(noun)]
        return [item.get("eventType") or item["type"] for item in found]


@pytest.fixture
def box() -> Box:
    """An empty box."""
    return Box()


@pytest.fixture
def arm(box: Box) -> Iterator[Arm]:
    """A simulated ARM that tells the box."""
    with running_arm(replace(OPTIONS, on_event=box.put)) as found:
        yield found


def test_a_finished_write_is_told_in_event_grids_schema(arm: Arm, box: Box) -> None:
    """The keys that the product parses, and no payload; httpRequest only when the resource was there before."""
    arm.frontends("a1")
    arm.frontends("a1", "a2")
    first, second = until(lambda: box.events, lambda found: len(found) == 2)
    assert first["subject"] == BALANCER
    assert (first["eventType"], first["topic"]) == (WRITE, f"/subscriptions/{SUBSCRIPTION}")
    assert {"id", "eventTime", "dataVersion", "metadataVersion"} < set(first)
    data = first["data"]
    assert data["operationName"] == data["authorization"]["action"] == "Microsoft.Network/loadBalancers/write"
    assert (data["resourceUri"], data["status"], data["subscriptionId"]) == (
        BALANCER,
        "Succeeded",
        SUBSCRIPTION,
    )
    assert "httpRequest" not in data
    assert second["data"]["httpRequest"]["method"] == "PUT"
    assert first["id"] != second["id"]


def test_an_event_comes_at_the_end_of_its_operation(arm: Arm, box: Box) -> None:
    """When it arrives, a GET already shows the new state."""
    pls = arm.service()
    assert until(lambda: box.told("Microsoft.Network/privateLinkServices/write"), bool) == [WRITE]
    answer = arm.call("DELETE", pls)
    assert box.told("Microsoft.Network/privateLinkServices/delete") == []
    arm.done(answer)
    ended = until(lambda: box.told("Microsoft.Network/privateLinkServices/delete"), bool)
    assert ended == ["Microsoft.Resources.ResourceDeleteSuccess"]


def test_refused_and_failed_operations_are_told_as_such(arm: Arm, box: Box) -> None:
    """A failed delete of a load balancer is an event that leads to work."""
    pls = arm.service()
    arm.refusal("DELETE", BALANCER)
    failed = until(lambda: box.told("Microsoft.Network/loadBalancers/delete"), bool)
    assert failed == ["Microsoft.Resources.ResourceDeleteFailure"]
    fault = {
        "method": "DELETE",
        "path": "privateLinkServices",
        "mode": "async-canceled",
        "code": "Superseded",
    }
    arm.call("POST", "/_sandbox/faults", fault)
    assert arm.done(arm.call("DELETE", pls))["status"] == "Canceled"
    ended = until(lambda: box.told("Microsoft.Network/privateLinkServices/delete"), bool)
    assert ended == ["Microsoft.Resources.ResourceDeleteCancel"]


def test_changed_tags_are_an_event_of_their_own(arm: Arm, box: Box) -> None:
    """The handover of a PLS by its tag reaches the product as Microsoft.Resources/tags/write."""
    pls = arm.service()
    body = {"operation": "Merge", "properties": {"tags": {"a": "b"}}}
    arm.call("PATCH", f"{pls}/providers/Microsoft.Resources/tags/default", body)
    assert until(lambda: box.told("Microsoft.Resources/tags/write"), bool) == [WRITE]
    assert box.events[-1]["subject"] == f"{pls}/providers/Microsoft.Resources/tags/default"


def test_nothing_is_told_of_other_subscriptions(arm: Arm, box: Box) -> None:
    """A consumer's endpoint elsewhere is no event here."""
    elsewhere = f"/subscriptions/{OPTIONS.consumer_subscriptions[0]}/resourceGroups/theirs"
    arm.call("PUT", elsewhere, {"location": "eastus"})
    arm.frontends("a1")
    until(lambda: box.events, bool)
    assert box.told("Microsoft.Resources/subscriptions/resourceGroups") == []


def test_cloud_events_carry_the_same(box: Box) -> None:
    """The other schema that a subscription can ask for."""
    options = replace(OPTIONS, on_event=box.put, events=EventOptions(schema="cloudevents"))
    with running_arm(options) as arm:
        arm.call("PUT", BALANCER, load_balancer("a1"))
        [event] = until(lambda: box.events, bool)
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", WRITE, BALANCER)
    assert event["source"] == f"/subscriptions/{SUBSCRIPTION}"
    assert not {"topic", "eventType", "dataVersion"} & set(event)


@pytest.mark.parametrize(
    ("chaos", "expected"), [(EventOptions(drop=1), 0), (EventOptions(duplicate=1), 2), (EventOptions(), 1)]
)
def test_delivery_can_drop_and_duplicate(box: Box, chaos: EventOptions, expected: int) -> None:
    """At least once, not once: what the product must live with."""
    with running_arm(replace(OPTIONS, on_event=box.put, events=chaos)) as arm:
        arm.call("PUT", BALANCER, load_balancer("a1"))
        published = arm.call("GET", "/_sandbox/events").json()["value"]
        assert len(published) == 1
        if expected:
            until(lambda: box.events, lambda found: len(found) == expected)
    assert box.events == published * expected


def test_a_sink_that_fails_stops_neither_arm_nor_the_others(
    box: Box, capfd: pytest.CaptureFixture[str]
) -> None:
    """A tester's mistake is seen on stderr."""

    async def broken(_event: Json) -> None:
        raise RuntimeError("mine")

    with running_arm(replace(OPTIONS, on_event=broken)) as arm:
        arm.running.subscribe(box.put)
        arm.call("PUT", BALANCER, load_balancer("a1"))
        until(lambda: box.events, bool)
    assert "was not delivered: RuntimeError('mine')" in capfd.readouterr().err


class Receiver:
    """A webhook that answers with the given statuses, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.got = list(statuses), list[tuple[str, Any]]()

    async def serve(self, request: web.Request) -> web.Response:
        """Keep what came."""
        self.got.append((request.headers["aeg-event-type"], await request.json()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status)

    async def deliver(self, event: Json, retries: tuple[float, ...]) -> None:
        """Listen while one event is delivered."""
        app = web.Application()
        app.router.add_post("/hook", self.serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await WebhookSink(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", retries)(event)
        await runner.cleanup()


@pytest.mark.parametrize(
    ("statuses", "tries"), [((200,), 1), ((503, 500, 202), 3), ((503,), 3), ((404,), 1), ((413,), 1)]
)
def test_a_webhook_is_tried_again_unless_its_answer_is_final(statuses: tuple[int, ...], tries: int) -> None:
    """Event Grid's rules: 200 to 204 is taken, some answers are never retried."""
    receiver = Receiver(*statuses)
    asyncio.run(receiver.deliver({"id": "1"}, (0, 0)))
    assert receiver.got == [("Notification", [{"id": "1"}])] * tries


def test_a_webhook_gets_cloud_events_one_by_one() -> None:
    """An array of one is Event Grid's own schema only."""
    receiver = Receiver(200)
    asyncio.run(receiver.deliver({"id": "1", "specversion": "1.0"}, ()))
    assert receiver.got == [("Notification", {"id": "1", "specversion": "1.0"})]


def test_options_have_no_sink_unless_given() -> None:
    """A simulated ARM alone keeps its events for the back door."""
    assert ArmOptions().on_event is None
    with running_arm() as arm:
        arm.call("PUT", f"{NETWORK}/privateLinkServices/x", private_link_service())
        [event] = arm.call("GET", "/_sandbox/events").json()["value"]
        assert event["eventType"] == "Microsoft.Resources.ResourceWriteFailure"


def test_the_state_tells_how_many_deliveries_are_under_way(box: Box) -> None:
    """A test that waits for quiet must not take an event on its way for none."""
    late = replace(OPTIONS, events=EventOptions(delay=(30.0, 30.0)), on_event=box.put)
    with running_arm(late) as arm:
        assert arm.get("/_sandbox/state")["eventsUnderWay"] == 0
        assert arm.call("PUT", BALANCER, load_balancer()).status_code == 201
        assert arm.get("/_sandbox/state")["eventsUnderWay"] == 1
