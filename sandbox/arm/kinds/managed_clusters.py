"""AKS clusters: what a PUT makes of a body, how a GET shows it, and what the API server behind it learns."""

from __future__ import annotations

import hashlib

from sandbox.arm.ids import MANAGED_CLUSTER, ResourceId
from sandbox.arm.kinds.base import Kind, Write, check_name, envelope, generated, sent
from sandbox.arm.state import Json
from sandbox.arm.world import World

_READ_ONLY = ("powerState", "fqdn", "azurePortalFQDN", "currentKubernetesVersion", "resourceUID")
_KEPT = ("nodeResourceGroup", "agentPoolProfiles", "identityProfile")  # by a PUT that leaves them out
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
# What the simulated API servers say of themselves.
VERSION, PATCH_VERSION = "1.32", "1.32.4"


def _desired(world: World, write: Write) -> Json:
    check_name(write.target)
    kept = (write.existing or {}).get("properties", {})
    properties: Json = {
        "provisioningState": generated(world, write)["provisioningState"],
        "powerState": {"code": "Running"},
        **_defaults(write.target, world.options.location),
        **{key: kept[key] for key in (*_READ_ONLY, *_KEPT) if key in kept},
        **sent(write, *_READ_ONLY),
    }
    entra = properties.get("aadProfile")
    if isinstance(entra, dict) and entra.get("managed"):
        properties["aadProfile"] = {**entra, "tenantID": entra.get("tenantID") or world.options.tenant}
    properties.setdefault("identityProfile", _kubelet(write.target, properties["nodeResourceGroup"]))
    identity = write.body.get("identity") or {"type": "SystemAssigned"}
    more: Json = {
        "identity": {
            "principalId": _guid(write.target, "identity"),
            "tenantId": world.options.tenant,
            **identity,
        },
        "sku": write.body.get("sku") or {"name": "Base", "tier": "Free"},
    }
    return envelope(write, properties, **more)


def _defaults(target: ResourceId, location: str) -> Json:
    prefix = f"{str(target.name)[:10]}-{str(target.group)[:16]}-{target.subscription[:6]}".lower()
    host = f"{prefix}-{_digest(target, 'fqdn')[:8]}"
    return {
        "kubernetesVersion": VERSION,
        "currentKubernetesVersion": PATCH_VERSION,
        "dnsPrefix": prefix,
        "fqdn": f"{host}.hcp.{location}.azmk8s.io",
        "azurePortalFQDN": f"{host}.portal.hcp.{location}.azmk8s.io",
        "nodeResourceGroup": f"MC_{target.group}_{target.name}_{location}",
        "enableRBAC": True,
        "networkProfile": {
            "networkPlugin": "azure",
            "networkPluginMode": "overlay",
            "loadBalancerSku": "standard",
            "outboundType": "loadBalancer",
            "serviceCidr": "10.0.0.0/16",
            "dnsServiceIP": "10.0.0.10",
            "podCidr": "10.244.0.0/16",
            "ipFamilies": ["IPv4"],
        },
        "disableLocalAccounts": False,
        "resourceUID": _digest(target, "uid")[:24],
    }


def _kubelet(target: ResourceId, node_group: str) -> Json:
    identity = ResourceId(target.subscription, node_group, _IDENTITY, f"{target.name}-agentpool")
    client, principal = _guid(target, "kubelet client"), _guid(target, "kubelet")
    return {"kubeletidentity": {"resourceId": str(identity), "clientId": client, "objectId": principal}}


def agent_pool(subnet: str | None) -> Json:
    """One pool of nodes; in a network that AKS makes, no subnet is named."""
    pool: Json = {
        "name": "nodepool1",
        "count": 3,
        "vmSize": "Standard_D4s_v5",
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "mode": "System",
        "type": "VirtualMachineScaleSets",
        "maxPods": 250,
        "orchestratorVersion": VERSION,
        "currentOrchestratorVersion": PATCH_VERSION,
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
    }
    return pool | ({"vnetSubnetID": subnet} if subnet else {})


def entra_profile(tenant: str) -> Json:
    """`aadProfile` of a cluster with managed Entra integration and Kubernetes' own RBAC."""
    return {
        "managed": True,
        "adminGroupObjectIDs": None,
        "adminUsers": None,
        "enableAzureRBAC": False,
        "tenantID": tenant,
    }


def agent_pools(cluster: Json) -> list[Json]:
    """The pools as resources of their own, as `agentPools` lists them."""
    return [
        {
            "id": f"{cluster['id']}/agentPools/{pool['name']}",
            "name": pool["name"],
            "type": f"{MANAGED_CLUSTER}/agentPools",
            "properties": {key: value for key, value in pool.items() if key != "name"},
        }
        for pool in cluster["properties"].get("agentPoolProfiles") or ()
    ]


def told(world: World, cluster: Json) -> None:
    """The API server learns what its resource says now."""
    world.planes.tell(cluster["id"], world.store.find(cluster["id"]))


def _view(_world: World, cluster: Json) -> Json:
    """AKS spells its ids and type in a way of its own, and its etag in camel case."""
    shown = {key: value for key, value in cluster.items() if key != "etag"}
    return shown | {
        "id": cluster["id"].replace("/resourceGroups/", "/resourcegroups/", 1),
        "type": "Microsoft.ContainerService/ManagedClusters",
        "eTag": cluster["etag"],
    }


def _digest(target: ResourceId, purpose: str) -> str:
    return hashlib.sha256(f"{target.key}#{purpose}".encode()).hexdigest()


def _guid(target: ResourceId, purpose: str) -> str:
    text = _digest(target, purpose)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


KIND = Kind(MANAGED_CLUSTER, _desired, write_share=1, delete_share=1, settled=told, removed=told, view=_view)
