"""Each function, indexed and invoked by the platform's own worker library, on real queues and tables."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from sandbox.up import Sandbox
from tests.functions.conftest import Functions
from tests.functions.test_bindings import BELOW, QUEUES, ROUTES

pytestmark = [pytest.mark.sandbox, pytest.mark.azurite]

Json = dict[str, Any]
PREFIX = "service.beta.kubernetes.io/azure-"
GROUP = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/MC_prod/providers/Microsoft.Network"
)
BALANCER = f"{GROUP}/loadBalancers/kubernetes-internal"
PLS = f"{GROUP}/privateLinkServices"
SUBNET = f"{GROUP}/virtualNetworks/aks-vnet/subnets/default"
EVENT = {
    "id": "1",
    "topic": "/subscriptions/00000000-0000-0000-0000-000000000001",
    "subject": BALANCER,
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2020-11-21T07:00:00.0000000Z",
    "data": {"operationName": "Microsoft.Network/loadBalancers/write"},
    "dataVersion": "2",
    "metadataVersion": "1",
}
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/subscriptions/00000000-0000-0000-0000-000000000001",
    "subject": BALANCER,
    "type": "Microsoft.Resources.ResourceWriteSuccess",
    "time": "2020-11-21T07:00:00.0000000Z",
    "data": {},
}
TICK = {"json": json.dumps({"IsPastDue": False, "ScheduleStatus": {}, "Schedule": {}})}


def until(true: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def message(content: str) -> tuple[Json, Json]:
    """A queue's message as the host hands it over: decoded, with its metadata."""
    now = datetime.now(UTC).isoformat()
    metadata = {
        "Id": "m1",
        "InsertionTime": now,
        "NextVisibleTime": now,
        "ExpirationTime": now,
        "PopReceipt": "r",
    }
    told = {name: {"json": json.dumps(value)} for name, value in metadata.items()}
    return {"string": content}, {**told, "DequeueCount": {"json": "1"}}


class Queue:
    """The work queue of the app."""

    def __init__(self, sandbox: Sandbox) -> None:
        connection = sandbox.settings["AzureWebJobsStorage"]
        self._client = QueueClient.from_connection_string(connection, "reconcile")

    def take(self) -> list[Json]:
        """The visible messages, taken out."""
        found = []
        for received in self._client.receive_messages():
            found.append(json.loads(base64.b64decode(received.content)))
            self._client.delete_message(received)
        return found

    def clear(self) -> None:
        """Empty it, invisible messages too."""
        self._client.clear_messages()


@pytest.fixture
def queue(functions: Functions, sandbox: Sandbox) -> Iterator[Queue]:
    """Empty before and after; the app's first use has made it."""
    assert functions.http("health", "GET")[0] == 200
    found = Queue(sandbox)
    found.clear()
    yield found
    found.clear()


@pytest.fixture(scope="module")
def web(sandbox: Sandbox) -> str:
    """A Service that asks, with its frontend made by the cloud provider; the id of its PLS to be."""
    annotations = {"load-balancer-internal": "true", "pls-create": "true", "pls-name": "pls-web"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "annotations": {PREFIX + k: v for k, v in annotations.items()}},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    assert sandbox.cluster("prod", "POST", "/api/v1/namespaces/default/services", service).status == 201

    def settled() -> bool:
        reply = sandbox.arm("GET", BALANCER)
        return reply.status == 200 and reply.body["properties"]["provisioningState"] == "Succeeded"

    until(settled)
    return f"{PLS}/pls-web"


def test_the_library_sees_the_functions(functions: Functions) -> None:
    """All of them; the names that keys and dashboards hang on."""
    assert set(functions.bindings) == {*QUEUES, *ROUTES, *BELOW, "on_event_grid", "on_timer", "on_probe"}


def test_an_event_in_the_queue_leads_to_a_private_link_service(
    functions: Functions, queue: Queue, sandbox: Sandbox, web: str
) -> None:
    """The whole way: event, wake-up, worker, ARM, and status from the ledger."""
    value, metadata = message(json.dumps(EVENT))
    functions.succeed("on_event_queue", value, **metadata)
    (wake_up,) = queue.take()
    assert wake_up == {"cluster": "prod", "reason": "event"}
    value, metadata = message(json.dumps(wake_up))
    functions.succeed("on_reconcile", value, **metadata)
    assert sandbox.arm("GET", SUBNET).body["properties"]["privateLinkServiceNetworkPolicies"] == "Disabled"

    def settled() -> bool:
        assert functions.http("resync", cluster="prod", wait="true")[0] == 200
        rows = functions.http("status", "GET")[1]["clusters"][0]["privateLinkServices"]
        return [row["state"] for row in rows] == ["Succeeded"]

    until(settled)
    assert sandbox.arm("GET", web).body["properties"]["provisioningState"] == "Succeeded"
    (pls,) = functions.http("status", "GET")[1]["clusters"][0]["privateLinkServices"]
    assert (pls["name"], pls["owner"], pls["state"]) == ("pls-web", "default/web", "Succeeded")
    entries = functions.http("history", "GET", cluster="prod", limit="10")[1]["entries"]
    assert ("write", "Create", "accepted") in [(e["kind"], e["reason"], e["result"]) for e in entries]


