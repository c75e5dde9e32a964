"""What is lost, what lies, and what is down: events, lists of Services, storage. Time is lost, nothing else."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.up import SandboxOptions
from tests.chaos_mode import FULL
from tests.contract.forwarder import Forwarder, forwarding
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.world import World

Json = dict[str, Any]
NEVER = "0 0 0 1 1 *"
LIST = "/api/v1/services.*fieldSelector"
EMPTY = {"kind": "ServiceList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}


@pytest.fixture(scope="module")
def world(start: Start) -> World:
    """Event Grid fills a queue that nobody reads, and no probe looks: the timer is all there is."""
    settings = {
        "LB_EVENTS_QUEUE": "nobody-fills-this",
        "PROBE_SCHEDULE": NEVER,
        "RESYNC_SCHEDULE": "* * * * * *",
    }
    return start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, extra_settings=settings))


def test_without_any_event_the_timer_alone_converges(world: World) -> None:
    """Create, share, change, make anew, delete: what an event would have told, the next full pass sees."""
    pls_id = world.make_ready("prod", "app", pls_fqdns="one.example")
    more = {"load-balancer-internal": "true", "pls-create": "true"}
    world.apply_service("prod", "guest", {**more, "load-balancer-ipv4": world.address("prod", "app")}, 81)
    world.wait("shared", lambda: world.status_of("prod", pls_id).get("sharers") == ["default/guest"])
    world.annotate("prod", "app", {"pls-fqdns": "two.example"})
    world.ready(pls_id, lambda has: has["fqdns"] == ["two.example"])
    assert world.sandbox.arm("DELETE", pls_id).status in (200, 202)
    world.ready(pls_id, lambda has: has["fqdns"] == ["two.example"])
    world.remove("prod", "guest", "app")
    assert world.pls(pls_id) is None
    assert (world.runs("on_event_queue"), world.runs("on_probe")) == (0, 0)
    assert world.waiting_messages("lb-events") > 0


def test_an_empty_list_by_mistake_deletes_nothing(world: World) -> None:
    """A proxy's cache, an API server that has just lost its memory: no Service is listed, each is still there."""
    ids = [world.make_ready("prod", f"kept-{i}") for i in range(4)]
    world.quiet_plan("prod")
    world.forget_requests()
    with world.cluster_fault("prod", path=LIST, times=None, mode="garbage", message=json.dumps(EMPTY)):
        report = world.run_now("prod")
        assert (report["complete"], report["services"], report["writes"], report["held"]) == (True, 0, [], [])
        assert {f["reason"] for f in report["findings"]} == {"Kept"}
        world.run_now("prod")
    assert world.link_writes() == []
    assert all(world.pls(pls_id) for pls_id in ids)
    assert world.run_now("prod")["findings"] == []


@contextmanager
def storage_in_between(world: World) -> Iterator[tuple[str, list[Forwarder]]]:
    """A connection string whose three services can be cut off, and what cuts them off."""
    known = world.sandbox.endpoints["storage"]
    with ExitStack() as stack:
        text, forwarders = str(known["connectionString"]), []
        for part in text.split(";"):
            name, _, address = part.partition("=")
            if name.endswith("Endpoint"):
                target = "/".join(address.split("/")[:3])
                forwarders.append(stack.enter_context(forwarding(target)))
                text = text.replace(target, forwarders[-1].url)
        yield text, forwarders


@pytest.fixture(scope="module")
def bare(start: Start) -> World:
    """No functions: the test's own are behind a storage that can be cut off."""
    return start(SandboxOptions(clusters=("prod",), provisioning_seconds=0.3, functions=False))


MINUTE = 60.0
SETTINGS = {
    "RESYNC_SCHEDULE": "*/3 * * * * *",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
}


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_work_resumes_when_storage_is_back(bare: World, tmp_path: Path) -> None:
    """Queues, tables and blobs refuse every call, in full mode for a minute, else for longer than all tries of one.

    What is changed meanwhile, in the cluster and by hand in Azure, is seen to afterwards.
    """
    with (
        storage_in_between(bare) as (text, forwarders),
        hosts.host(bare, tmp_path, AzureWebJobsStorage=text, **SETTINGS) as host,
    ):
        pls_id = bare.make_ready("prod", "app", pls_fqdns="before.example")
        began = time.monotonic()
        for forwarder in forwarders:
            forwarder.fail("reset-before")
        bare.annotate("prod", "app", {"pls-fqdns": "meanwhile.example"})
        bare.wait("the outage is felt", lambda: host.call("GET", "/api/health").status == 503)
        for method, path in (
            ("GET", "status"),
            ("GET", "history"),
            ("POST", "resync"),
            ("POST", "pause?cluster=prod"),
        ):
            refused = host.call(method, f"/api/{path}")
            assert (refused.status, refused.body["error"]["code"]) == (503, "RetryLater")
        time.sleep(max(0.0, began + MINUTE - time.monotonic()) if FULL else 0)
        bare.forget_requests()
        for forwarder in forwarders:
            forwarder.mend()
        bare.ready(pls_id, lambda has: has["fqdns"] == ["meanwhile.example"])
        assert host.call("GET", "/api/health").status == 200


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.skipif(not FULL, reason="a minute of standing still")
def test_work_resumes_when_storage_had_stopped_answering(bare: World, tmp_path: Path) -> None:
    """It takes connections and says nothing, longer than any call waits: the calls end, the work goes on."""
    pid = int(bare.sandbox.endpoints["pids"]["storage"])
    with hosts.host(bare, tmp_path, **SETTINGS) as host:
        pls_id = bare.make_ready("prod", "still", pls_fqdns="before.example")
        os.kill(pid, signal.SIGSTOP)
        try:
            bare.annotate("prod", "still", {"pls-fqdns": "meanwhile.example"})
            time.sleep(MINUTE)
        finally:
            os.kill(pid, signal.SIGCONT)
        bare.ready(pls_id, lambda has: has["fqdns"] == ["meanwhile.example"])
        assert host.call("GET", "/api/health").status == 200
