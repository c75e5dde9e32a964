"""CLUSTERS as people write it: what is read, what is filled in, and every mistake with its path."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster_settings import parse_clusters, read_clusters
from reconciler.model import STANDARD_PREFIX, ApiAccess, ClusterConfig, ClusterList, Discovery

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
AKS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps/providers/Microsoft.ContainerService/managedClusters/prod"
SERVER = {"type": "server", "server": "https://s"}
TYPES = (
    "{type: aks, resourceId}, {type: kubeconfig, path | content | secret}, "
    "{type: server, server, scope | tokenFile | tokenSecret} or {type: inCluster}"
)


def cluster(**changes: Any) -> dict[str, Any]:
    """The least that one has to write; a change to ... leaves the key out."""
    least = {
        "name": "prod",
        "mode": "sync",
        "api": {"type": "kubeconfig", "path": "prod.kubeconfig"},
        "subscription": SUBSCRIPTION,
        "location": "eastus",
        "loadBalancerResourceGroup": "MC_prod",
        "vnet": {"resourceGroup": "MC_prod", "name": "aks-vnet"},
        "defaultSubnet": "default",
    }
    return {key: value for key, value in (least | changes).items() if value is not ...}


def parse(*clusters: dict[str, Any]) -> tuple[ClusterConfig, ...]:
    return parse_clusters(json.dumps(clusters)).clusters


def mistakes(*clusters: Any) -> list[str]:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_clusters(json.dumps(clusters))
    return str(caught.value).splitlines()


def test_the_least_one_has_to_write() -> None:
    """And what is filled in for the rest."""
    assert parse(cluster()) == (
        ClusterConfig(
            name="prod",
            cluster_name="kubernetes",
            subscription=SUBSCRIPTION,
            location="eastus",
            load_balancer_resource_group="MC_prod",
            pls_resource_group="MC_prod",
            vnet_resource_group="MC_prod",
            vnet_name="aks-vnet",
            default_subnet="default",
            mode="sync",
            access=ApiAccess(kubeconfig="prod.kubeconfig"),
            vnet_subscription="",
            pls_prefix=STANDARD_PREFIX,
            tags={},
            in_tree="active",
            owner_succession="none",
            settle_seconds=150,
        ),
    )


def test_all_that_can_be_written() -> None:
    """No key is read and then forgotten."""
    other = SUBSCRIPTION.replace("1", "2")
    api = {"type": "server", "server": "https://10.0.0.1:6443", "caFile": "/ca.pem", "tokenFile": "/token"}
    (read,) = parse(
        cluster(
            clusterName="prod-cluster",
            api=api,
            location="East US 2",
            plsResourceGroup="pls-group",
            vnet={"resourceGroup": "net", "name": "hub", "subscription": other},
            plsPrefix="pls.example.com/azure-pls-",
            tags={"team": "network"},
            mode="upsert-only",
            inTree="active",
            ownerSuccession="oldest",
            settleSeconds=0,
            writeBack="annotations",
        )
    )
    assert read == ClusterConfig(
        name="prod",
        cluster_name="prod-cluster",
        subscription=SUBSCRIPTION,
        location="eastus2",
        load_balancer_resource_group="MC_prod",
        pls_resource_group="pls-group",
        vnet_resource_group="net",
        vnet_name="hub",
        default_subnet="default",
        mode="upsert-only",
        access=ApiAccess(server="https://10.0.0.1:6443", ca_file="/ca.pem", token_file="/token"),
        vnet_subscription=other,
        pls_prefix="pls.example.com/azure-pls-",
        tags={"team": "network"},
        in_tree="active",
        owner_succession="oldest",
        settle_seconds=0,
        write_back="annotations",
    )


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ({"type": "inCluster"}, ApiAccess(in_cluster=True)),
        ({"type": "kubeconfig", "path": "k", "context": "c"}, ApiAccess(kubeconfig="k", context="c")),
        ({"type": "kubeconfig", "content": "v1"}, ApiAccess(kubeconfig_content="v1")),
        ({"type": "kubeconfig", "secret": "PROD"}, ApiAccess(kubeconfig_secret="PROD")),
        (SERVER | {"caData": "PEM", "tokenFile": "t"}, ApiAccess(server="https://s", ca_data="PEM", token_file="t")),
        (SERVER | {"caFile": "c", "tokenSecret": "PROD"}, ApiAccess(server="https://s", ca_file="c", token_secret="PROD")),
        (SERVER | {"scope": f"{SUBSCRIPTION}/.default"}, ApiAccess(server="https://s", scope=f"{SUBSCRIPTION}/.default")),
        (SERVER | {"scope": "api://my/k8s/.default"}, ApiAccess(server="https://s", scope="api://my/k8s/.default")),
        ({"type": "aks", "resourceId": AKS + "/"}, ApiAccess(aks=AKS)),
    ],
)  # fmt: skip
def test_each_way_to_a_cluster(api: dict[str, Any], expected: ApiAccess) -> None:
    """Each of its type, with the keys of that type."""
    assert parse(cluster(api=api))[0].access == expected


def test_an_aks_cluster_leaves_its_places_to_its_resource() -> None:
    """All but the subscription, which is part of the id; nothing is made up for the rest."""
    places = dict.fromkeys(
        ("subscription", "location", "loadBalancerResourceGroup", "vnet", "defaultSubnet"), ...
    )
    (read,) = parse(cluster(api={"type": "aks", "resourceId": AKS}, **places))
    assert read.subscription == SUBSCRIPTION
    assert {
        read.location,
        read.load_balancer_resource_group,
        read.pls_resource_group,
        read.vnet_resource_group,
        read.vnet_name,
        read.default_subnet,
        read.unresolved,
    } == {""}


def test_an_aks_cluster_may_name_its_places() -> None:
    """What is written goes before what the resource says."""
    (read,) = parse(cluster(api={"type": "aks", "resourceId": AKS}, plsResourceGroup="links"))
    (plain,) = parse(cluster(plsResourceGroup="links"))
    assert read == replace(plain, access=ApiAccess(aks=AKS))


def test_clusters_may_be_looked_for_by_a_tag() -> None:
    """With what is configured for each of them; a tag without a value is any value."""
    least = {"subscription": SUBSCRIPTION, "tag": "links", "mode": "plan"}
    empty = {"tag": "links="}
    more = {"tag": "links=on=1", "vnet": {"resourceGroup": "net", "name": "hub"}, "defaultSubnet": "nat"}
    read = parse_clusters(
        json.dumps({"discover": [least, least | empty, least | more | {"tags": {"team": "x"}}]})
    )
    defaults = ClusterConfig("", "kubernetes", SUBSCRIPTION, "", "", "", "", "", "", "plan")
    rich = replace(
        defaults, vnet_resource_group="net", vnet_name="hub", default_subnet="nat", tags={"team": "x"}
    )
    assert read == ClusterList(
        (),
        (
            Discovery(SUBSCRIPTION, "links", None, defaults),
            Discovery(SUBSCRIPTION, "links", "", defaults),
            Discovery(SUBSCRIPTION, "links", "on=1", rich),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"tag": ...}, "tag: is missing"),
        ({"tag": "=on"}, "tag: is '=on'; wanted: name or name=value"),
        ({"mode": ...}, "mode: is missing; wanted: sync, upsert-only or plan"),
        ({"name": "prod"}, "name: is not known"),
        ({"tags": {"k8s-azure-cluster-name": "x"}}, "tags.k8s-azure-cluster-name: is a tag of the reconciler itself"),
        ({"tag": "Links=ON "}, "tag: is 'Links=ON', as in discover[0]"),
    ],
)  # fmt: skip
def test_a_mistake_in_what_to_look_for_is_told_with_its_path(changes: dict[str, Any], mistake: str) -> None:
    """As in a cluster."""
    least = {"subscription": SUBSCRIPTION, "tag": "links=other", "mode": "plan"}
    wrong = {key: value for key, value in (least | {"tag": "a=b"} | changes).items() if value is not ...}
    first = least | {"tag": "links=on"}
    with pytest.raises(ValueError, match="discover") as caught:
        parse_clusters(json.dumps({"clusters": [cluster()], "discover": [first, wrong]}))
    assert str(caught.value) == f"discover[1].{mistake}"


def test_a_prefix_of_one_s_own_means_no_in_tree_controller() -> None:
    """It acts on the standard annotations only: nothing to wait for."""
    assert parse(cluster(plsPrefix="example.com/pls-"))[0].in_tree == "absent"


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"mode": ...}, "mode: is missing; wanted: sync, upsert-only or plan"),
        ({"mode": "write"}, "mode: is 'write'; wanted: 'sync', 'upsert-only' or 'plan'"),
        ({"name": "a|b"}, "name: is 'a|b'; wanted: at most 63 letters, digits, dots, hyphens, underscores"),
        ({"name": ""}, "name: is ''; wanted: at most 63 letters, digits, dots, hyphens, underscores"),
        ({"name": 7}, "name: is '7'; wanted: a valid string"),
        ({"subscripton": "x"}, "subscripton: is not known; did you mean subscription?"),
        ({"zzz": 1}, "zzz: is not known"),
        ({"cluster_name": "x"}, "cluster_name: is not known; did you mean clusterName?"),
        ({"vnet": {"resourceGroup": "g"}}, "vnet.name: is missing"),
        ({"vnet": {"resourceGroup": "g", "name": "v", "nmae": "v"}}, "vnet.nmae: is not known; did you mean name?"),
        ({"vnet": "aks-vnet"}, "vnet: is 'aks-vnet'; wanted: keys and values"),
        ({"subscription": "mine"}, "subscription: is 'mine'; wanted: a subscription id (a GUID)"),
        ({"settleSeconds": -1}, "settleSeconds: is '-1'; wanted: greater than or equal to 0"),
        ({"settleSeconds": "150"}, "settleSeconds: is '150'; wanted: a valid integer"),
        ({"defaultSubnet": "/subscriptions/x/subnets/y"}, "defaultSubnet: is '/subscriptions/x/subnets/y'; wanted: the name alone, not a resource id; at most 80 characters"),
        ({"tags": {"k8s-azure-owner-service": "x"}}, "tags.k8s-azure-owner-service: is a tag of the reconciler itself"),
        ({"tags": {"env": "x", "ENV": "x"}}, "tags.ENV: is 'env' in another case, and Azure keeps one of them"),
        ({"tags": {"a/b": "x"}}, "tags.a/b: wanted: at most 512 characters without < > % & \\ ? /"),
        ({"tags": {"a": 1}}, "tags.a: is '1'; wanted: a valid string"),
        ({"plsPrefix": ""}, f"plsPrefix: is ''; wanted: the beginning of annotation keys, such as {STANDARD_PREFIX}"),
        ({"inTree": "no"}, "inTree: is 'no'; wanted: 'active' or 'absent'"),
        ({"api": ...}, f"api: is missing; wanted: {TYPES}"),
        ({"api": ..., "access": {"kubeconfig": "k"}}, f"access: is now called api and tells its type; wanted: {TYPES}"),
        ({"api": {}}, "api.type: is missing; wanted: aks, kubeconfig, server or inCluster"),
        ({"api": "kubeconfig"}, "api.type: is missing; wanted: aks, kubeconfig, server or inCluster"),
        ({"api": {"type": "arc"}}, "api.type: is 'arc'; wanted: aks, kubeconfig, server or inCluster"),
        ({"api": {"type": "kubeconfig"}}, "api: wanted: one of path, content, secret; there is none"),
        ({"api": {"type": "kubeconfig", "path": "p", "secret": "s"}}, "api: wanted: one of path, content, secret; there are several"),
        ({"api": {"type": "kubeconfig", "path": "p", "caFile": "c"}}, "api.caFile: is not known"),
        ({"api": {"type": "kubeconfig", "path": "p", "contxt": "c"}}, "api.contxt: is not known; did you mean context?"),
        ({"api": {"type": "kubeconfig", "secret": "IDENTITY-HEADER"}}, "api.secret: wanted: letters, digits, underscores"),
        ({"api": SERVER}, "api: wanted: one of scope, tokenFile, tokenSecret; there is none"),
        ({"api": SERVER | {"tokenFile": "t", "scope": "api://k8s/.default"}}, "api: wanted: one of scope, tokenFile, tokenSecret; there are several"),
        ({"api": SERVER | {"tokenFile": "t", "caFile": "c", "caData": "d"}}, "api: caFile and caData exclude each other"),
        ({"api": SERVER | {"tokenFile": "t", "server": "http://10.0.0.1"}}, "api.server: is 'http://10.0.0.1'; wanted: an https:// address"),
        ({"api": {"type": "server", "tokenFile": "t"}}, "api.server: is missing"),
        ({"api": SERVER | {"scope": "api://k8s"}}, "api.scope: is 'api://k8s'; wanted: api://…/.default or <application id>/.default of the API server's application"),
        ({"api": {"type": "inCluster", "context": "c"}}, "api.context: is not known"),
        ({"api": {"type": "aks"}}, "api.resourceId: is missing"),
        ({"api": {"type": "aks", "resourceID": AKS, "resourceId": AKS}}, "api.resourceID: is not known; did you mean resourceId?"),
        ({"api": {"type": "aks", "resourceId": AKS + "/agentPools/x"}}, f"api.resourceId: is '{AKS[:57]}...'; wanted: /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…"),
        ({"api": {"type": "aks", "resourceId": "prod"}}, "api.resourceId: is 'prod'; wanted: /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_path(changes: dict[str, Any], mistake: str) -> None:
    """Where it is, what stands there, what was wanted."""
    assert mistakes(cluster(name="first", loadBalancerResourceGroup="g"), cluster(**changes)) == [
        f"clusters[1].{mistake}"
    ]


@pytest.mark.parametrize(
    "scope",
    [
        "https://management.azure.com/.default",
        "https://vault.azure.net/.default",
        "797F4846-ba00-4fd7-ba43-dac1f8f63013/.default",
        "e406a681-f3d4-42a8-90b6-c2b029497af1/.default",
        "4962773b-9cdb-44cf-a8bf-237846a00ab7/.default",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default",
        "00000003-0000-0000-c000-000000000000/.default",
        "api://k8s/.default api://other/.default",
    ],
)
def test_a_server_cannot_collect_tokens_for_azure(scope: str) -> None:
    """Whoever may name a cluster's server must not get what the identity may do in Azure sent to it."""
    (mistake,) = mistakes(cluster(api=SERVER | {"scope": scope}))
    assert mistake.startswith("clusters[0].api.scope: is ")


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody wants to fix a file one start at a time."""
    found = mistakes(cluster(mode="x", location=...), "text", cluster(name=..., typo=1, clusterName="c"))
    assert [line.split(": ")[0] for line in found] == [
        "clusters[0].mode",
        "clusters[0].location",
        "clusters[1]",
        "clusters[2].name",
        "clusters[2].typo",
    ]


def test_rules_between_keys_and_clusters_speak_up_beside_wrong_values() -> None:
    """A wrong value hides no reserved tag, no second way to the API and no twin: one message, one round."""
    tags = {"k8s-azure-cluster-name": "x", "K8S-azure-owner-service": "y", "a/b": "z", "long": "v" * 257}
    api = SERVER | {"caFile": "c", "caData": "d"}
    wrong = cluster(mode=..., api=api, tags=tags, location=" ")
    found = mistakes(cluster(vnet=...), wrong, "text", cluster(name=" Prod", clusterName="kubernetes "))
    assert [line.split(": wanted")[0] for line in found] == [
        "clusters[0].vnet: is missing",
        "clusters[1].mode: is missing; wanted: sync, upsert-only or plan",
        "clusters[1].location: is ' '; wanted: an Azure region, such as eastus",
        "clusters[2]: is 'text'; wanted: keys and values",
        "clusters[1].api",
        "clusters[1].api: caFile and caData exclude each other",
        "clusters[1].tags.k8s-azure-cluster-name: is a tag of the reconciler itself",
        "clusters[1].tags.K8S-azure-owner-service: is a tag of the reconciler itself",
        "clusters[1].tags.a/b",
        "clusters[1].tags.long",
        "clusters[1].name: is 'prod', as in clusters[0]",
        "clusters[3].name: is 'Prod', as in clusters[0]",
        "clusters[1].loadBalancerResourceGroup: is 'MC_prod' with clusterName 'kubernetes', as in clusters[0]: both would act on the same load balancers",
        "clusters[3].loadBalancerResourceGroup: is 'MC_prod' with clusterName 'kubernetes', as in clusters[0]: both would act on the same load balancers",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["name", "subscription", "loadBalancerResourceGroup", "clusterName"])
@pytest.mark.parametrize("value", ["", None, 5, ["x"]])
def test_what_is_not_told_is_not_compared(key: str, value: Any) -> None:
    """Two that both leave a key empty are wrong for that, not for being alike."""
    twins = [cluster(name=n, loadBalancerResourceGroup=n) | {key: value} for n in ("a", "b")]
    assert not [line for line in mistakes(*twins) if "as in" in line]


def test_too_many_tags_are_a_mistake() -> None:
    """Azure would refuse every write."""
    assert len(parse(cluster(tags={f"t{i}": "" for i in range(48)}))[0].tags) == 48
    (mistake,) = mistakes(cluster(tags={f"t{i}": "" for i in range(49)}))
    assert mistake == "clusters[0].tags: Azure keeps at most 50, two of them for the reconciler"


def test_a_secret_is_never_part_of_a_message() -> None:
    """A kubeconfig holds tokens and keys."""
    content = {"type": "kubeconfig", "content": "SECRET"}
    items = [
        content | {"path": "p"},
        content | {"content": {"users": "SECRET"}},
        content | {"content": 5, "token": "SECRET"},
        {"type": "kubeconfig", "secret": "SECRET: a kubeconfig"},
        SERVER | {"tokenSecret": "SECRET.token"},
        SERVER | {"tokenSecret": 5, "token": "SECRET"},
        ["SECRET"],
        "SECRET",
    ]
    found = mistakes(*(cluster(name=f"c{i}", clusterName=f"c{i}", api=a) for i, a in enumerate(items)))
    assert {line.split(".")[0] for line in found} == {f"clusters[{i}]" for i in range(len(items))}
    assert "SECRET" not in "\n".join(found)
    assert "SECRET" not in repr(parse(cluster(api=content)))


def test_two_clusters_of_one_name_are_a_mistake() -> None:
    """Names are compared without regard to case: people do."""
    assert mistakes(cluster(), cluster(name="PROD", loadBalancerResourceGroup="g")) == [
        "clusters[1].name: is 'PROD', as in clusters[0]"
    ]


def test_two_clusters_on_the_same_load_balancers_are_a_mistake() -> None:
    """Both would take the other's PLSs for their own."""
    twin = cluster(name="dev", loadBalancerResourceGroup="mc_PROD", clusterName=" Kubernetes ")
    assert mistakes(cluster(), twin) == [
        "clusters[1].loadBalancerResourceGroup: is 'mc_PROD' with clusterName 'Kubernetes', as in clusters[0]: "
        "both would act on the same load balancers"
    ]


