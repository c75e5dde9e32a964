"""The event filters against what wakes a cluster: every event that is let through does, and every kind that does is let through."""

import itertools
from typing import Any

import pytest

from reconciler.events import Event, clusters_woken
from tests.builders import CONFIG as CLUSTER
from tests.infra.bicep import INFRA, bicep, default_of, literal, variable

EVENTS = INFRA / "modules/events.bicep"
MAIN = INFRA / "main.bicep"
GROUP = (
    f"/subscriptions/{CLUSTER.subscription}/resourceGroups/{CLUSTER.load_balancer_resource_group}/providers"
)
LB = f"{GROUP}/Microsoft.Network/loadBalancers/kubernetes"
PLS = f"{GROUP}/Microsoft.Network/privateLinkServices/pls"
NIC = f"{GROUP}/Microsoft.Network/networkInterfaces/nic"
TAGS = "/providers/Microsoft.Resources/tags/default"
NETWORK = "Microsoft.Network"
# What Azure Resource Manager sends: the operation, and the resource that the subject names.
OPERATIONS = {
    f"{NETWORK}/loadBalancers/write": LB,
    f"{NETWORK}/loadBalancers/delete": LB,
    f"{NETWORK}/privateLinkServices/write": PLS,
    f"{NETWORK}/privateLinkServices/delete": PLS,
    f"{NETWORK}/privateLinkServices/privateEndpointConnections/write": f"{PLS}/privateEndpointConnections/pe.1",
    f"{NETWORK}/privateLinkServices/privateEndpointConnections/delete": f"{PLS}/privateEndpointConnections/pe.1",
    "Microsoft.Resources/tags/write": f"{PLS}{TAGS}",
    "Microsoft.Resources/tags/delete": f"{PLS}{TAGS}",
    f"{NETWORK}/networkInterfaces/write": NIC,
    f"{NETWORK}/networkInterfaces/delete": NIC,
}
ELSEWHERE = {
    "Microsoft.Resources/tags/write": f"{NIC}{TAGS}",
    "Microsoft.Resources/tags/delete": f"{NIC}{TAGS}",
}
VERBS = {"write": "Write", "delete": "Delete"}
OUTCOMES = ("Success", "Failure", "Cancel")


def sent() -> list[tuple[str, str, str]]:
    """All events: type, operation, subject."""
    both = [*OPERATIONS.items(), *ELSEWHERE.items()]
    return [
        (f"Microsoft.Resources.Resource{VERBS[operation.rsplit('/', 1)[1]]}{outcome}", operation, subject)
        for (operation, subject), outcome in itertools.product(both, OUTCOMES)
    ]


def let_through(kind: str, operation: str, subject: str) -> bool:
    """As Event Grid decides: filters and, values or, without regard to case."""
    subscriptions: list[dict[str, Any]] = variable(EVENTS, "subscriptions")
    return any(
        kind in item["eventTypes"]
        and operation.lower() in [value.lower() for value in item["operations"]]
        and any(part.lower() in subject.lower() for part in item["subjects"])
        for item in subscriptions
    )


def wakes(kind: str, subject: str) -> bool:
    return bool(clusters_woken(Event("1", kind, subject), [CLUSTER], lambda pls_id: ""))


@pytest.mark.parametrize(("kind", "operation", "subject"), sent(), ids=lambda part: part.rsplit("/", 1)[-1])
def test_an_event_is_delivered_just_when_it_wakes_a_cluster(kind: str, operation: str, subject: str) -> None:
    """A filter that is too narrow costs minutes each time; one too wide, a function's run for nothing."""
    assert let_through(kind, operation, subject) == wakes(kind, subject)


def test_the_filter_names_nothing_that_is_never_sent() -> None:
    """A misspelt operation matches nothing, and nobody would notice but by waiting."""
    named = {operation for item in variable(EVENTS, "subscriptions") for operation in item["operations"]}
    assert named <= set(OPERATIONS)
    kinds = {kind for item in variable(EVENTS, "subscriptions") for kind in item["eventTypes"]}
    assert kinds <= {kind for kind, _, _ in sent()}


def test_filters_stay_within_the_limits() -> None:
    """25 values in all filters of a subscription."""
    for item in variable(EVENTS, "subscriptions"):
        assert len(item["operations"]) + len(item["subjects"]) <= 25


def test_delivery_and_dead_letters_use_the_topics_identity() -> None:
    """A destination outside of `deliveryWithResourceIdentity` would ask for the account's key."""
    told = bicep(EVENTS).all("resource")["eventSubscriptions"].properties("properties")
    assert set(told) == {
        "eventDeliverySchema",
        "deliveryWithResourceIdentity",
        "deadLetterWithResourceIdentity",
        "filter",
        "retryPolicy",
    }
    delivery = literal(told["deliveryWithResourceIdentity"])
    assert delivery["identity"] == {"type": "SystemAssigned"}
    assert delivery["destination"]["endpointType"] == "StorageQueue"
    letters = literal(told["deadLetterWithResourceIdentity"])
    assert letters["deadLetterDestination"]["endpointType"] == "StorageBlob"
    filters = literal(told["filter"])
    assert filters["includedEventTypes"] == "item.eventTypes"
    assert [(f["operatorType"], f["key"], f["values"]) for f in filters["advancedFilters"]] == [
        ("StringIn", "data.operationName", "item.operations"),
        ("StringContains", "subject", "item.subjects"),
    ]
    assert literal(told["retryPolicy"]) == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}


def test_nothing_is_subscribed_before_it_may_be_delivered() -> None:
    """Event Grid tries the queue when the subscription is made, and refuses where the role is missing."""
    subscriptions = bicep(EVENTS).all("resource")["eventSubscriptions"].properties()
    assert literal(subscriptions["dependsOn"]) == ["roles"]
    assert literal(bicep(EVENTS).all("module")["roles"].properties()["dependsOn"]) == ["created"]


def test_each_subscription_has_its_topic() -> None:
    """By default the one deployed to; a topic that exists is used."""
    assert default_of(MAIN, "eventSources") == []
    source = MAIN.read_text()
    assert source.count("(empty(eventSources) ? [ownEventSource] : eventSources)") == 2
    created = bicep(EVENTS).all("resource")["created"].node
    assert b"= if (empty(existingSystemTopicName))" in (created.text or b"")
