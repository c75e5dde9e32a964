"""What the API server refuses in a Service, in its own words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.kubernetes.errors import Cause

Json = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def _unsupported(field: str, value: object, supported: Iterable[str]) -> Cause:
    listed = ", ".join(f'"{item}"' for item in supported)
    return Cause(
        field,
        f'Unsupported value: "{value}": supported values: {listed}',
        "FieldValueNotSupported",
    )


def service_causes(service: Json, old: Json | None) -> list[Cause]:
    """What is wrong with a Service whose defaults are filled in."""
    spec = service["spec"]
    causes = _type_causes(spec)
    causes += _port_causes(spec)
    causes += _address_causes(spec)
    if old:
        causes += _immutable_causes(spec, old["spec"])
    if spec["type"] != "LoadBalancer" and service["status"]["loadBalancer"].get("ingress"):
        causes += _ingress_causes(service, old)
    return causes


def _type_causes(spec: Json) -> list[Cause]:
    causes = []
    if spec["type"] not in TYPES:
        causes.append(_unsupported("spec.type", spec["type"], TYPES))
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        causes.append(Cause("spec.externalName", "Required value", "FieldValueRequired"))
    for name, supported in (
        ("sessionAffinity", ("ClientIP", "None")),
        ("externalTrafficPolicy", ("Cluster", "Local")),
        ("internalTrafficPolicy", ("Cluster", "Local")),
        ("ipFamilyPolicy", ("SingleStack", "PreferDualStack", "RequireDualStack")),
    ):
        if spec.get(name) and spec[name] not in supported:
            causes.append(_unsupported(f"spec.{name}", spec[name], supported))
    if spec["type"] in ("ClusterIP", "ExternalName") and spec.get("externalTrafficPolicy"):
        said = "may only be set for externally-accessible services"
        value = spec["externalTrafficPolicy"]
        causes.append(Cause("spec.externalTrafficPolicy", f'Invalid value: "{value}": {said}'))
    if spec["type"] != "LoadBalancer" and spec.get("loadBalancerClass"):
        said = "Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
        causes.append(Cause("spec.loadBalancerClass", said, "FieldValueForbidden"))
    return causes


def _port_causes(spec: Json) -> list[Cause]:
    ports = spec.get("ports", [])
    headless = spec.get("clusterIP") == "None"
    if not ports and spec["type"] != "ExternalName" and not headless:
        return [Cause("spec.ports", "Required value", "FieldValueRequired")]
    causes = []
    seen: set[tuple[object, ...]] = set()
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        causes += _one_port(port, field, len(ports) > 1)
        for identity in ((port.get("port"), port["protocol"]), (port.get("name"),)):
            if identity in seen:
                causes.append(Cause(field, f"Duplicate value: {json.dumps(port)}", "FieldValueDuplicate"))
        seen |= {(port.get("port"), port["protocol"])}
        seen |= {(port["name"],)} if port.get("name") else set()
    return causes


def _one_port(port: Json, field: str, needs_name: bool) -> list[Cause]:
    causes = []
    if needs_name and not port.get("name"):
        causes.append(Cause(f"{field}.name", "Required value", "FieldValueRequired"))
    number, target = port.get("port", 0), port["targetPort"]
    between = "must be between 1 and 65535, inclusive"
    if not 1 <= number <= 65535:
        causes.append(Cause(f"{field}.port", f"Invalid value: {number}: {between}"))
    if isinstance(target, int) and not 1 <= target <= 65535:
        causes.append(Cause(f"{field}.targetPort", f"Invalid value: {target}: {between}"))
    if port["protocol"] not in ("SCTP", "TCP", "UDP"):
        causes.append(_unsupported(f"{field}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
    return causes


def _address_causes(spec: Json) -> list[Cause]:
    causes = []
    for index, address in enumerate(spec.get("clusterIPs") or [spec.get("clusterIP")]):
        if address and address != "None" and not _is(ip_address, address):
            said = f'Invalid value: "{address}": must be a valid IP address'
            causes.append(Cause(f"spec.clusterIPs[{index}]", said))
    for index, address in enumerate(spec.get("externalIPs", [])):
        if not _is(ip_address, address):
            said = f'Invalid value: "{address}": must be a valid IP address'
            causes.append(Cause(f"spec.externalIPs[{index}]", said))
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges", [])):
        if not _is(ip_network, cidr.strip()):
            said = f'Invalid value: "{cidr}": must be a valid CIDR value'
            causes.append(Cause(f"spec.loadBalancerSourceRanges[{index}]", said))
    for index, family in enumerate(spec.get("ipFamilies", [])):
        if family not in ("IPv4", "IPv6"):
            causes.append(_unsupported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6")))
    return causes


def _is(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _immutable_causes(spec: Json, old: Json) -> list[Cause]:
    causes = []
    both_addressed = "ExternalName" not in (spec["type"], old["type"])
    if both_addressed and old.get("clusterIP") and spec.get("clusterIP") != old["clusterIP"]:
        shown = json.dumps([spec.get("clusterIP")])
        said = f"Invalid value: {shown}: may not change once set"
        causes.append(Cause("spec.clusterIPs[0]", said))
    both_balanced = spec["type"] == old["type"] == "LoadBalancer"
    if both_balanced and spec.get("loadBalancerClass") != old.get("loadBalancerClass"):
        shown = json.dumps(spec.get("loadBalancerClass"))
        said = f"Invalid value: {shown}: may not change once set"
        causes.append(Cause("spec.loadBalancerClass", said))
    return causes


def _ingress_causes(service: Json, old: Json | None) -> list[Cause]:
    """Only a change is refused: what came through the back door may stay."""
    ingress = service["status"]["loadBalancer"]["ingress"]
    if old and old["status"]["loadBalancer"].get("ingress") == ingress:
        return []
    said = 'Forbidden: may only be used when `spec.type` is "LoadBalancer"'
    return [Cause("status.loadBalancer.ingress", said, "FieldValueForbidden")]
