"""The wire: status codes, headers, long-running operations, etags, casing, paging, tokens, throttling."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from sandbox.arm import Bucket, Throttle
from tests.sandbox.arm_support import (
    BALANCER,
    CONSUMER_GROUP,
    GROUP,
    NETWORK,
    OPTIONS,
    PLS_SUBNET,
    SUBSCRIPTION,
    VNET,
    Arm,
    load_balancer,
    private_link_service,
    running_arm,
)

pytestmark = pytest.mark.sandbox


@pytest.fixture
def arm() -> Iterator[Arm]:
    """A simulated ARM of its own for each test: starting one takes milliseconds."""
    with running_arm() as found:
        yield found


def test_a_create_answers_201_updating_and_ends_succeeded(arm: Arm) -> None:
    """What the adapter relies on to go away and come back: the header, the state, no ETag to misuse."""
    arm.open_subnet()
    [frontend] = arm.frontends("a1")
    pls = f"{NETWORK}/privateLinkServices/pls1"
    arm.slow()
    answer = arm.call("PUT", pls, private_link_service(frontend))
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    assert answer.headers["Azure-AsyncNotification"] == "Enabled"
    assert answer.headers["Retry-After"] == "1"
    assert "ETag" not in answer.headers
    assert "Location" not in answer.headers
    assert "api-version=2026-03-01" in answer.headers["Azure-AsyncOperation"]
    assert arm.get(answer.headers["Azure-AsyncOperation"]) == {"status": "InProgress"}
    assert arm.done(answer) == {"status": "Succeeded"}
    ended = arm.call("GET", pls)
    assert ended.json()["properties"]["provisioningState"] == "Succeeded"
    assert ended.headers["ETag"] == ended.json()["etag"] != answer.json()["etag"]


def test_an_update_answers_200_and_a_put_that_changes_nothing_is_done_at_once(arm: Arm) -> None:
    """No-op PUTs keep the etag: a reconciler that rewrites the same content must be able to see that."""
    pls = arm.service()
    [frontend] = arm.get(pls)["properties"]["loadBalancerFrontendIpConfigurations"]
    body = private_link_service(frontend["id"], fqdns=["a.example"])
    changed = arm.call("PUT", pls, body)
    assert (changed.status_code, changed.json()["properties"]["provisioningState"]) == (200, "Updating")
    arm.done(changed)
    before = arm.get(pls)["etag"]
    same = arm.call("PUT", pls, body)
    assert (same.status_code, same.json()["properties"]["provisioningState"]) == (200, "Succeeded")
    assert arm.done(same) == {"status": "Succeeded"}
    assert arm.get(pls)["etag"] == before


def test_a_delete_answers_202_with_both_headers_then_204_for_what_is_gone(arm: Arm) -> None:
    """The SDK polls one header, the CLI reads the other at the end."""
    pls = arm.service()
    arm.slow()
    answer = arm.call("DELETE", pls)
    assert (answer.status_code, answer.text) == (202, "")
    assert arm.get(pls)["properties"]["provisioningState"] == "Deleting"
    result = answer.headers["Location"]
    assert arm.call("GET", result).status_code == 202
    assert arm.done(answer) == {"status": "Succeeded"}
    assert arm.call("GET", result).status_code == 204
    assert arm.call("DELETE", pls).status_code == 204
    assert arm.call("GET", pls).status_code == 404


def test_a_second_write_while_one_runs_is_refused_as_busy(arm: Arm) -> None:
    """409 AnotherOperationInProgress is what the apply step has to requeue on."""
    pls = arm.service()
    [frontend] = arm.get(pls)["properties"]["loadBalancerFrontendIpConfigurations"]
    arm.slow()
    first = arm.call("PUT", pls, private_link_service(frontend["id"], fqdns=["a.example"]))
    status, error = arm.refusal("PUT", pls, private_link_service(frontend["id"], fqdns=["b.example"]))
    assert (status, error["code"]) == (409, "AnotherOperationInProgress")
    assert first.headers["Azure-AsyncOperation"].split("?")[0] in error["message"]
    assert arm.refusal("DELETE", pls)[0] == 409


def test_a_load_balancer_is_written_at_once(arm: Arm) -> None:
    """The cloud provider reads back the frontend's address from the answer to its PUT."""
    answer = arm.call("PUT", BALANCER, load_balancer("a1"))
    frontend = answer.json()["properties"]["frontendIPConfigurations"][0]
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Succeeded"
    assert frontend["properties"]["privateIPAddress"] == "10.224.0.4"
    assert arm.get(f"{BALANCER}/frontendIPConfigurations/A1") == frontend


