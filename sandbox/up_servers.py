"""The part of a sandbox that runs in one event loop: ARM, clusters, cloud providers, the identity endpoint."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.arm import ArmOptions, RunningArm, start_arm
from sandbox.cloud_provider import ProviderOptions, start_cloud_provider
from sandbox.cloud_provider.options import ArmAccess, ClusterAccess
from sandbox.kubernetes import ClusterOptions, RunningCluster, start_cluster
from sandbox.tls import Authority
from sandbox.up_events import queue_sink
from sandbox.up_identity import start_identity
from sandbox.up_options import SandboxOptions

VNET = "aks-vnet"
DEFAULT_SUBNET = "default"


def node_group(cluster: str) -> str:
    """The node resource group of a cluster."""
    return f"MC_{cluster}"


@dataclass(frozen=True)
class Servers:
    """Running servers, and how to end them."""

    authority: Authority
    arm: RunningArm
    arm_options: ArmOptions
    identity_url: str
    clusters: dict[str, RunningCluster]
    _stack: AsyncExitStack

    async def stop(self) -> None:
        """End them, the last started first."""
        await self._stack.aclose()


async def start_servers(options: SandboxOptions, state: Path, connection_string: str) -> Servers:
    """Start everything that needs no process of its own. On a failure nothing stays behind."""
    async with AsyncExitStack() as stack:
        authority = Authority.create(state)
        arm_options = ArmOptions(clusters=options.clusters, provisioning_seconds=options.provisioning_seconds)
        arm = await start_arm(arm_options, authority)
        stack.push_async_callback(arm.stop)
        if connection_string:
            arm.subscribe(queue_sink(connection_string))
        identity = await start_identity(arm.identity_endpoint, authority.client_context())
        stack.push_async_callback(identity.stop)
        clusters = {}
        for name in options.clusters:
            clusters[name] = await start_cluster(ClusterOptions(name=name), authority)
            stack.push_async_callback(clusters[name].stop)
        if options.cloud_provider:
            for cluster in clusters.values():
                provider = await start_cloud_provider(_provider(options, arm_options, arm, cluster))
                stack.push_async_callback(provider.stop)
        return Servers(authority, arm, arm_options, identity.url, clusters, stack.pop_all())


def _provider(
    options: SandboxOptions, azure: ArmOptions, arm: RunningArm, cluster: RunningCluster
) -> ProviderOptions:
    return ProviderOptions(
        name=cluster.name,
        arm=ArmAccess(arm.url, cluster.ca_path, arm.identity_endpoint, arm.identity_header),
        cluster=ClusterAccess(cluster.url, cluster.ca_path, cluster.token),
        subscription=azure.subscription,
        location=azure.location,
        resource_group=node_group(cluster.name),
        vnet_name=VNET,
        default_subnet=DEFAULT_SUBNET,
        cluster_name=options.cluster_name,
        pls=options.ccm_pls,
        pls_cache_seconds=options.pls_cache_seconds,
    )
