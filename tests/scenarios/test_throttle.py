"""ARM's own token buckets, and a subscription that says how long to stay away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.arm import Bucket, Throttle
from sandbox.up import SandboxOptions
from tests.scenarios import hosts
from tests.scenarios.conftest import Start
from tests.scenarios.hosts import Host
from tests.scenarios.world import World

# Two writes and then one each second, per caller: eight PLSs and two subnets need more.
FEW = Throttle(writes=Bucket(2, 1))
OTHER_SUBSCRIPTION = "00000000-0000-0000-0000-000000000002"
STAY_AWAY = 8  # seconds, as the throttled subscription asks


def test_what_the_buckets_refuse_is_done_later(start: Start) -> None:
    """Nothing is lost, and nobody hammers at a subscription that said when to come back."""
    world = start(SandboxOptions(clusters=("prod", "dev"), provisioning_seconds=0.2, throttle=FEW))
    names = [f"s{i}" for i in range(4)]
    ids = [world.make(cluster, name) for cluster in ("prod", "dev") for name in names]
    for pls_id in ids:
        world.ready(pls_id)
    refused = [r for r in world.requests() if r["status"] == 429 and "/privateLinkServices/" in r["path"]]
    assert refused, "the buckets refused nothing: this test would show nothing"
    # Up to four are in flight when the first is refused; without waiting there would be hundreds.
    assert len(refused) < 5 * len(ids)
    world.quiet_plan("prod")
    world.quiet_plan("dev")


@pytest.fixture(scope="module")
def bare(start: Start) -> World:
    """No functions yet: their clusters are to be in two subscriptions."""
    return start(SandboxOptions(clusters=("prod", "dev"), provisioning_seconds=0.2, functions=False))


@pytest.fixture
def host(bare: World, tmp_path: Path) -> Iterator[Host]:
    """A host with timers, for which the cluster dev is in another subscription."""
    bare.make("dev", "web")
    bare.address("dev", "web")
    move(bare, "MC_dev", OTHER_SUBSCRIPTION)
    document = yaml.safe_load(Path(bare.sandbox.settings["CLUSTERS"]).read_text())
    next(c for c in document["clusters"] if c["name"] == "dev")["subscription"] = OTHER_SUBSCRIPTION
    clusters = tmp_path / "clusters.yaml"
    clusters.write_text(yaml.safe_dump(document))
    with hosts.host(bare, tmp_path, CLUSTERS=str(clusters)) as started:
        yield started


def move(world: World, group: str, subscription: str) -> None:
    """Make the resources of a group in another subscription, too."""
    below = f"{world.group(group)}/"
    for resource in world.expect(world.sandbox.arm_backdoor("GET", "state"), 200)["resources"]:
        if resource["id"].lower().startswith(below.lower()):
            there = json.loads(json.dumps(resource).replace(world.subscription, subscription))
            world.expect(world.sandbox.arm_backdoor("PUT", "resources", there), 200)


def test_a_throttled_subscription_is_left_alone_until_it_said(bare: World, host: Host) -> None:
    """By timer, probe and events. A person is served, and so is the cluster of another subscription."""
    there = bare.pls_id("MC_dev", "pls-web").replace(bare.subscription, OTHER_SUBSCRIPTION)
    bare.ready(there)
    pls_id = bare.make_ready("prod", "web")
    hosts.settle(bare, "prod", host)
    throttled = {
        "status": 429,
        "code": "SubscriptionRequestsThrottled",
        "headers": {"Retry-After": str(STAY_AWAY)},
    }
    with bare.arm_fault(
        path=f"/{bare.subscription}/.*/privateLinkServices/", method="PUT", times=None, **throttled
    ):
        bare.annotate("prod", "web", {"pls-fqdns": "later.example"})
        bare.wait("the subscription refuses", lambda: hosts.writes(bare, "prod"))
        bare.wait("the run has ended", lambda: not hosts.lease(bare, "prod").get("holder"))
        hosts.send(bare, hosts.balancer_events(bare, "prod", 20))
        host.fire("on_timer")
        host.fire("on_probe")
        bare.annotate("dev", "web", {"pls-fqdns": "now.example"})
        bare.ready(there, lambda has: has["fqdns"] == ["now.example"])
        bare.wait("the events are taken in", lambda: not hosts.visible(bare))
        assert host.call("POST", "/api/resync?cluster=prod&wait=true").status == 200
        bare.wait("it is tried again", lambda: len(hosts.writes(bare, "prod")) > 1)
    first, second, *_ = (w["time"] for w in hosts.writes(bare, "prod", "PUT"))
    assert second - first >= STAY_AWAY
    looks = [r for r in hosts.runs(bare, "prod", [host]) if first < r["time"] < second]
    assert len(looks) <= 2  # the person's, and the one that tried again
    bare.ready(pls_id, lambda has: has["fqdns"] == ["later.example"])
    assert not host.failed
