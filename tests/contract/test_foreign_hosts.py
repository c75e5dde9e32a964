"""Our tokens go to the addresses of the configuration and nowhere else, whatever an answer points at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.adapters.arm import ArmAccess, ArmAzure
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.tables import TableLedger
from reconciler.errors import OutsideError, Rejected
from reconciler.model import ApiAccess
from reconciler.ports import WakeUp
from reconciler.settings import StorageSettings
from sandbox.tls import Authority
from tests.contract.azure_world import CONNECTION, PLS, SUBNET, SUBSCRIPTION, StaticToken, wish
from tests.contract.servers import Answer, Scripted, scripted


@pytest.fixture
def foreign(authority: Authority) -> Iterator[Scripted]:
    """Another server, with a certificate that is trusted: it writes down whoever comes."""
    with scripted(authority) as server:
        server.answers[""] = Answer(body=b'{"value": []}')
        yield server


@pytest.fixture
def azure(script: Scripted, authority: Authority) -> Iterator[ArmAzure]:
    """The adapter of ARM against a server that answers what it is told."""
    made = ArmAzure(ArmAccess(script.url, ca_file=str(authority.ca_path)), StaticToken())
    yield made
    made.close()


def tokens(server: Scripted) -> list[str]:
    """What each request to a server had to show, "" for nothing."""
    lower = ({name.lower(): value for name, value in headers.items()} for _, _, headers in server.seen)
    return [headers.get("authorization", "") for headers in lower]


CALLS: dict[str, Callable[[ArmAzure], object]] = {
    "list": lambda azure: azure.list_private_link_services(SUBSCRIPTION),
    "get": lambda azure: azure.get_private_link_service(PLS),
    "put": lambda azure: azure.put_private_link_service(PLS, wish()),
    "put subnet": lambda azure: azure.put_subnet(SUBNET, {"id": SUBNET}, 'W/"1"'),
    "delete": lambda azure: azure.delete_private_link_service(PLS),
    "delete connection": lambda azure: azure.delete_connection(CONNECTION),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_arms_redirects_are_not_followed(
    script: Scripted, foreign: Scripted, azure: ArmAzure, call: str, status: int
) -> None:
    """307 and 308 would take method, body and token along."""
    script.answers[""] = Answer(status, b"", {"Location": f"{foreign.url}/x"})
    with pytest.raises(Rejected, match="redirects are not followed"):
        CALLS[call](azure)
    assert foreign.seen == []
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location", "Operation-Location"])
@pytest.mark.parametrize("call", ["put", "put subnet", "delete", "delete connection"])
def test_operations_are_not_polled_wherever_they_are(
    script: Scripted, foreign: Scripted, azure: ArmAzure, call: str, header: str, status: int
) -> None:
    """Neither on a foreign host nor on ARM's own: the next run looks at the resource."""
    headers = {header: f"{foreign.url}/operations/1", "Retry-After": "0"}
    status = 202 if call.startswith("delete") else status  # a DELETE has no 201
    script.answers[""] = Answer(status, b'{"properties": {"provisioningState": "Updating"}}', headers)
    CALLS[call](azure)
    assert foreign.seen == []
    assert len(script.seen) == 1


def test_a_challenge_sends_nobody_elsewhere(script: Scripted, foreign: Scripted, azure: ArmAzure) -> None:
    """A 401 that names another authority and other claims: the identity is asked again, the foreign host never."""
    challenge = f'Bearer authorization_uri="{foreign.url}", error="insufficient_claims", claims="e30="'
    script.answers[""] = Answer(401, b"{}", {"WWW-Authenticate": challenge})
    for call in CALLS.values():
        with pytest.raises(OutsideError):
            call(azure)
    assert foreign.seen == []


FOREIGN_LINKS = (
    "{foreign}/subscriptions?api-version=1",
    "//{host}/x",
    "https://arm@{host}/x",
    "{own}@{host}/x",
    "{own}.example/x",
    "\\\\{host}/x",
    "ftp://localhost/x",
    "javascript:alert(1)",
    "https://[::1",
    "{plain}/x",
)


@pytest.mark.parametrize("link", FOREIGN_LINKS)
def test_the_next_page_is_never_fetched_elsewhere(
    script: Scripted, foreign: Scripted, azure: ArmAzure, link: str
) -> None:
    """However the address is disguised: it must have ARM's own scheme, host and port."""
    host = foreign.url.removeprefix("https://")
    plain = script.url.replace("https", "http")
    told = link.format(foreign=foreign.url, host=host, own=script.url, plain=plain)
    script.answers[""] = Answer(body=json.dumps({"value": [], "nextLink": told}).encode())
    with pytest.raises(OutsideError):
        azure.list_private_link_services(SUBSCRIPTION)
    assert foreign.seen == []
    assert {headers["Host"] for _, _, headers in script.seen} == {script.url.removeprefix("https://")}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_clusters_redirects_are_not_followed(
    script: Scripted, foreign: Scripted, authority: Authority, tmp_path: Path, status: int
) -> None:
    """The token of a cluster opens all of it."""
    token = tmp_path / "token"
    token.write_text("cluster-token")
    access = ApiAccess(server=script.url, ca_file=str(authority.ca_path), token_file=str(token))
    cluster = KubernetesCluster(access, 5)
    script.answers[""] = Answer(status, b"", {"Location": f"{foreign.url}/api/v1/services"})
    for call in (
        cluster.list_services,
        cluster.identity,
        cluster.digest,
        lambda: cluster.get_service("a", "b"),
    ):
        with pytest.raises(OutsideError):
            call()
    cluster.close()
    assert foreign.seen == []
    assert set(tokens(script)) == {"Bearer cluster-token"}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_storages_redirects_carry_no_token(
    script: Scripted, foreign: Scripted, authority: Authority, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Of an identity: a bearer token for storage opens every account that the identity may open."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_path))
    uri = script.url
    account = StorageAccount(StorageSettings(table_uri=uri, queue_uri=uri, blob_uri=uri), StaticToken())
    script.answers[""] = Answer(status, b"", {"Location": f"{foreign.url}/x"})
    ledger = TableLedger(account)
    from reconciler.adapters.queues import StorageQueue

    calls: tuple[Callable[[], object], ...] = (
        lambda: ledger.lease("prod"),
        lambda: ledger.ownership("prod"),
        ledger.create_tables,
        StorageQueue(account).create,
        lambda: StorageQueue(account).send(WakeUp("prod", "event")),
        lambda: account.blob("config/clusters.yaml").download_blob(),
    )
    for call in calls:
        with suppress(Exception):
            call()
    assert "Bearer secret" in tokens(script)
    assert set(tokens(foreign)) <= {""}
