"""Nothing that comes from outside is read without an end: pages, bodies, blobs, parameters, aliases, numbers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from reconciler.adapters import arm_client, blobs, kubernetes
from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.blobs import BlobSetting
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.adapters.storage import StorageAccount
from reconciler.api import MAX_BODY, BadRequest, parameters
from reconciler.cluster_settings import parse_clusters
from reconciler.errors import OutcomeUnknown, OutsideError, Rejected, RetryLater
from reconciler.model import ApiAccess
from reconciler.settings import StorageSettings
from sandbox.storage import Storage
from sandbox.tls import Authority
from tests.contract.azure_world import PLS, SUBSCRIPTION, StaticToken, wish
from tests.contract.servers import Answer, Scripted


@pytest.fixture
def azure(script: Scripted, authority: Authority) -> Iterator[ArmAzure]:
    """The adapter of ARM against a server that answers what it is told."""
    made = ArmAzure(ArmAccess(script.url, ca_file=str(authority.ca_path)), StaticToken())
    yield made
    made.close()


@pytest.fixture
def cluster(script: Scripted, authority: Authority) -> Iterator[KubernetesCluster]:
    """The adapter of a cluster against the same."""
    made = KubernetesCluster(ApiAccess(server=script.url, ca_file=str(authority.ca_path)), 10)
    yield made
    made.close()


def test_a_body_of_arm_that_does_not_end_is_given_up(
    script: Scripted, azure: ArmAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By size; of a write it stays in doubt."""
    monkeypatch.setattr(arm_client, "_BODY_LIMIT", 300_000)
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            sent.append(1)
            yield b" " * 100_000

    for call, kind in ((azure.list_private_link_services, RetryLater), (None, OutcomeUnknown)):
        script.answers[""] = Answer(body=endless())
        with pytest.raises(kind, match="longer than 300000 bytes"):
            call(SUBSCRIPTION) if call else azure.put_private_link_service(PLS, wish())
    script.answers[""] = Answer(body=b'{"value": []}')
    assert azure.list_private_link_services(SUBSCRIPTION) == ()


def test_an_error_of_arm_is_told_in_a_sentence_of_bounded_length(script: Scripted, azure: ArmAzure) -> None:
    """It goes into ledgers and logs."""
    error = {
        "error": {"code": "C" * 100_000, "message": "m\n" * 100_000, "details": [{"code": "d" * 100_000}] * 9}
    }
    script.answers[""] = Answer(400, json.dumps(error).encode())
    with pytest.raises(Rejected) as caught:
        azure.list_private_link_services(SUBSCRIPTION)
    assert len(str(caught.value)) < 1500
    assert len(caught.value.code) < 200


