"""docs/deploy.md: its tables are those of the Bicep files, its examples are values that these and the product take."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

from reconciler.cluster_settings import parse_clusters
from reconciler.model import WriteBack
from tests.bench import scale
from tests.docs.deploy_tables import MAIN, parameters_table
from tests.docs.pages import ROOT, blocks, tables, text_of
from tests.infra.bicep import INFRA, variable
from tests.infra.test_rbac import RULES
from tests.infra.test_roles import BUILT_IN, KUBERNETES, roles

PAGE = text_of("docs/deploy.md")
TABLES = tables(PAGE)
FLOW = " ".join(PAGE.split())
WHEN = {"read": "always", "write": "write", "subnetPolicy": "manageSubnetPolicy"}
# By the Bicep variable's name: what the page calls a built-in role.
RUNTIME = {
    "blobDataOwner": "Storage Blob Data Owner",
    "queueDataContributor": "Storage Queue Data Contributor",
    "tableDataContributor": "Storage Table Data Contributor",
}


def examples() -> list[dict[str, Any]]:
    """The JSON blocks: parts of the file of parameters, names to values; of role definitions in one of them."""
    found = (json.loads(block.text) for block in blocks(PAGE, "json"))
    return [{name: entry["value"] for name, entry in example.items()} for example in found]


def ids(value: Any) -> Iterator[str]:
    """All resource ids within a value."""
    match value:
        case dict():
            for item in value.values():
                yield from ids(item)
        case list():
            for item in value:
                yield from ids(item)
        case str() if value.startswith("/subscriptions/"):
            yield value


def test_every_parameter_has_its_row() -> None:
    """A new parameter is told, with the words of its description: python -m tests.docs.deploy_tables prints the table."""
    assert parameters_table() in PAGE


def test_the_keys_of_settings_are_listed() -> None:
    """What no parameter covers can be set by that one."""
    sentence = FLOW.partition("The keys of `settings`")[2].partition("With another")[0]
    told = set(re.findall(r"`([A-Z_]+)`", sentence))
    assert told == set(MAIN.type_properties("settingsType"))


def test_every_action_of_every_role_has_a_reason() -> None:
    """A right that nobody explains is one that nobody dares to take away."""
    rows = TABLES["Role, and list in `targets` | Action | When | What for"]
    told = [(role, action, when) for role, action, when, _ in rows if role not in BUILT_IN]
    held = [
        (name, action, WHEN[level])
        for name, role in roles().items()
        for level in WHEN
        for action in role.get(level, ())
    ]
    assert sorted(told) == sorted(held)
    assert {role for role, *_ in rows} == set(roles())
    assert all(row[3] for row in rows)


def test_rights_in_clusters_are_those_of_the_role_files() -> None:
    """The data actions by the parameter's value, as Bicep reads them."""
    rows = TABLES["kubernetesAccess | Data action | What for"]
    told = [(access, action) for access, action, _ in rows]
    held = [
        (name[len("azure-services-") : -len(".json")], a)
        for name, actions in KUBERNETES.items()
        for a in actions
    ]
    assert told == held


def test_what_everything_needs_to_run_is_told_with_its_guid() -> None:
    """One role more at run time, or another one."""
    told = {tuple(cell.replace("`", "").rsplit(" ", 1)) for cell in _column("Who | Role | On | What for", 1)}
    runtime, events = INFRA / "modules/runtime-roles.bicep", INFRA / "modules/event-roles.bicep"
    held = {(RUNTIME[name], guid) for name, guid in variable(runtime, "storageRoles").items()}
    held.add(("Monitoring Metrics Publisher", variable(runtime, "monitoringMetricsPublisher")))
    held.add(("Storage Queue Data Message Sender", variable(events, "queueDataMessageSender")))
    held.add(("Storage Blob Data Contributor", variable(events, "blobDataContributor")))
    held.add(("EventGrid Data Sender", variable(INFRA / "modules/publishing.bicep", "eventGridDataSender")))
    assert told == held


def _column(heading: str, number: int) -> list[str]:
    return [row[number] for row in TABLES[heading]]


def test_examples_name_parameters_and_their_keys() -> None:
    """What is copied into the file of parameters is refused as a whole if one name is wrong."""
    assert len(examples()) == 6
    for example in examples():
        assert example.keys() <= MAIN.all("parameter").keys()
        assert example.get("targets", {}).keys() <= MAIN.type_properties("targetsType").keys()
        assert example.get("roleDefinitionIds", {}).keys() <= roles().keys() | {"kubernetesServices"}
        for source in example.get("eventSources", ()):
            assert source.keys() <= MAIN.type_properties("eventSourceType").keys()


def test_ids_in_examples_are_of_kinds_that_roles_can_be_given_on() -> None:
    """roles.bicep takes them apart: a subscription, a group, a subnet, a cluster or a vault."""
    kinds = r"(/resourceGroups/[^/]+(/providers/[\w.]+/(virtualNetworks/[^/]+/subnets|managedClusters|vaults)/[^/]+)?)?"
    for example in examples():
        for resource_id in ids(example.get("targets", {})):
            assert re.fullmatch(r"/subscriptions/[0-9a-f-]{36}" + kinds, resource_id), resource_id


def test_clusters_in_examples_are_taken_and_write_nothing() -> None:
    """The first deployment of somebody who copies."""
    for example in examples():
        document = {key: example[key] for key in ("clusters", "discover") if key in example}
        if document:
            listed = parse_clusters(json.dumps(document))
            configs = [*listed.clusters, *(d.defaults for d in listed.discoveries)]
            assert {config.mode for config in configs} == {"plan"}
    (other,) = parse_clusters(blocks(PAGE, "yaml")[0].text).clusters
    assert (other.mode, other.access.token_secret) == ("plan", "OTHER_TOKEN")


