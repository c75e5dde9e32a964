"""What several keys of a cluster, or several clusters, owe each other: checked on the items as written.

So a rule speaks up even where another key is wrong, and one message lists everything. Each mistake begins
with its path; none shows a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.arm_ids import parse
from reconciler.model import CLUSTER_TAG, OWNER_TAG
from reconciler.setting_values import shown

OWN_TAGS = (CLUSTER_TAG, OWNER_TAG)
MOST_TAGS = 50  # of Azure
_ONE_OF = {
    "kubeconfig": ("path", "content", "secret"),
    "server": ("scope", "tokenFile", "tokenSecret"),
}


def broken_rules(clusters: Sequence[Any], discoveries: Sequence[Any] = ()) -> Iterator[str]:
    """The mistakes of all entries, whatever else is wrong with them."""
    named, sought = _entries(clusters), _entries(discoveries)
    for key, entries in (("clusters", named), ("discover", sought)):
        for index, item in entries.items():
            yield from (f"{key}[{index}].{mistake}" for mistake in _within(item))
    yield from _same_names(named)
    yield from _same_resources(named)
    yield from _same_balancers(named)
    yield from _same_searches(sought)


def _entries(items: Sequence[Any]) -> dict[int, Mapping[Any, Any]]:
    return {index: item for index, item in enumerate(items) if isinstance(item, Mapping)}


def _within(item: Mapping[Any, Any]) -> Iterator[str]:
    for part, check in (("api", _api), ("tags", _tags)):
        if isinstance(value := item.get(part), Mapping):
            yield from check(value)


def _api(api: Mapping[Any, Any]) -> Iterator[str]:
    """Exactly one of the keys that exclude each other."""
    given = {key for key, value in api.items() if value not in (None, "")}
    ways = _ONE_OF.get(_bare(api.get("type")), ())
    if ways and len(given.intersection(ways)) != 1:
        there = "are several" if given.intersection(ways) else "is none"
        yield f"api: wanted: one of {', '.join(ways)}; there {there}"
    if {"caFile", "caData"} <= given:
        yield "api: caFile and caData exclude each other"


def _tags(tags: Mapping[Any, Any]) -> Iterator[str]:
    """What Azure takes, and none of the reconciler's own."""
    for name, value in tags.items():
        where = f"tags.{shown(name)[1:-1]}"
        if str(name).lower() in OWN_TAGS:
            yield f"{where}: is a tag of the reconciler itself"
        if not str(name).strip() or len(str(name)) > 512 or re.search(r"[<>%&\\?/\x00-\x1f]", str(name)):
            yield f"{where}: wanted: at most 512 characters without < > % & \\ ? /"
        if isinstance(value, str) and len(value) > 256:
            yield f"{where}: wanted: at most 256 characters"
    names = list(tags)
    for again, first in _repeated({index: (name,) for index, name in enumerate(names)}):
        where = f"tags.{shown(names[again])[1:-1]}"
        yield f"{where}: is {shown(names[first])} in another case, and Azure keeps one of them"
    if len(tags) > MOST_TAGS - len(OWN_TAGS):
        yield f"tags: Azure keeps at most {MOST_TAGS}, two of them for the reconciler"


def _same_names(clusters: Mapping[int, Mapping[Any, Any]]) -> Iterator[str]:
    for index, first in _repeated({index: (item.get("name"),) for index, item in clusters.items()}):
        yield f"clusters[{index}].name: is {shown(_bare(clusters[index]['name']))}, as in clusters[{first}]"


def _same_resources(clusters: Mapping[int, Mapping[Any, Any]]) -> Iterator[str]:
    """Two entries of one AKS cluster."""
    resources = {index: (_resource(item).rstrip("/"),) for index, item in clusters.items()}
    for index, first in _repeated(resources):
        yield f"clusters[{index}].api.resourceId: is that of clusters[{first}], too; a cluster has one entry"


def _same_balancers(clusters: Mapping[int, Mapping[Any, Any]]) -> Iterator[str]:
    """Two entries that would take each other's Private Link Services for their own.

    What an AKS entry leaves to its resource is not known here.
    """
    places = {
        index: (
            _subscription(item),
            item.get("loadBalancerResourceGroup"),
            item.get("clusterName", "kubernetes"),
        )
        for index, item in clusters.items()
    }
    for index, first in _repeated(places):
        _, group, cluster_name = map(_bare, places[index])
        yield (
            f"clusters[{index}].loadBalancerResourceGroup: is {shown(group)} with clusterName "
            f"{shown(cluster_name)}, as in clusters[{first}]: both would act on the same load balancers"
        )


def _same_searches(discoveries: Mapping[int, Mapping[Any, Any]]) -> Iterator[str]:
    wanted = {index: (item.get("subscription"), item.get("tag")) for index, item in discoveries.items()}
    for index, first in _repeated(wanted):
        yield f"discover[{index}].tag: is {shown(_bare(wanted[index][1]))}, as in discover[{first}]"


def _resource(item: Mapping[Any, Any]) -> str:
    api = item.get("api")
    return _bare(api.get("resourceId")) if isinstance(api, Mapping) and api.get("type") == "aks" else ""


def _subscription(item: Mapping[Any, Any]) -> Any:
    """As written; else an AKS cluster's own."""
    found = parse(_resource(item))
    return item.get("subscription") or (found.subscription if found else "")


def _repeated(keys: Mapping[int, Iterable[Any]]) -> Iterator[tuple[int, int]]:
    """(index, index of the first equal one), without regard to case; incomplete ones equal nothing."""
    seen: dict[tuple[str, ...], int] = {}
    for index, values in keys.items():
        key = tuple(_bare(value).lower() for value in values)
        if all(key) and (first := seen.setdefault(key, index)) != index:
            yield index, first


def _bare(value: Any) -> str:
    """A text without the blanks around it; anything else is empty."""
    return value.strip() if isinstance(value, str) else ""
