"""What AKS clusters have beside themselves: stop, start, kubeconfigs of users and administrators, agent pools."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.arm import fidelity, kubeconfigs
from sandbox.arm.control_planes import ControlPlane, shape
from sandbox.arm.errors import aks, gateway, provider
from sandbox.arm.ids import ResourceId, parse
from sandbox.arm.kinds.managed_clusters import agent_pools, told
from sandbox.arm.state import Json
from sandbox.arm.verbs import page, publish, require
from sandbox.arm.world import Call, Reply, World, operation_headers

_Action = Callable[[World, Call, ResourceId], Reply]


def serve(world: World, call: Call, target: ResourceId) -> Reply:
    """One call below `managedClusters/NAME/`."""
    if call.method == "GET" and (target.child_type or "").lower() == "agentpools":
        return _pools(world, call, target)
    action = _ACTIONS.get((target.child_type or "").lower())
    if call.method != "POST" or action is None or target.child is not None:
        raise gateway.NO_VERB.error(method=call.method, path=call.path)
    return action(world, call, target)


def _pools(world: World, call: Call, target: ResourceId) -> Reply:
    found = agent_pools(require(world, target))
    if target.child is None:
        return page(world, call, found)
    for pool in found:
        if pool["name"].lower() == target.child.lower():
            return Reply(200, pool)
    raise provider.NO_CHILD.error(id=target)


def _stop(world: World, call: Call, target: ResourceId) -> Reply:
    if _power(require(world, target)) != "Running":
        raise aks.NOT_RUNNING.error()
    return _switch(world, call, target, "Stopping", "Stopped")


def _start(world: World, call: Call, target: ResourceId) -> Reply:
    if _power(require(world, target)) != "Stopped":
        raise aks.NOT_STOPPED.error()
    return _switch(world, call, target, "Starting", "Running")


def _switch(world: World, call: Call, target: ResourceId, during: str, after: str) -> Reply:
    cluster = require(world, target)
    if running := world.operations.running(cluster["id"]):
        raise aks.AKS_BUSY.error(uri=running.uri)
    _set(world, cluster, provisioningState=during)

    def finish() -> None:
        power = {"powerState": {"code": after}} if call.ending.status == "Succeeded" else {}
        _set(world, cluster, provisioningState=call.ending.provisioning_state, **power)
        publish(world, call, target, True)

    operation = world.begin(call, target.parent, share=1, finish=finish)
    return Reply(202, None, operation_headers(world, call, operation))


def _set(world: World, cluster: Json, **properties: object) -> None:
    cluster["properties"].update(properties)
    for pool in cluster["properties"].get("agentPoolProfiles") or ():
        pool.update(
            {key: value for key, value in properties.items() if key in ("powerState", "provisioningState")}
        )
    cluster["etag"] = world.etag()
    told(world, cluster)


def _power(cluster: Json) -> str:
    return str((cluster["properties"].get("powerState") or {}).get("code", "Running"))


def _user(world: World, call: Call, target: ResourceId) -> Reply:
    """With Entra integration a user who has to log in; without it, an administrator."""
    cluster, plane = _with_plane(world, target)
    tenant = shape(cluster).tenant
    form = call.query.get("format", "").lower()
    user = kubeconfigs.entra(tenant, form) if tenant else kubeconfigs.admin(plane)
    return _credentials(world, call, cluster, plane, "clusterUser", user)


def _admin(world: World, call: Call, target: ResourceId) -> Reply:
    cluster, plane = _with_plane(world, target)
    if cluster["properties"].get("disableLocalAccounts"):
        raise aks.NO_LOCAL_ACCOUNTS.error()
    return _credentials(world, call, cluster, plane, "clusterAdmin", kubeconfigs.admin(plane))


def _with_plane(world: World, target: ResourceId) -> tuple[Json, ControlPlane]:
    cluster = require(world, target)
    plane = world.planes.of(cluster["id"])
    if plane is None:
        raise aks.NO_CONTROL_PLANE.error(name=cluster["name"])
    return cluster, plane


def _credentials(
    world: World, call: Call, cluster: Json, plane: ControlPlane, role: str, user: Json
) -> Reply:
    named = parse(cluster["id"])
    if named is None:
        raise ValueError(cluster["id"])
    publish(world, call, parse(call.path) or named, True)
    stopped = None if shape(cluster).running else fidelity.STOPPED_CREDENTIALS
    return Reply(200, kubeconfigs.credentials(named, plane, role, user), guess=stopped)


_ACTIONS: dict[str, _Action] = {
    "stop": _stop,
    "start": _start,
    "listclusterusercredential": _user,
    "listclusteradmincredential": _admin,
}
