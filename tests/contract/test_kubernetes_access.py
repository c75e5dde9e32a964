"""Ways to a cluster's API that take more than its configuration: Entra tokens, AKS, secrets, programs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from kubernetes.config import incluster_config

from reconciler.adapters.cluster_tokens import Tokens
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.adapters.kubernetes_access import AKS_SCOPE, Means
from reconciler.errors import Denied, NotFound, OutsideError, RetryLater
from reconciler.model import ApiAccess, Endpoint
from sandbox.kubernetes import ClusterOptions, RunningCluster, start_cluster
from sandbox.tls import Authority
from tests.contract.cluster_world import PAGE, Json, RealWorld
from tests.contract.servers import Answer, BackDoor, Scripted

TENANT = "11111111-0000-0000-0000-000000000001"
AKS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/prod"
LIFE = 600


@dataclass
class Entra:
    """An identity whose tokens live ten minutes, on a clock that a test may let run with every look at it."""

    now: float = 1_800_000_000.0
    step: float = 0.0
    tenant: str = TENANT
    asked: list[str] = field(default_factory=list)

    def tick(self) -> float:
        self.now += self.step
        return self.now

    def token(self, scope: str) -> AccessToken:
        self.asked.append(scope)
        claims = {"aud": scope.removesuffix("/.default"), "tid": self.tenant, "oid": "me"}
        claims |= {"nbf": int(self.now), "exp": int(self.now) + LIFE}  # type: ignore[dict-item]
        middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return AccessToken(f"e30.{middle}.c2ln", int(self.now) + LIFE)


@dataclass
class AksWorld:
    """An AKS cluster that takes the identity's tokens; ``located`` counts the questions where it is."""

    running: RunningCluster
    authority: Authority
    door: BackDoor
    entra: Entra = field(default_factory=Entra)
    located: int = 0

    def locate(self, resource_id: str) -> Endpoint:
        assert resource_id == AKS
        self.located += 1
        return Endpoint(self.running.url, self.authority.ca_path.read_text())

    def means(self) -> Means:
        return Means(Tokens(self.entra.token, self.entra.tick), self.locate, {})

    def cluster(self, access: ApiAccess | None = None) -> KubernetesCluster:
        return KubernetesCluster(access or ApiAccess(aks=AKS), 10, means=self.means(), page_size=PAGE)

    def lists(self) -> int:
        return sum("/api/v1/services" in line["path"] for line in self.door.call("GET", "requests")["value"])


@pytest.fixture
def aks(authority: Authority, run: Callable[[Any], Any], tmp_path: Path) -> Iterator[AksWorld]:
    """One cluster with Entra integration, on the identity's clock."""
    entra = Entra()
    options = ClusterOptions(tenant=TENANT, clock=lambda: datetime.fromtimestamp(entra.now, UTC))
    running = run(start_cluster(options, authority))
    world = AksWorld(running, authority, BackDoor(running.url, authority.ca_path), entra)
    yield world
    world.door.close()
    run(world.running.stop())


def put_many(door: BackDoor, count: int) -> None:
    RealWorld(None, None, None, door, None).put_many(count)  # type: ignore[arg-type]


# -- Entra tokens


def test_an_aks_cluster_is_read_with_a_token_of_the_identity_s_own(aks: AksWorld) -> None:
    """For AKS's application, at the address and with the authority that Azure tells; both asked for once."""
    put_many(aks.door, 2)
    cluster = aks.cluster()
    assert [len(cluster.list_services()), len(cluster.list_services())] == [2, 2]
    assert cluster.identity()
    assert (aks.entra.asked, aks.located) == ([AKS_SCOPE], 1)


def test_any_cluster_that_takes_entra_tokens_is_read_by_server_and_scope(aks: AksWorld) -> None:
    """Nothing is asked of AKS."""
    ca = aks.authority.ca_path.read_text()
    assert aks.cluster(ApiAccess(server=aks.running.url, ca_data=ca, scope=AKS_SCOPE)).list_services() == ()
    with pytest.raises(Denied, match="401"):
        aks.cluster(ApiAccess(server=aks.running.url, ca_data=ca, scope="api://other/.default")).digest()
    assert aks.located == 0


def test_a_token_that_ends_in_the_middle_of_a_list_is_renewed_before(aks: AksWorld) -> None:
    """Else the longest lists, of the largest clusters, would end in 401 every hour."""
    pages = 8
    put_many(aks.door, pages * PAGE)
    aks.entra.step = 100  # seconds per look at the clock, of which each page takes one or more
    assert len(aks.cluster().list_services()) == pages * PAGE
    assert len(aks.entra.asked) > 1
    assert aks.lists() == pages  # none of them refused


