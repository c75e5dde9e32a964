"""What a deployment would give and set: the expressions of the Bicep files, worked out for some parameters."""

import json
from typing import Any

import pytest

from reconciler import settings
from tests.infra.bicep import INFRA, bicep
from tests.infra.evaluate import FUNCTIONS, Scope, evaluate, variable_of
from tests.infra.test_roles import KUBERNETES, READ, SUBNET_POLICY, WRITE

MAIN = INFRA / "main.bicep"
ROLES = INFRA / "modules/roles.bicep"
HERE = "00000000-0000-0000-0000-000000000001"
GROUP = f"/subscriptions/{HERE}/resourceGroups/MC_prod"
OTHER = "/subscriptions/00000000-0000-0000-0000-000000000002"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/aks-vnet/subnets/pls"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/prod"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
TARGETS = {
    "privateLinkServices": [GROUP],
    "loadBalancers": [GROUP, OTHER],
    "natSubnets": [SUBNET],
    "aksClusters": [CLUSTER],
    "keyVaults": [VAULT],
}
AZURE = {"subscription": lambda: {"id": f"/subscriptions/{HERE}", "subscriptionId": HERE}}


def given(**changes: Any) -> dict[str, Any]:
    """Parameters of roles.bicep."""
    plain = {
        "principalId": "principal",
        "suffix": "abc",
        "targets": TARGETS,
        "planOnly": False,
        "manageSubnetPolicy": False,
        "kubernetesAccess": "none",
        "roleDefinitionIds": {},
    }
    return {**AZURE, **plain, **changes}


def grants(**changes: Any) -> set[tuple[str, str]]:
    """Role and target of each assignment."""
    return {(grant["role"], grant["id"]) for grant in variable_of(ROLES, "grants", given(**changes))}


def actions(**changes: Any) -> dict[str, set[str]]:
    """What the custom roles that are created hold, by role."""
    custom = variable_of(ROLES, "customRoles", given(**changes))
    return {role["key"]: {*role["actions"], *role["dataActions"]} for role in custom}


def test_each_role_is_given_on_its_targets_and_nowhere_else() -> None:
    """Two targets mixed up, or one dropped by a filter."""
    assert grants() == {(role, target) for role, ids in TARGETS.items() for target in ids}
    assert grants(targets={}) == set()


def test_writing_and_planning_hold_what_is_listed() -> None:
    """Mode plan without a single right to write."""
    asked = {"privateLinkServices", "loadBalancers", "natSubnets", "aksClusters"}
    assert actions() == {role: READ[role] | WRITE.get(role, set()) for role in asked}
    assert actions(planOnly=True) == {role: READ[role] for role in asked}
    assert actions(planOnly=True, manageSubnetPolicy=True) == actions(planOnly=True)


def test_subnets_are_written_only_with_their_attachments() -> None:
    """Azure refuses the write without the joins, which must reach the group where the attachments are."""
    more = grants(manageSubnetPolicy=True) - grants()
    assert more == {("subnetAttachments", GROUP.lower())}
    held = actions(manageSubnetPolicy=True)
    assert held["subnetAttachments"] == SUBNET_POLICY["subnetAttachments"]
    assert held["natSubnets"] == READ["natSubnets"] | WRITE["natSubnets"] | SUBNET_POLICY["natSubnets"]
    elsewhere = {**TARGETS, "subnetAttachments": [f"{GROUP}-nsg", GROUP.upper()]}  # in another casing
    assert {t for r, t in grants(manageSubnetPolicy=True, targets=elsewhere) if r == "subnetAttachments"} == {
        GROUP.lower(),
        f"{GROUP}-nsg".lower(),
    }


@pytest.mark.parametrize("access", ["none", "read", "write"])
def test_services_are_opened_as_asked(access: str) -> None:
    """On the AKS clusters, and only through Azure's RBAC where that is meant."""
    wanted = {"none": set(), "read": {*KUBERNETES["azure-services-read.json"]}}
    wanted["write"] = {*wanted["read"], *KUBERNETES["azure-services-write.json"]}
    assert actions(kubernetesAccess=access).get("kubernetesServices", set()) == wanted[access]
    opened = {target for role, target in grants(kubernetesAccess=access) if role == "kubernetesServices"}
    assert opened == ({CLUSTER} if wanted[access] else set())


