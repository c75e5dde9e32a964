"""The part of a sandbox that runs in one event loop: ARM, clusters, cloud providers, the identity endpoint."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.arm import ArmOptions, ControlPlane, RunningArm, Shape, start_arm
from sandbox.arm.default_world import ClusterNetwork, network, node_group
from sandbox.cloud_provider import ProviderOptions, start_cloud_provider
from sandbox.cloud_provider.kubeconfig import read_kubeconfig
from sandbox.cloud_provider.options import ArmAccess, ClusterAccess
from sandbox.kubernetes import ClusterOptions, RunningCluster, start_cluster
from sandbox.tls import Authority
from sandbox.topic import RunningTopic, start_topic
from sandbox.up_events import queue_sink
from sandbox.up_identity import start_identity
from sandbox.up_options import SandboxOptions

__all__ = ["VNET", "Cluster", "Servers", "node_group", "start_servers"]

VNET = "aks-vnet"  # of a cluster whose network AKS did not make


@dataclass(frozen=True)
class Cluster:
    """One cluster: how it is reached, its AKS resource if it is a simulated one ("" else), its network."""

    name: str
    access: ClusterAccess
    kubeconfig: Path
    resource_id: str
    network: ClusterNetwork


@dataclass(frozen=True)
class Servers:
    """Running servers, and how to end them."""

    authority: Authority
    arm: RunningArm
    arm_options: ArmOptions
    identity_url: str
    clusters: dict[str, Cluster]
    topic: RunningTopic | None
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
            clusters=options.clusters,
            other_clusters=tuple(options.kubeconfigs),
            managed_networks=options.managed_networks,
            token_seconds=options.token_seconds,
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
        clusters = [
            Cluster(name, read_kubeconfig(path, state, name), path.resolve(), "", network(arm_options, name))
            for name, path in options.kubeconfigs.items()
        ]
        for name in options.clusters:
            running = await start_cluster(ClusterOptions(name=name), authority)
            stack.push_async_callback(running.stop)
            clusters.append(_simulated_cluster(running, arm, arm_options, state))
        for cluster in clusters if options.cloud_provider else ():
            provider = await start_cloud_provider(
                _provider(options, arm_options, arm, authority.ca_path, cluster)
            )
            stack.push_async_callback(provider.stop)
        topic = await start_topic(authority) if options.publish else None
        if topic:
            stack.push_async_callback(topic.stop)
        by_name = {cluster.name: cluster for cluster in clusters}
        in_order = {name: by_name[name] for name in names}
        return Servers(authority, arm, arm_options, identity.url, in_order, topic, stack.pop_all())


def _simulated_cluster(running: RunningCluster, arm: RunningArm, azure: ArmOptions, state: Path) -> Cluster:
    def follow(shape: Shape) -> None:
        running.entra.tenant, running.entra.azure_rbac = shape.tenant, shape.azure_rbac
        running.power(shape.running)

    plane = ControlPlane(running.url, running.ca_path.read_text(), running.token, follow)
    return Cluster(
        name=running.name,
        access=ClusterAccess(running.url, running.ca_path, running.token),
        kubeconfig=running.kubeconfig(state / f"{running.name}.kubeconfig"),
        resource_id=arm.connect(running.name, plane),
        network=network(azure, running.name),
    )


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
        vnet_name=cluster.network.name,
        default_subnet=cluster.network.subnet,
        cluster_name=options.cluster_name,
        pls=options.ccm_pls,
        pls_cache_seconds=options.pls_cache_seconds,
    )