def test_after_a_401_the_next_call_begins_anew(aks: AksWorld) -> None:
    """With another token and another look at where the cluster is, and not before it is asked to."""
    cluster = aks.cluster()
    aks.entra.tenant = "another"
    with pytest.raises(Denied, match="401"):
        cluster.list_services()
    assert (aks.lists(), len(aks.entra.asked), aks.located) == (1, 1, 1)
    aks.entra.tenant = TENANT
    assert cluster.list_services() == ()
    assert (aks.lists(), len(aks.entra.asked), aks.located) == (2, 2, 2)


def test_a_403_keeps_the_token(aks: AksWorld) -> None:
    """A missing role does not come from the token: asking for another at each try helps nobody."""
    cluster = aks.cluster()
    aks.door.fault(path="services", status=403)
    with pytest.raises(Denied, match="403"):
        cluster.list_services()
    assert cluster.list_services() == ()
    assert (len(aks.entra.asked), aks.located) == (1, 1)


def test_a_cluster_made_anew_under_its_id_is_found_again(
    aks: AksWorld, run: Callable[[Any], Any], tmp_path: Path
) -> None:
    """It has another authority: the old one is refused once, then Azure is asked."""
    cluster = aks.cluster()
    assert cluster.list_services() == ()
    port = int(aks.running.url.rpartition(":")[2])
    run(aks.running.stop())
    aks.authority = Authority.create(tmp_path / "new")
    clock = lambda: datetime.fromtimestamp(aks.entra.now, UTC)  # noqa: E731
    aks.running = run(start_cluster(ClusterOptions(port=port, tenant=TENANT, clock=clock), aks.authority))
    with pytest.raises(Denied, match="certificate"):
        cluster.list_services()
    assert cluster.list_services() == ()
    assert aks.located == 2


def test_a_cluster_whose_address_is_gone_is_looked_for_again(aks: AksWorld) -> None:
    """One made anew has another name in DNS; of the old one nothing is left."""
    cluster = KubernetesCluster(
        ApiAccess(aks=AKS), means=replace(aks.means(), locate=(places := Places(aks)).next)
    )
    with pytest.raises(RetryLater, match=r"gone\.invalid"):
        cluster.list_services()
    assert cluster.list_services() == ()
    assert places.asked == 2


@dataclass
class Places:
    aks: AksWorld
    asked: int = 0

    def next(self, resource_id: str) -> Endpoint:
        self.asked += 1
        found = self.aks.locate(resource_id)
        return replace(found, server="https://gone.invalid") if self.asked == 1 else found


@pytest.mark.parametrize("error", [Denied("no role"), NotFound("no cluster"), RetryLater("busy")])
def test_what_azure_says_about_a_cluster_or_a_token_is_passed_on(aks: AksWorld, error: OutsideError) -> None:
    """A busy identity service is tried later, a missing role is reported; nothing goes out without a token."""

    def fail(_: str) -> Any:
        raise error

    for means in (replace(aks.means(), locate=fail), replace(aks.means(), tokens=Tokens(fail))):
        with pytest.raises(type(error)) as caught:
            KubernetesCluster(ApiAccess(aks=AKS), means=means).list_services()
        assert caught.value is error
    assert aks.lists() == 0


def test_without_an_identity_nothing_is_asked_for(script: Scripted) -> None:
    """Nobody is not somebody without rights."""
    for access in (ApiAccess(aks=AKS), ApiAccess(server=script.url, scope=AKS_SCOPE)):
        with pytest.raises(Denied, match="no identity"):
            KubernetesCluster(access).list_services()
    assert script.seen == []


# -- secrets


