"""The picture of a cluster, from left to right: load balancers, frontends, Private Link Services, connections. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from reconciler import arm_ids
from reconciler.lenient import mapping, objects, texts
from reconciler.model import Json


def balancers(document: Json) -> tuple[Json, ...]:
    """Load balancers by name, each with its frontends, each with its Private Link Service."""
    links = {arm_ids.key(str(link.get("id", ""))): link for link in objects(document, "privateLinkServices")}
    grouped: dict[str, list[Json]] = defaultdict(list)
    shown: set[str] = set()
    for frontend in objects(document, "frontends"):
        key = arm_ids.key(str(frontend.get("privateLinkService") or ""))
        shown.add(key)
        grouped[str(frontend.get("loadBalancer", ""))].append(_frontend(frontend, links.get(key)))
    for key, link in links.items():
        if key not in shown:
            grouped[""].append(_frontend({"name": ""}, link))
    return tuple({"name": name, "frontends": sorted(grouped[name], key=_order)} for name in sorted(grouped))


def _order(frontend: Json) -> tuple[bool, str]:
    """By the name of the Private Link Service; those without one last."""
    link = frontend["link"] or {}
    return not link, str(link.get("name", ""))


def _frontend(frontend: Json, link: Json | None) -> Json:
    roles: dict[str, list[str]] = defaultdict(list)
    for use in objects(frontend, "services"):
        roles[str(use.get("role"))].append(str(use.get("service", "")))
    refused = list(dict.fromkeys([*roles["refused"], *(texts(link, "refused") if link else ())]))
    connections = [(str(s), n) for s, n in sorted(mapping(link or {}, "connections").items())]
    groups, tone = _groups(link, refused, connections)
    return {
        "name": str(frontend.get("name", "")),
        "link": link,
        "state": str(link.get("state") or "Planned") if link else "None",
        "tone": tone,
        "groups": groups,
        "sharers": list(texts(link, "sharers")) if link else [],
        "natIps": list(texts(link, "natIps")) if link else [],
        "refused": refused,
        "connections": connections,
        "endpoints": [
            (arm_ids.last_name(str(e.get("endpoint", ""))), str(e.get("state", "")))
            for e in objects(link or {}, "endpoints")
        ],
    }


def _groups(link: Json | None, refused: list[str], connections: list[tuple[str, Any]]) -> tuple[str, str]:
    """What the filter finds it under, and the tone of its state."""
    state = str(link.get("state", "")) if link else ""
    pending = ["pending"] if any(name == "Pending" and number for name, number in connections) else []
    bad = not link or state in ("Failed", "Canceled", "Refused") or bool(link.get("lastError"))
    words = ["attention"] if bad or refused else []
    if bad:
        return " ".join([*words, *pending]), "bad"
    busy = state != "Succeeded"
    return " ".join([*words, "progress" if busy else "ready", *pending]), "busy" if busy else "good"
