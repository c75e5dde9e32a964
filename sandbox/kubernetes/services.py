"""Services as the API server keeps them: defaults, what an update carries over, what a change of type drops."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def with_defaults(service: Json, old: Json | None) -> None:
    """Fill in what was left out, carry over what was allocated, drop what the type no longer has."""
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", 10800)
    else:
        spec.pop("sessionAffinityConfig", None)
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port", 0))
    if old:
        _drop_ingress(service, old)
        _drop_with_type(spec, old["spec"])
        _carry_over(spec, old["spec"])
    elif spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    _policies(spec)
    _status(service, spec["type"])


def _policies(spec: Json) -> None:
    if spec["type"] in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if not spec.get("publishNotReadyAddresses"):
        spec.pop("publishNotReadyAddresses", None)


def _status(service: Json, kind: str) -> None:
    balancer = service.setdefault("status", {}).setdefault("loadBalancer", {})
    for ingress in balancer.get("ingress", []):
        if kind == "LoadBalancer" and ingress.get("ip"):
            ingress.setdefault("ipMode", "VIP")


def _drop_ingress(service: Json, old: Json) -> None:
    """Who stops being a LoadBalancer loses its address at once, while the balancer itself goes later."""
    if old["spec"]["type"] == "LoadBalancer" != service["spec"]["type"]:
        service.setdefault("status", {})["loadBalancer"] = {}


def _drop_with_type(spec: Json, old: Json) -> None:
    """Fields the old type had and the new one has not go, if they were not changed by hand."""
    exposed = ("LoadBalancer", "NodePort")
    dropped: list[str] = []
    if spec["type"] not in exposed:
        dropped += ["externalTrafficPolicy", "healthCheckNodePort"]
        held = {port.get("nodePort") for port in old.get("ports", [])}
        for port in spec.get("ports", []):
            if port.get("nodePort") in held:
                port.pop("nodePort", None)
    if spec["type"] != "LoadBalancer":
        dropped += ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
    if spec["type"] == "ExternalName":
        dropped += ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]
    if spec.get("externalTrafficPolicy") != "Local":
        dropped.append("healthCheckNodePort")
    for name in dropped:
        if spec.get(name) == old.get(name):
            spec.pop(name, None)


def _carry_over(spec: Json, old: Json) -> None:
    """A PUT or apply without the allocated values keeps them."""
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("clusterIP", old.get("clusterIP", ""))
    _follow_first(spec, old)
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if name in old:
            spec.setdefault(name, old[name])
    if spec["type"] == "ClusterIP":
        return
    _keep_node_ports(spec, old)
    if old.get("healthCheckNodePort") and spec.get("externalTrafficPolicy") == "Local":
        spec.setdefault("healthCheckNodePort", old["healthCheckNodePort"])


def _follow_first(spec: Json, old: Json) -> None:
    """Who changes `clusterIP` alone means both fields; who leaves `clusterIPs` out means no change."""
    first, before = spec.get("clusterIP"), old.get("clusterIPs")
    if spec.get("clusterIPs") is None and first == old.get("clusterIP") and before:
        spec["clusterIPs"] = before
    elif first != old.get("clusterIP") and spec.get("clusterIPs", before) == before:
        spec["clusterIPs"] = [first] if first else []


def _keep_node_ports(spec: Json, old: Json) -> None:
    """By the port's name, unless another port took it; so an unnamed port keeps its own under another number."""
    held = {port.get("name", ""): port.get("nodePort") for port in old.get("ports", [])}
    used = {port.get("nodePort") for port in spec.get("ports", [])} & set(held.values())
    for port in spec.get("ports", []):
        kept = held.get(port.get("name", ""))
        if kept and not port.get("nodePort") and kept not in used:
            port["nodePort"] = kept
            used.add(kept)
