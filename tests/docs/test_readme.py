"""README's tables and examples say what the code does."""

from __future__ import annotations

import re
from typing import Any

import yaml

from reconciler import arm_ids, reading
from reconciler.claims import read_claim
from reconciler.cluster_settings import parse_clusters
from reconciler.model import STANDARD_PREFIX
from reconciler.plan import PutPls
from tests import builders
from tests.conformance.test_peer_vectors import DEVIATIONS, VECTORS
from tests.docs.pages import PAGES, blocks, first_column, tables, text_of

README = text_of("README.md")
UID = "11111111-2222-3333-4444-555555555555"


def manifest() -> dict[str, Any]:
    """The Service of the first screen."""
    found: dict[str, Any] = yaml.safe_load(blocks(README, "yaml")[0].text)
    return found


def test_the_first_screen_has_six_lines_of_annotations() -> None:
    """It says six."""
    assert len(manifest()["metadata"]["annotations"]) == 6


def test_the_manifest_becomes_what_the_page_says() -> None:
    """The first thing people read is the body that is really written, ids shortened."""
    metadata = {"namespace": "default", "uid": UID, "creationTimestamp": "2026-01-01T00:00:00Z"}
    service = reading.service({**manifest(), "metadata": {**manifest()["metadata"], **metadata}})
    assert service is not None
    claim = read_claim(service, STANDARD_PREFIX, "default")
    assert claim.asks
    assert claim.warnings == ()
    (write,) = builders.decide(service).writes
    assert isinstance(write, PutPls)
    assert arm_ids.last_name(write.pls_id) == "myapp"
    assert shortened(write.body) == yaml.safe_load(blocks(README, "yaml")[1].text)


def shortened(value: Any) -> Any:
    """A body with its ids cut to their last two parts."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return "…/" + "/".join(value.split("/")[-2:]) if str(value).startswith("/subscriptions/") else value


def test_the_clusters_example_is_read() -> None:
    """What people copy first passes the check, and writes nothing."""
    (cluster,) = parse_clusters(blocks(README, "yaml")[2].text).clusters
    assert (cluster.mode, cluster.in_tree) == ("plan", "active")
    assert cluster.access.aks.endswith("/myAKSCluster")


def test_the_scenarios_are_counted() -> None:
    """The number of recorded scenarios, on each page that tells it."""
    told = [n for page in PAGES for n in re.findall(r"(\d+) recorded scenarios", page.read_text())]
    assert len(told) > 1
    assert set(told) == {str(len(VECTORS["scenarios"]))}


def test_each_deviation_has_its_row_and_each_row_its_test() -> None:
    """The table of deviations is the one that the conformance test asserts."""
    page = tables(text_of("docs/decisions/0001-deviations-from-the-in-tree-controller.md"))
    rows = page["Scenario | The in-tree controller | Here | Why"]
    assert sorted(first_column(rows)) == sorted(DEVIATIONS)
