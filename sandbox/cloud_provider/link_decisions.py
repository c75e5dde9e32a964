"""What the in-tree controller does about a frontend's Private Link Service: a pure decision.

It knows the Service, the frontend's id and the PLS that it believes to be on the frontend; it answers with
the body to write, with nothing, or with a refusal in its own words.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sandbox.cloud_provider import link_settings
from sandbox.cloud_provider.link_settings import LinkSettings
from sandbox.cloud_provider.options import Json, ProviderOptions, SyncError
from sandbox.cloud_provider.wishes import is_floating, is_internal, service_key

CLUSTER_TAG = "k8s-azure-cluster-name"
OWNER_TAG = "k8s-azure-owner-service"
_MAX_NAME = 80


@dataclass(frozen=True)
class LinkWrite:
    """A PLS to write, and the subnet whose network policies must be off before."""

    pls_id: str
    subnet_id: str
    body: Json


def decide(
    options: ProviderOptions, service: Json, frontend_id: str, existing: Json | None
) -> LinkWrite | None:
    """The write that the Service needs, None where nothing is to do. SyncError where it is refused."""
    key = service_key(service)
    if not link_settings.asks(service):
        return None
    if not is_internal(service) and is_floating(service):
        raise SyncError(
            f"reconcilePrivateLinkService for service({key}): service requiring private link service must be"
            " internal or disable floating ip"
        )
    if existing and not _may_write(options, service, frontend_id, existing):
        return None
    name = _name(service, frontend_id, existing)
    settings = link_settings.read_settings(service)
    wanted = copy.deepcopy(existing) if existing else _blank(options, name, frontend_id)
    properties = wanted["properties"]
    _set_ip_configurations(options, properties, settings, name)
    _set_lists(properties, settings)
    _set_tags(options, wanted, key)
    failed = properties.get("provisioningState") == "Failed"
    if wanted == existing and not failed:
        return None
    wanted["etag"] = ""  # the last writer wins: it never asks whether somebody wrote in between
    group = link_settings.resource_group(service, options.pls_resource_group or options.resource_group)
    pls_id = f"{options.network(group)}/privateLinkServices/{name}"
    return LinkWrite(pls_id, options.subnet_id(settings.subnet), wanted)


def deletions(pls: Json) -> list[str]:
    """What is deleted, in this order, when the frontend goes: the connections it knows of, then the PLS."""
    connections = pls["properties"].get("privateEndpointConnections") or []
    return [*(item["id"] for item in connections), pls["id"]]


def on_frontend(pls: Json, frontend_id: str) -> bool:
    """Whether a PLS is on a frontend."""
    used = pls["properties"].get("loadBalancerFrontendIpConfigurations") or []
    return any(item["id"].lower() == frontend_id.lower() for item in used)


def _may_write(options: ProviderOptions, service: Json, frontend_id: str, existing: Json) -> bool:
    """True for the owner, False for one who shares silently. SyncError for anybody else."""
    key, tags = service_key(service), existing.get("tags")
    managed = (tag(tags, CLUSTER_TAG) or "").strip().lower() == options.cluster_name.strip().lower()
    if not managed:
        raise SyncError(
            f"reconcilePrivateLinkService for service({key}) failed: LB frontend({frontend_id}) already has"
            f" unmanaged private link service({existing['id']})"
        )
    owner = (tag(tags, OWNER_TAG) or "").strip()
    if owner.lower() == key.lower():
        return True
    if link_settings.has_settings(service):
        raise SyncError(
            f"reconcilePrivateLinkService for service({key}) failed: LB frontend({frontend_id}) already has"
            f" existing private link service({existing['name']}) owned by service({owner})"
        )
    return False


def tag(tags: dict[str, str] | None, name: str) -> str | None:
    """A tag's value; tag names compare without regard to case."""
    return next((value for key, value in (tags or {}).items() if key.lower() == name), None)


def _name(service: Json, frontend_id: str, existing: Json | None) -> str:
    asked = link_settings.annotation(service, "name")
    if asked is None:
        return str(existing["name"]) if existing else f"pls-{frontend_id.rsplit('/', 1)[1]}"
    if existing and existing["name"].lower() != asked.strip().lower():
        raise SyncError(
            f"getPrivateLinkServiceName({service_key(service)}) failed: cannot change existing private link"
            f" service name ({existing['name']}) to ({asked.strip()})"
        )
    return asked.strip()