def test_if_match_with_another_etag_is_refused_in_the_recorded_words(arm: Arm) -> None:
    """The cloud provider and the subnet policy write depend on it; the etag of a PUT's answer is stale soon."""
    [_] = arm.frontends("a1")
    current = arm.get(BALANCER)["etag"]
    status, error = arm.refusal("PUT", BALANCER, load_balancer("a1", "a2"), If_Match="invalid")
    assert (status, error["code"]) == (412, "PreconditionFailed")
    assert error["details"] == [
        {
            "code": "PreconditionFailedEtagMismatch",
            "message": f'Etag provided in if-match header W/"invalid" does not match etag {current} of resource '
            f"{BALANCER} in NRP data store.",
        }
    ]
    assert arm.call("PUT", BALANCER, load_balancer("a1", "a2"), If_Match=current).status_code == 200


def test_a_pls_changes_the_etags_of_its_subnet_network_and_load_balancer(arm: Arm) -> None:
    """A cloud provider that holds an old load balancer must get its 412, as in Azure."""
    arm.open_subnet()
    [frontend] = arm.frontends("a1")
    watched = (PLS_SUBNET, VNET, BALANCER)
    before = [arm.get(item)["etag"] for item in watched]
    arm.put(f"{NETWORK}/privateLinkServices/pls1", private_link_service(frontend))
    assert all(old != arm.get(item)["etag"] for old, item in zip(before, watched, strict=True))


def test_paths_match_in_any_casing_and_ids_come_back_in_one(arm: Arm) -> None:
    """Ids from events, the CLI and the cloud provider differ in case; the first PUT's casing stays."""
    pls = arm.service("MyPls")
    shouted = pls.upper().replace("/SUBSCRIPTIONS/", "/Subscriptions/")
    assert arm.get(shouted)["id"] == pls
    [item] = arm.get(f"{NETWORK}/PRIVATELINKSERVICES".replace("MC_prod", "mc_PROD"))["value"]
    assert item["id"] == pls
    assert item["properties"]["alias"].split(".")[0] == "mypls"


def test_what_is_missing_is_told_apart(arm: Arm) -> None:
    """A missing resource, child and group have different codes, and the planner acts on the difference."""
    status, error = arm.refusal("GET", f"{NETWORK}/privateLinkServices/x")
    assert (status, error["code"]) == (404, "ResourceNotFound")
    assert error["message"] == (
        "The Resource 'Microsoft.Network/privateLinkServices/x' under resource group 'MC_prod' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    assert arm.refusal("GET", f"{VNET}/subnets/x") == (
        404,
        {"code": "NotFound", "message": f"Resource {VNET}/subnets/x not found.", "details": []},
    )
    group = NETWORK.replace("MC_prod", "nope")
    for method in ("GET", "PUT", "DELETE"):
        assert arm.refusal(method, f"{group}/privateLinkServices/x", {}) == (
            404,
            {"code": "ResourceGroupNotFound", "message": "Resource group 'nope' could not be found."},
        )
    assert arm.refusal("GET", f"{group}/privateLinkServices")[1]["code"] == "ResourceGroupNotFound"
    assert arm.call("GET", f"{NETWORK}/privateLinkServices/x").headers["x-ms-failure-cause"] == "gateway"
    child = f"{NETWORK}/virtualNetworks/x/subnets/s"
    assert arm.refusal("PUT", child, {})[1]["code"] == "ParentResourceNotFound"
    other = GROUP.replace(SUBSCRIPTION, "00000000-0000-0000-0000-0000000000ff")
    assert arm.refusal("GET", other)[1]["code"] == "SubscriptionNotFound"


def test_lists_are_paged_when_a_page_size_is_set() -> None:
    """A reader that ignores nextLink would take the rest for absent."""
    with running_arm(replace(OPTIONS, page_size=2)) as arm:
        arm.frontends("a1")
        url, names = f"{GROUP}/resources", list[str]()
        while url:
            page = arm.get(url)
            names += [item["name"] for item in page["value"]]
            url = page.get("nextLink", "")
        assert names == ["aks-vnet", "kubernetes-internal"]
        page = arm.get(f"/subscriptions/{SUBSCRIPTION}/resources")
        assert len(page["value"]) == 2
        rest = arm.get(page["nextLink"])
        assert {item["name"] for item in rest["value"]} == {"myOtherVNET", "kubernetes-internal"}
        assert "nextLink" not in rest