def test_roles_that_exist_stand_in_for_custom_ones() -> None:
    """Whoever may not create roles passes some; none is created in their place, and built-in ones never are."""
    ids = {
        role: f"id-{role}" for role in ("privateLinkServices", "loadBalancers", "natSubnets", "aksClusters")
    }
    assert actions(roleDefinitionIds=ids) == {}
    found = variable_of(ROLES, "grants", given(roleDefinitionIds=ids))
    assert {grant["roleId"] for grant in found} == {*ids.values(), "4633458b-17de-408a-b874-0445c86b69e6"}


def test_a_role_that_exists_is_given_only_where_its_own_would_be() -> None:
    """Joins and rights inside clusters without the parameter that asks for them: a file of parameters may name all roles."""
    ids = {"subnetAttachments": "id-attachments", "kubernetesServices": "id-services"}

    def given_roles(**changes: Any) -> set[str]:
        return {role for role, _ in grants(roleDefinitionIds=ids, **changes)} & ids.keys()

    assert given_roles() == set()
    assert given_roles(manageSubnetPolicy=True, planOnly=True) == set()
    assert given_roles(manageSubnetPolicy=True) == {"subnetAttachments"}
    assert given_roles(kubernetesAccess="read") == {"kubernetesServices"}


def test_custom_roles_can_be_assigned_in_every_subscription() -> None:
    """A role whose scopes lack a subscription cannot be given there."""
    assert variable_of(ROLES, "subscriptionIds", given()) == [HERE, OTHER.rpartition("/")[2]]


def test_assignments_reach_the_right_kind_of_thing() -> None:
    """A subnet's role on the whole network, or on a thing called ''."""
    scope = Scope(ROLES, given())
    on_resources, on_subscriptions = (
        bicep(ROLES).all("module")[n] for n in ("onResources", "onSubscriptions")
    )
    loops = {d.name: (d.node.text or b"").decode() for d in (on_resources, on_subscriptions)}
    assert "for grant in filter(grants, item => length(item.path) > 3)" in loops["onResources"]
    assert "for grant in filter(grants, item => length(item.path) == 3)" in loops["onSubscriptions"]
    params = {name: (node.text or b"").decode() for name, node in on_resources.properties("params").items()}
    reached = set()
    for grant in scope["grants"]:
        if len(grant["path"]) > 3:
            names = Scope(ROLES, {**given(), "grant": grant})
            reached.add(tuple(evaluate(params[name], names) for name in ("kind", "name", "childName")))
    assert reached == {
        ("resourcegroups", "none", "none"),
        ("virtualnetworks", "aks-vnet", "pls"),
        ("managedclusters", "prod", "none"),
        ("vaults", "kv", "none"),
    }


def product_settings(**parameters: Any) -> dict[str, str]:
    """What the function app would be told."""
    plain = {
        "clusters": [],
        "discover": [],
        "clustersBlob": "",
        "clusterSecrets": {},
        "settings": {},
        "armEndpoint": "https://management.azure.com/",
        "armAudience": "",
        "manageSubnetPolicy": False,
        "publishTopicId": "",
        "resyncSchedule": "0 */5 * * * *",
        "probeSchedule": "*/30 * * * * *",
        "eventsQueueName": "lb-events",
        "reconcileQueueName": "reconcile",
    }
    text = (bicep(MAIN).all("module")["functionApp"].properties("params")["settings"].text or b"").decode()
    found: dict[str, str] = evaluate(text, Scope(MAIN, {**plain, **parameters}))
    return found


