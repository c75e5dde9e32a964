"""The clusters as people write them (JSON or YAML, camelCase), read into ``ClusterConfig``.

    clusters:
    - name: prod
      mode: sync                      # sync | upsert-only | plan; nobody gets writes by accident
      access: {kubeconfig: ./prod.kubeconfig, context: prod}
      subscription: 00000000-0000-0000-0000-000000000001
      location: eastus
      loadBalancerResourceGroup: MC_prod
      vnet: {resourceGroup: MC_prod, name: aks-vnet}
      defaultSubnet: default

Every mistake is listed with its path (``clusters[1].vnet.name: is missing``); nothing is guessed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.cluster_rules import broken_rules
from reconciler.cluster_schema import ClusterText, keys_at
from reconciler.model import STANDARD_PREFIX, ApiAccess, ClusterConfig
from reconciler.setting_values import shown, shown_path

_MODES = "sync, upsert-only or plan"


def read_clusters(value: str) -> tuple[ClusterConfig, ...]:
    """CLUSTERS: JSON text, or the path of a JSON or YAML file. Raises ValueError, a line per mistake.

    Relative paths in a file (kubeconfig, caFile, tokenFile) start at the file's folder. Mistakes in a file name it.
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
        clusters = parse_clusters(text)
    except ValueError as error:
        raise ValueError("\n".join(f"{value}: {line}" for line in str(error).splitlines())) from error
    return tuple(_from_folder(cluster, path.parent) for cluster in clusters)


def parse_clusters(text: str) -> tuple[ClusterConfig, ...]:
    """The clusters of a JSON or YAML text: a list, or a list under the key ``clusters``.

    Raises ValueError with a line per mistake.
    """
    items = _items(_load(text))
    mistakes: list[str] = []
    clusters: list[ClusterConfig] = []
    for index, item in enumerate(items):
        try:
            clusters.append(_config(ClusterText.model_validate(item)))
        except ValidationError as error:
            mistakes += [_sentence(index, detail) for detail in error.errors(include_url=False)]
    mistakes += broken_rules(items)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return tuple(clusters)


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


def _items(data: Any) -> Sequence[Any]:
    if isinstance(data, Mapping) and set(data) == {"clusters"}:
        data = data["clusters"]
    if not isinstance(data, list):
        raise ValueError("wanted: a list of clusters, or the one key clusters with such a list")
    if not data:
        raise ValueError("there is no cluster in it")
    return data


def _config(read: ClusterText) -> ClusterConfig:
    access = ApiAccess(**read.access.model_dump())
    return ClusterConfig(
        name=read.name,
        cluster_name=read.cluster_name,
        subscription=read.subscription,
        location=read.location,
        load_balancer_resource_group=read.load_balancer_resource_group,
        pls_resource_group=read.pls_resource_group or read.load_balancer_resource_group,
        vnet_resource_group=read.vnet.resource_group,
        vnet_name=read.vnet.name,
        vnet_subscription=read.vnet.subscription,
        default_subnet=read.default_subnet,
        mode=read.mode,
        access=access,
        pls_prefix=read.pls_prefix,
        tags=dict(read.tags),
        # The in-tree controller acts on the standard annotations and on no others.
        in_tree=read.in_tree or ("active" if read.pls_prefix == STANDARD_PREFIX else "absent"),
        owner_succession=read.owner_succession,
        settle_seconds=read.settle_seconds,
    )


def _sentence(index: int, detail: ErrorDetails) -> str:
    path = [str(part) for part in detail["loc"]]
    where = ".".join([f"clusters[{index}]", *path])
    match detail["type"]:
        case "missing":
            wanted = f"; wanted: {_MODES}" if path == ["mode"] else ""
            return f"{where}: is missing{wanted}"
        case "extra_forbidden":
            near = difflib.get_close_matches(path[-1], keys_at(detail["loc"][:-1]), 1)
            return f"{where}: is not known{f'; did you mean {near[0]}?' if near else ''}"
        case "value_error":
            return _by_rule(where, detail)
        case "literal_error":
            return f"{where}: is {shown(detail['input'])}; wanted: {detail['ctx']['expected']}"
        case "model_type":
            return f"{where}: {_is(path, detail)}wanted: keys and values"
    reason = detail["msg"].removeprefix("Input should be ")
    return f"{where}: {_is(path, detail)}wanted: {reason}"


def _is(path: Sequence[str], detail: ErrorDetails) -> str:
    """What stands there, unless it is long-winded or may be a kubeconfig, which holds credentials."""
    value = detail["input"]
    if path in (["access"], ["access", "kubeconfigContent"]) or isinstance(value, list | dict):
        return ""
    return f"is {shown(value)}; "


def _by_rule(where: str, detail: ErrorDetails) -> str:
    """One of our own checks of a value; some begin with what stands there."""
    reason = str(detail["ctx"]["error"])
    told = reason if reason.startswith("is ") else f"is {shown(detail['input'])}; {reason}"
    return f"{where}: {told}"


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