def test_two_entries_of_one_aks_cluster_are_a_mistake() -> None:
    """Whatever else they say; and an entry that names its balancers is compared by them, too."""
    left = dict.fromkeys(("subscription", "loadBalancerResourceGroup"), ...)
    one = cluster(api={"type": "aks", "resourceId": AKS}, **left)
    two = cluster(name="dev", api={"type": "aks", "resourceId": AKS.upper() + "/"}, clusterName="x", **left)
    assert mistakes(one, two) == [
        "clusters[1].api.resourceId: is that of clusters[0], too; a cluster has one entry"
    ]
    aks = cluster(name="dev", api={"type": "aks", "resourceId": AKS}, subscription=...)
    (told,) = mistakes(cluster(), aks)
    assert told.startswith("clusters[1].loadBalancerResourceGroup: is 'MC_prod'")


def test_aks_clusters_whose_balancers_are_not_known_yet_get_along() -> None:
    """What both leave to their resources is not the same for that."""
    left = dict.fromkeys(("subscription", "loadBalancerResourceGroup"), ...)
    names = ("prod", "dev")
    read = parse(*(cluster(name=n, api={"type": "aks", "resourceId": f"{AKS}-{n}"}, **left) for n in names))
    assert [one.name for one in read] == ["prod", "dev"]


