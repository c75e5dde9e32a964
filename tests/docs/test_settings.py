"""docs/reference/settings.md: settings, a cluster's keys and the ways to its API are the code's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from reconciler.cluster_schema import (
    AksClusterText,
    AksText,
    ClusterText,
    DiscoveryText,
    InClusterText,
    KubeconfigText,
    ServerText,
    VnetText,
)
from reconciler.cluster_settings import parse_clusters
from reconciler.setting_table import SETTINGS
from tests.docs.pages import blocks, tables, text_of

PAGE = text_of("docs/reference/settings.md")
TABLES = tables(PAGE)
NONE = "\N{EN DASH}"


def test_the_cluster_example_is_read() -> None:
    """What people copy first passes the check, and writes nothing."""
    (cluster,) = parse_clusters(blocks(PAGE, "yaml")[0].text).clusters
    assert (cluster.mode, cluster.in_tree, cluster.tags) == ("plan", "active", {"team": "network"})


def test_settings_are_the_codes_own() -> None:
    """Name, default and meaning, in the code's order."""
    expected = [(s.name, s.default or NONE, s.meaning) for s in SETTINGS]
    assert TABLES["Setting | Default | Meaning"] == expected


def cluster_keys() -> Iterator[tuple[str, bool, Any]]:
    """(key, required, default) of a cluster's entry."""
    for prefix, part in (("", ClusterText), ("vnet.", VnetText)):
        for name, field in part.model_fields.items():
            yield f"{prefix}{field.alias or name}", field.is_required(), field.default


def test_cluster_keys_are_the_codes_own() -> None:
    """Every key, whether it is required, and its default where it is a plain value."""
    rows = {row[0]: row[1] for row in TABLES["Key | Default | Meaning"]}
    assert set(rows) == {key for key, _, _ in cluster_keys()}
    for key, required, default in cluster_keys():
        assert (rows[key] == "required") == required, key
        if default and isinstance(default, str | int):
            assert rows[key] == str(default), key


WAYS: dict[str, type[BaseModel]] = {
    "aks": AksText,
    "kubeconfig": KubeconfigText,
    "server": ServerText,
    "inCluster": InClusterText,
}


def test_the_ways_to_a_cluster_are_the_codes_own() -> None:
    """Every key of every type of ``api``, and whether it is required."""
    told = {
        (row[0], row[1]): row[2] == "required" for row in TABLES["Type | Key | Default | Meaning"] if row[1]
    }
    assert told == {
        (kind, field.alias): field.is_required()
        for kind, part in WAYS.items()
        for field in part.model_fields.values()
        if field.alias != "type"
    }
    assert {row[0] for row in TABLES["Type | Key | Default | Meaning"]} == set(WAYS)


def test_what_an_aks_cluster_may_leave_out_is_told() -> None:
    """Every key that other clusters need and an AKS cluster does not."""
    row = next(row for row in TABLES["Type | Key | Default | Meaning"] if row[0] == "aks")
    left = {
        field.alias
        for name, field in AksClusterText.model_fields.items()
        if not field.is_required() and ClusterText.model_fields[name].is_required()
    }
    assert left <= set(re.findall(r"\w+", row[3]))


def test_the_example_of_a_search_is_read_and_its_keys_are_told() -> None:
    """Every key that an entry of ``discover`` takes, none else."""
    (found,) = parse_clusters(blocks(PAGE, "yaml")[1].text).discoveries
    assert (found.tag, found.value, found.defaults.mode) == ("private-links", "on", "plan")
    told = PAGE.partition("Beside `subscription` and `tag`, an entry takes")[2].partition("\n\n")[0]
    keys = {field.alias for field in DiscoveryText.model_fields.values()}
    assert set(re.findall(r"`(\w+)`", told)) == keys - {"subscription", "tag"}
