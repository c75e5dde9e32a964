"""Back doors under /_sandbox/: faults of every kind, raw edits, logs; and that they are what they say."""

import json
from collections.abc import Iterator

import pytest
import requests

from tests.sandbox.arm_support import (
    BALANCER,
    GROUP,
    NETWORK,
    SUBSCRIPTION,
    VNET,
    Arm,
    Json,
    load_balancer,
    private_link_service,
    running_arm,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture
def arm() -> Iterator[Arm]:
    """A simulated ARM of its own."""
    with running_arm() as found:
        yield found


def inject(arm: Arm, **fault: object) -> None:
    """Add a fault."""
    assert arm.call("POST", "/_sandbox/faults", fault).status_code == 201


def test_an_answer_fault_replies_instead_of_acting_as_often_as_asked(arm: Arm) -> None:
    """Status, code and headers reach the client; the world stays as it was; other calls are untouched."""
    headers = {"Retry-After": "7"}
    inject(arm, method="put", path="/loadbalancers/", times=2, status=429, code="Slow", headers=headers)
    for _ in range(2):
        answer = arm.call("PUT", BALANCER, load_balancer("a1"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert answer.json()["error"]["code"] == "Slow"
        assert arm.call("GET", BALANCER).status_code == 404
    assert arm.call("PUT", BALANCER, load_balancer("a1")).status_code == 201
    assert arm.call("GET", "/_sandbox/faults").json() == {"value": []}


def test_faults_last_until_cleared_when_times_is_null(arm: Arm) -> None:
    """An outage has no number."""
    inject(arm, path="virtualNetworks", times=None, status=503)
    assert [arm.call("GET", VNET).status_code for _ in range(3)] == [503] * 3
    assert arm.call("DELETE", "/_sandbox/faults").status_code == 204
    assert arm.call("GET", VNET).status_code == 200


@pytest.mark.parametrize(("mode", "happened"), [("reset-before", 404), ("reset-after", 200)])
def test_a_dropped_connection_may_or_may_not_have_acted(arm: Arm, mode: str, happened: int) -> None:
    """The two outcomes that a client cannot tell apart."""
    inject(arm, method="PUT", path="loadBalancers", mode=mode)
    with pytest.raises(requests.ConnectionError):
        arm.call("PUT", BALANCER, load_balancer("a1"))
    assert arm.call("GET", BALANCER).status_code == happened


def test_a_truncated_answer_breaks_off_in_the_middle(arm: Arm) -> None:
    """Half a list must never be taken for a list."""
    inject(arm, path="virtualNetworks$", mode="truncate")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        arm.call("GET", f"{NETWORK}/virtualNetworks")
    assert len(arm.get(f"{NETWORK}/virtualNetworks")["value"]) == 1


@pytest.mark.parametrize(("mode", "status"), [("async-failed", "Failed"), ("async-canceled", "Canceled")])
def test_an_operation_can_end_badly_and_leaves_a_failed_resource(arm: Arm, mode: str, status: str) -> None:
    """The PUT was accepted; the code stands in the operation only. Writing it again repairs it."""
    arm.open_subnet()
    [frontend] = arm.frontends("a1")
    pls = f"{NETWORK}/privateLinkServices/pls1"
    inject(arm, method="PUT", path="privateLinkServices", mode=mode, code="RetryableError", message="again")
    ended = arm.done(arm.call("PUT", pls, private_link_service(frontend)))
    assert ended == {
        "status": status,
        "error": {"code": "RetryableError", "message": "again", "details": []},
    }
    assert arm.get(pls)["properties"]["provisioningState"] == "Failed"
    repaired = arm.put(pls, private_link_service(frontend))
    assert repaired["properties"]["provisioningState"] == "Succeeded"


def test_a_delete_that_fails_leaves_the_resource(arm: Arm) -> None:
    """Not everything that answered 202 is gone."""
    pls = arm.service()
    inject(arm, method="DELETE", path="privateLinkServices", mode="async-failed", code="InternalServerError")
    assert arm.done(arm.call("DELETE", pls))["status"] == "Failed"
    assert arm.get(pls)["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize(
    "fault", [{"mode": "nonsense"}, {"path": "("}, {"unknown": 1}], ids=["mode", "pattern", "key"]
)
def test_a_fault_that_makes_no_sense_is_refused(arm: Arm, fault: Json) -> None:
    """A tester's typo must not pass as a fault that never hits."""
    assert arm.call("POST", "/_sandbox/faults", fault).status_code == 400


def test_a_frontend_can_vanish_under_its_pls(arm: Arm) -> None:
    """What ARM would refuse: the orphan that the reconciler has to collect."""
    arm.open_subnet()
    body = load_balancer("a1", "a2")
    frontend, other = (f"{BALANCER}/frontendIPConfigurations/{name}" for name in ("a1", "a2"))
    body["properties"]["loadBalancingRules"] = [
        {"name": "r1", "properties": {"frontendIPConfiguration": {"id": frontend}}},
        {"name": "r2", "properties": {"frontendIPConfiguration": {"id": other}}},
    ]
    arm.put(BALANCER, body)
    pls = f"{NETWORK}/privateLinkServices/pls1"
    arm.put(pls, private_link_service(frontend))
    etag = arm.get(BALANCER)["etag"]
    assert arm.call("POST", "/_sandbox/remove-frontend", {"id": frontend.upper()}).status_code == 204
    left = arm.get(BALANCER)
    assert [item["name"] for item in left["properties"]["frontendIPConfigurations"]] == ["a2"]
    assert [item["name"] for item in left["properties"]["loadBalancingRules"]] == ["r2"]
    assert left["etag"] != etag
    assert arm.get(pls)["properties"]["loadBalancerFrontendIpConfigurations"] == [{"id": frontend}]
    arm.delete(pls)


def test_any_resource_can_be_edited_raw(arm: Arm) -> None:
    """Merge, replace and remove, past every rule and without an event."""
    pls = arm.service()
    query = f"/_sandbox/resources?id={pls}"
    arm.call("PATCH", query, {"properties": {"provisioningState": "Updating", "fqdns": None}})
    shown = arm.get(pls)
    assert shown["properties"]["provisioningState"] == "Updating"
    assert "fqdns" not in shown["properties"]
    told = len(arm.call("GET", "/_sandbox/events").json()["value"])
    arm.call("PUT", "/_sandbox/resources", {**shown, "tags": {"raw": "1"}})
    assert arm.get(pls)["tags"] == {"raw": "1"}
    assert arm.call("DELETE", query).status_code == 204
    assert arm.call("GET", pls).status_code == 404
    assert arm.call("DELETE", query).status_code == 404
    assert len(arm.call("GET", "/_sandbox/events").json()["value"]) == told


def test_the_log_tells_what_was_asked_and_answered(arm: Arm) -> None:
    """Scenario tests count writes in it."""
    arm.call("DELETE", "/_sandbox/requests")
    inject(arm, path="virtualNetworks", mode="reset-before")
    with pytest.raises(requests.ConnectionError):
        arm.call("GET", VNET)
    arm.call("GET", VNET)
    arm.call("GET", f"{VNET}/subnets/x")
    log = arm.call("GET", "/_sandbox/requests").json()["value"]
    asked = [(item["method"], item["path"], item["status"]) for item in log]
    assert asked == [("GET", VNET, None), ("GET", VNET, 200), ("GET", f"{VNET}/subnets/x", 404)]


def test_the_log_tells_who_wrote_what(arm: Arm) -> None:
    """Two writers that overwrite each other are told apart by it."""
    arm.call("DELETE", "/_sandbox/requests")
    subnet = arm.call("GET", f"{VNET}/subnets/default").json()
    arm.call("PUT", f"{VNET}/subnets/default", subnet)
    read, written = arm.call("GET", "/_sandbox/requests").json()["value"]
    assert read["body"] is None
    assert json.loads(written["body"]) == subnet
    assert read["user"] == written["user"] != ""


def test_the_default_world_is_the_documents(arm: Arm) -> None:
    """Names that README, demo and other parts rely on."""
    assert arm.call("POST", "/_sandbox/cluster-group", {"name": "dev"}).status_code == 204
    state = arm.call("GET", "/_sandbox/state").json()
    assert [item["name"] for item in state["resourceGroups"]] == [
        "MC_prod",
        "myResourceGroup",
        "myOtherResourceGroup",
        "MC_dev",
    ]
    aks = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/myResourceGroup/providers"
    cluster = arm.get(f"{aks}/Microsoft.ContainerService/managedClusters/myAKSCluster")
    assert cluster["properties"]["nodeResourceGroup"] == "MC_prod"
    for group in (GROUP, GROUP.replace("MC_prod", "MC_dev")):
        network = arm.get(f"{group}/providers/Microsoft.Network/virtualNetworks/aks-vnet")["properties"]
        assert network["addressSpace"] == {"addressPrefixes": ["10.224.0.0/12"]}
        subnets = {item["name"]: item["properties"]["addressPrefix"] for item in network["subnets"]}
        assert subnets == {"default": "10.224.0.0/16", "pls-subnet": "10.225.0.0/24"}


def test_an_unknown_back_door_is_a_404(arm: Arm) -> None:
    """A typo in a test must not pass."""
    assert arm.call("GET", "/_sandbox/nothing").status_code == 404
    assert arm.call("POST", "/_sandbox/remove-frontend", {"id": "x"}).status_code == 404


def test_the_callers_permissions_are_told_as_the_back_door_says(arm: Arm) -> None:
    """For a scope and what is below it; a group that is not there is not found."""
    version = "?api-version=2022-04-01"
    tail = f"/providers/Microsoft.Authorization/permissions{version}"

    def actions(scope: str) -> list[str]:
        answer = arm.call("GET", scope + tail)
        assert (answer.status_code, answer.headers["x-sim-fidelity"]) == (200, "guess")
        found: list[str] = answer.json()["value"][0]["actions"]
        return found

    assert actions(GROUP) == actions(VNET) == ["*"]
    limit = {"scope": GROUP, "actions": ["*/read"], "notActions": []}
    assert arm.call("PUT", "/_sandbox/permissions", limit).status_code == 204
    assert actions(VNET) == ["*/read"]
    assert actions(f"/subscriptions/{SUBSCRIPTION}") == ["*"]
    arm.call("PUT", "/_sandbox/permissions", {"scope": GROUP})
    assert actions(GROUP) == ["*"]
    assert arm.call("GET", f"/subscriptions/{SUBSCRIPTION}/resourceGroups/nowhere{tail}").status_code == 404