def test_a_list_of_services_without_an_end_is_given_up(
    script: Scripted, cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A continue token that leads to itself would fill the memory until the time is up."""
    monkeypatch.setattr(kubernetes, "_MOST_PAGES", 7)
    page = {"kind": "ServiceList", "metadata": {"continue": "again"}, "items": []}
    script.answers[""] = Answer(body=json.dumps(page).encode())
    with pytest.raises(RetryLater, match="does not end after 7 pages"):
        cluster.list_services()
    assert len(script.seen) == 7


@pytest.mark.parametrize(
    "token",
    ["https://elsewhere.example/x", "//elsewhere.example", "../../x", "a&limit=1#x", "\r\nHost: x", 5, {}],
)
def test_a_continue_token_is_a_parameter_never_an_address(
    script: Scripted, cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch, token: Any
) -> None:
    """Whatever it holds, the request goes to the cluster's own API."""
    monkeypatch.setattr(kubernetes, "_MOST_PAGES", 2)
    page = {"kind": "ServiceList", "metadata": {"continue": token}, "items": []}
    script.answers[""] = Answer(body=json.dumps(page).encode())
    with suppress(RetryLater):
        cluster.list_services()
    assert {path.partition("?")[0] for _, path, _ in script.seen} == {"/api/v1/services"}
    assert {headers["Host"] for _, _, headers in script.seen} == {script.url.removeprefix("https://")}


def test_a_blob_too_large_to_be_a_list_of_clusters_is_not_read(
    azurite: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pointed the setting at a backup."""
    monkeypatch.setattr(blobs, "LONGEST", 10_000)
    account = StorageAccount(StorageSettings(connection_string=azurite.connection_string))
    container = account.blob("bounds/clusters.yaml")
    container._get_container_client().create_container()
    container.upload_blob(b"x" * 10_001)
    with pytest.raises(Rejected, match="10001 bytes"):
        BlobSetting(account, "bounds/clusters.yaml", str).read()
    container.upload_blob(b"x" * 10_000, overwrite=True)
    assert BlobSetting(account, "bounds/clusters.yaml", len).read().value == 10_000


LEVELS = range(30)
NINE = "[l, l, l, l, l, l, l, l, l]"


def bomb(key: str) -> str:
    """A few kilobytes of YAML that are 9 to the power of 30 words."""
    aliases = (NINE if i == 0 else f"[{', '.join([f'*a{i - 1}'] * 9)}]" for i in LEVELS)
    return "".join(f"- {key}: &a{i} {words}\n" for i, words in enumerate(aliases))


KEYS = (
    "name",
    "mode",
    "api",
    "api: {type: aks}\n  x",
    "api:\n    type",
    "tags",
    "vnet",
    "inTree",
    "clusterName",
    "plsPrefix",
    "settleSeconds",
)


@pytest.mark.parametrize("key", KEYS)
def test_aliases_that_multiply_are_refused_at_once(key: str) -> None:
    """A file of clusters that is an attack, or a joke, ends in a list of mistakes that people can read."""
    began = time.process_time()
    with pytest.raises(ValueError, match="clusters") as caught:
        parse_clusters(bomb(key))
    assert len(str(caught.value)) < 100_000
    assert time.process_time() - began < 10  # the bomb itself takes longer than the universe is old


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" + "9" * 5000 + "]",
        "x: " + "[" * 1500,
        "- " + "9" * 5000,
        "- &a [*a]",
        "&a\nclusters: *a",
        "!!python/object/apply:os.system ['true']",
        '[{"name": NaN, "settleSeconds": Infinity}]',
        "- settleSeconds: .inf\n  name: .nan",
        "- !!binary AAAA",
        "? [a, b]\n: c",
    ],
    ids=range(11),
)
def test_clusters_that_are_no_clusters_are_told_as_mistakes(text: str) -> None:
    """Deep, endless, recursive, executable, not a number: never anything but a mistake in the settings."""
    with pytest.raises(ValueError, match=r"clusters|JSON|YAML"):
        parse_clusters(text)


@pytest.mark.parametrize(
    "content",
    [
        f"users: {NINE}\n{bomb('x')}",
        "&a\nclusters: *a",
        "x: " + "[" * 1500,
        "!!python/object/apply:os.system ['true']",
    ],
    ids=["aliases", "itself", "deep", "executable"],
)
def test_a_kubeconfig_that_is_none_is_an_access_that_is_not_usable(content: str) -> None:
    """And what stands in it is not told: it holds credentials."""
    with pytest.raises(OutsideError, match="not usable") as caught:
        KubernetesCluster(ApiAccess(kubeconfig_content=content), 5).identity()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"limit": ' + b"9" * 5000 + b"}",
        b'{"limit": NaN}',
        b'{"limit": 1e999}',
        b'{"a": {"b": 1}}',
        b'{"cluster": "' + b"x" * MAX_BODY + b'"}',
        b"\xff",
    ],
    ids=range(7),
)
def test_a_body_that_is_no_set_of_parameters_is_refused(body: bytes) -> None:
    """With a sentence, not with a failure of ours."""
    with pytest.raises(BadRequest) as caught:
        parameters({}, body)
    assert (caught.value.status, caught.value.code) == (400, "BadBody")


def test_parameters_may_be_numbers_and_truth_values() -> None:
    """What people write in JSON means what it means in a query."""
    given: dict[str, Any] = {"limit": 5, "dryRun": True, "cluster": "prod"}
    assert parameters({}, json.dumps(given).encode()) == {"limit": "5", "dryRun": "true", "cluster": "prod"}
