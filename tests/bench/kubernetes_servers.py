"""A process with one large cluster and its Azure: ``python -m tests.bench.kubernetes_servers COUNT FOLDER``.

It says where it listens in one line of JSON and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.arm import ArmOptions, start_arm
from sandbox.arm.groups import make_group
from sandbox.kubernetes import ClusterOptions, start_cluster
from sandbox.kubernetes.registry import Address
from sandbox.kubernetes.resources import SERVICES
from sandbox.tls import Authority
from tests.bench.kubernetes_documents import CONFIG, GROUP, Documents, virtual_network
from tests.builders import SUBSCRIPTION

ARM_PAGE = 50  # load balancers or PLSs


@dataclass(frozen=True)
class Servers:
    """Where they listen, and how to get in."""

    arm: str
    identity_endpoint: str
    identity_header: str
    cluster: str
    token: str
    ca: str

    @property
    def identity(self) -> dict[str, str]:
        """What the platform sets for a managed identity."""
        return {"IDENTITY_ENDPOINT": self.identity_endpoint, "IDENTITY_HEADER": self.identity_header}

    @property
    def settings(self) -> dict[str, str]:
        """The product's settings for this cluster and Azure, but for storage."""
        token = Path(self.ca).with_name("token")
        token.write_text(self.token, encoding="utf-8")
        cluster = {
            "name": CONFIG.name,
            "clusterName": CONFIG.cluster_name,
            "api": {"type": "server", "server": self.cluster, "caFile": self.ca, "tokenFile": str(token)},
            "subscription": SUBSCRIPTION,
            "location": CONFIG.location,
            "loadBalancerResourceGroup": CONFIG.load_balancer_resource_group,
            "vnet": {"resourceGroup": CONFIG.vnet_resource_group, "name": CONFIG.vnet_name},
            "defaultSubnet": CONFIG.default_subnet,
            "mode": CONFIG.mode,
            "inTree": CONFIG.in_tree,
        }
        return {"CLUSTERS": json.dumps([cluster]), "ARM_ENDPOINT": self.arm, "ARM_CA_FILE": self.ca}


@contextmanager
def servers(count: int, folder: Path) -> Iterator[Servers]:
    """In a process of their own, so that their time is not ours."""
    command = [sys.executable, "-m", __name__, str(count), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Servers(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(20)


async def _serve(count: int, folder: Path) -> None:
    authority = Authority.create(folder)
    arm = await start_arm(ArmOptions(page_size=ARM_PAGE, default_world=False), authority)
    cluster = await start_cluster(ClusterOptions("large", history=0), authority)
    documents = Documents(count)
    arm.world.store.save_group(make_group(SUBSCRIPTION, GROUP, "eastus"))
    for resource in (
        virtual_network(),
        *documents.load_balancers,
        *documents.public_ips,
        *documents.private_link_services,
    ):
        arm.world.store.save(resource)
    for service in documents.services:
        metadata = service["metadata"]
        cluster.registry.put_raw(Address(SERVICES, metadata["namespace"], metadata["name"]), service)
    told = Servers(
        arm.url,
        arm.identity_endpoint,
        arm.identity_header,
        cluster.url,
        cluster.token,
        str(authority.ca_path),
    )
    print(json.dumps(told.__dict__), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await arm.stop()
    await cluster.stop()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
