"""What a world has come to: Azure, ledgers and plan, without what differs between two runs of the same story.

Left out are times, ids and addresses that are given out, and counts of attempts; of hashes only whether there is
one. Names and Service UIDs of one life are replaced by what they stand for.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.up_client import PERSON
from tests.chaos import heard
from tests.chaos.world import CLUSTER, World

Json = dict[str, Any]

_GIVEN_OUT = {
    "etag",
    "alias",
    "resourceGuid",
    "linkIdentifier",
    "privateIPAddress",
    "privateEndpointLocation",
}
_PRESENCE = {"writtenHash", "claimHash", "resourceGuid", "alias"}
# Times and attempts; NAT addresses are given out in the order of arrival.
_DIFFERENT = {"writtenAt", "writtenCount", "attempts", "notBefore", "natIps"}
_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
SUBNETS = ("pls-subnet",)


def snapshot(world: World, words: Mapping[str, str]) -> Json:
    """Private Link Services, subnet policies, ledger rows, what Services and pipelines are told, plan.

    ``words`` are replaced in all texts.
    """
    plan = world.plan()
    seen = {
        "privateLinkServices": sorted(_links(world), key=lambda link: str(link["id"])),
        "policies": {name: _policy(world, name) for name in SUBNETS},
        "ownership": _rows(world, "ownership"),
        "sharing": _rows(world, "sharing"),
        "told": _conditions(world),
        "heard": _heard(world),
        "plan": {"complete": plan["complete"], "writes": plan["writes"], "findings": _reasons(plan)},
    }
    document: Json = readable(seen, words)
    return document


def readable(document: Any, words: Mapping[str, str]) -> Any:
    """The same with all words replaced; ids that nobody named become ``{id}``."""
    text = json.dumps(document, sort_keys=True)
    for word, instead in words.items():
        text = text.replace(word, instead)
    return json.loads(_ID.sub("{id}", text))


def bodies(world: World, words: Mapping[str, str]) -> dict[str, list[str]]:
    """What the product has PUT, by id, since ARM's log was cleared: each content once, sorted."""
    found: dict[str, set[str]] = {}
    for request in world.users.requests():
        if request["method"] == "PUT" and request["status"] in (200, 201) and _by_product(request):
            document = readable(json.loads(request["body"]), words)
            path = str(readable(request["path"], words)).lower()
            found.setdefault(path, set()).add(json.dumps(_plain(document), sort_keys=True))
    return {path: sorted(contents) for path, contents in found.items()}


def _by_product(request: Json) -> bool:
    """The provider writes neither subnets nor Private Link Services."""
    ours = "/subnets/" in request["path"] or "/privateLinkServices/" in request["path"]
    return ours and request["user"] != PERSON


def _links(world: World) -> Iterable[Json]:
    state = world.users.expect(world.sandbox.arm_backdoor("GET", "state"), 200)
    for resource in state["resources"]:
        if resource["type"].lower() == "microsoft.network/privatelinkservices":
            yield _plain(resource)


def _plain(value: Any) -> Any:
    """Without what is given out by the service."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in _GIVEN_OUT}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _policy(world: World, subnet: str) -> str:
    found = world.users.expect(world.sandbox.arm("GET", world.subnet(subnet)), 200)
    return str(found["properties"].get("privateLinkServiceNetworkPolicies"))


def _rows(world: World, table: str) -> list[Json]:
    """The rows of a table, sorted by key: the ledger's own and, in `ownership`, the reservations."""
    with world.users.tables() as tables:
        return [
            {key: _cell(key, value) for key, value in entity.items() if key not in _DIFFERENT}
            for entity in tables.get_table_client(table).list_entities()
            if entity["PartitionKey"] != "|schema"
        ]


def _cell(key: str, value: Any) -> Any:
    return bool(value) if key in _PRESENCE else value


def _conditions(world: World) -> list[list[str]]:
    """What each Service is told in its status."""
    path = "/api/v1/services?fieldSelector=spec.type%3DLoadBalancer"
    services = world.users.expect(world.sandbox.cluster(CLUSTER, "GET", path), 200)["items"]
    return sorted(
        [service["metadata"]["name"], condition["status"], condition["reason"]]
        for service in services
        for condition in service.get("status", {}).get("conditions", ())
    )


def _heard(world: World) -> Json:
    """What pipelines were told last; but for Services that are gone, since a run may see two go at once or one by one."""
    there = {f"default/{service['metadata']['name']}" for service in world.users.services(CLUSTER)}
    told = heard.in_the_end(world.events())
    return {about: what for about, what in told.items() if about in there or about.startswith("/")}


def doubles(world: World, heard_before: int) -> tuple[str, ...]:
    """News that was published twice under different ids, since so many events and ARM's log was cleared."""
    writes = Counter(r["path"].lower() for r in world.users.requests() if r["method"] in ("PUT", "DELETE"))
    return tuple(heard.hidden_doubles(world.events()[heard_before:], writes))


def _reasons(plan: Json) -> list[list[str]]:
    return sorted([f["reason"], f["service"]] for f in plan["findings"])
