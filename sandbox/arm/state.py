"""What exists: resource groups and resources as the JSON that ARM shows, children in their parents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.arm.ids import ResourceId, parse, top_level

Json = dict[str, Any]


class Store:
    """Resource groups and top-level resources by lower-cased id. Values are live, not copies."""

    def __init__(self) -> None:
        self._groups: dict[str, Json] = {}
        self._resources: dict[str, Json] = {}

    def groups(self, subscription: str) -> list[Json]:
        """The subscription's resource groups, oldest first."""
        prefix = f"/subscriptions/{subscription}/".lower()
        return [group for key, group in self._groups.items() if key.startswith(prefix)]

    def group(self, subscription: str, name: str) -> Json | None:
        """One resource group."""
        return self._groups.get(str(ResourceId(subscription, name)).lower())

    def save_group(self, group: Json) -> None:
        """Create or replace a resource group."""
        self._groups[group["id"].lower()] = group

    def discard_group(self, group_id: str) -> None:
        """Remove a resource group and everything in it."""
        self._groups.pop(group_id.lower(), None)
        prefix = f"{group_id.lower()}/"
        for key in [key for key in self._resources if key.startswith(prefix)]:
            del self._resources[key]

    def save(self, resource: Json) -> None:
        """Create or replace a top-level resource."""
        self._resources[resource["id"].lower()] = resource

    def discard(self, resource_id: str) -> Json | None:
        """Remove a top-level resource; the removed one, if it was there."""
        return self._resources.pop(resource_id.lower(), None)

    def find(self, resource_id: str) -> Json | None:
        """A top-level resource or a child, by id in any casing."""
        found = self._resources.get(top_level(resource_id))
        parsed = parse(resource_id)
        if found is None or parsed is None or parsed.child is None:
            return None if parsed and parsed.child_type else found
        return child_of(found, parsed.child_type or "", parsed.child)

    def of_type(self, kind: str, subscription: str | None = None, group: str | None = None) -> list[Json]:
        """Resources of a type in a subscription or a resource group, oldest first."""
        scope = str(ResourceId(subscription, group)).lower() + "/" if subscription else ""
        wanted = kind.lower()
        return [
            resource
            for key, resource in self._resources.items()
            if resource["type"].lower() == wanted and key.startswith(scope)
        ]

    def all(self) -> list[Json]:
        """Every top-level resource, oldest first."""
        return list(self._resources.values())

    def dump(self) -> Json:
        """Everything, for the back door."""
        return {"resourceGroups": list(self._groups.values()), "resources": self.all()}


def child_of(resource: Json, collection: str, name: str) -> Json | None:
    """A child by collection and name, in any casing."""
    for child in children(resource, collection):
        if str(child.get("name", "")).lower() == name.lower():
            return child
    return None


def children(resource: Json, collection: str) -> list[Json]:
    """The children of one collection, such as `subnets`."""
    properties = resource["properties"]
    if isinstance(found := properties.get(collection), list):
        return found
    for key, value in properties.items():
        if key.lower() == collection.lower() and isinstance(value, list):
            return value
    return []


def with_child(items: list[Json], child: Json) -> list[Json]:
    """The items with `child` in the place of its namesake, or at the end."""
    names = [str(item["name"]).lower() for item in items]
    if child["name"].lower() not in names:
        return [*items, child]
    at = names.index(child["name"].lower())
    return [*items[:at], child, *items[at + 1 :]]


def own_children(resource: Json) -> Iterator[Json]:
    """All children that live inside `resource` (references to other resources are not)."""
    prefix = resource["id"].lower() + "/"
    for value in resource["properties"].values():
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict) and str(item.get("id", "")).lower().startswith(prefix):
                yield item


def stamp(resource: Json, etag: str, state: str) -> None:
    """Give a resource and its children one etag and one provisioning state."""
    for item in (resource, *own_children(resource)):
        item["etag"] = etag
        item.setdefault("properties", {})["provisioningState"] = state


def references(items: Iterable[Json] | None) -> list[str]:
    """The ids in a list of `{"id": …}`."""
    return [str(item.get("id", "")) for item in items or () if isinstance(item, dict)]