def test_the_first_example_gives_rights_on_all_that_it_configures() -> None:
    """A group that is forgotten shows as Denied after the deployment."""
    example = examples()[0]
    (cluster,) = parse_clusters(json.dumps(example["clusters"])).clusters
    targets = example["targets"]
    assert targets["aksClusters"] == [cluster.access.aks]
    assert set(targets["loadBalancers"]) <= set(targets["privateLinkServices"])
    assert {subnet.rpartition("/")[2] for subnet in targets["natSubnets"]} == {"nodes", "pls-subnet"}
    assert example["planOnly"] is True


def test_no_example_differs_from_the_in_tree_controller_where_that_is_active() -> None:
    """Another default group or subnet than its own: both would write the same PLS, each in its own way."""
    for cluster in parse_clusters(json.dumps(examples()[0]["clusters"])).clusters:
        assert (cluster.in_tree, cluster.pls_resource_group, cluster.default_subnet) == ("active", "", "")
    (own,) = parse_clusters(json.dumps(examples()[1]["clusters"])).clusters
    assert (own.in_tree, own.pls_resource_group, own.default_subnet) == (
        "absent",
        "my-private-links",
        "pls-subnet",
    )


def test_secrets_of_the_example_are_the_ones_that_its_cluster_names() -> None:
    """A name that is written in two places."""
    (other,) = parse_clusters(blocks(PAGE, "yaml")[0].text).clusters
    (secrets,) = [example["clusterSecrets"] for example in examples() if "clusterSecrets" in example]
    assert set(secrets) == {other.access.token_secret}


def test_every_variant_of_the_issue_has_a_section() -> None:
    """Private, other clusters, another cloud, several subscriptions, by tag, many, without the right to make roles."""
    told = re.findall(r"^### (.+)$", PAGE.partition("## Variants")[2].partition("\n## ")[0], re.M)
    assert told == [
        "Annotations of your own",
        "Private cluster",
        "Any other cluster",
        "Another cloud",
        "Several subscriptions",
        "Clusters found by a tag",
        "Many clusters",
        "Roles by somebody else",
        "Node resource group lockdown",
    ]


def test_outputs_are_told_and_become_variables_of_a_shell() -> None:
    """Azure may give their names back in another case, and a value may need quotes."""
    sentence = FLOW.partition("leaves the deployment's outputs in the shell:")[2].partition(". |")[0]
    assert set(re.findall(r"`([A-Z_]{6,})`", sentence)) >= set(MAIN.all("output"))
    given = {"azurE_RESOURCE_GROUP": {"type": "String", "value": "a b"}, "eventS": {"value": ["x", "y"]}}
    script = [sys.executable, "-I", str(ROOT / "infra/hooks/exports.py")]
    printed = subprocess.run(
        script, input=json.dumps(given), capture_output=True, text=True, check=True
    ).stdout
    assert printed == "export AZURE_RESOURCE_GROUP='a b'\nexport EVENTS='x y'\n"


def test_what_the_functions_cost_is_reckoned() -> None:
    """The two lines of the table: by the work, and a second of an instance for each message and timer."""
    rows = {row[0]: row[1:4] for row in TABLES["What | 1 cluster | 10 clusters | 100 clusters | Note"]}
    by_work, at_most = rows["functions and storage requests, by the work"], rows["functions, at most"]
    each = scale.MONTH / scale.PROBE_SECONDS + scale.MONTH / scale.PASS_SECONDS
    price = scale.INSTANCE_GB * scale.PRICE_GB_SECOND + scale.PRICE_EXECUTIONS
    fleets = [fleet for fleet in scale.FLEETS if fleet.clusters <= 100]
    assert by_work == tuple(f"{f.money(scale.QUIET_RUN, scale.QUIET_PROBE):.2f}" for f in fleets)
    # The timers' own executions are those of one cluster more.
    assert at_most == tuple(f"{(1 + f.clusters) * each * price:.2f}" for f in fleets)


def test_the_number_of_alert_rules_is_theirs() -> None:
    """They are the largest item of a small deployment."""
    rules = json.loads((INFRA / "alerts.json").read_text())
    assert f"for each of the {len(rules)};" in PAGE


def test_each_way_of_telling_services_names_its_rights() -> None:
    """A manifest more, another verb, or a value of WRITE_BACK that nobody can grant."""
    rows = TABLES["WRITE_BACK | Services are told | With Kubernetes RBAC | With Azure RBAC"]
    assert {row[0].partition(",")[0].strip("`") for row in rows} == set(get_args(WriteBack))
    named = [re.findall(r"rbac/([\w-]+\.yaml)\): ([^|]+)", row[2])[0] for row in rows]
    assert [name for name, _ in named] == list(RULES)
    for name, told in named:
        assert all(verb in told.split() for _, _, verbs in RULES[name] for verb in verbs), told


def test_built_in_roles_in_examples_are_told_by_name() -> None:
    """A GUID says nothing to whoever must approve it, and a wrong one is refused, or is another right."""
    (given,) = [example["roleDefinitionIds"] for example in examples() if "roleDefinitionIds" in example]
    roles = {  # of Azure's list of built-in roles
        "4d97b98b-1d4f-4787-a291-c67834d212e7": "Network Contributor",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
        "4abbcc35-e782-43d8-92c5-2d3f1bd2253f": "Azure Kubernetes Service Cluster User Role",
    }
    assert list(dict.fromkeys(given.values())) == list(roles)
    assert f"({', '.join(roles.values())}.)" in FLOW
