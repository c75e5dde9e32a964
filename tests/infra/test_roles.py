"""Rights: each action on a list with its reason, and nothing else; each role only where it is for; docs/reference/permissions.md tells the same."""

import json
import re
from typing import Any

import pytest

from tests.infra.bicep import FILES, INFRA, ROOT, bicep, default_of, literal, variable

PERMISSIONS = ROOT / "docs" / "reference" / "permissions.md"
MAIN = INFRA / "main.bicep"
ROLES = INFRA / "modules/roles.bicep"
NET = "Microsoft.Network"
AKS = "Microsoft.ContainerService/managedClusters"
# Role of roles.json: what it may hold in mode plan, in addition to write, and in addition to set a subnet's policy.
READ = {
    "privateLinkServices": {f"{NET}/privateLinkServices/read", f"{NET}/networkInterfaces/read"},
    "loadBalancers": {
        f"{NET}/loadBalancers/read",
        f"{NET}/publicIPAddresses/read",
        f"{NET}/virtualNetworks/read",  # of an AKS cluster whose network the settings leave out
    },
    "natSubnets": {f"{NET}/virtualNetworks/subnets/read"},
    "subscriptions": {f"{NET}/privateLinkServices/read"},
    "aksClusters": {f"{AKS}/read", f"{AKS}/listClusterUserCredential/action"},
}
WRITE = {
    "privateLinkServices": {
        f"{NET}/privateLinkServices/write",
        f"{NET}/privateLinkServices/delete",
        f"{NET}/privateLinkServices/privateEndpointConnections/delete",  # before the PLS goes
    },
    "loadBalancers": {
        f"{NET}/loadBalancers/loadBalancingRules/read",  # Azure checks it where a PLS names a frontend
        f"{NET}/loadBalancers/frontendIPConfigurations/join/action",
    },
    "natSubnets": {f"{NET}/virtualNetworks/subnets/join/action"},
}
SUBNET_POLICY = {
    "natSubnets": {f"{NET}/virtualNetworks/subnets/write"},
    "subnetAttachments": {  # Azure asks for them when a subnet that has one is written
        f"{NET}/natGateways/join/action",
        f"{NET}/networkSecurityGroups/join/action",
        f"{NET}/routeTables/join/action",
        f"{NET}/serviceEndpointPolicies/join/action",
        f"{NET}/networkIntentPolicies/join/action",
        f"{NET}/networkManagers/ipamPools/associateResourcesToPool/action",
    },
}
BUILT_IN = {"keyVaults": "4633458b-17de-408a-b874-0445c86b69e6"}  # Key Vault Secrets User
RUNTIME = {
    "blobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "queueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "tableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
}
KUBERNETES = {
    "azure-services-read.json": [f"{AKS}/services/read"],
    "azure-services-write.json": [f"{AKS}/services/write", f"{AKS}/events/write"],
}


def roles() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((INFRA / "roles.json").read_text())
    return found


def held(level: str) -> dict[str, set[str]]:
    """What roles hold at a level (read, write, subnetPolicy), by role."""
    return {name: set(role[level]) for name, role in roles().items() if level in role}


def test_roles_hold_what_is_listed() -> None:
    """An action that somebody adds in passing stays for years."""
    assert held("read") == READ
    assert held("write") == WRITE
    assert held("subnetPolicy") == SUBNET_POLICY
    assert {name: role["builtIn"] for name, role in roles().items() if "builtIn" in role} == BUILT_IN


def test_no_role_holds_a_wildcard_or_an_unknown_key() -> None:
    """roles.bicep would drop a key that it does not know: rights that nobody gets."""
    for name, role in roles().items():
        assert role.keys() <= {"description", "read", "write", "subnetPolicy", "builtIn"}, name
        assert "*" not in json.dumps(role), name
        assert role["description"].endswith((".", ")")), name


