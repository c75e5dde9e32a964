"""Server-side tables: the columns `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.resources import EVENTS, NAMESPACES, SERVICES, Resource

Json = dict[str, Any]
NONE = "<none>"


@dataclass(frozen=True)
class Column:
    """One column; priority 1 shows with `-o wide` only."""

    name: str
    cell: Callable[[Json, datetime], Any]
    priority: int = 0
    format: str = ""


def table(resource: Resource, items: list[Json], metadata: Json, now: datetime, include: str) -> Json:
    """A Table of objects; `include` is None, Metadata or Object."""
    columns = _COLUMNS.get(resource.plural, _PLAIN)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": column.name,
                "type": "string",
                "format": column.format,
                "description": "",
                "priority": column.priority,
            }
            for column in columns
        ],
        "rows": [
            {
                "cells": [column.cell(item, now) for column in columns],
                **_row_object(resource, item, include),
            }
            for item in items
        ],
    }


def partial_metadata(item: Json) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"],
    }


def _row_object(resource: Resource, item: Json, include: str) -> Json:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": {"kind": resource.kind, "apiVersion": resource.api_version, **item}}
    return {"object": partial_metadata(item)}


def human_duration(seconds: float) -> str:
    """As kubectl shortens ages: 119s, 2m5s, 59m, 3h12m, 2d4h, 12d."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y"


def _since(text: str | None, now: datetime) -> str:
    if not text:
        return "<unknown>"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return "<invalid>"
    return human_duration((now - moment.astimezone(UTC)).total_seconds())


def _age(item: Json, now: datetime) -> str:
    return _since(item["metadata"].get("creationTimestamp"), now)


def _name(item: Json, _: datetime) -> str:
    return str(item["metadata"].get("name", ""))


def _spec(item: Json) -> Json:
    spec = item.get("spec")
    return spec if isinstance(spec, dict) else {}


def _external_ip(item: Json, _: datetime) -> str:
    spec = _spec(item)
    external = [str(ip) for ip in spec.get("externalIPs", [])]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    if spec.get("type") != "LoadBalancer":
        return ",".join(external) or NONE
    ingress = item.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    addresses = [str(row.get("ip") or row.get("hostname")) for row in ingress]
    return ",".join(addresses + external) or "<pending>"


def _port(port: Json) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol')}"


def _service_ports(item: Json, _: datetime) -> str:
    return ",".join(_port(port) for port in _spec(item).get("ports") or []) or NONE


def _selector(item: Json, _: datetime) -> str:
    pairs = _spec(item).get("selector") or {}
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) or NONE


def _field(*path: str, default: str = "") -> Callable[[Json, datetime], str]:
    def cell(item: Json, _: datetime) -> str:
        value: Any = item
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return default if value in (None, "") else str(value)

    return cell


def _last_seen(item: Json, now: datetime) -> str:
    times = (item.get(name) for name in ("lastTimestamp", "eventTime", "firstTimestamp"))
    return _since(next(filter(None, times), None) or item["metadata"].get("creationTimestamp"), now)


def _involved(item: Json, _: datetime) -> str:
    involved = item.get("involvedObject", {})
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _event_source(item: Json, _: datetime) -> str:
    return str(item.get("source", {}).get("component") or item.get("reportingComponent", ""))


def _count(name: str) -> Callable[[Json, datetime], str]:
    return lambda item, _: str(len(item.get(name) or {}))


def _replicas(name: str) -> Callable[[Json, datetime], str]:
    return lambda item, _: str((item.get("status") or {}).get(name, 0))


def _ready_replicas(item: Json, now: datetime) -> str:
    return f"{_replicas('readyReplicas')(item, now)}/{_spec(item).get('replicas', 1)}"


def _ready_containers(item: Json, _: datetime) -> str:
    statuses = (item.get("status") or {}).get("containerStatuses") or []
    ready = sum(1 for status in statuses if status.get("ready"))
    return f"{ready}/{len(_spec(item).get('containers') or [])}"


def _restarts(item: Json, _: datetime) -> str:
    statuses = (item.get("status") or {}).get("containerStatuses") or []
    return str(sum(status.get("restartCount", 0) for status in statuses))


def _node_status(item: Json, _: datetime) -> str:
    conditions = (item.get("status") or {}).get("conditions") or []
    ready = next((row.get("status") for row in conditions if row.get("type") == "Ready"), "")
    known = {"True": "Ready", "False": "NotReady"}.get(str(ready), "Unknown")
    return f"{known},SchedulingDisabled" if _spec(item).get("unschedulable") else known


def _endpoints(item: Json, _: datetime) -> str:
    """At most three, as the real server shows them."""
    found = [
        f"{address.get('ip')}:{port.get('port')}"
        for subset in item.get("subsets") or []
        for address in subset.get("addresses") or []
        for port in subset.get("ports") or [{}]
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or NONE


NAME = Column("Name", _name, format="name")
AGE = Column("Age", _age)
_PLAIN = (NAME, AGE)
_COLUMNS = {
    SERVICES.plural: (
        NAME,
        Column("Type", _field("spec", "type")),
        Column("Cluster-IP", _field("spec", "clusterIP", default=NONE)),
        Column("External-IP", _external_ip),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _selector, 1),
    ),
    NAMESPACES.plural: (NAME, Column("Status", _field("status", "phase")), AGE),
    "configmaps": (NAME, Column("Data", _count("data")), AGE),
    "deployments": (
        NAME,
        Column("Ready", _ready_replicas),
        Column("Up-to-date", _replicas("updatedReplicas")),
        Column("Available", _replicas("availableReplicas")),
        AGE,
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "leases": (NAME, Column("Holder", _field("spec", "holderIdentity")), AGE),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", lambda *_: NONE),
        AGE,
        Column("Version", _field("status", "nodeInfo", "kubeletVersion")),
    ),
    "pods": (
        NAME,
        Column("Ready", _ready_containers),
        Column("Status", _field("status", "phase", default="Pending")),
        Column("Restarts", _restarts),
        AGE,
    ),
    EVENTS.plural: (
        Column("Last Seen", _last_seen),
        Column("Type", _field("type")),
        Column("Reason", _field("reason")),
        Column("Object", _involved),
        Column("Subobject", _field("involvedObject", "fieldPath"), 1),
        Column("Source", _event_source, 1),
        Column("Message", _field("message")),
        Column("First Seen", lambda item, now: _since(item.get("firstTimestamp"), now), 1),
        Column("Count", _field("count", default="1"), 1),
        Column("Name", _name, 1, "name"),
    ),
}
