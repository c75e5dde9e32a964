"""Whether the product and the in-tree controller overwrite each other: a judgement over ARM's log. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.up_client import PERSON

Json = dict[str, Any]

PRODUCT = "11111111-1111-1111-1111-111111111111"  # the managed identity of the functions and the command line


@dataclass(frozen=True)
class LinkWrite:
    """One PUT or DELETE of a Private Link Service that ARM accepted. ``who``: product, person, provider."""

    who: str
    method: str
    name: str
    body: Json | None
    time: float


def link_write(request: Json) -> LinkWrite | None:
    """The write that an entry of ARM's log is, None for any other request."""
    kind, _, name = request["path"].rpartition("/")
    if not kind.lower().endswith("/privatelinkservices") or request["method"] not in ("PUT", "DELETE"):
        return None
    if request["status"] is None or request["status"] >= 300:
        return None
    who = {PRODUCT: "product", PERSON: "person"}.get(request["user"], "provider")
    body = json.loads(request["body"]) if request["body"] else None
    return LinkWrite(who, request["method"], name.lower(), body, request["time"])


def essence(body: Json) -> Json:
    """What a PLS body asks for, by the peer's own rule of comparison."""
    has = body["properties"]
    inner = [c["properties"] for c in has.get("ipConfigurations") or []]
    tags = {key.lower(): value for key, value in (body.get("tags") or {}).items()}

    def static(c: Json) -> str:
        return str(c.get("privateIPAddress")) if c.get("privateIPAllocationMethod") == "Static" else ""

    def subscriptions(name: str) -> list[str]:
        return sorted((has.get(name) or {}).get("subscriptions") or [])

    return {
        "owner": tags.get("k8s-azure-owner-service"),
        "cluster": tags.get("k8s-azure-cluster-name"),
        "frontends": [f["id"].lower() for f in has["loadBalancerFrontendIpConfigurations"]],
        "addresses": sorted(static(c) for c in inner),
        "subnets": sorted(c["subnet"]["id"].lower() for c in inner),
        "primary": [static(c) for c in inner if c.get("primary")],
        "fqdns": sorted(has.get("fqdns") or []),
        "proxy": bool(has.get("enableProxyProtocol")),
        "visibility": subscriptions("visibility"),
        "autoApproval": subscriptions("autoApproval"),
    }


def overwrites(writes: Iterable[LinkWrite], touched: Iterable[float]) -> list[tuple[LinkWrite, LinkWrite]]:
    """The PUTs of the one that another PUT of the other changed, although no person asked for anything since.

    ``touched`` are the times at which a person changed a Service or a PLS.
    """
    times = sorted(touched)
    last: dict[str, LinkWrite] = {}
    found = []
    for write in writes:
        before = last.pop(write.name, None)
        if write.body is not None:
            last[write.name] = write
        if before is None or write.body is None or before.body is None:
            continue
        two = {before.who, write.who} == {"product", "provider"}
        asked = any(before.time < t < write.time for t in times)
        if two and not asked and essence(before.body) != essence(write.body):
            found.append((before, write))
    return found
