"""What several keys of a cluster, or several clusters, owe each other: checked on the items as written.

So a rule speaks up even where another key is wrong, and one message lists everything. Each mistake begins
with its path; none shows a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.model import CLUSTER_TAG, OWNER_TAG
from reconciler.setting_values import shown

OWN_TAGS = (CLUSTER_TAG, OWNER_TAG)
MOST_TAGS = 50  # of Azure
_WAYS = ("kubeconfig", "kubeconfigContent", "inCluster", "server")
_OF_SERVER = ("caFile", "caData", "tokenFile")


def broken_rules(items: Sequence[Any]) -> Iterator[str]:
    """The mistakes of all clusters, whatever else is wrong with them."""
    clusters = {index: item for index, item in enumerate(items) if isinstance(item, Mapping)}
    for index, item in clusters.items():
        for part, check in (("access", _access), ("tags", _tags)):
            if isinstance(value := item.get(part), Mapping):
                yield from (f"clusters[{index}].{mistake}" for mistake in check(value))
    yield from _same_names(clusters)
    yield from _same_balancers(clusters)


def _access(access: Mapping[Any, Any]) -> Iterator[str]:
    """One way to the API server, and what belongs to it."""
    given = {key for key, value in access.items() if value not in (False, "")}
    ways = given.intersection(_WAYS)
    if len(ways) != 1:
        yield f"access: wanted: one of {', '.join(_WAYS)}; there {'are several' if ways else 'is none'}"
    if "server" in given and "tokenFile" not in given:
        yield "access: server needs tokenFile"
    if {"caFile", "caData"} <= given:
        yield "access: caFile and caData exclude each other"
    if "server" not in given and given.intersection(_OF_SERVER):
        yield "access: caFile, caData and tokenFile belong to server"
    if "context" in given and not given & {"kubeconfig", "kubeconfigContent"}:
        yield "access: context belongs to kubeconfig or kubeconfigContent"


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
    if len(tags) > MOST_TAGS - len(OWN_TAGS):
        yield f"tags: Azure keeps at most {MOST_TAGS}, two of them for the reconciler"


def _same_names(clusters: Mapping[int, Mapping[Any, Any]]) -> Iterator[str]:
    for index, first in _repeated({index: (item.get("name"),) for index, item in clusters.items()}):
        yield f"clusters[{index}].name: is {shown(_bare(clusters[index]['name']))}, as in clusters[{first}]"


def _same_balancers(clusters: Mapping[int, Mapping[Any, Any]]) -> Iterator[str]:
    """Two entries that would take each other's Private Link Services for their own."""
    places = {
        index: (
            item.get("subscription"),
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
