"""Load balancer bodies: a Service's frontend, rules and probes put in or taken out. Pure functions."""

from __future__ import annotations

import copy
from typing import Any

from sandbox.cloud_provider.options import Json, ProviderOptions, SyncError
from sandbox.cloud_provider.wishes import Port, Wish

_FRONTENDS = "frontendIPConfigurations"
_RULES = "loadBalancingRules"


def empty(options: ProviderOptions, balancer_id: str) -> Json:
    """A load balancer without frontends."""
    return {
        "id": balancer_id,
        "name": balancer_id.rsplit("/", 1)[1],
        "location": options.location,
        "sku": {"name": "Standard"},
        "properties": {_FRONTENDS: [], "backendAddressPools": [], _RULES: [], "probes": []},
    }


def with_service(options: ProviderOptions, balancer: Json, wish: Wish, public_ip: str) -> tuple[Json, Json]:
    """The load balancer with what the Service needs, and the frontend it uses.

    SyncError when another Service uses one of its ports on that frontend. An unchanged one comes back equal.
    """
    result = copy.deepcopy(balancer)
    frontend = _frontend(options, balancer, wish, public_ip)
    _check_ports(balancer, wish, frontend)
    pool = {"name": options.cluster_name}
    rules = [_rule(balancer["id"], options.cluster_name, wish, port, frontend["id"]) for port in wish.ports]
    probes = [probe for port in wish.ports if (probe := _probe(wish, port))]
    _replace(result, _FRONTENDS, lambda _: False, [frontend])
    _replace(result, "backendAddressPools", lambda _: False, [pool])
    for collection, wanted in ((_RULES, rules), ("probes", probes)):
        _replace(result, collection, lambda name: _belongs(name, wish.uid_name), wanted)
    _drop_unused(result, wish.uid_name, {name_of(rule_frontend(rule)) for rule in _items(balancer, _RULES)})
    return result, frontend


def without_service(balancer: Json, uid_name: str) -> Json:
    """The load balancer without the Service's rules and probes, and without frontends that served it alone."""
    result = copy.deepcopy(balancer)
    served = {
        name_of(rule_frontend(rule)) for rule in _items(balancer, _RULES) if _belongs(rule["name"], uid_name)
    }
    for collection in (_RULES, "probes"):
        _replace(result, collection, lambda name: _belongs(name, uid_name), [])
    _drop_unused(result, uid_name, served)
    return result


def frontends(balancer: Json) -> list[Json]:
    """Its frontends."""
    return _items(balancer, _FRONTENDS)


def dropped(before: Json, after: Json) -> list[Json]:
    """The frontends that `after` no longer has."""
    staying = {item["name"] for item in frontends(after)}
    return [item for item in frontends(before) if item["name"] not in staying]


def rule_frontend(rule: Json) -> str:
    """The id of a rule's frontend."""
    return str((rule["properties"].get("frontendIPConfiguration") or {}).get("id", ""))


def public_ip_of(frontend: Json) -> str:
    """The id of a frontend's public IP, or ""."""
    return str((frontend["properties"].get("publicIPAddress") or {}).get("id", ""))


def name_of(resource_id: str) -> str:
    """The last segment of an id."""
    return resource_id.rsplit("/", 1)[-1]


def contains(found: Any, wanted: Any) -> bool:
    """Whether `found` says everything that `wanted` says; ids and names compare without regard to case."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(contains(found.get(key), wanted[key]) for key in wanted)
    if isinstance(wanted, str) and isinstance(found, str):
        return found.lower() == wanted.lower()
    return bool(found == wanted)


def _items(balancer: Json, collection: str) -> list[Json]:
    return balancer["properties"].get(collection) or []


def _belongs(name: str, uid_name: str) -> bool:
    return name == uid_name or name.startswith(f"{uid_name}-")


def _frontend(options: ProviderOptions, balancer: Json, wish: Wish, public_ip: str) -> Json:
    """The frontend to use: another's on the same address (shared), else one of its own."""
    for item in frontends(balancer):
        if not _belongs(item["name"], wish.uid_name) and _shares(options, item, wish, public_ip):
            return item
    properties: Json = {"publicIPAddress": {"id": public_ip}}
    if wish.internal:
        properties = {
            "subnet": {"id": options.subnet_id(wish.subnet)},
            "privateIPAllocationMethod": "Static" if wish.address else "Dynamic",
        }
        if wish.address:
            properties["privateIPAddress"] = wish.address
    name = wish.frontend_name
    return {"name": name, "id": f"{balancer['id']}/{_FRONTENDS}/{name}", "properties": properties}