@pytest.mark.parametrize("event", [EVENT, CLOUD_EVENT, [EVENT, CLOUD_EVENT]])
def test_both_schemas_are_read_from_the_queue(functions: Functions, queue: Queue, event: Any) -> None:
    """A subscription may be made in either."""
    value, metadata = message(json.dumps(event))
    functions.succeed("on_event_queue", value, **metadata)
    assert queue.take() == [{"cluster": "prod", "reason": "event"}]


@pytest.mark.parametrize("event", [EVENT, CLOUD_EVENT])
def test_both_schemas_are_read_by_the_event_grid_trigger(
    functions: Functions, queue: Queue, event: Json
) -> None:
    """The library hands over another class for the second, whatever the annotation says."""
    functions.succeed("on_event_grid", {"json": json.dumps(event)})
    assert queue.take() == [{"cluster": "prod", "reason": "event"}]


@pytest.mark.parametrize("body", ["", "not json", "{}", "[1, 2]", '{"specversion": "1.0"}', "\x00"])
def test_an_event_that_cannot_be_read_does_not_fail(functions: Functions, queue: Queue, body: str) -> None:
    """A failure would be tried five times and end in the poison queue."""
    value, metadata = message(body)
    functions.succeed("on_event_queue", value, **metadata)
    assert queue.take() == []


def test_an_event_about_others_wakes_nobody(functions: Functions, queue: Queue) -> None:
    """By queue and by trigger."""
    foreign = {**EVENT, "subject": BALANCER.replace("MC_prod", "theirs")}
    value, metadata = message(json.dumps(foreign))
    functions.succeed("on_event_queue", value, **metadata)
    functions.succeed("on_event_grid", {"json": json.dumps(foreign)})
    functions.succeed("on_event_grid", {"json": json.dumps({**EVENT, "subject": ""})})
    functions.succeed("on_event_grid", {"json": json.dumps({**CLOUD_EVENT, "subject": None})})
    assert queue.take() == []


def test_timers_queue_a_message_for_each_cluster(functions: Functions, queue: Queue) -> None:
    """The full pass and the probe."""
    functions.succeed("on_timer", TICK)
    assert queue.take() == [{"cluster": "prod", "reason": "timer"}]
    functions.succeed("on_probe", TICK)
    assert queue.take() == [{"cluster": "prod", "reason": "probe"}]


def test_a_probe_is_served(functions: Functions, queue: Queue, web: str) -> None:
    """Nothing has changed: nothing more is queued."""
    functions.http("resync", cluster="prod", wait="true")
    queue.clear()
    value, metadata = message(json.dumps({"cluster": "prod", "reason": "probe"}))
    functions.succeed("on_reconcile", value, **metadata)
    assert queue.take() == []


@pytest.mark.parametrize("body", ["", "junk", "{}", '{"cluster": "prod", "due": "soon"}'])
def test_a_message_that_is_no_wake_up_is_recorded(functions: Functions, queue: Queue, body: str) -> None:
    """Not tried again: it would be no better."""
    value, metadata = message(body)
    functions.succeed("on_reconcile", value, **metadata)
    entries = functions.http("history", "GET", limit="3")[1]["entries"]
    assert entries[0]["kind"] == "poison"


def test_a_message_without_an_insertion_time_is_served(functions: Functions, queue: Queue) -> None:
    """Some hosts do not tell it: then it counts as sent now."""
    functions.succeed("on_reconcile", {"string": '{"cluster": "prod", "reason": "event"}'})


@pytest.mark.parametrize(
    ("function", "body", "cluster"),
    [
        ("on_poison", '{"cluster": "prod", "reason": "event"}', "prod"),
        ("on_poison", "\ufffd\x00", ""),
        ("on_poison_event", json.dumps(EVENT), "prod"),
        ("on_poison_event", json.dumps({**EVENT, "subject": "/subscriptions/other"}), ""),
    ],
)
def test_poison_is_recorded(
    functions: Functions, queue: Queue, function: str, body: str, cluster: str
) -> None:
    """Whatever it says: a poison handler that fails has a poison queue of its own."""
    value, metadata = message(body)
    functions.succeed(function, value, **metadata)
    entry = functions.http("history", "GET", limit="1")[1]["entries"][0]
    assert (entry["kind"], entry["cluster"]) == ("poison", cluster)
    assert QUEUES[function] in entry["sentence"]