def test_writes_and_subnets_are_given_only_when_asked_for() -> None:
    """`planOnly` with a right to write, or a right to write subnets by default."""
    source = re.sub(r"\s+", " ", ROLES.read_text())
    assert (
        "actions: concat( entry.value.?read ?? [], planOnly ? [] : (entry.value.?write ?? []), "
        "manageSubnetPolicy && !planOnly ? (entry.value.?subnetPolicy ?? []) : [] )"
    ) in source
    given = {
        name: literal(node) for name, node in bicep(MAIN).all("module")["roles"].properties("params").items()
    }
    for name in ("planOnly", "manageSubnetPolicy", "kubernetesAccess", "targets", "roleDefinitionIds"):
        assert given[name] == name
    assert default_of(MAIN, "kubernetesAccess") == "none"


def test_every_role_has_its_targets() -> None:
    """A kind of target without a role would be given nothing, silently."""
    assert set(bicep(MAIN).type_properties("targetsType")) == set(roles())


def test_targets_are_of_kinds_that_a_role_can_be_given_on() -> None:
    """A kind without a resource would pass and give nothing."""
    path = INFRA / "modules/role-on-resource.bicep"
    source = path.read_text()
    allowed = next(iter(re.findall(r"@allowed\(\[(.*?)\]\)\nparam kind", source)))
    kinds = set(re.findall(r"'(\w+)'", allowed))
    assert kinds == set(re.findall(r"kind == '(\w+)'", source))


def test_assignments_name_the_kind_of_principal() -> None:
    """Without it an identity made a moment ago may not be found, and the deployment fails now and then."""
    for path in FILES:
        for name, resource in bicep(path).all("resource").items():
            if resource.of.startswith("Microsoft.Authorization/roleAssignments@"):
                properties = literal(resource.properties()["properties"])
                if properties == "properties":
                    properties = variable(path, "properties")
                assert properties["principalType"] == "ServicePrincipal", f"{path.name}: {name}"


def test_what_the_functions_need_to_run() -> None:
    """A wrong GUID is another right."""
    path = INFRA / "modules/runtime-roles.bicep"
    assert variable(path, "storageRoles") == RUNTIME
    assert variable(path, "monitoringMetricsPublisher") == "3913510d-42f4-4e42-8a64-420c390055eb"
    events = INFRA / "modules/event-roles.bicep"
    assert variable(events, "queueDataMessageSender") == "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"
    assert variable(events, "blobDataContributor") == "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


def test_topics_may_use_one_queue_and_one_container() -> None:
    """On the account, a topic could write wake-ups and read the package."""
    path = INFRA / "modules/event-roles.bicep"
    scopes = {
        name: literal(resource.properties()["scope"])
        for name, resource in bicep(path).all("resource").items()
        if not resource.existing
    }
    assert scopes == {
        "mayDeliver": "account::queueService::queue",
        "mayBuryDeadLetters": "account::blobService::container",
    }


@pytest.mark.parametrize("name", KUBERNETES)
def test_azures_rbac_for_kubernetes_gives_what_the_manifests_give(name: str) -> None:
    """Files that `az role definition create` takes, and Bicep reads."""
    role = json.loads((INFRA / "rbac" / name).read_text())
    assert role["DataActions"] == KUBERNETES[name]
    assert [role[key] for key in ("Actions", "NotActions", "NotDataActions")] == [[], [], []]
    assert role["IsCustom"] is True
    assert role["AssignableScopes"] == ["/subscriptions/00000000-0000-0000-0000-000000000000"]
    assert f"loadJsonContent('../rbac/{name}').DataActions" in ROLES.read_text()


def test_the_page_lists_the_same_actions() -> None:
    """What people ask their security team for."""
    lists = (*READ.values(), *WRITE.values(), *SUBNET_POLICY.values())
    actions = {short(action) for found in lists for action in found}
    told = {short(word) for word in re.findall(r"`([^`]+)`", PERMISSIONS.read_text())}
    reads = {word.removesuffix("/read") for word in actions}
    assert {word for word in actions if word not in told and word.removesuffix("/read") not in told} == set()
    of_kubernetes = {"services/status"}
    assert {word for word in told if "/" in word} - actions - reads - of_kubernetes == set()


def short(action: str) -> str:
    """As the page writes it: without the provider."""
    return re.sub(r"^Microsoft\.\w+/", "", action)
