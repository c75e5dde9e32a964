"""Whatever Azure says of an AKS cluster: its configuration is complete, or it says why it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import aks
from reconciler.adapters.aks import _endpoint
from tests.fakes.aks import bare, cluster, network, resource_id

RUN = settings(max_examples=200, deadline=None, database=None, derandomize=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
SUBNET = network()["id"] + "/subnets/nodes"
POOL = st.fixed_dictionaries(
    {}, optional={"mode": st.sampled_from(["System", "User", None]), "vnetSubnetID": st.just(SUBNET) | JSON}
)
PROPERTIES = {
    "provisioningState": st.sampled_from(["Succeeded", "Failed", "Deleting", ""]) | JSON,
    "powerState": st.sampled_from([{"code": "Running"}, {"code": "Stopped"}]) | JSON,
    "nodeResourceGroup": st.just("MC") | JSON,
    "agentPoolProfiles": st.lists(POOL, max_size=3) | JSON,
    "aadProfile": st.sampled_from([{"managed": True}, None]) | JSON,
}
NETWORKS = st.lists(
    st.sampled_from([network("MC"), network("MC", "b", "x", "y"), network("MC", "c", "only")]), max_size=2
)
NEEDED = ("subscription", "load_balancer_resource_group", "pls_resource_group", "vnet_name", "default_subnet")


@RUN
@given(
    st.fixed_dictionaries({}, optional=PROPERTIES),
    JSON,
    NETWORKS,
    st.sampled_from(["", "lbs"]),
    st.booleans(),
)
def test_a_configuration_is_complete_or_says_why_not(
    properties: dict[str, Any], tags: Any, networks: list[Any], group: str, own: bool
) -> None:
    """Half a configuration would look for load balancers, or write links, in a place that nobody named."""
    found = aks.managed_cluster({**cluster(), "tags": tags, "properties": properties})
    assert found is not None
    config = replace(bare(resource_id()), load_balancer_resource_group=group)
    if own:
        config = replace(config, vnet_name="v", vnet_resource_group="g", default_subnet="s")
    vnets = [vnet for item in networks if (vnet := aks.virtual_network(item))]
    resolved = aks.resolved(config, found, vnets)
    missing = [name for name in NEEDED if not getattr(resolved, name)]
    assert not missing or resolved.unresolved
    assert not own or (resolved.vnet_name, resolved.default_subnet) == ("v", "s")
    assert resolved.unresolved or found.entra
    assert resolved.unresolved or found.power.lower() != "stopped"
    assert resolved.load_balancer_resource_group in (group, found.node_resource_group)


@RUN
@given(JSON, JSON)
def test_any_answer_is_an_endpoint_or_none(item: Any, credentials: Any) -> None:
    """Never an exception that nobody expects."""
    if isinstance(item, dict):
        aks.managed_cluster(item)
        aks.virtual_network(item)
    assert _endpoint({"kubeconfigs": credentials}) is None
