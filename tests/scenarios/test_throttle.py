"""ARM's own token buckets, two clusters in one subscription, and more writes than it gives out."""

from __future__ import annotations

from sandbox.arm import Bucket, Throttle
from sandbox.up import SandboxOptions
from tests.scenarios.conftest import Start

# Two writes and then one each second, per caller: eight PLSs and two subnets need more.
FEW = Throttle(writes=Bucket(2, 1))


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