def test_a_call_without_a_good_token_or_api_version_is_refused(arm: Arm) -> None:
    """Credential mistakes must show as 401, not as an empty world."""
    url = f"{arm.url}{VNET}"
    bare = requests.get(url, params={"api-version": "1"}, verify=arm.ca, timeout=10)
    assert bare.status_code == 401
    assert "WWW-Authenticate" in bare.headers
    assert arm.call("GET", VNET, None, Authorization="Bearer a.b.c").status_code == 401
    assert arm.session.get(url, timeout=10).json()["error"]["code"] == "MissingApiVersionParameter"


def test_the_identity_endpoint_wants_its_header(arm: Arm) -> None:
    """As App Service: the header is the secret."""
    endpoint, query = arm.running.identity_endpoint, {"resource": arm.url, "api-version": "2019-08-01"}
    answers = [
        arm.session.get(endpoint, params=query, headers=headers, timeout=10).status_code
        for headers in (
            {},
            {"X-IDENTITY-HEADER": "wrong"},
            {"X-IDENTITY-HEADER": arm.running.identity_header},
        )
    ]
    assert answers == [401, 403, 200]


def test_buckets_run_dry_and_say_for_how_long() -> None:
    """429 with Retry-After, for each kind of request on its own."""
    limits = Throttle(reads=Bucket(2, 0.01), writes=Bucket(1, 0.5))
    with running_arm(replace(OPTIONS, throttle=limits)) as arm:
        left = [
            arm.call("GET", VNET).headers["x-ms-ratelimit-remaining-subscription-reads"] for _ in range(2)
        ]
        assert left == ["1", "0"]
        answer = arm.call("GET", VNET)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "100")
        error = answer.json()["error"]
        assert error["code"] == "SubscriptionRequestsThrottled"
        assert error["message"].startswith(
            f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor "
        )
        assert arm.call("PUT", BALANCER, load_balancer("a1")).status_code == 201


def test_resource_groups_come_and_go_with_what_is_in_them(arm: Arm) -> None:
    """`ResourceGroupNotFound` after the delete, and nothing of the group in the subscription's lists."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/new"
    assert arm.refusal("PUT", group, {})[1]["code"] == "LocationRequired"
    assert arm.call("PUT", group, {"location": "East US"}).json()["location"] == "eastus"
    assert arm.call("HEAD", group).status_code == 204
    assert arm.call("DELETE", CONSUMER_GROUP).headers["x-sim-fidelity"] == "guess"
    networks = arm.get(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/virtualNetworks")
    assert [item["name"] for item in networks["value"]] == ["aks-vnet"]


def test_a_backend_pool_can_be_written_without_its_load_balancer(arm: Arm) -> None:
    """The Go cloud provider writes pools as sub-resources."""
    arm.frontends("a1")
    pool = f"{BALANCER}/backendAddressPools/kubernetes"
    assert arm.call("PUT", pool, {"properties": {}}).status_code == 201
    assert arm.get(pool)["id"] == pool
    assert arm.call("DELETE", pool).status_code == 202
    assert arm.get(BALANCER)["properties"]["backendAddressPools"] == []
    assert arm.call("DELETE", pool).status_code == 204


def test_an_unforeseen_body_is_a_500_in_arms_shape(arm: Arm, capfd: pytest.CaptureFixture[str]) -> None:
    """A fault of the simulator's own is visible as one, and the server goes on."""
    status, error = arm.refusal("PUT", BALANCER, {"location": "eastus", "sku": "Standard", "properties": {}})
    assert (status, error["code"]) == (500, "InternalServerError")
    assert "Traceback" in capfd.readouterr().err
    assert arm.call("GET", VNET).status_code == 200


@pytest.mark.parametrize(("version", "array"), [("2022-09-01", False), ("2019-05-01", True)])
def test_cloud_metadata_has_the_shape_each_client_wants(arm: Arm, version: str, array: bool) -> None:
    """The CLI needs one object, the Go cloud provider an array."""
    url = f"{arm.url}/metadata/endpoints"
    found: Any = arm.session.get(url, params={"api-version": version}, timeout=10).json()
    one = found[0] if array else found
    assert one["resourceManager"] == one["authentication"]["loginEndpoint"] == arm.url
    assert arm.url in one["authentication"]["audiences"]
