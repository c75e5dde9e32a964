"""Edits of a PLS by hand, as documents that ARM takes."""

from __future__ import annotations

import copy
from typing import Any

from tests.simulation.documents import CLUSTER_TAG, OWNER_TAG
from tests.simulation.steps import EditPls

Json = dict[str, Any]


def edited(pls: Json, step: EditPls) -> Json:
    """The PLS as somebody would have it."""
    made = copy.deepcopy(pls)
    properties, tags = made["properties"], dict(made.get("tags") or {})
    match step.edit:
        case "fqdns":
            properties["fqdns"] = ["by-hand"]
        case "proxy":
            properties["enableProxyProtocol"] = not properties.get("enableProxyProtocol")
        case "visibility":
            properties["visibility"] = {"subscriptions": ["*"]}
        case "nat-ips":
            first = properties["ipConfigurations"][0]
            kept = {
                "subnet": first["properties"]["subnet"],
                "privateIPAllocationMethod": "Dynamic",
                "primary": False,
            }
            more = [{"name": f"by-hand-{n}", "properties": kept} for n in range(2)]
            properties["ipConfigurations"] = [first, *more]
        case "owner-gone":
            tags.pop(OWNER_TAG, None)
        case "owner-other":
            tags[OWNER_TAG] = "shop/nobody"
        case "cluster-gone":
            tags.pop(CLUSTER_TAG, None)
        case "foreign-tag":
            tags["team"] = "blue"
    return {**made, "tags": tags}
