"""A large cluster as JSON: Services with all that real ones carry, their load balancers, addresses, and PLSs.

Of twenty Services, seventeen have an internal frontend of their own, one a public one, one names the address
of a neighbour's internal frontend (``azure-load-balancer-ipv4``) and one a neighbour's public IP
(``azure-pip-name``). Every tenth asks for a Private Link Service. A load balancer holds 500 frontends.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from reconciler import reading
from reconciler.model import Limits, Observed
from reconciler.plan import Plan, PutPls
from reconciler.planning import plan
from reconciler.tenancy import uid_prefix
from tests import builders
from tests.builders import NOW, SUBSCRIPTION

Json = dict[str, Any]

GROUP = "MC_large"
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/aks-vnet/subnets/default"
CONFIG = replace(
    builders.CONFIG,
    name="large",
    cluster_name="large",
    load_balancer_resource_group=GROUP,
    pls_resource_group=GROUP,
    vnet_resource_group=GROUP,
)
PER_BALANCER = 500
PORTS = (80, 443)
_ANNOTATION = "service.beta.kubernetes.io/azure-"
# Their places among twenty; each sharer follows the one whose frontend it shares.
_PUBLIC, _SHARES_PUBLIC, _SHARES_ADDRESS = (9,), 10, 19


@dataclass(frozen=True)
class Documents:
    """Everything that the servers of a cluster of ``count`` Services say, and the plan that its claims give."""

    count: int

    @cached_property
    def services(self) -> list[Json]:
        """As the API server stores them."""
        return [_service(index) for index in range(self.count)]

    @cached_property
    def load_balancers(self) -> list[Json]:
        """Internal and public ones, as ARM lists them."""
        public = [i for i in range(self.count) if i % 20 in _PUBLIC]
        internal = [i for i in range(self.count) if i % 20 not in (*_PUBLIC, _SHARES_ADDRESS, _SHARES_PUBLIC)]
        return [*_load_balancers("kubernetes", public), *_load_balancers("kubernetes-internal", internal)]

    @cached_property
    def public_ips(self) -> list[Json]:
        """Those of the public frontends."""
        return [_public_ip(i) for i in range(self.count) if i % 20 in _PUBLIC]

    @cached_property
    def private_link_services(self) -> list[Json]:
        """What the claims ask for, as ARM shows it when it is done."""
        return [
            _private_link_service(index, write)
            for index, write in enumerate(self.creating.writes)
            if isinstance(write, PutPls)
        ]

    @cached_property
    def creating(self) -> Plan:
        """The plan while there is no Private Link Service."""
        read = reading.subnet(subnet())
        assert read
        observed = Observed(
            CONFIG,
            NOW,
            services=tuple(filter(None, map(reading.service, self.services))),
            load_balancers=tuple(filter(None, map(reading.load_balancer, self.load_balancers))),
            public_ips=tuple(filter(None, map(reading.public_ip, self.public_ips))),
            subnets={SUBNET.lower(): read},
        )
        return plan(observed, Limits())


def subnet() -> Json:
    """The NAT subnet, its policy disabled."""
    properties = {"addressPrefix": "10.0.0.0/12", "privateLinkServiceNetworkPolicies": "Disabled"}
    return {"id": SUBNET, "name": "default", "etag": 'W/"1"', "properties": properties}


def virtual_network() -> Json:
    """The network around it."""
    return {
        "id": SUBNET.rpartition("/subnets/")[0],
        "name": "aks-vnet",
        "type": "Microsoft.Network/virtualNetworks",
        "location": "eastus",
        "etag": 'W/"1"',
        "properties": {
            "provisioningState": "Succeeded",
            "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
            "subnets": [subnet()],
        },
    }


def _uid(index: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"service {index}"))


def _name(index: int) -> str:
    return f"{('checkout', 'inventory', 'payments', 'search')[index % 4]}-api-{index:05}"


def _address(index: int) -> str:
    return f"10.{64 + index // 65536}.{index // 256 % 256}.{index % 256}"


def _annotations(index: int) -> dict[str, str]:
    place = index % 20
    found = {
        "meta.helm.sh/release-name": _name(index),
        "meta.helm.sh/release-namespace": f"team-{index % 50}",
    }
    if place in (*_PUBLIC, _SHARES_PUBLIC):
        owner = index - 1 if place == _SHARES_PUBLIC else index
        found[f"{_ANNOTATION}pip-name"] = f"pip-{owner:05}"
        found[f"{_ANNOTATION}dns-label-name"] = _name(index)
    else:
        found[f"{_ANNOTATION}load-balancer-internal"] = "true"
        found[f"{_ANNOTATION}load-balancer-internal-subnet"] = "default"
        found[f"{_ANNOTATION}load-balancer-health-probe-request-path"] = "/healthz"
    if place == _SHARES_ADDRESS:
        found[f"{_ANNOTATION}load-balancer-ipv4"] = _address(index - 1)
    if index % 10 == 1:
        found[f"{_ANNOTATION}pls-create"] = "true"
        found[f"{_ANNOTATION}pls-name"] = f"pls-{_name(index)}"
        found[f"{_ANNOTATION}pls-fqdns"] = f"{_name(index)}.internal.example.com"
        found[f"{_ANNOTATION}pls-visibility"] = "*"
    return found


def _service(index: int) -> Json:
    annotations, name = _annotations(index), _name(index)
    labels = {
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": name.rpartition("-")[0],
        "app.kubernetes.io/version": "4.17.2",
        "helm.sh/chart": "web-service-2.9.1",
    }
    ports = [
        {
            "name": f"p{p}",
            "nodePort": 30000 + (2 * index + at) % 2768,
            "port": p,
            "protocol": "TCP",
            "targetPort": 8080 + at,
        }
        for at, p in enumerate(PORTS)
    ]
    address = f"10.{(index >> 16) + 200}.{index >> 8 & 255}.{index & 255}"
    return {
        "metadata": {
            "name": name,
            "namespace": f"team-{index % 50}",
            "uid": _uid(index),
            "resourceVersion": str(1_000_000 + index),
            "creationTimestamp": f"2026-0{1 + index % 9}-1{index % 10}T0{index % 10}:1{index // 7 % 10}:42Z",
            "labels": labels,
            "annotations": annotations,
            "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            "managedFields": _managed_fields(labels, annotations),
        },
        "spec": {
            "allocateLoadBalancerNodePorts": True,
            "clusterIP": address,
            "clusterIPs": [address],
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": ports,
            "selector": {
                "app.kubernetes.io/instance": name,
                "app.kubernetes.io/name": labels["app.kubernetes.io/name"],
            },
            "sessionAffinity": "None",
            "type": "LoadBalancer",
        },
        "status": {"loadBalancer": {"ingress": [{"ip": _address(index), "ipMode": "VIP"}]}},
    }


def _managed_fields(labels: Json, annotations: Json) -> list[Json]:
    ports: Json = {
        f'k:{{"port":{p},"protocol":"TCP"}}': {
            ".": {},
            "f:name": {},
            "f:port": {},
            "f:protocol": {},
            "f:targetPort": {},
        }
        for p in PORTS
    }
    applied = {
        "f:metadata": {
            "f:annotations": {".": {}, **{f"f:{name}": {} for name in annotations}},
            "f:labels": {".": {}, **{f"f:{name}": {} for name in labels}},
        },
        "f:spec": {
            "f:allocateLoadBalancerNodePorts": {},
            "f:externalTrafficPolicy": {},
            "f:internalTrafficPolicy": {},
            "f:ports": {".": {}, **ports},
            "f:selector": {},
            "f:sessionAffinity": {},
            "f:type": {},
        },
    }
    status: Json = {
        "f:metadata": {"f:finalizers": {".": {}, 'v:"service.kubernetes.io/load-balancer-cleanup"': {}}},
        "f:status": {"f:loadBalancer": {"f:ingress": {}}},
    }
    common = {
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "operation": "Update",
        "time": "2026-03-11T07:12:42Z",
    }
    return [
        {**common, "manager": "helm", "fieldsV1": applied},
        {**common, "manager": "cloud-controller-manager", "fieldsV1": status, "subresource": "status"},
    ]


def _load_balancers(name: str, indexes: list[int]) -> Iterator[Json]:
    for at in range(0, len(indexes), PER_BALANCER):
        identifier = f"{NETWORK}/loadBalancers/{name}-{at // PER_BALANCER}"
        standing = indexes[at : at + PER_BALANCER]
        yield {
            "id": identifier,
            "name": identifier.rpartition("/")[2],
            "type": "Microsoft.Network/loadBalancers",
            "location": "eastus",
            "sku": {"name": "Standard", "tier": "Regional"},
            "etag": 'W/"7c0c1a84-3f0b-4d0a-8c5b-b6f2f5f0a001"',
            "properties": {
                "provisioningState": "Succeeded",
                "resourceGuid": str(uuid.uuid5(uuid.NAMESPACE_OID, identifier)),
                "frontendIPConfigurations": [_frontend(identifier, index) for index in standing],
                "backendAddressPools": [
                    {"id": f"{identifier}/backendAddressPools/kubernetes", "name": "kubernetes"}
                ],
                "loadBalancingRules": [_rule(identifier, i, port) for i in standing for port in PORTS],
                "probes": [_probe(identifier, index) for index in standing],
                "inboundNatRules": [],
                "outboundRules": [],
            },
        }


def _rule_name(index: int, port: int) -> str:
    return f"{uid_prefix(_uid(index))}-TCP-{port}"


def _part(identifier: str, kind: str, name: str, properties: Json) -> Json:
    return {
        "id": f"{identifier}/{kind}/{name}",
        "name": name,
        "type": f"Microsoft.Network/loadBalancers/{kind}",
        "etag": 'W/"7c0c1a84-3f0b-4d0a-8c5b-b6f2f5f0a001"',
        "properties": {"provisioningState": "Succeeded", **properties},
    }


def _frontend(identifier: str, index: int) -> Json:
    properties: Json = {
        "privateIPAllocationMethod": "Dynamic",
        "loadBalancingRules": [
            {"id": f"{identifier}/loadBalancingRules/{_rule_name(index, p)}"} for p in PORTS
        ],
    }
    if index % 20 in _PUBLIC:
        properties["publicIPAddress"] = {"id": f"{NETWORK}/publicIPAddresses/pip-{index:05}"}
    else:
        where = {
            "privateIPAddress": _address(index),
            "privateIPAddressVersion": "IPv4",
            "subnet": {"id": SUBNET},
        }
        properties |= where
    return _part(identifier, "frontendIPConfigurations", uid_prefix(_uid(index)), properties)


def _rule(identifier: str, index: int, port: int) -> Json:
    frontend = f"{identifier}/frontendIPConfigurations/{uid_prefix(_uid(index))}"
    properties = {
        "frontendIPConfiguration": {"id": frontend},
        "backendAddressPool": {"id": f"{identifier}/backendAddressPools/kubernetes"},
        "backendAddressPools": [{"id": f"{identifier}/backendAddressPools/kubernetes"}],
        "probe": {"id": f"{identifier}/probes/{_rule_name(index, PORTS[0])}"},
        "protocol": "Tcp",
        "frontendPort": port,
        "backendPort": port,
        "idleTimeoutInMinutes": 4,
        "enableFloatingIP": True,
        "enableTcpReset": True,
        "disableOutboundSnat": True,
        "loadDistribution": "Default",
    }
    return _part(identifier, "loadBalancingRules", _rule_name(index, port), properties)


def _probe(identifier: str, index: int) -> Json:
    rules = [{"id": f"{identifier}/loadBalancingRules/{_rule_name(index, p)}"} for p in PORTS]
    timing = {"intervalInSeconds": 5, "numberOfProbes": 2, "probeThreshold": 2}
    properties = {
        "protocol": "Http",
        "port": 31000,
        "requestPath": "/healthz",
        **timing,
        "loadBalancingRules": rules,
    }
    return _part(identifier, "probes", _rule_name(index, PORTS[0]), properties)


def _public_ip(index: int) -> Json:
    return {
        "id": f"{NETWORK}/publicIPAddresses/pip-{index:05}",
        "name": f"pip-{index:05}",
        "type": "Microsoft.Network/publicIPAddresses",
        "location": "eastus",
        "sku": {"name": "Standard", "tier": "Regional"},
        "etag": 'W/"7c0c1a84-3f0b-4d0a-8c5b-b6f2f5f0a001"',
        "properties": {
            "provisioningState": "Succeeded",
            "ipAddress": f"20.{index // 65536}.{index // 256 % 256}.{index % 256}",
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
        },
    }


def _private_link_service(index: int, write: PutPls) -> Json:
    body: Json = json.loads(json.dumps(write.body))
    name = write.pls_id.rpartition("/")[2]
    guid = str(uuid.uuid5(uuid.NAMESPACE_OID, name))
    address = {"privateIPAddress": f"10.250.{index // 250}.{index % 250 + 4}"}
    for configuration in body["properties"]["ipConfigurations"]:
        configuration["properties"] |= {"provisioningState": "Succeeded", **address}
    body["properties"] |= {
        "provisioningState": "Succeeded",
        "resourceGuid": guid,
        "alias": f"{name}.{guid}.eastus.azure.privatelinkservice",
        "networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/{name}.nic.{guid}"}],
        "privateEndpointConnections": [],
    }
    kind = {"type": "Microsoft.Network/privateLinkServices", "etag": 'W/"1"'}
    return {"id": write.pls_id, "name": name, **kind, **body}