def _blank(options: ProviderOptions, name: str, frontend_id: str) -> Json:
    frontends = [{"id": frontend_id}]
    return {
        "name": name,
        "location": options.location,
        "properties": {"loadBalancerFrontendIpConfigurations": frontends},
    }


def _set_ip_configurations(
    options: ProviderOptions, properties: Json, settings: LinkSettings, name: str
) -> None:
    """All of them anew as soon as anything about them differs; dynamic addresses and names never do."""
    subnet_id = options.subnet_id(settings.subnet)
    subnet = settings.subnet or options.default_subnet
    statics = [_static(name, subnet, subnet_id, index, ip) for index, ip in enumerate(settings.static)]
    dynamics = [
        _dynamic(name, subnet, subnet_id, index, primary=not statics and index == 0)
        for index in range(settings.count - len(statics))
    ]
    wanted = [*statics, *dynamics]
    if _essence(properties.get("ipConfigurations") or []) != _essence(wanted):
        properties["ipConfigurations"] = wanted


def _essence(configurations: list[Json]) -> tuple[int, list[str], set[str], set[tuple[str, str]]]:
    """What counts: how many, the subnets, the static addresses, which one is primary."""
    inner = [item["properties"] for item in configurations]
    address = {id(item): str(item.get("privateIPAddress") or "") for item in inner if _is_static(item)}
    return (
        len(inner),
        sorted(item["subnet"]["id"].lower() for item in inner),
        set(address.values()),
        {
            (str(item.get("privateIPAllocationMethod")), address.get(id(item), ""))
            for item in inner
            if item.get("primary")
        },
    )


def _is_static(properties: Json) -> bool:
    return bool(properties.get("privateIPAllocationMethod") == "Static")


def _static(pls: str, subnet: str, subnet_id: str, index: int, address: str) -> Json:
    properties = {
        "privateIPAllocationMethod": "Static",
        "privateIPAddress": address,
        "privateIPAddressVersion": "IPv4",
        "primary": index == 0,
        "subnet": {"id": subnet_id},
    }
    return {"name": _cut(f"{subnet}-{pls}", f"-static-{address}"), "properties": properties}


def _dynamic(pls: str, subnet: str, subnet_id: str, index: int, *, primary: bool) -> Json:
    properties = {
        "privateIPAllocationMethod": "Dynamic",
        "privateIPAddressVersion": "IPv4",
        "primary": primary,
        "subnet": {"id": subnet_id},
    }
    return {"name": _cut(f"{subnet}-{pls}", f"-dynamic-{index}"), "properties": properties}


def _cut(front: str, suffix: str) -> str:
    return front[: _MAX_NAME - len(suffix)] + suffix


def _set_lists(properties: Json, settings: LinkSettings) -> None:
    if bool(properties.get("enableProxyProtocol")) != settings.proxy_protocol:
        properties["enableProxyProtocol"] = settings.proxy_protocol
    if not _same(properties.get("fqdns"), settings.fqdns):
        properties["fqdns"] = list(settings.fqdns)
    seen = (_subscriptions(properties, "visibility"), _subscriptions(properties, "autoApproval"))
    if not (_same(seen[0], settings.visibility) and _same(seen[1], settings.auto_approval)):
        properties["visibility"] = {"subscriptions": list(settings.visibility)}
        properties["autoApproval"] = {"subscriptions": list(settings.auto_approval)}


def _subscriptions(properties: Json, name: str) -> Any:
    return (properties.get(name) or {}).get("subscriptions")


def _same(found: list[str] | None, wanted: tuple[str, ...]) -> bool:
    """The same entries as often, in any order, case and all."""
    return Counter(found or []) == Counter(wanted)


def _set_tags(options: ProviderOptions, pls: Json, owner: str) -> None:
    """Only where missing: an owner tag edited by hand hands the PLS over."""
    tags = dict(pls.get("tags") or {})
    for name, value in ((CLUSTER_TAG, options.cluster_name), (OWNER_TAG, owner)):
        if tag(tags, name) is None:
            tags[name] = value
    pls["tags"] = tags
