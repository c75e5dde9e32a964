"""CLUSTERS as people write it: what is read, what is filled in, and every mistake with its path."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster_settings import parse_clusters, read_clusters
from reconciler.model import STANDARD_PREFIX, ApiAccess, ClusterConfig

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def cluster(**changes: Any) -> dict[str, Any]:
    """The least that one has to write; a change to ... leaves the key out."""
    least = {
        "name": "prod",
        "mode": "sync",
        "access": {"kubeconfig": "prod.kubeconfig"},
        "subscription": SUBSCRIPTION,
        "location": "eastus",
        "loadBalancerResourceGroup": "MC_prod",
        "vnet": {"resourceGroup": "MC_prod", "name": "aks-vnet"},
        "defaultSubnet": "default",
    }
    return {key: value for key, value in (least | changes).items() if value is not ...}


def parse(*clusters: dict[str, Any]) -> tuple[ClusterConfig, ...]:
    return parse_clusters(json.dumps(clusters))


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
    access = {"server": "https://10.0.0.1:6443", "caFile": "/ca.pem", "tokenFile": "/token"}
    (read,) = parse(
        cluster(
            clusterName="prod-cluster",
            access=access,
            location="East US 2",
            plsResourceGroup="pls-group",
            vnet={"resourceGroup": "net", "name": "hub", "subscription": other},
            plsPrefix="pls.example.com/azure-pls-",
            tags={"team": "network"},
            mode="upsert-only",
            inTree="active",
            ownerSuccession="oldest",
            settleSeconds=0,
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
    )


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        ({"inCluster": True}, ApiAccess(in_cluster=True)),
        ({"kubeconfig": "k", "context": "c"}, ApiAccess(kubeconfig="k", context="c")),
        ({"kubeconfigContent": "apiVersion: v1"}, ApiAccess(kubeconfig_content="apiVersion: v1")),
        (
            {"server": "https://s", "caData": "PEM", "tokenFile": "t"},
            ApiAccess(server="https://s", ca_data="PEM", token_file="t"),
        ),
    ],
)
def test_each_way_to_a_cluster(access: dict[str, Any], expected: ApiAccess) -> None:
    """One of four."""
    assert parse(cluster(access=access))[0].access == expected


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
        ({"tags": {"a/b": "x"}}, "tags.a/b: wanted: at most 512 characters without < > % & \\ ? /"),
        ({"tags": {"a": 1}}, "tags.a: is '1'; wanted: a valid string"),
        ({"plsPrefix": ""}, f"plsPrefix: is ''; wanted: the beginning of annotation keys, such as {STANDARD_PREFIX}"),
        ({"inTree": "no"}, "inTree: is 'no'; wanted: 'active' or 'absent'"),
        ({"access": {}}, "access: wanted: one of kubeconfig, kubeconfigContent, inCluster, server; there is none"),
        ({"access": {"inCluster": True, "kubeconfig": "k"}}, "access: wanted: one of kubeconfig, kubeconfigContent, inCluster, server; there are several"),
        ({"access": {"server": "http://10.0.0.1", "tokenFile": "t"}}, "access.server: is 'http://10.0.0.1'; wanted: an https:// address"),
        ({"access": {"server": "https://s"}}, "access: server needs tokenFile"),
        ({"access": {"kubeconfig": "k", "caFile": "c"}}, "access: caFile, caData and tokenFile belong to server"),
        ({"access": {"inCluster": True, "context": "c"}}, "access: context belongs to kubeconfig or kubeconfigContent"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_path(changes: dict[str, Any], mistake: str) -> None:
    """Where it is, what stands there, what was wanted."""
    assert mistakes(cluster(name="first", loadBalancerResourceGroup="g"), cluster(**changes)) == [
        f"clusters[1].{mistake}"
    ]


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody wants to fix a file one start at a time."""
    found = mistakes(cluster(mode="x", location=...), "text", cluster(name=..., typo=1, clusterName="c"))
    assert [line.split(": ")[0] for line in found] == [
        "clusters[0].location",
        "clusters[0].mode",
        "clusters[1]",
        "clusters[2].name",
        "clusters[2].typo",
    ]


def test_rules_between_keys_and_clusters_speak_up_beside_wrong_values() -> None:
    """A wrong value hides no reserved tag, no second way to the API and no twin: one message, one round."""
    tags = {"k8s-azure-cluster-name": "x", "K8S-azure-owner-service": "y", "a/b": "z", "long": "v" * 257}
    access = {"inCluster": True, "kubeconfig": "k", "tokenFile": "t"}
    wrong = cluster(mode=..., access=access, tags=tags, location=" ")
    found = mistakes(cluster(vnet=...), wrong, "text", cluster(name=" Prod", clusterName="kubernetes "))
    assert [line.split(": wanted")[0] for line in found] == [
        "clusters[0].vnet: is missing",
        "clusters[1].location: is ' '; wanted: an Azure region, such as eastus",
        "clusters[1].mode: is missing; wanted: sync, upsert-only or plan",
        "clusters[2]: is 'text'; wanted: keys and values",
        "clusters[1].access",
        "clusters[1].access: caFile, caData and tokenFile belong to server",
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
    wrong = {"kubeconfigContent": "SECRET", "inCluster": True}
    nested = {"kubeconfigContent": {"users": "SECRET"}}
    items = [wrong, nested, ["SECRET"]]
    found = mistakes(*(cluster(name=f"c{i}", clusterName=f"c{i}", access=a) for i, a in enumerate(items)))
    assert len(found) == 3
    assert "SECRET" not in "\n".join(found)
    assert "SECRET" not in repr(parse(cluster(access={"kubeconfigContent": "SECRET"})))


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
  access: {{kubeconfig: ./prod.kubeconfig}}
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
    assert Path(from_yaml[0].access.kubeconfig) == tmp_path / "prod.kubeconfig"


def test_a_path_from_the_root_stays_as_it_is(tmp_path: Path) -> None:
    """Mounted secrets."""
    access = {"server": "https://s", "caFile": "/run/ca.pem", "tokenFile": "/run/token"}
    (tmp_path / "c.json").write_text(json.dumps([cluster(access=access)]))
    read = read_clusters(str(tmp_path / "c.json"))[0].access
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
    keys = st.sampled_from([*cluster(), "clusters", "server", "kubeconfig", "x"])
    return st.lists(children, max_size=3) | st.dictionaries(keys, children, max_size=8)


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
