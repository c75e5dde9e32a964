"""The part of a sandbox that runs in one event loop: ARM, clusters, cloud providers, the identity endpoint."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.arm import ArmOptions, RunningArm, start_arm
from sandbox.cloud_provider import ProviderOptions, start_cloud_provider
from sandbox.cloud_provider.kubeconfig import read_kubeconfig
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
class Cluster:
    """One cluster, simulated or real: how it is reached."""

    name: str
    access: ClusterAccess
    kubeconfig: Path


@dataclass(frozen=True)
class Servers:
    """Running servers, and how to end them."""

    authority: Authority
    arm: RunningArm
    arm_options: ArmOptions
    identity_url: str
    clusters: dict[str, Cluster]
    _stack: AsyncExitStack

    async def stop(self) -> None:
        """End them, the last started first."""
        await self._stack.aclose()


async def start_servers(options: SandboxOptions, state: Path, connection_string: str) -> Servers:
    """Start everything that needs no process of its own. On a failure nothing stays behind."""
    async with AsyncExitStack() as stack:
        authority = Authority.create(state)
        names = (*options.clusters, *options.kubeconfigs)
        arm_options = ArmOptions(
            clusters=names,
            provisioning_seconds=options.provisioning_seconds,
            port=options.arm_port,
            throttle=options.throttle,
            contention=options.contention,
        )
        arm = await start_arm(arm_options, authority)
        stack.push_async_callback(arm.stop)
        if connection_string:
            arm.subscribe(queue_sink(connection_string))
        identity = await start_identity(arm.identity_endpoint, authority.client_context())
        stack.push_async_callback(identity.stop)
        clusters = [_real_cluster(name, path, state) for name, path in options.kubeconfigs.items()]
        for name in options.clusters:
            running = await start_cluster(ClusterOptions(name=name), authority)
            stack.push_async_callback(running.stop)
            clusters.append(_simulated_cluster(running, state))
        for cluster in clusters if options.cloud_provider else ():
            provider = await start_cloud_provider(
                _provider(options, arm_options, arm, authority.ca_path, cluster)
            )
            stack.push_async_callback(provider.stop)
        by_name = {cluster.name: cluster for cluster in clusters}
        in_order = {name: by_name[name] for name in names}
        return Servers(authority, arm, arm_options, identity.url, in_order, stack.pop_all())


def _simulated_cluster(running: RunningCluster, state: Path) -> Cluster:
    access = ClusterAccess(running.url, running.ca_path, running.token)
    return Cluster(running.name, access, running.kubeconfig(state / f"{running.name}.kubeconfig"))


def _real_cluster(name: str, path: Path, state: Path) -> Cluster:
    return Cluster(name, read_kubeconfig(path, state, name), path.resolve())


def _provider(
    options: SandboxOptions, azure: ArmOptions, arm: RunningArm, ca: Path, cluster: Cluster
) -> ProviderOptions:
    return ProviderOptions(
        name=cluster.name,
        arm=ArmAccess(arm.url, ca, arm.identity_endpoint, arm.identity_header),
        cluster=cluster.access,
        subscription=azure.subscription,
        location=azure.location,
        resource_group=node_group(cluster.name),
        vnet_name=VNET,
        default_subnet=DEFAULT_SUBNET,
        cluster_name=options.cluster_name,
        pls=options.ccm_pls,
        pls_cache_seconds=options.pls_cache_seconds,
    )