def test_clusters_secrets_and_settings_arrive_as_the_product_reads_them() -> None:
    """The clusters' list as JSON, the address without its slash, secrets under the names that clusters refer to."""
    cluster = {
        "name": "prod",
        "mode": "plan",
        "api": {"type": "kubeconfig", "secret": "PROD"},
        "subscription": HERE,
        "location": "eastus",
        "loadBalancerResourceGroup": "MC_prod",
        "vnet": {"resourceGroup": "MC_prod", "name": "aks-vnet"},
        "defaultSubnet": "default",
    }
    told = product_settings(
        clusters=[cluster],
        clusterSecrets={"PROD": "https://kv.vault.azure.net/secrets/prod"},
        settings={"MAX_WRITES": "3", "SUBNET_POLICY": "disable"},
    )
    assert json.loads(told["CLUSTERS"]) == {"clusters": [cluster]}
    assert told["CLUSTER_SECRET_PROD"] == (
        "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/prod)"
    )
    assert told["ARM_ENDPOINT"] == "https://management.azure.com"
    assert told["SUBNET_POLICY"] == "report"  # not by the back door
    assert settings.load(told).max_writes == 3


def test_our_own_events_go_where_they_are_wanted() -> None:
    """To the topic named, in its own group; to none unless one is."""
    assert product_settings()["EVENTS_TOPIC_ENDPOINT"] == ""
    endpoint = "https://pls.westeurope-1.eventgrid.azure.net/api/events"
    topic = f"{OTHER}/resourceGroups/rg-events/providers/Microsoft.EventGrid/topics/pls"
    told = product_settings(publishTopicId=topic, publishing={"outputs": {"endpoint": endpoint}})
    assert told["EVENTS_TOPIC_ENDPOINT"] == endpoint
    module = bicep(MAIN).all("module")["publishing"]
    text = (module.node.text or b"").decode()
    scope = text.partition("scope: resourceGroup(")[2].partition("\n  )")[0]
    for given, wanted in ((topic, [OTHER.rpartition("/")[2], "rg-events"]), ("", [HERE, "rg-own"])):
        names = Scope(MAIN, {**AZURE, "publishTopicId": given, "group": {"name": "rg-own"}})
        assert [evaluate(part.strip(), names) for part in scope.split(",\n")] == wanted


def test_a_blob_or_a_tag_stands_in_for_the_list() -> None:
    """CLUSTERS and CLUSTERS_BLOB together are refused by the product."""
    blob = product_settings(clustersBlob="clusters/clusters.yaml")
    assert blob["CLUSTERS_BLOB"] == "clusters/clusters.yaml"
    assert "CLUSTERS" not in blob
    found = {"subscription": HERE, "tag": "pls=on", "mode": "plan"}
    told = product_settings(discover=[found])
    assert json.loads(told["CLUSTERS"]) == {"clusters": [], "discover": [found]}
    assert settings.load(told)


@pytest.mark.parametrize(
    ("existing", "group"), [("", "rg-pls-reconciler-prod"), ("egst-of-all", "rg-events")]
)
def test_events_come_from_the_subscription_deployed_to(existing: str, group: str) -> None:
    """A topic of our own in our group; one that exists is looked for where it is."""
    parameters = {
        "existingSystemTopicName": existing,
        "eventTopicResourceGroupName": "rg-events",
        "group": {"name": "rg-pls-reconciler-prod"},
    }
    assert variable_of(MAIN, "ownEventSource", {**AZURE, **parameters}) == {
        "subscriptionId": HERE,
        "resourceGroupName": group,
        "existingSystemTopicName": existing,
    }


def test_expressions_are_read_as_bicep_reads_them() -> None:
    """The reader itself: precedence, safe access, strings."""
    names = {**FUNCTIONS, "a": {"b": [1, 2]}, "none": None}
    for text, value in {
        "a.b[1] == 2 && !empty(a) ? 'x${a.b[0]}y' : 'no'": "x1y",
        "a.?c.?d ?? a.b[?7] ?? 'left'": "left",
        "none.?x ?? [1, 2]": [1, 2],
        "map(filter(a.b, i => i > 1), i => { 'k-${i}': i })": [{"k-2": 2}],
        "union({ a: { b: 1 } }, { a: { c: 2 } })": {"a": {"b": 1, "c": 2}},
        "'it\\'s'": "it's",
        "false || (1 + 2) == 3": True,
    }.items():
        assert evaluate(text, names) == value, text
