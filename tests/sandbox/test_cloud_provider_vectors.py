"""The simulated in-tree controller decides what the real one did on the same input (tests/conformance)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud_provider.link_decisions import LinkWrite, decide, deletions, on_frontend
from sandbox.cloud_provider.link_settings import resource_group
from sandbox.cloud_provider.options import ArmAccess, ClusterAccess, ProviderOptions, SyncError
from sandbox.cloud_provider.wishes import read_wish, uid_name

Json = dict[str, Any]
VECTORS = json.loads((Path(__file__).parents[1] / "conformance/peer-vectors.json").read_text())
PEER = VECTORS["cluster"]
NOWHERE = Path("nowhere")
OPTIONS = ProviderOptions(
    name="vectors",
    arm=ArmAccess("", NOWHERE, "", ""),
    cluster=ClusterAccess("", NOWHERE, ""),
    subscription=PEER["subscriptionId"],
    location=PEER["location"],
    resource_group=PEER["loadBalancerResourceGroup"],
    vnet_name=PEER["vnet"]["name"],
    default_subnet=PEER["defaultSubnet"],
    cluster_name=PEER["clusterName"],
)


def steps(*actions: str) -> list[Any]:
    """The recorded steps of these kinds."""
    return [
        pytest.param(step, id=f"{scenario['id']}-{number}")
        for scenario in VECTORS["scenarios"]
        for number, step in enumerate(scenario["steps"])
        if set(actions) & set(step["action"])
    ]


def named(step: Json, name: str) -> Json:
    found: Json = next(s for s in step["observed"]["services"] if s["metadata"]["name"] == name)
    return found


def frontend_of(step: Json, service: Json) -> str:
    """The frontend that the real controller's load balancer pass gave the Service."""
    prefix = uid_name(service["metadata"]["uid"]) + "-"
    for balancer in step["observed"]["loadBalancers"]:
        for rule in balancer["properties"].get("loadBalancingRules") or []:
            if rule["name"].startswith(prefix):
                return str(rule["properties"]["frontendIPConfiguration"]["id"])
    raise AssertionError(f"no rule of {service['metadata']['name']}")


def believed(step: Json, service: Json, frontend: str) -> Json | None:
    """The PLS on the frontend in the one resource group that is looked at."""
    group = f"/resourceGroups/{resource_group(service, OPTIONS.resource_group)}/".lower()
    for pls in step["before"]["privateLinkServices"]:
        if group in pls["id"].lower() and on_frontend(pls, frontend):
            return dict(pls)
    return None


def essence(body: Json) -> Json:
    """What counts in a body: sets without order, ids without case, absent as empty."""
    properties = body["properties"]
    return {
        "location": body["location"],
        "tags": body.get("tags"),
        "addresses": sorted(
            (
                item["name"],
                item["properties"]["privateIPAllocationMethod"],
                item["properties"].get("privateIPAddress") or "",
                bool(item["properties"].get("primary")),
                item["properties"]["subnet"]["id"].lower(),
            )
            for item in properties["ipConfigurations"]
        ),
        "frontends": [item["id"].lower() for item in properties["loadBalancerFrontendIpConfigurations"]],
        "fqdns": sorted(properties.get("fqdns") or []),
        "proxy": bool(properties.get("enableProxyProtocol")),
        "visibility": sorted((properties.get("visibility") or {}).get("subscriptions") or []),
        "approval": sorted((properties.get("autoApproval") or {}).get("subscriptions") or []),
    }


def decided(service: Json, frontend: str, pls: Json | None) -> tuple[LinkWrite | None, str]:
    """What ours decides: a write, or the words of its refusal."""
    try:
        return decide(OPTIONS, service, frontend, pls), ""
    except SyncError as error:
        return None, str(error)


def peer_link_writes(step: Json) -> list[tuple[str, Json]]:
    writes = (w for w in step["controller"]["writes"] if w["method"] == "PUT")
    return [(w["path"].lower(), essence(w["body"])) for w in writes if "subnets" not in w["kind"]]


def peer_subnets(step: Json) -> list[str]:
    return [w["path"].lower() for w in step["controller"]["writes"] if "subnets" in w["kind"]]


@pytest.mark.parametrize("step", steps("apply", "resync"))
def test_the_same_writes_and_the_same_words_as_the_real_controller(step: Json) -> None:
    """Every body and every refusal, word for word, is what was recorded."""
    (touched,) = step["action"].values()
    service = named(step, touched if isinstance(touched, str) else touched[0])
    frontend = frontend_of(step, service)
    said = [
        error["message"].split("failed to ensure load balancer: ", 1)[1]
        for error in step["controller"]["errors"]
    ]
    write, refusal = decided(service, frontend, believed(step, service, frontend))
    if refusal:
        assert ([refusal], []) == (said, peer_link_writes(step))
        return
    if write is not None and write.pls_id.endswith("/"):
        assert said == ["create or update PLS: parameter serviceName cannot be empty"]
    else:
        assert ([(write.pls_id.lower(), essence(write.body))] if write else []) == peer_link_writes(step)
        assert all("RESPONSE 400" in text for text in said)  # what is left are ARM's own refusals
    assert (flipped(step, write.subnet_id) if write else []) == peer_subnets(step)


def flipped(step: Json, subnet_id: str) -> list[str]:
    """The subnet, if its policies were on before the step."""
    policies = {
        subnet["id"].lower(): subnet["properties"]["privateLinkServiceNetworkPolicies"]
        for subnet in step["before"]["subnets"]
    }
    return [subnet_id.lower()] if policies[subnet_id.lower()] != "Disabled" else []


@pytest.mark.parametrize(
    "step", [p for p in steps("delete") if p.values[0]["expect"]["decision"] == "delete"]
)
def test_the_same_deletions_in_the_same_order(step: Json) -> None:
    """Connections first, then the PLS."""
    (pls,) = step["before"]["privateLinkServices"]
    assert [item.lower() for item in deletions(pls)] == [
        write["path"].lower() for write in step["controller"]["writes"]
    ]


@pytest.mark.parametrize("step", steps("apply", "resync"))
def test_rules_and_frontends_are_named_as_the_real_provider_names_them(step: Json) -> None:
    """The product finds a Service's frontend by these names alone."""
    for service in step["observed"]["services"]:
        wish = read_wish(service)
        frontend = frontend_of(step, service)
        rules = [
            rule["name"]
            for balancer in step["observed"]["loadBalancers"]
            for rule in balancer["properties"]["loadBalancingRules"]
        ]
        assert {wish.rule_name(port) for port in wish.ports} <= set(rules)
        if not wish.address:
            assert frontend.endswith("/" + wish.frontend_name)
