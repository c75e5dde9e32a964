"""AKS clusters, as far as `az aks show` reads them."""

from __future__ import annotations

from sandbox.arm.ids import MANAGED_CLUSTER
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, sent
from sandbox.arm.state import Json
from sandbox.arm.world import World


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    node_group = f"MC_{write.target.group}_{write.target.name}_{world.options.location}"
    made = {key: value for key, value in generated(world, write).items() if key == "provisioningState"}
    properties = {**made, "nodeResourceGroup": node_group, **sent(write)}
    return envelope(write, properties)


KIND = Kind(MANAGED_CLUSTER, _desired, write_share=1, delete_share=1)