def _shares(options: ProviderOptions, frontend: Json, wish: Wish, public_ip: str) -> bool:
    properties = frontend["properties"]
    if not wish.internal:
        return public_ip_of(frontend).lower() == public_ip.lower()
    subnet = str((properties.get("subnet") or {}).get("id", ""))
    fits = not wish.subnet or subnet.lower() == options.subnet_id(wish.subnet).lower()
    return bool(wish.address) and properties.get("privateIPAddress") == wish.address and fits


def _check_ports(balancer: Json, wish: Wish, frontend: Json) -> None:
    asked = {(port.protocol.lower(), port.port) for port in wish.ports}
    for rule in _items(balancer, _RULES):
        inner = rule["properties"]
        same_frontend = rule_frontend(rule).lower() == frontend["id"].lower()
        used = (str(inner.get("protocol", "")).lower(), inner.get("frontendPort"))
        if same_frontend and used in asked and not _belongs(rule["name"], wish.uid_name):
            raise SyncError(
                f"checkLoadBalancerResourcesConflicts: service {wish.key} is trying to consume the port"
                f" {used[1]} which is being referenced by an existing loadBalancing rule {rule['name']}"
                f" with the same protocol {inner.get('protocol')} and frontend IP config with ID"
                f" {frontend['id']}"
            )


def _rule(balancer_id: str, pool: str, wish: Wish, port: Port, frontend_id: str) -> Json:
    name = wish.rule_name(port)
    properties: Json = {
        "frontendIPConfiguration": {"id": frontend_id},
        "backendAddressPool": {"id": f"{balancer_id}/backendAddressPools/{pool}"},
        "protocol": port.protocol.capitalize(),
        "frontendPort": port.port,
        # With floating IP the packet keeps the frontend's address and port; without it it is the node's.
        "backendPort": port.port if wish.floating else port.node_port,
        "enableFloatingIP": wish.floating,
        "enableTcpReset": True,
        "disableOutboundSnat": True,
        "idleTimeoutInMinutes": 4,
        "loadDistribution": "Default",
    }
    if _probe(wish, port):
        properties["probe"] = {"id": f"{balancer_id}/probes/{name}"}
    return {"name": name, "properties": properties}


def _probe(wish: Wish, port: Port) -> Json | None:
    common = {"intervalInSeconds": 5, "numberOfProbes": 2}
    if wish.health_port:
        properties = {"protocol": "Http", "port": wish.health_port, "requestPath": "/healthz", **common}
    elif port.protocol == "TCP":
        properties = {"protocol": "Tcp", "port": port.node_port, **common}
    else:
        return None
    return {"name": wish.rule_name(port), "properties": properties}


def _replace(balancer: Json, collection: str, stale: Any, wanted: list[Json]) -> None:
    """Put the wanted items in place of stale ones and of those with the same name; equal ones stay as they are."""
    found = {item["name"]: item for item in _items(balancer, collection)}
    names = {item["name"] for item in wanted}
    for name in [name for name in found if stale(name) and name not in names]:
        del found[name]
    for item in wanted:
        if not contains(found.get(item["name"]), item):
            found[item["name"]] = item
    balancer["properties"][collection] = list(found.values())


def _drop_unused(balancer: Json, uid_name: str, candidates: set[str]) -> None:
    """Take away frontends without rules: the Service's own, and the candidates, which had rules before."""
    used = {name_of(rule_frontend(rule)) for rule in _items(balancer, _RULES)}
    balancer["properties"][_FRONTENDS] = [
        item
        for item in frontends(balancer)
        if item["name"] in used or not (_belongs(item["name"], uid_name) or item["name"] in candidates)
    ]
