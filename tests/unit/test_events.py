"""What an event says, and which clusters it wakes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.events import Event, clusters_woken, read_event, read_events
from reconciler.model import ClusterConfig
from tests.builders import SUBSCRIPTION, configured, network_id

WRITE = "Microsoft.Resources.ResourceWriteSuccess"
DELETE = "Microsoft.Resources.ResourceDeleteSuccess"
FAILED = "Microsoft.Resources.ResourceDeleteFailure"
BALANCER = network_id("loadBalancers", "kubernetes")
LINK = network_id("privateLinkServices", "mine", "links")
CLUSTERS = (
    configured(name="prod", pls_resource_group="links"),
    configured(name="dev", load_balancer_resource_group="MC_dev", pls_resource_group="MC_dev"),
)


def grid(subject: str = BALANCER, kind: str = WRITE, **rest: Any) -> dict[str, Any]:
    """An event in Event Grid's own schema."""
    return {
        "id": "1",
        "topic": f"/subscriptions/{SUBSCRIPTION}",
        "subject": subject,
        "eventType": kind,
        "eventTime": "2026-06-01T12:00:00Z",
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": {"operationName": "Microsoft.Network/loadBalancers/write"},
        **rest,
    }


def cloud(subject: str = BALANCER, kind: str = WRITE) -> dict[str, Any]:
    """The same in the CloudEvents schema."""
    return {
        "specversion": "1.0",
        "id": "1",
        "source": f"/subscriptions/{SUBSCRIPTION}",
        "subject": subject,
        "type": kind,
        "time": "2026-06-01T12:00:00Z",
        "data": {},
    }


def woken(
    subject: str, kind: str = WRITE, holder: str = "", configs: tuple[ClusterConfig, ...] = CLUSTERS
) -> tuple[str, ...]:
    """Which clusters an event wakes, given who the ledger says holds the PLS."""
    return clusters_woken(Event("1", kind, subject), configs, lambda _: holder)


# Reading


@pytest.mark.parametrize("item", [grid(), cloud()], ids=["Event Grid", "CloudEvents"])
def test_both_schemas_say_the_same(item: dict[str, Any]) -> None:
    """Alone or in a list, as text or bytes."""
    said = Event("1", WRITE, BALANCER)
    assert read_event(item) == said
    assert read_events(json.dumps(item)) == (said,)
    assert read_events(json.dumps([item, item]).encode()) == (said, said)


def test_an_empty_list_has_no_events() -> None:
    """Which is no error."""
    assert read_events("[]") == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        b"\xff\xfe\x00",
        "null",
        "7",
        '"text"',
        "{}",
        "[{}]",
        "[[]]",
        "[" * 100_000,
        json.dumps({"specversion": "1.0"}),
        json.dumps({**grid(), "eventType": None}),
        json.dumps({**cloud(), "subject": None}),
        json.dumps({**cloud(), "time": "yesterday"}),
        json.dumps([grid()] * 101),
    ],
)
def test_what_is_no_event_is_a_value_error_with_a_reason(body: bytes | str) -> None:
    """Never another exception: a message that cannot be read is set aside, not retried."""
    with pytest.raises(ValueError, match=r"\w"):
        read_events(body)


def test_a_body_larger_than_any_event_is_refused_unread() -> None:
    """64 kB pass, more than 256 kB do not."""
    assert read_events(json.dumps(grid(data={"x": "y" * 64_000})))
    with pytest.raises(ValueError, match="bytes"):
        read_events(json.dumps(grid(data={"x": "y" * 300_000})))


# Waking


@pytest.mark.parametrize("kind", [WRITE, DELETE, FAILED])
def test_a_load_balancer_wakes_the_cluster_of_its_group(kind: str) -> None:
    """Writes, deletes, and deletes that failed (a PLS may be in the way)."""
    assert woken(BALANCER, kind) == ("prod",)


def test_ids_and_types_have_no_case() -> None:
    """As ARM's events spell them."""
    assert woken(BALANCER.upper(), WRITE.upper()) == ("prod",)
    assert woken(LINK.lower(), DELETE.lower()) == ("prod",)


@pytest.mark.parametrize(
    "kind", ["Microsoft.Resources.ResourceWriteFailure", "Microsoft.Resources.ResourceActionSuccess", "x", ""]
)
def test_other_kinds_of_events_wake_nobody(kind: str) -> None:
    """Least of all what we were refused ourselves."""
    assert woken(BALANCER, kind) == ()
    assert woken(LINK, kind) == ()


def test_a_failed_delete_of_a_pls_wakes_nobody() -> None:
    """Ours has a back-off of its own."""
    assert woken(LINK, FAILED) == ()


@pytest.mark.parametrize("group", ["links", "MC_prod", "LINKS"])
def test_a_pls_in_a_configured_group_wakes_its_cluster(group: str) -> None:
    """That of the PLSs or that of the load balancers."""
    assert woken(network_id("privateLinkServices", "mine", group)) == ("prod",)


def test_a_pls_elsewhere_wakes_the_cluster_that_the_ledger_names() -> None:
    """An annotated group; unless that cluster is configured no longer."""
    elsewhere = network_id("privateLinkServices", "mine", "elsewhere")
    assert woken(elsewhere) == ()
    assert woken(elsewhere, holder="dev") == ("dev",)
    assert woken(elsewhere, holder="gone") == ()
    assert woken(LINK, holder="dev") == ("dev", "prod")


@pytest.mark.parametrize(
    "below",
    ["/privateEndpointConnections/pe.1", "/providers/Microsoft.Resources/tags/default"],
    ids=["connection", "tags"],
)
def test_what_is_below_a_pls_is_about_the_pls(below: str) -> None:
    """A connection that came or went, a tag that was edited: asked of the ledger by the PLS's own id."""
    asked: list[str] = []
    names = clusters_woken(Event("1", WRITE, LINK + below), CLUSTERS, lambda i: asked.append(i) or "")  # type: ignore[func-returns-value]
    assert names == ("prod",)
    assert asked == [LINK]


@pytest.mark.parametrize(
    "subject",
    [
        network_id("virtualNetworks", "aks-vnet"),
        network_id("loadBalancers", "kubernetes", "another"),
        network_id("loadBalancers", "kubernetes", subscription="11111111-0000-0000-0000-000000000001"),
        BALANCER.replace("Microsoft.Network", "Microsoft.Compute"),
        "/subscriptions/x/resourceGroups/MC_prod",
        "",
        "/" * 5000,
    ],
    ids=["network", "group", "subscription", "provider", "group itself", "none", "slashes"],
)
def test_what_is_nobodys_wakes_nobody(subject: str) -> None:
    """Foreign events cost nothing further."""
    assert woken(subject) == ()


def test_two_clusters_of_one_group_are_both_woken_sorted() -> None:
    """They may differ by their cluster tag alone."""
    both = (configured(name="b", cluster_name="b"), configured(name="a", cluster_name="a"))
    assert woken(BALANCER, configs=both) == ("a", "b")