def test_secrets_are_read_from_the_environment_when_the_cluster_is_opened(real_cluster: RealWorld) -> None:
    """A kubeconfig, or a server's token."""
    token = real_cluster.running.reader_token
    kubeconfig = real_cluster.running.kubeconfig(real_cluster.directory / "k", token=token).read_text()
    environ = {"CLUSTER_SECRET_KUBE": f"\n{kubeconfig}", "CLUSTER_SECRET_TOKEN": f"{token}\n"}
    server = replace(real_cluster.access(), token_file="")
    for access in (ApiAccess(kubeconfig_secret="KUBE"), replace(server, token_secret="TOKEN")):
        assert KubernetesCluster(access, means=Means(environ=environ)).list_services() == ()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ("CLUSTER_SECRET_PROD", "is not set", "@Microsoft.KeyVault(SecretUri=")),
        ({"CLUSTER_SECRET_PROD": " "}, ("CLUSTER_SECRET_PROD", "is not set")),
        ({"PROD": "hidden", "CLUSTER_SECRET_prod": "hidden"}, ("CLUSTER_SECRET_PROD", "is not set")),
        (
            {
                "CLUSTER_SECRET_PROD": "@Microsoft.KeyVault(SecretUri=https://hidden.vault.azure.net/secrets/x)"
            },
            ("CLUSTER_SECRET_PROD", "was not resolved", "Key Vault Secrets User"),
        ),
    ],
)
def test_a_secret_that_is_not_there_is_told_with_what_to_do(
    script: Scripted, environ: dict[str, str], words: tuple[str, ...]
) -> None:
    """An unresolved reference is a text like any other: sent as a token it would only be a 401."""
    for access in (
        ApiAccess(kubeconfig_secret="PROD"),
        ApiAccess(server=script.url, token_secret="PROD"),
    ):
        with pytest.raises(Denied) as caught:
            KubernetesCluster(access, means=Means(environ=environ)).list_services()
        assert all(word in str(caught.value) for word in words)
        assert "hidden" not in str(caught.value)
    assert script.seen == []


def test_no_other_variable_can_be_sent_to_a_server(script: Scripted, authority: Authority) -> None:
    """Who may write the clusters must not read the identity's header, by name or as a file."""
    environ = {"IDENTITY_HEADER": "hidden"}
    access = ApiAccess(server=script.url, ca_file=str(authority.ca_path))
    for changed in (
        replace(access, token_secret="IDENTITY_HEADER"),
        replace(access, token_file="/proc/self/environ"),
    ):
        with pytest.raises(Denied) as caught:
            KubernetesCluster(changed, means=Means(environ=environ)).list_services()
        assert "hidden" not in str(caught.value)
    assert script.seen == []


@pytest.mark.parametrize("content", ["", "\n", "one\ntwo", "a b", "a\x00b", "ümlaut"])
def test_a_file_that_holds_no_token_is_sent_to_nobody(
    script: Scripted, authority: Authority, tmp_path: Path, content: str
) -> None:
    """Neither as a server's token nor as that of a kubeconfig."""
    file = tmp_path / "file"
    file.write_text(content, encoding="utf-8")
    access = ApiAccess(server=script.url, ca_file=str(authority.ca_path), token_file=str(file))
    document = kubeconfig(script.url, authority, {"tokenFile": str(file)})
    for wrong in (access, ApiAccess(kubeconfig_content=json.dumps(document))):
        if content.strip() or wrong is access:  # a kubeconfig's user may have no token at all
            with pytest.raises(Denied, match="token"):
                KubernetesCluster(wrong).list_services()
            assert script.seen == []


def test_a_token_file_that_is_no_text_is_a_wrong_access(
    script: Scripted, authority: Authority, tmp_path: Path
) -> None:
    """One cluster's file, not a run that breaks and comes back as a poison message."""
    file = tmp_path / "file"
    file.write_bytes(b"\xff\xfet\x00o\x00k")
    access = ApiAccess(server=script.url, ca_file=str(authority.ca_path), token_file=str(file))
    with pytest.raises(Denied, match="token"):
        KubernetesCluster(access).list_services()
    assert script.seen == []


