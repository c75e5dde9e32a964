"""The clusters as people write them (JSON or YAML, camelCase), read into ``ClusterConfig``.

    clusters:
    - name: prod
      mode: sync                      # sync | upsert-only | plan; nobody gets writes by accident
      api: {type: kubeconfig, path: ./prod.kubeconfig, context: prod}
      subscription: 00000000-0000-0000-0000-000000000001
      location: eastus
      loadBalancerResourceGroup: MC_prod
      vnet: {resourceGroup: MC_prod, name: aks-vnet}
      defaultSubnet: default
    - name: shop
      mode: plan
      api: {type: aks, resourceId: /subscriptions/…/managedClusters/shop}  # the places are its resource's
    discover:
    - subscription: 00000000-0000-0000-0000-000000000002
      tag: private-links=on           # AKS clusters with this tag
      mode: sync

Every mistake is listed with its path (``clusters[1].vnet.name: is missing``); nothing is guessed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.arm_ids import parse
from reconciler.cluster_rules import broken_rules
from reconciler.cluster_schema import (
    AksClusterText,
    AksText,
    ClusterText,
    DiscoveryText,
    InClusterText,
    KubeconfigText,
    ServerText,
    SharedText,
    keys_at,
    shape_of,
)
from reconciler.model import STANDARD_PREFIX, ApiAccess, ClusterConfig, ClusterList, Discovery
from reconciler.setting_values import shown, shown_path

_Shape = TypeVar("_Shape", bound=SharedText)
_UNION = ("aks", "kubeconfig", "server", "inCluster")
_SECRET = frozenset({"content", "secret", "tokenSecret"})
_TYPES = "aks, kubeconfig, server or inCluster"
_WANTED = {
    "mode": "; wanted: sync, upsert-only or plan",
    "api": "; wanted: {type: aks, resourceId}, {type: kubeconfig, path | content | secret}, "
    "{type: server, server, scope | tokenFile | tokenSecret} or {type: inCluster}",
}


def read_clusters(value: str) -> ClusterList:
    """CLUSTERS: JSON text, or the path of a JSON or YAML file. Raises ValueError, a line per mistake.

    Relative paths in a file (path, caFile, tokenFile) start at the file's folder. Mistakes in a file name it.
    """
    if value.lstrip().startswith(("[", "{")):
        return parse_clusters(value)
    path = Path(value).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ValueError(
            f"cannot read the file {shown_path(value)}: {reason} (JSON text begins with [ or {{)"
        ) from error
    try:
        found = parse_clusters(text)
    except ValueError as error:
        raise ValueError("\n".join(f"{value}: {line}" for line in str(error).splitlines())) from error
    return replace(found, clusters=tuple(_from_folder(cluster, path.parent) for cluster in found.clusters))


def parse_clusters(text: str) -> ClusterList:
    """The clusters of a JSON or YAML text: a list, or lists under the keys ``clusters`` and ``discover``.

    Raises ValueError with a line per mistake.
    """
    named, sought = _items(_load(text))
    mistakes: list[str] = []
    clusters = [read for index, item in enumerate(named) if (read := _named(index, item, mistakes))]
    discoveries = [found for index, item in enumerate(sought) if (found := _sought(index, item, mistakes))]
    mistakes += broken_rules(named, sought)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return ClusterList(tuple(clusters), tuple(discoveries))


def _load(text: str) -> Any:
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"is not JSON: {error}") from error
    import yaml  # late: JSON needs none of it

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place else ""
        raise ValueError(f"is not YAML{where}: {getattr(error, 'problem', None) or error}") from error


def _items(data: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """The entries of named clusters, and those of clusters to look for."""
    parts = data if isinstance(data, Mapping) else {"clusters": data}
    named, sought = parts.get("clusters", []), parts.get("discover", [])
    known = parts.keys() and parts.keys() <= {"clusters", "discover"}
    if not (known and isinstance(named, list) and isinstance(sought, list)):
        raise ValueError(
            "wanted: a list of clusters, or the key clusters with such a list (and discover with another)"
        )
    if not (named or sought):
        raise ValueError("there is no cluster in it")
    return named, sought


def _named(index: int, item: Any, mistakes: list[str]) -> ClusterConfig | None:
    read = _checked(shape_of(item), f"clusters[{index}]", item, mistakes)
    if read is None:
        return None
    found = parse(read.api.resource_id) if isinstance(read.api, AksText) else None
    return ClusterConfig(
        name=read.name,
        access=_access(read.api),
        subscription=read.subscription or (found.subscription if found else ""),
        location=read.location,
        load_balancer_resource_group=read.load_balancer_resource_group,
        **_shared(read, read.load_balancer_resource_group),
    )


def _sought(index: int, item: Any, mistakes: list[str]) -> Discovery | None:
    read = _checked(DiscoveryText, f"discover[{index}]", item, mistakes)
    if read is None:
        return None
    tag, told, value = read.tag.partition("=")
    defaults = ClusterConfig(
        name="",
        subscription=read.subscription,
        location="",
        load_balancer_resource_group="",
        **_shared(read, ""),
    )
    return Discovery(read.subscription, tag, value if told else None, defaults)


def _shared(read: ClusterText | AksClusterText | DiscoveryText, group: str) -> dict[str, Any]:
    """What is the same for named and for found clusters. ``group`` is that of the load balancers."""
    vnet = read.vnet
    return {
        "cluster_name": read.cluster_name,
        "pls_resource_group": read.pls_resource_group or group,
        "vnet_resource_group": vnet.resource_group if vnet else "",
        "vnet_name": vnet.name if vnet else "",
        "vnet_subscription": vnet.subscription if vnet else "",
        "default_subnet": read.default_subnet,
        "mode": read.mode,
        "pls_prefix": read.pls_prefix,
        "tags": dict(read.tags),
        # The in-tree controller acts on the standard annotations and on no others.
        "in_tree": read.in_tree or ("active" if read.pls_prefix == STANDARD_PREFIX else "absent"),
        "owner_succession": read.owner_succession,
        "settle_seconds": read.settle_seconds,
        "write_back": read.write_back,
    }


def _access(api: AksText | KubeconfigText | ServerText | InClusterText) -> ApiAccess:
    match api:
        case AksText():
            return ApiAccess(aks=api.resource_id)
        case KubeconfigText():
            return ApiAccess(
                kubeconfig=api.path,
                kubeconfig_content=api.content,
                kubeconfig_secret=api.secret,
                context=api.context,
            )
        case ServerText():
            return ApiAccess(**api.model_dump(exclude={"type"}))
    return ApiAccess(in_cluster=True)


def _checked(shape: type[_Shape], where: str, item: Any, mistakes: list[str]) -> _Shape | None:
    """The entry, or None and its mistakes."""
    try:
        return shape.model_validate(item)
    except ValidationError as error:
        details = error.errors(include_url=False)
    old = isinstance(item, Mapping) and "access" in item
    mistakes += [
        _sentence(where, shape, detail)
        for detail in details
        if not (old and detail["type"] == "missing" and detail["loc"] == ("api",))
    ]
    return None


def _sentence(where: str, shape: type[SharedText], detail: ErrorDetails) -> str:
    path = _path(detail["loc"])
    where = ".".join([where, *path])
    match detail["type"]:
        case "missing":
            return f"{where}: is missing{_WANTED.get('.'.join(path), '')}"
        case "extra_forbidden" if path == ["access"]:
            return f"{where}: is now called api and tells its type{_WANTED['api']}"
        case "extra_forbidden":
            near = difflib.get_close_matches(path[-1], keys_at(shape, detail["loc"][:-1]), 1)
            return f"{where}: is not known{f'; did you mean {near[0]}?' if near else ''}"
        case "union_tag_not_found":
            return f"{where}.type: is missing; wanted: {_TYPES}"
        case "union_tag_invalid":
            return f"{where}.type: is {shown(detail['ctx']['tag'])}; wanted: {_TYPES}"
        case "value_error":
            return _by_rule(where, path, detail)
        case "literal_error":
            return f"{where}: is {shown(detail['input'])}; wanted: {detail['ctx']['expected']}"
        case "model_type":
            return f"{where}: {_is(path, detail)}wanted: keys and values"
    reason = detail["msg"].removeprefix("Input should be ")
    return f"{where}: {_is(path, detail)}wanted: {reason}"


def _path(place: tuple[str | int, ...]) -> list[str]:
    """The keys down to a place, as written: the library puts the type of ``api`` between."""
    path = [str(part) for part in place]
    return path[:1] + path[2:] if path[:1] == ["api"] and path[1:2] and path[1] in _UNION else path


def _is(path: Sequence[str], detail: ErrorDetails) -> str:
    """What stands there, unless it is long-winded or somebody wrote a secret where its name belongs."""
    value = detail["input"]
    if not _SECRET.isdisjoint(path) or isinstance(value, list | dict):
        return ""
    return f"is {shown(value)}; "


def _by_rule(where: str, path: Sequence[str], detail: ErrorDetails) -> str:
    """One of our own checks of a value; some begin with what stands there."""
    reason = str(detail["ctx"]["error"])
    return f"{where}: {'' if reason.startswith('is ') else _is(path, detail)}{reason}"


def _from_folder(cluster: ClusterConfig, folder: Path) -> ClusterConfig:
    def resolved(path: str) -> str:
        return str(folder / Path(path).expanduser()) if path else ""

    access = cluster.access
    return replace(
        cluster,
        access=replace(
            access,
            kubeconfig=resolved(access.kubeconfig),
            ca_file=resolved(access.ca_file),
            token_file=resolved(access.token_file),
        ),
    )