@pytest.mark.parametrize(
    "body",
    [
        {"bytes": '{"cluster": "prod", "dryRun": true}'},
        {"string": '{"cluster": "prod", "dryRun": "true"}'},
        {"json": '{"cluster": "prod", "dryRun": 1}'},
    ],
)
def test_parameters_of_a_body_are_read_however_the_host_sends_it(
    functions: Functions, queue: Queue, body: Json
) -> None:
    """As bytes, as text, or as JSON: hosts differ."""
    status, reply = functions.http("resync", body=body)
    assert (status, [p["cluster"] for p in reply["plans"]]) == (200, ["prod"])
    assert queue.take() == []


def test_a_body_that_is_no_object_is_refused(functions: Functions) -> None:
    """With an error as JSON."""
    for body in ({"bytes": "{"}, {"bytes": "[]"}, {"bytes": "\udcff\udcfe"}, {"string": "cluster=prod"}):
        status, reply = functions.http("resync", body=body)
        assert (status, reply["error"]["code"]) == (400, "BadBody")


def test_half_a_surrogate_pair_in_a_body_is_no_failure(functions: Functions) -> None:
    """JSON may hold one; the refusal that quotes it has to go out as UTF-8."""
    body = {"string": '{"cluster": "prod", "digest": "\\ud800"}'}
    status, reply = functions.http("release", body=body)
    assert (status, reply["error"]["code"]) == (409, "NothingHeld")


def test_a_resync_is_queued(functions: Functions, queue: Queue) -> None:
    """202, and a message of a person."""
    assert functions.http("resync") == (202, {"queued": ["prod"], "paused": []})
    assert queue.take() == [{"cluster": "prod", "reason": "manual"}]


def test_a_plan_is_told(functions: Functions, queue: Queue, web: str) -> None:
    """And nothing is written."""
    status, reply = functions.http("plan", "GET", cluster="prod")
    assert (status, reply["version"], reply["plans"][0]["mode"]) == (200, 1, "sync")
    assert queue.take() == []


def test_a_cluster_is_paused_and_resumed(functions: Functions, queue: Queue) -> None:
    """While it is paused, a message is served by doing nothing."""
    assert functions.http("pause", cluster="prod") == (200, {"cluster": "prod", "paused": True})
    value, metadata = message('{"cluster": "prod", "reason": "event"}')
    functions.succeed("on_reconcile", value, **metadata)
    assert functions.http("resync", cluster="prod")[0] == 409
    assert functions.http("resume", cluster="prod")[0] == 202
    assert queue.take() == [{"cluster": "prod", "reason": "manual"}]


@pytest.mark.parametrize(
    ("function", "query", "expected"),
    [
        ("resync", {"cluster": "nobody"}, (404, "UnknownCluster")),
        ("resync", {"wait": "true"}, (400, "BadParameter")),
        ("resync", {"dryRun": "perhaps"}, (400, "BadParameter")),
        ("release", {"cluster": "prod"}, (400, "BadParameter")),
        ("release", {"cluster": "prod", "digest": "0123456789ab"}, (409, "NothingHeld")),
        ("release", {"cluster": "prod", "identity": "x"}, (409, "OtherIdentity")),
        ("pause", {}, (400, "BadParameter")),
        ("resume", {"cluster": "nobody"}, (404, "UnknownCluster")),
        ("plan", {"cluster": "nobody"}, (404, "UnknownCluster")),
        ("status", {"cluster": "nobody"}, (404, "UnknownCluster")),
        ("history", {"limit": "0"}, (400, "BadParameter")),
    ],
)
def test_refusals_are_json(
    functions: Functions, function: str, query: dict[str, str], expected: tuple[int, str]
) -> None:
    """A code to act on, a message to read."""
    method = "GET" if function in ("plan", "status", "history") else "POST"
    status, reply = functions.http(function, method, None, **query)
    assert (status, reply["error"]["code"]) == expected
    assert reply["error"]["message"]


def test_health_tells_nothing_but_its_state(functions: Functions, unset: Functions) -> None:
    """Anybody may ask."""
    assert functions.http("health", "GET") == (200, {"status": "ok"})
    assert unset.http("health", "GET") == (503, {"status": "failing"})


def test_wrong_settings_are_told_over_http(unset: Functions) -> None:
    """All of them, by name; the functions are there, so that somebody can ask."""
    status, reply = unset.http("status", "GET")
    assert (status, reply["error"]["code"]) == (500, "WrongSettings")
    for name in ("CLUSTERS", "LEASE_SECONDS"):
        assert name in reply["error"]["message"]


def test_wrong_settings_fail_a_message(unset: Functions) -> None:
    """It is not lost: the platform keeps it, and says why in its log."""
    value, metadata = message('{"cluster": "prod", "reason": "event"}')
    ended = unset.invoke("on_reconcile", value, **metadata)
    assert ended["status"] == 0
    assert "LEASE_SECONDS" in ended["error"]
