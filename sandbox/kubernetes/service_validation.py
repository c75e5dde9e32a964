"""What the API server refuses in a Service, in its own words: type, ports, policies, status. Addresses: `service_families`."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.kubernetes.causes import duplicate, forbidden, go, invalid, required, unsupported
from sandbox.kubernetes.errors import Cause
from sandbox.kubernetes.service_families import INVALID_IP, address_causes, headless, is_ip
from sandbox.kubernetes.validation import dns_label, dns_subdomain, labels_causes, qualified_name

Json = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
EXPOSED = ("LoadBalancer", "NodePort")
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
_INVALID_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_AFFINITY_LIMIT = 86400
_SPECIAL: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda address: address.is_unspecified, "may not be unspecified ({})"),
    (lambda address: address.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
    (
        lambda address: address.is_link_local,
        "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
    ),
)
_PORT_NAME: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda name: len(name) > 15, "must be no more than 15 characters"),
    (
        lambda name: not name or not set(name) <= set("-abcdefghijklmnopqrstuvwxyz0123456789"),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    ),
    (
        lambda name: not set(name) & set("abcdefghijklmnopqrstuvwxyz"),
        "must contain at least one letter (a-z)",
    ),
    (lambda name: "--" in name, "must not contain consecutive hyphens"),
    (lambda name: name[:1] == "-" or name[-1:] == "-", "must not begin or end with a hyphen"),
)


def service_causes(service: Json, old: Json | None) -> list[Cause]:
    """What is wrong with a Service whose defaults are filled in."""
    spec, before = service["spec"], old["spec"] if old else None
    # Only a change is judged: what came through the back door may stay.
    causes = _spec_causes(spec, before) if spec != before else []
    status = service["status"]["loadBalancer"]
    if not old or (old.get("status") or {}).get("loadBalancer", {}) != status:
        causes += _ingress_causes(status.get("ingress", []), spec)
    return causes


def _spec_causes(spec: Json, old: Json | None) -> list[Cause]:
    return [
        *address_causes(spec, old),
        *_class_causes(spec, old),
        *_port_causes(spec),
        *labels_causes("spec.selector", spec.get("selector", {})),
        *_affinity_causes(spec),
        *_external_causes(spec),
        *_type_causes(spec),
        *_policy_causes(spec),
    ]


def _type_causes(spec: Json) -> list[Cause]:
    causes = []
    if spec["type"] not in TYPES:
        causes.append(unsupported("spec.type", spec["type"], TYPES))
    if spec["type"] == "ClusterIP":
        for index, port in enumerate(spec.get("ports", [])):
            if port.get("nodePort"):
                field = f"spec.ports[{index}].nodePort"
                causes.append(forbidden(field, "may not be used when `type` is 'ClusterIP'"))
    if spec["type"] == "ExternalName":
        name = spec.get("externalName", "").removesuffix(".")
        causes += dns_subdomain("spec.externalName", name) if name else [required("spec.externalName")]
    if spec["type"] != "LoadBalancer" and "allocateLoadBalancerNodePorts" in spec:
        causes.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED))
    return causes


def _class_causes(spec: Json, old: Json | None) -> list[Cause]:
    field, wanted = "spec.loadBalancerClass", spec.get("loadBalancerClass")
    if spec["type"] != "LoadBalancer":
        return [forbidden(field, _ONLY_BALANCED)] if wanted else []
    if old and old.get("type") == "LoadBalancer" and wanted != old.get("loadBalancerClass"):
        return [invalid(field, wanted, "may not change once set")]
    return qualified_name(field, wanted) if wanted else []


def _port_causes(spec: Json) -> list[Cause]:
    ports = spec.get("ports", [])
    if not ports and spec["type"] != "ExternalName" and not headless(spec):
        return [required("spec.ports")]
    causes = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        causes += _one_port(port, f"spec.ports[{index}]", len(ports) > 1, names)
        names.add(port.get("name", ""))
    return causes + _repeated(ports, "nodePort") + _repeated(ports, "port")


def _one_port(port: Json, field: str, needs_name: bool, names: set[str]) -> list[Cause]:
    causes = []
    name = port.get("name")
    if needs_name and not name:
        causes.append(required(f"{field}.name"))
    elif name:
        causes += dns_label(f"{field}.name", name)
        if name in names:
            causes.append(duplicate(f"{field}.name", go(name)))
    causes += _number_causes(f"{field}.port", port.get("port", 0))
    if port["protocol"] not in ("SCTP", "TCP", "UDP"):
        causes.append(unsupported(f"{field}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
    target = port["targetPort"]
    if isinstance(target, int):
        causes += _number_causes(f"{field}.targetPort", target)
    else:
        causes += [invalid(f"{field}.targetPort", target, why) for wrong, why in _PORT_NAME if wrong(target)]
    if port.get("appProtocol"):
        causes += qualified_name(f"{field}.appProtocol", port["appProtocol"])
    return causes


def _number_causes(field: str, number: int) -> list[Cause]:
    if 1 <= number <= 65535:
        return []
    return [invalid(field, number, "must be between 1 and 65535, inclusive")]


def _repeated(ports: list[Json], name: str) -> list[Cause]:
    """A port or node port may be there once for each protocol."""
    causes = []
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        number = port.get(name, 0)
        identity = (port["protocol"], number)
        if identity in seen and name == "nodePort" and number:
            causes.append(duplicate(f"spec.ports[{index}].nodePort", str(number)))
        elif identity in seen and name == "port":
            causes.append(duplicate(f"spec.ports[{index}]", _go_port(*identity)))
        seen.add(identity)
    return causes


def _go_port(protocol: str, number: int) -> str:
    return (
        f'core.ServicePort{{Name:"", Protocol:"{protocol}", AppProtocol:(*string)(nil), Port:{number},'
        ' TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}'
    )


def _affinity_causes(spec: Json) -> list[Cause]:
    if spec["sessionAffinity"] not in ("ClientIP", "None"):
        return [unsupported("spec.sessionAffinity", spec["sessionAffinity"], ("ClientIP", "None"))]
    config = spec.get("sessionAffinityConfig")
    if not config:
        return []
    seconds = config["clientIP"]["timeoutSeconds"]
    if 0 < seconds <= _AFFINITY_LIMIT:
        return []
    said = f"must be greater than 0 and less than {_AFFINITY_LIMIT}"
    return [invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, said)]


def _external_causes(spec: Json) -> list[Cause]:
    causes = []
    for index, address in enumerate(spec.get("externalIPs", [])):
        field = f"spec.externalIPs[{index}]"
        if not is_ip(address):
            causes.append(invalid(field, address, INVALID_IP))
            continue
        special = (why for matches, why in _SPECIAL if matches(ip_address(address)))
        causes += [invalid(field, address, why.format(address)) for why in special]
    ranges = spec.get("loadBalancerSourceRanges", [])
    # With a capital L in the real server's own words, too.
    if ranges and spec["type"] != "LoadBalancer":
        causes.append(forbidden("spec.LoadBalancerSourceRanges", _ONLY_BALANCED))
    for index, cidr in enumerate(ranges):
        if not _is_cidr(cidr.strip()):
            causes.append(invalid(f"spec.LoadBalancerSourceRanges[{index}]", cidr.strip(), _INVALID_CIDR))
    return causes


def _is_cidr(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _policy_causes(spec: Json) -> list[Cause]:
    causes = []
    field, policy = "spec.externalTrafficPolicy", spec.get("externalTrafficPolicy")
    # Externally accessible: also a ClusterIP with addresses of its own.
    accessible = spec["type"] in EXPOSED or (spec["type"] == "ClusterIP" and spec.get("externalIPs"))
    if policy and not accessible:
        causes.append(invalid(field, policy, "may only be set for externally-accessible services"))
    elif policy and policy not in ("Cluster", "Local"):
        causes.append(unsupported(field, policy, ("Cluster", "Local")))
    checked = spec["type"] == "LoadBalancer" and policy == "Local"
    if spec.get("healthCheckNodePort") and not checked:
        said = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        causes.append(invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], said))
    internal = spec.get("internalTrafficPolicy")
    if internal and internal not in ("Cluster", "Local"):
        causes.append(unsupported("spec.internalTrafficPolicy", internal, ("Cluster", "Local")))
    if spec.get("trafficDistribution") not in (None, "PreferClose"):
        value = spec["trafficDistribution"]
        causes.append(unsupported("spec.trafficDistribution", value, ("PreferClose",)))
    return causes


def _ingress_causes(ingress: list[Json], spec: Json) -> list[Cause]:
    field = "status.loadBalancer.ingress"
    if ingress and spec["type"] != "LoadBalancer":
        return [forbidden(field, 'may only be used when `spec.type` is "LoadBalancer"')]
    return [cause for index, row in enumerate(ingress) for cause in _one_ingress(row, f"{field}[{index}]")]


def _one_ingress(row: Json, field: str) -> list[Cause]:
    causes = []
    address, mode, name = row.get("ip"), row.get("ipMode"), row.get("hostname")
    if address and not is_ip(address):
        causes.append(invalid(f"{field}.ip", address, INVALID_IP))
    if mode and not address:
        causes.append(forbidden(f"{field}.ipMode", "may not be specified when `ip` is not set"))
    elif mode and mode not in ("Proxy", "VIP"):
        causes.append(unsupported(f"{field}.ipMode", mode, ("Proxy", "VIP")))
    if name:
        causes += dns_subdomain(f"{field}.hostname", name)
        if is_ip(name):
            causes.append(invalid(f"{field}.hostname", name, "must be a DNS name, not an IP address"))
    return causes