@pytest.mark.parametrize(
    "changes",
    [
        {"clusterName": "dev"},
        {"loadBalancerResourceGroup": "g"},
        {"subscription": SUBSCRIPTION.replace("1", "2")},
    ],
)
def test_clusters_that_differ_in_one_of_these_get_along(changes: dict[str, Any]) -> None:
    """On AKS every cluster may be called kubernetes; self-managed ones may share a group."""
    assert len(parse(cluster(), cluster(name="dev", **changes))) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "no cluster"),
        ("{}", "list of clusters"),
        ('{"clusters": {}}', "list of clusters"),
        ('{"clusters": [], "more": 1}', "list of clusters"),
        ('{"clusters": [], "discover": []}', "no cluster"),
        ('{"discover": {}}', "list of clusters"),
        ("[{", "not JSON"),
        ("a: [", "not YAML, line"),
        ("a: !!python/object:os.system x", "not YAML"),
        ("5", "list of clusters"),
        ("", "list of clusters"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_no_list_of_clusters_is_refused(text: str, reason: str) -> None:
    """With a reason rather than a traceback."""
    with pytest.raises(ValueError, match=reason):
        parse_clusters(text)


YAML = f"""
clusters:
- name: prod
  mode: plan
  api: {{type: kubeconfig, path: ./prod.kubeconfig}}
  subscription: {SUBSCRIPTION}
  location: eastus
  loadBalancerResourceGroup: MC_prod
  vnet: {{resourceGroup: MC_prod, name: aks-vnet}}
  defaultSubnet: default
"""


def test_a_file_may_be_yaml_or_json_and_its_paths_start_beside_it(tmp_path: Path) -> None:
    """So that `--config clusters/prod.yaml` works from anywhere."""
    (tmp_path / "c.yaml").write_text(YAML)
    (tmp_path / "c.json").write_text(json.dumps([cluster(mode="plan")]))
    from_yaml = read_clusters(str(tmp_path / "c.yaml"))
    assert from_yaml == read_clusters(str(tmp_path / "c.json"))
    assert Path(from_yaml.clusters[0].access.kubeconfig) == tmp_path / "prod.kubeconfig"


def test_a_path_from_the_root_stays_as_it_is(tmp_path: Path) -> None:
    """Mounted secrets."""
    api = SERVER | {"caFile": "/run/ca.pem", "tokenFile": "/run/token"}
    (tmp_path / "c.json").write_text(json.dumps([cluster(api=api)]))
    read = read_clusters(str(tmp_path / "c.json")).clusters[0].access
    assert (read.ca_file, read.token_file, read.kubeconfig) == ("/run/ca.pem", "/run/token", "")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, no text, or JSON that somebody forgot to begin."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "missing.yaml", tmp_path, tmp_path / "binary"):
        with pytest.raises(ValueError, match="cannot read the file"):
            read_clusters(str(path))
    with pytest.raises(ValueError, match="cannot read the file"):
        read_clusters("name: prod\x00" * 1000)


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    """However long its path: of several files a pipeline tells which."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    for name, text in {"a.yaml": "- name: x\n  mode: plan", "b.yaml": "a: ["}.items():
        (folder / name).write_text(text)
        with pytest.raises(ValueError, match=r"\w") as caught:
            read_clusters(str(folder / name))
        assert all(line.startswith(f"{folder / name}: ") for line in str(caught.value).splitlines())
    with pytest.raises(ValueError, match=re.escape(repr(str(folder / "missing.yaml")))):
        read_clusters(str(folder / "missing.yaml"))


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([*cluster(), "clusters", "discover", "server", "type", "tag", "x"])
    words = st.sampled_from(["aks", "kubeconfig", "server", "inCluster", "plan"])
    return st.lists(children, max_size=3) | st.dictionaries(keys, children | words, max_size=8)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), _nested, max_leaves=12))
def test_any_json_is_clusters_or_a_list_of_mistakes(data: Any) -> None:
    """Whatever is written, the answer is a value or a ValueError with text."""
    try:
        parse_clusters(json.dumps(data))
    except ValueError as error:
        told = str(error)
    else:
        told = "clusters"
    assert told
