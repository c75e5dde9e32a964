"""Children: subnets, connections and backend pools can be written, all others are read through their parent."""

from __future__ import annotations

from sandbox.arm import fidelity
from sandbox.arm.conditions import check_if_match
from sandbox.arm.errors import gateway, provider
from sandbox.arm.ids import LOAD_BALANCER, PLS, VIRTUAL_NETWORK, ResourceId
from sandbox.arm.kinds import connections, virtual_networks
from sandbox.arm.kinds.base import Kind, Write
from sandbox.arm.state import Json, child_of, children, stamp, with_child
from sandbox.arm.verbs import page, publish, require, unchanged
from sandbox.arm.world import Call, Reply, World, operation_headers

_SUBNETS = f"{VIRTUAL_NETWORK}/subnets".lower()
_POOLS = f"{LOAD_BALANCER}/backendAddressPools".lower()
_CONNECTIONS = f"{PLS}/privateEndpointConnections".lower()


def serve(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    """One request for a child or a list of children."""
    collection = target.full_type.lower()
    match (call.method, collection):
        case ("GET", _):
            return _get(world, call, kind, target)
        case ("PUT", _) if collection == _SUBNETS and target.child:
            return _put_subnet(world, call, target)
        case ("DELETE", _) if collection == _SUBNETS and target.child:
            return _delete_subnet(world, call, target)
        case ("PUT", _) if collection == _CONNECTIONS and target.child:
            return _put_connection(world, call, target)
        case ("DELETE", _) if collection == _CONNECTIONS and target.child:
            return _delete_connection(world, call, target)
        case ("PUT" | "DELETE", _) if collection == _POOLS and target.child:
            return _write_pool(world, call, kind, target)
    raise gateway.NO_VERB.error(method=call.method, path=call.path)


def _get(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    parent = kind.view(world, require(world, target))
    if target.child is None:
        return page(world, call, children(parent, target.child_type or ""))
    found = child_of(parent, target.child_type or "", target.child)
    if found is None:
        raise provider.NO_CHILD.error(id=target)
    return Reply(200, found, {"ETag": found["etag"]})


def _parent(world: World, call: Call, target: ResourceId) -> Json:
    found = world.store.find(str(target.parent))
    if found is None:
        action = "delete" if call.method == "DELETE" else "write"
        raise gateway.NO_PARENT.error(action=action, type=target.full_type, parent=target.parent)
    return found


def _put_subnet(world: World, call: Call, target: ResourceId) -> Reply:
    network = _parent(world, call, target)
    existing = child_of(network, "subnets", target.child or "")
    check_if_match(call, str(target), existing)
    world.refuse_while_busy(network["id"], below=True)
    subnet = virtual_networks.desired_subnet(world, network, target.child or "", call.body)
    if existing is not None and unchanged(existing, subnet):
        operation = world.begin(call, target, share=0, finish=lambda: publish(world, call, target, True))
        shown = virtual_networks.view_subnet(world, existing)
        return Reply(200, shown, operation_headers(world, call, operation))
    subnet["etag"] = network["etag"] = world.etag()
    network["properties"]["subnets"] = with_child(children(network, "subnets"), subnet)

    def finish() -> None:
        subnet["properties"]["provisioningState"] = call.ending.provisioning_state
        world.bump(subnet["id"])
        publish(world, call, target, existing is not None)

    operation = world.begin(call, target, share=virtual_networks.KIND.write_share, finish=finish)
    shown = virtual_networks.view_subnet(world, subnet)
    return Reply(200 if existing else 201, shown, operation_headers(world, call, operation))


def _delete_subnet(world: World, call: Call, target: ResourceId) -> Reply:
    network = _parent(world, call, target)
    subnet = child_of(network, "subnets", target.child or "")
    if subnet is None:
        return Reply(204)
    check_if_match(call, str(target), subnet)
    world.refuse_while_busy(network["id"], below=True)
    virtual_networks.refuse_subnet_delete(world, subnet)
    subnet["properties"]["provisioningState"] = "Deleting"

    def finish() -> None:
        if call.ending.status == "Succeeded":
            left = [item for item in children(network, "subnets") if item is not subnet]
            network["properties"]["subnets"] = left
        else:
            subnet["properties"]["provisioningState"] = "Failed"
        world.bump(network["id"])
        publish(world, call, target, True)

    operation = world.begin(call, target, share=virtual_networks.KIND.delete_share, finish=finish)
    return Reply(202, None, operation_headers(world, call, operation))


def _put_connection(world: World, call: Call, target: ResourceId) -> Reply:
    pls = _parent(world, call, target)
    connection = child_of(pls, "privateEndpointConnections", target.child or "")
    if connection is None:
        raise provider.NO_CHILD.error(id=target)
    check_if_match(call, str(target), connection)
    asked = (call.body.get("properties") or {}).get("privateLinkServiceConnectionState") or {}
    connections.answer(world, pls, connection, asked)
    publish(world, call, target, True)
    return Reply(200, connection)


def _delete_connection(world: World, call: Call, target: ResourceId) -> Reply:
    pls = _parent(world, call, target)
    connection = child_of(pls, "privateEndpointConnections", target.child or "")
    if connection is None:
        return Reply(204)
    connection["properties"]["provisioningState"] = "Deleting"

    def finish() -> None:
        if call.ending.status == "Succeeded":
            connections.remove(world, pls, connection)
        else:
            connection["properties"]["provisioningState"] = "Failed"
        publish(world, call, target, True)

    operation = world.begin(call, target, share=1 / 3, finish=finish)
    return Reply(202, None, operation_headers(world, call, operation), guess=fidelity.CONNECTION_DELETE)


def _write_pool(world: World, call: Call, kind: Kind, target: ResourceId) -> Reply:
    """A backend pool is written as part of its load balancer, at once."""
    balancer, name = _parent(world, call, target), target.child or ""
    pools = children(balancer, "backendAddressPools")
    existing = child_of(balancer, "backendAddressPools", name)
    if call.method == "DELETE" and existing is None:
        return Reply(204)
    check_if_match(call, str(target), existing)
    world.refuse_while_busy(balancer["id"])
    if call.method == "DELETE":
        left = [item for item in pools if item is not existing]
    else:
        left = with_child(pools, {"name": name, "properties": call.body.get("properties") or {}})
    body = {**balancer, "properties": {**balancer["properties"], "backendAddressPools": left}}
    written = kind.desired(world, Write(target.parent, body, balancer))
    stamp(written, world.etag(), "Succeeded")
    world.store.save(written)
    operation = world.begin(call, target, share=0, finish=lambda: publish(world, call, target, True))
    status = {"DELETE": 202}.get(call.method, 200 if existing else 201)
    shown = child_of(written, "backendAddressPools", name)
    headers = operation_headers(world, call, operation)
    return Reply(status, shown, headers, guess=fidelity.BACKEND_POOL)
