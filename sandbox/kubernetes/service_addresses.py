"""Cluster IPs and node ports: which are in use, and what a Service gets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import chain
from typing import Any

from sandbox.kubernetes.errors import Cause

Json = dict[str, Any]

# The real range ends at 32767. Beyond it we go on, so that a cluster holds ten thousand Services.
NODE_PORTS = range(30000, 65536)
FAMILIES = {4: "IPv4", 6: "IPv6"}


class Allocations:
    """Cluster IPs and node ports in use. Picking one reserves nothing until the Service is stored."""

    def __init__(self, cidrs: tuple[str, str]) -> None:
        networks = [ip_network(cidr) for cidr in cidrs]
        self._networks: dict[str, IPv4Network | IPv6Network] = {
            FAMILIES[network.version]: network for network in networks
        }
        self._next_ip = dict.fromkeys(self._networks, 1)
        self._next_port = 0
        self.ips: set[str] = set()
        self.ports: set[int] = set()

    def pick_ip(self, family: str) -> str | None:
        network = self._networks[family]
        for _ in range(min(network.num_addresses - 2, 1 << 16)):
            address = str(network[self._next_ip[family]])
            self._next_ip[family] = self._next_ip[family] % (network.num_addresses - 2) + 1
            if address not in self.ips:
                return address
        return None

    def pick_port(self, taken: set[int]) -> int | None:
        for _ in NODE_PORTS:
            port = NODE_PORTS[self._next_port]
            self._next_port = (self._next_port + 1) % len(NODE_PORTS)
            if port not in self.ports and port not in taken:
                return port
        return None

    def replace(self, old: Json | None, new: Json | None) -> None:
        """Give back what `old` held and take what `new` holds."""
        if old:
            self.ips -= set(_ips(old))
            self.ports -= set(_node_ports(old))
        if new:
            self.ips |= set(_ips(new))
            self.ports |= set(_node_ports(new))


def _spec(service: Json) -> Json:
    """Objects written through the back door may have none."""
    spec = service.get("spec")
    return spec if isinstance(spec, dict) else {}


def _ips(service: Json) -> list[str]:
    return [ip for ip in _spec(service).get("clusterIPs", []) if ip != "None"]


def _node_ports(service: Json) -> Iterable[int]:
    spec = _spec(service)
    rows = (row for row in spec.get("ports") or [] if isinstance(row, dict))
    ports = (row.get("nodePort") for row in rows)
    return (port for port in chain(ports, [spec.get("healthCheckNodePort")]) if port)


def allocate(service: Json, old: Json | None, allocations: Allocations) -> list[Cause]:
    """Give cluster IPs and node ports to a valid Service; causes where one is taken or none is left."""
    spec = service["spec"]
    held_ips = set(_ips(old)) if old else set()
    held_ports = set(_node_ports(old)) if old else set()
    causes = []
    if spec["type"] != "ExternalName":
        causes += _allocate_ips(spec, held_ips, allocations)
    if spec["type"] in ("LoadBalancer", "NodePort"):
        causes += _allocate_ports(spec, held_ports, allocations)
    return causes


def _families(spec: Json) -> list[str]:
    given = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
    families = spec.get("ipFamilies") or [FAMILIES[ip_address(ip).version] for ip in given]
    families = families or ["IPv4"]
    policy = spec.setdefault("ipFamilyPolicy", "SingleStack" if len(families) == 1 else "RequireDualStack")
    if policy == "SingleStack":
        return families[:1]
    return families[:1] + (["IPv6"] if families[0] == "IPv4" else ["IPv4"])


def _allocate_ips(spec: Json, held: set[str], allocations: Allocations) -> list[Cause]:
    families = _families(spec)
    spec["ipFamilies"] = families
    given = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip]
    if given == ["None"]:
        spec["clusterIP"], spec["clusterIPs"] = "None", given
        return []
    ips = []
    for index, family in enumerate(families):
        address = given[index] if index < len(given) else allocations.pick_ip(family)
        if address is None or (address in allocations.ips and address not in held):
            why = "provided IP is already allocated" if address else "range is full"
            said = f"Invalid value: {json.dumps(given)}: failed to allocate IP {address}: {why}"
            return [Cause("spec.clusterIPs", said)]
        ips.append(address)
    spec["clusterIP"], spec["clusterIPs"] = ips[0], ips
    return []


def _allocate_ports(spec: Json, held: set[int], allocations: Allocations) -> list[Cause]:
    taken = {port["nodePort"] for port in spec.get("ports", []) if port.get("nodePort")}
    wanted = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    for index, port in enumerate(spec.get("ports", [])):
        field = f"spec.ports[{index}].nodePort"
        if not port.get("nodePort"):
            picked = allocations.pick_port(taken) if wanted else 0
            if picked is None:
                return [Cause(field, "Internal error: failed to allocate a nodePort: range is full")]
            if picked:
                port["nodePort"] = picked
                taken.add(picked)
        elif port["nodePort"] in allocations.ports and port["nodePort"] not in held:
            said = f"Invalid value: {port['nodePort']}: provided port is already allocated"
            return [Cause(field, said)]
    local = spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    if local and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = allocations.pick_port(taken)
    return []
