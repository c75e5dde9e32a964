"""The adapter of ``Azure`` on the wire: what it sends, and what it makes of an ARM that fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.adapters import arm_client
from reconciler.adapters.arm import API_VERSION, ArmAzure
from reconciler.adapters.credentials import credential
from reconciler.errors import Denied, OutcomeUnknown, OutsideError, Rejected, RetryLater, SettingsError
from sandbox.tls import Authority
from tests.contract.azure_world import (
    GROUP,
    NETWORK,
    PLS,
    SUBNET,
    SUBSCRIPTION,
    Json,
    RealWorld,
    StaticToken,
    stored_pls,
    wish,
)


def test_nothing_is_waited_for_and_nothing_repeated(real_arm: RealWorld) -> None:
    """A poll for a long-running operation would hold the function."""
    real_arm.azure.put_private_link_service(PLS, wish())
    real_arm.settle()
    real_arm.azure.delete_private_link_service(PLS)
    lines = real_arm.requests()
    assert [line["method"] for line in lines] == ["PUT", "DELETE"]
    assert all(line["query"] == f"api-version={API_VERSION}" for line in lines)


def test_threads_share_one_client_without_mixing_answers(real_arm: RealWorld) -> None:
    """Sixteen threads read and write at once in a run."""
    ids = [f"{NETWORK}/privateLinkServices/p{number}" for number in range(48)]
    for pls_id in ids:
        real_arm.store(stored_pls(pls_id))
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(real_arm.azure.get_private_link_service, ids))
    assert [pls.id for pls in found] == ids


Expected = tuple[type[OutsideError], type[OutsideError]]  # of a read, of a write
FAULTS: list[tuple[Json, Expected]] = [
    ({"status": 401, "code": "ExpiredAuthenticationToken"}, (Denied, Denied)),
    ({"status": 403, "code": "AuthorizationFailed"}, (Denied, Denied)),
    ({"status": 409, "code": "AnotherOperationInProgress"}, (RetryLater, RetryLater)),
    ({"status": 409, "code": "MissingSubscriptionRegistration"}, (Denied, Denied)),
    ({"status": 400, "code": "PrivateIPAddressNotInSubnet"}, (Rejected, Rejected)),
    ({"status": 302, "headers": {"Location": "https://localhost:1/"}}, (Rejected, Rejected)),
    ({"status": 500}, (RetryLater, OutcomeUnknown)),
    ({"status": 503, "code": "ServerBusy"}, (RetryLater, OutcomeUnknown)),
    ({"mode": "reset-before"}, (RetryLater, OutcomeUnknown)),
    ({"mode": "reset-after"}, (RetryLater, OutcomeUnknown)),
    ({"mode": "truncate"}, (RetryLater, OutcomeUnknown)),
]


@pytest.mark.parametrize(("fault", "kinds"), FAULTS, ids=[str(fault) for fault, _ in FAULTS])
def test_each_failure_has_its_kind_after_one_request(
    real_arm: RealWorld, fault: Json, kinds: Expected
) -> None:
    """No SDK error comes through, no retry hides a failure, and only unsure writes are unsure."""
    calls: tuple[Callable[[], object], ...] = (
        lambda: real_arm.azure.get_subnet(SUBNET),
        lambda: real_arm.azure.put_private_link_service(PLS, wish()),
    )
    for call, kind in zip(calls, kinds, strict=True):
        real_arm.settle()
        real_arm.door.clear()
        real_arm.door.fault(**{"path": "/providers/", **fault})
        with pytest.raises(OutsideError) as caught:
            call()
        assert type(caught.value) is kind
        assert len(real_arm.requests()) == 1


def test_a_throttled_call_returns_at_once_with_the_wait_asked_for(real_arm: RealWorld) -> None:
    """Sleeping for Retry-After in the SDK would block the worker for minutes."""
    real_arm.door.fault(
        path="/providers/", status=429, code="TooManyRequests", headers={"Retry-After": "300"}
    )
    with pytest.raises(RetryLater) as caught:
        real_arm.azure.put_private_link_service(PLS, wish())
    assert (caught.value.after, caught.value.throttled) == (300, True)
    assert type(caught.value) is RetryLater


def test_a_subscription_list_may_be_denied_while_a_group_is_read(real_arm: RealWorld) -> None:
    """Then the caller looks group by group; it has to know."""
    real_arm.door.fault(
        path=f"^/subscriptions/{SUBSCRIPTION}/providers/", status=403, code="AuthorizationFailed"
    )
    with pytest.raises(Denied):
        real_arm.azure.list_private_link_services(SUBSCRIPTION)
    assert real_arm.azure.list_private_link_services_in(SUBSCRIPTION, "MC_prod") == ()


def test_an_unreachable_arm_has_certainly_not_written(real_arm: RealWorld, authority: Authority) -> None:
    """Refused connections are not outcomes unknown: the PLS need not be read again."""
    azure = ArmAzure(real_arm.access(endpoint="https://localhost:1"), StaticToken())
    with pytest.raises(RetryLater) as caught:
        azure.delete_private_link_service(PLS)
    assert type(caught.value) is RetryLater
    azure.close()


def test_a_silent_arm_ends_at_the_read_timeout(real_arm: RealWorld) -> None:
    """And what it did with the write is unknown."""
    real_arm.door.fault(path="/providers/", status=500, delay=2)
    azure = ArmAzure(real_arm.access(read_seconds=0.3), credential(ca_file=str(real_arm.authority.ca_path)))
    with pytest.raises(OutcomeUnknown):
        azure.put_private_link_service(PLS, wish())
    azure.close()


def test_a_write_is_waited_for_less_long_than_a_list(
    real_arm: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No write starts in the last seconds of a lease, and one that started before ends within them."""
    monkeypatch.setattr(arm_client, "_WRITE_SECONDS", 0.3)
    for _ in range(3):
        real_arm.door.fault(path="/providers/", status=500, delay=2)
    azure = ArmAzure(real_arm.access(read_seconds=20), credential(ca_file=str(real_arm.authority.ca_path)))
    with pytest.raises(OutcomeUnknown, match="cut off"):
        azure.put_private_link_service(PLS, wish())
    with pytest.raises(OutcomeUnknown, match="cut off"):
        azure.delete_private_link_service(PLS)
    with pytest.raises(RetryLater, match="answered 500"):
        azure.get_private_link_service(PLS)
    azure.close()