def test_a_pods_token_that_is_gone_when_it_is_renewed_is_a_wrong_access(
    script: Scripted, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library reads the file again each minute, on a thread of whatever run comes by."""
    token, host = tmp_path / "token", urlsplit(script.url)
    token.write_text("t")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority.ca_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(host.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(host.port))
    no_minute = SimpleNamespace(datetime=datetime, timedelta=lambda minutes: timedelta(0))
    monkeypatch.setattr(incluster_config, "datetime", no_minute)
    script.answers["/api/v1/services"] = Answer(body=b'{"kind": "ServiceList", "metadata": {}, "items": []}')
    cluster = KubernetesCluster(ApiAccess(in_cluster=True))
    assert cluster.list_services() == ()
    token.write_text("")
    with pytest.raises(Denied, match="Token file exists but empty"):
        cluster.list_services()


@pytest.mark.parametrize("user", [{"token": "t"}, {"username": "u", "password": "p"}])
def test_a_kubeconfig_s_token_does_not_travel_in_the_open(authority: Authority, user: Json) -> None:
    """Nothing is sent, not even a name looked up. Within this machine (kubectl proxy) anything goes."""
    document = kubeconfig("http://api.prod.example:8080", authority, user)
    with pytest.raises(Denied, match="not https"):
        KubernetesCluster(ApiAccess(kubeconfig_content=json.dumps(document))).list_services()
    near = kubeconfig("http://127.0.0.1:9", authority, user)
    with pytest.raises(RetryLater):
        KubernetesCluster(ApiAccess(kubeconfig_content=json.dumps(near))).list_services()


# -- programs


def kubeconfig(server: str, authority: Authority, user: Json, name: str = "me") -> Json:
    """A kubeconfig with this user, and with another whose program nobody has."""
    ca = base64.b64encode(authority.ca_path.read_bytes()).decode()
    other = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-program"}}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": "me", "user": user}, {"name": "other", "user": other}],
        "contexts": [
            {"name": "me", "context": {"cluster": "c", "user": "me"}},
            {"name": "other", "context": {"cluster": "c", "user": "other"}},
        ],
        "current-context": name,
    }


def program(path: Path, token: str) -> Json:
    """A user whose token comes from a program, which is written to the path."""
    status = {"status": {"token": token} if token else {}}
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", **status}
    path.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    path.chmod(0o700)
    return {"exec": {"apiVersion": answer["apiVersion"], "command": str(path), "interactiveMode": "Never"}}


def test_a_kubeconfig_s_program_runs_where_it_is(real_cluster: RealWorld) -> None:
    """On a laptop: named by its path, or beside the kubeconfig."""
    path = real_cluster.directory / "login"
    user = program(path, real_cluster.running.reader_token)
    for command in (str(path), "./login"):
        user["exec"]["command"] = command
        document = kubeconfig(real_cluster.running.url, real_cluster.authority, user)
        (real_cluster.directory / "config").write_text(json.dumps(document))
        access = ApiAccess(kubeconfig=str(real_cluster.directory / "config"))
        assert KubernetesCluster(access, means=Means(environ={})).list_services() == ()


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"WEBSITE_INSTANCE_ID": "1"}, "cannot run in Azure Functions"),
        ({"WEBSITE_SITE_NAME": "app"}, "cannot run in Azure Functions"),
        ({"PATH": "/nowhere"}, "is not on the PATH"),
    ],
)
def test_a_program_that_cannot_run_is_refused_with_the_way_out(
    script: Scripted, authority: Authority, tmp_path: Path, environ: dict[str, str], why: str
) -> None:
    """Before any call: the client library would log a line and go on as nobody."""
    user = program(tmp_path / "kubelogin", "t")
    if "PATH" in environ:
        user["exec"]["command"] = "kubelogin"
    content = json.dumps(kubeconfig(script.url, authority, user))
    with pytest.raises(Denied) as caught:
        KubernetesCluster(ApiAccess(kubeconfig_content=content), means=Means(environ=environ)).list_services()
    for words in ("kubelogin", why, "{type: aks, resourceId: …}", "scope: …}", "tokenSecret: …}"):
        assert words in str(caught.value)
    assert script.seen == []


@pytest.mark.parametrize("provider", ["azure", "gcp", 5])
def test_an_auth_provider_that_is_gone_is_refused(
    script: Scripted, authority: Authority, provider: object
) -> None:
    """Kubeconfigs of az aks get-credentials from before kubelogin: the library would go on as nobody."""
    content = json.dumps(kubeconfig(script.url, authority, {"auth-provider": {"name": provider}}))
    with pytest.raises(Denied, match="auth provider"):
        KubernetesCluster(ApiAccess(kubeconfig_content=content)).list_services()
    assert script.seen == []


def test_a_program_that_gives_no_token_is_told(
    script: Scripted, authority: Authority, tmp_path: Path
) -> None:
    """A request without a token would be anonymous, its 403 about nobody's rights."""
    content = json.dumps(kubeconfig(script.url, authority, program(tmp_path / "kubelogin", "")))
    with pytest.raises(Denied, match="kubelogin of its kubeconfig gave no token"):
        KubernetesCluster(ApiAccess(kubeconfig_content=content), means=Means(environ={})).list_services()
    assert script.seen == []


def test_only_the_user_in_force_counts(real_cluster: RealWorld) -> None:
    """A kubeconfig holds all of a person's clusters; the program of another one is no matter."""
    token = {"token": real_cluster.running.reader_token}
    document = kubeconfig(real_cluster.running.url, real_cluster.authority, token)
    for name, context in (("me", ""), ("other", "me")):
        content = json.dumps({**document, "current-context": name})
        access = ApiAccess(kubeconfig_content=content, context=context)
        assert KubernetesCluster(access, means=Means(environ={})).list_services() == ()
    with pytest.raises(Denied, match="no-such-program"):
        KubernetesCluster(ApiAccess(kubeconfig_content=json.dumps(document), context="other")).list_services()
