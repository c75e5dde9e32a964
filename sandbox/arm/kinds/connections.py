"""Private endpoint connections: the two ends, kept in step."""

from __future__ import annotations

from sandbox.arm.errors import private_link
from sandbox.arm.ids import PLS, same
from sandbox.arm.state import Json
from sandbox.arm.world import World

_PROVIDER_MAY_SET = ("Approved", "Rejected", "Pending")
_ENDPOINT_SIDES = ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")


def state(status: str, description: str) -> Json:
    """A connection state as ARM writes it."""
    return {"status": status, "description": description, "actionsRequired": "None"}


def open_connection(world: World, pls: Json, endpoint: Json, connection_state: Json) -> None:
    """Note an endpoint's connection on the PLS, named `<endpoint>.<guid>`."""
    name = f"{endpoint['name']}.{world.guid()}"
    pls["properties"]["privateEndpointConnections"].append(
        {
            "name": name,
            "id": f"{pls['id']}/privateEndpointConnections/{name}",
            "etag": world.etag(),
            "properties": {
                "provisioningState": "Succeeded",
                "privateEndpoint": {"id": endpoint["id"]},
                "privateLinkServiceConnectionState": dict(connection_state),
                "linkIdentifier": world.next_link_identifier(),
                "privateEndpointLocation": endpoint["location"],
            },
            "type": f"{PLS}/privateEndpointConnections",
        }
    )
    pls["etag"] = world.etag()


def answer(world: World, pls: Json, connection: Json, asked: Json) -> None:
    """Approve or reject a connection; the endpoint learns of it."""
    status = asked.get("status")
    if status not in _PROVIDER_MAY_SET:
        raise private_link.CONNECTION_STATE.error(status=status, connection=connection["id"])
    decided = state(status, str(asked.get("description") or ""))
    connection["properties"]["privateLinkServiceConnectionState"] = decided
    connection["etag"] = world.etag()
    pls["etag"] = world.etag()
    _tell_endpoint(world, pls, connection, decided)


def remove(world: World, pls: Json, connection: Json) -> None:
    """Remove a connection; the endpoint is left Disconnected."""
    left = [item for item in pls["properties"]["privateEndpointConnections"] if item is not connection]
    pls["properties"]["privateEndpointConnections"] = left
    pls["etag"] = world.etag()
    _tell_endpoint(world, pls, connection, state("Disconnected", ""))


def forget_endpoint(world: World, endpoint_id: str) -> None:
    """Drop the connections of an endpoint that is gone."""
    for pls in world.store.of_type(PLS):
        connections = pls["properties"]["privateEndpointConnections"]
        left = [item for item in connections if not same(_endpoint_of(item), endpoint_id)]
        if len(left) != len(connections):
            pls["properties"]["privateEndpointConnections"] = left
            pls["etag"] = world.etag()


def of_endpoint(pls: Json, endpoint_id: str) -> Json | None:
    """An endpoint's connection on a PLS."""
    for connection in pls["properties"]["privateEndpointConnections"]:
        if same(_endpoint_of(connection), endpoint_id):
            found: Json = connection
            return found
    return None


def _endpoint_of(connection: Json) -> str:
    return str(connection["properties"]["privateEndpoint"]["id"])


def _tell_endpoint(world: World, pls: Json, connection: Json, decided: Json) -> None:
    endpoint = world.store.find(_endpoint_of(connection))
    if endpoint is None:
        return
    for side in _ENDPOINT_SIDES:
        for item in endpoint["properties"][side]:
            target = item["properties"]["privateLinkServiceId"]
            if same(target, pls["id"]) or target.lower() == pls["properties"]["alias"]:
                item["properties"]["privateLinkServiceConnectionState"] = dict(decided)
    endpoint["etag"] = world.etag()