def test_an_untrusted_certificate_is_refused(
    real_arm: RealWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without the check anybody on the way could read the token."""
    other = Authority.create(tmp_path_factory.mktemp("other"))
    azure = ArmAzure(real_arm.access(ca_file=str(other.ca_path)), StaticToken())
    with pytest.raises(Denied, match="certificate"):
        azure.get_subnet(SUBNET)
    azure.close()


@pytest.mark.parametrize(
    "pls_id", ["", "pls1", f"{PLS}/../../x", f"{GROUP}/providers/Microsoft.Network/privateLinkServices/.."]
)
def test_what_is_no_id_is_not_sent(real_arm: RealWorld, pls_id: str) -> None:
    """Names come from annotations: a path that climbs would reach other resources."""
    with pytest.raises(Rejected):
        real_arm.azure.delete_private_link_service(pls_id)
    with pytest.raises(Rejected):
        real_arm.azure.list_private_link_services_in(SUBSCRIPTION, "..")
    assert real_arm.requests() == []


def test_odd_characters_in_a_name_stay_in_the_path(real_arm: RealWorld) -> None:
    """A name like `p?x#y{z}` must not become a query, a fragment or a placeholder."""
    with pytest.raises(OutsideError):
        real_arm.azure.get_private_link_service(f"{PLS}?x=/#{{y}}%2e")
    [line] = real_arm.requests()
    assert line["query"] == f"api-version={API_VERSION}"
    assert line["path"].endswith("pls1?x=/#{y}%2e")


# -- who we are


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500}, RetryLater),
        ({"status": 429}, RetryLater),
        ({"mode": "reset-before"}, RetryLater),
        ({"status": 400}, Denied),
    ],
)
def test_a_token_that_cannot_be_had_is_denied_or_later(
    real_arm: RealWorld, fault: Json, kind: type[OutsideError]
) -> None:
    """A busy identity service passes; a missing identity needs a person. No write is in doubt for either."""
    real_arm.door.fault(path="/msi/token", **fault)
    azure = ArmAzure(real_arm.access(), credential(ca_file=str(real_arm.authority.ca_path)))
    with pytest.raises(kind) as caught:
        azure.delete_private_link_service(PLS)
    assert type(caught.value) is kind
    assert real_arm.requests() == []
    azure.close()


def test_a_busy_identity_service_is_busy_as_long_as_the_sdk_remembers_it(real_arm: RealWorld) -> None:
    """For seconds it repeats the refusal without asking: that must not look as if there were no identity."""
    real_arm.door.fault(path="/msi/token", times=1, status=503)
    for _ in range(2):
        with pytest.raises(RetryLater, match="identity service answered 503"):
            real_arm.azure.list_private_link_services(SUBSCRIPTION)


def test_without_any_identity_the_way_out_is_told(
    real_arm: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a laptop: az login."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("PATH", "")
    azure = ArmAzure(real_arm.access(), credential(ca_file=str(real_arm.authority.ca_path)))
    with pytest.raises(Denied, match="az login"):
        azure.get_subnet(SUBNET)
    azure.close()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AZURE_AUTHORITY_HOST", "http://login.example"),
        ("AZURE_AUTHORITY_HOST", "https://[login"),
        ("AZURE_TOKEN_CREDENTIALS", "me"),
    ],
)
def test_what_the_identity_library_cannot_take_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A sentence for a person, not the SDK's stack."""
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=r"^AZURE_…: .*(authority|IPv6|AZURE_TOKEN_CREDENTIALS)"):
        credential()
