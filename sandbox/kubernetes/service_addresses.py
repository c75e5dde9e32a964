"""Cluster IPs and node ports: which are in use, and what a Service gets."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import chain
from typing import Any

from sandbox.kubernetes.causes import invalid
from sandbox.kubernetes.errors import Cause

Json = dict[str, Any]

NAMED_PORTS = range(30000, 32768)
# What nobody names goes on beyond the real range, so that a cluster holds ten thousand Services.
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

    def refusal(self, port: int) -> str:
        """Why a node port that somebody names is not to be had, or nothing."""
        if port not in NAMED_PORTS:
            listed = f"{NAMED_PORTS.start}-{NAMED_PORTS.stop - 1}"
            return f"provided port is not in the valid range. The range of valid ports is {listed}"
        return "provided port is already allocated" if port in self.ports else ""

    def outside(self, address: str, family: str) -> str:
        """Why an address is none of ours, or nothing."""
        network = self._networks[family]
        if ip_address(address) in network:
            return ""
        return f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"

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
        named = given[index] if index < len(given) else ""
        address = named or allocations.pick_ip(family)
        if address is None:
            said = "Internal error: failed to allocate a serviceIP: range is full"
            return [Cause("spec.clusterIPs", said, "InternalError")]
        if named and named not in held and (why := _refusal(named, family, allocations)):
            return [invalid("spec.clusterIPs", given, f"failed to allocate IP {named}: {why}")]
        ips.append(address)
    spec["clusterIP"], spec["clusterIPs"] = ips[0], ips
    return []


def _refusal(address: str, family: str, allocations: Allocations) -> str:
    taken = "provided IP is already allocated" if address in allocations.ips else ""
    return allocations.outside(address, family) or taken


def _allocate_ports(spec: Json, held: set[int], allocations: Allocations) -> list[Cause]:
    taken = {port["nodePort"] for port in spec.get("ports", []) if port.get("nodePort")}
    wanted = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    for index, port in enumerate(spec.get("ports", [])):
        field = f"spec.ports[{index}].nodePort"
        if not port.get("nodePort"):
            picked = allocations.pick_port(taken) if wanted else 0
            if picked is None:
                said = "Internal error: failed to allocate a nodePort: range is full"
                return [Cause(field, said, "InternalError")]
            if picked:
                port["nodePort"] = picked
                taken.add(picked)
        elif port["nodePort"] not in held and (why := allocations.refusal(port["nodePort"])):
            return [invalid(field, port["nodePort"], why)]
    local = spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    if local and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = allocations.pick_port(taken)
    return []
