"""The environment as a whole: defaults, every mistake at once, and settings that exclude each other."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SettingsError
from reconciler.model import ClusterList, Limits
from reconciler.setting_table import SETTINGS
from reconciler.settings import StorageSettings, load
from sandbox.tls import Authority
from tests.unit.test_cluster_settings import cluster

EMULATOR = "UseDevelopmentStorage=true"
CLUSTERS = {"CLUSTERS": json.dumps([cluster()])}


def mistakes(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return str(caught.value).splitlines()


def test_clusters_are_all_that_has_to_be_set() -> None:
    """The rest has defaults, the ones that the model has too."""
    settings = load(CLUSTERS)
    assert [c.name for c in settings.clusters.clusters] == ["prod"]
    assert settings.limits == Limits()
    assert (settings.arm_endpoint, settings.arm_audience) == ("https://management.azure.com",) * 2
    assert (settings.lease_seconds, settings.max_writes, settings.max_writes_per_network) == (120, 16, 4)
    assert (settings.lb_events_queue, settings.reconcile_queue) == ("lb-events", "reconcile")
    assert (settings.probe_schedule, settings.resync_schedule) == ("*/30 * * * * *", "0 */5 * * * *")
    assert (settings.kubernetes_timeout, settings.aks_refresh_seconds) == (60, 300)
    assert settings.write_back == "status"
    assert settings.events_topic_endpoint == ""
    assert settings.clusters_blob == settings.arm_ca_file == settings.azure_client_id == ""
    assert settings.storage is None


def test_each_setting_is_read(tmp_path: Path) -> None:
    """Each under its own name, with blanks around it forgiven."""
    ca = tmp_path / "ca.pem"
    ca.write_text("PEM")
    settings = load(
        {
            "CLUSTERS_BLOB": " /config/prod/clusters.yaml ",
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "SUBNET_POLICY": "Report",
            "WRITE_BACK": "annotations",
            "EVENTS_TOPIC_ENDPOINT": "https://pls.eastus-1.eventgrid.azure.net/api/events",
            "GRACE_SECONDS": " 1 ",
            "STUCK_SECONDS": "61",
            "BRAKE_SHARE": ".5",
            "BRAKE_MINIMUM": "2",
            "LEASE_SECONDS": "90",
            "MAX_WRITES": "3",
            "MAX_WRITES_PER_NETWORK": "1",
            "KUBERNETES_TIMEOUT": "9",
            "AKS_REFRESH_SECONDS": "77",
            "PROBE_SCHEDULE": "0 * * * * *",
            "RESYNC_SCHEDULE": "0 0 6-18/2 * * MON-FRI",
            "LB_EVENTS_QUEUE": "events",
            "RECONCILE_QUEUE": "work-1",
            "ARM_ENDPOINT": "https://management.usgovcloudapi.net/",
            "ARM_AUDIENCE": "https://management.core.usgovcloudapi.net/",
            "ARM_CA_FILE": str(ca),
            "AZURE_CLIENT_ID": "me",
        }
    )
    assert settings.clusters == ClusterList()
    assert settings.clusters_blob == "config/prod/clusters.yaml"
    assert settings.limits == Limits(1, 61, 0.5, 2, "report")
    assert settings.write_back == "annotations"
    assert settings.events_topic_endpoint == "https://pls.eastus-1.eventgrid.azure.net/api/events"
    assert (settings.lease_seconds, settings.max_writes, settings.max_writes_per_network) == (90, 3, 1)
    assert (settings.probe_schedule, settings.resync_schedule) == ("0 * * * * *", "0 0 6-18/2 * * MON-FRI")
    assert (settings.lb_events_queue, settings.reconcile_queue) == ("events", "work-1")
    assert (settings.kubernetes_timeout, settings.aks_refresh_seconds) == (9, 77)
    assert settings.arm_endpoint == "https://management.usgovcloudapi.net"
    assert settings.arm_audience == "https://management.core.usgovcloudapi.net"
    assert (settings.arm_ca_file, settings.azure_client_id) == (str(ca), "me")
    assert settings.storage == StorageSettings(connection_string="UseDevelopmentStorage=true")


def test_an_empty_setting_is_not_set() -> None:
    """The portal keeps blank ones; they mean the default."""
    blank = {setting.name: " " for setting in SETTINGS} | CLUSTERS
    assert load(blank) == load(CLUSTERS)


def test_every_mistake_is_told_at_once_with_the_setting_s_name() -> None:
    """One start, one list."""
    broken: dict[str, Any] = cluster(mode=..., typo=1)
    found = mistakes(
        CLUSTERS=json.dumps([broken]), GRACE_SECONDS="soon", BRAKE_SHARE="30", LB_EVENTS_QUEUE="A_b"
    )
    assert found == [
        "CLUSTERS: clusters[0].mode: is missing; wanted: sync, upsert-only or plan",
        "CLUSTERS: clusters[0].typo: is not known",
        "GRACE_SECONDS: is 'soon'; wanted: a whole number from 0 to 604800",
        "BRAKE_SHARE: is '30'; wanted: a share from 0 to 1, such as 0.3",
        "LB_EVENTS_QUEUE: is 'A_b'; wanted: 3 to 55 lower-case letters, digits and single hyphens, "
        "none of them at an end",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUBNET_POLICY", "enable"),
        ("WRITE_BACK", "events"),
        ("GRACE_SECONDS", "-1"),
        ("GRACE_SECONDS", "1.5"),
        ("GRACE_SECONDS", "9" * 5000),
        ("BRAKE_SHARE", "nan"),
        ("BRAKE_SHARE", "1.01"),
        ("BRAKE_SHARE", "1e-3"),
        ("BRAKE_MINIMUM", "0"),
        ("LEASE_SECONDS", "20"),
        ("MAX_WRITES", "0"),
        ("PROBE_SCHEDULE", "*/5 * * * *"),
        ("PROBE_SCHEDULE", "often, please; do it at once"),
        ("RECONCILE_QUEUE", "ab"),
        ("RECONCILE_QUEUE", "a--b"),
        ("RECONCILE_QUEUE", "a" * 56),
        ("ARM_ENDPOINT", "management.azure.com"),
        ("ARM_ENDPOINT", "http://management.azure.com"),
        ("ARM_ENDPOINT", "https://"),
        ("ARM_ENDPOINT", "https://[::1"),
        ("ARM_ENDPOINT", "https://host:port"),
        ("ARM_AUDIENCE", "x"),
        ("EVENTS_TOPIC_ENDPOINT", "https://pls.eastus-1.eventgrid.azure.net"),
        ("EVENTS_TOPIC_ENDPOINT", "https://pls.eastus-1.eventgrid.azure.net/api/events?code=KEY"),
        ("EVENTS_TOPIC_ENDPOINT", "http://localhost/api/events"),
        ("EVENTS_TOPIC_ENDPOINT", "/subscriptions/…/providers/Microsoft.EventGrid/topics/pls"),
        ("ARM_CA_FILE", "/no/such/file.pem"),
        ("ARM_CA_DATA", "/no/such/file.pem"),
        ("ARM_CA_DATA", "-----BEGIN CERTIFICATE-----"),
        ("ARM_CA_DATA", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----"),
        ("ARM_CA_DATA", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
        ("ARM_CA_DATA", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/ca)"),
        ("AzureWebJobsStorage__credential", "key"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(name: str, value: str) -> None:
    """And does not end in a traceback."""
    environ = CLUSTERS | {"AzureWebJobsStorage": EMULATOR, name: value}
    (mistake,) = mistakes(**environ)
    assert mistake.startswith(f"{name}: is ")
    assert len(mistake) < 250


def test_an_authority_is_read_however_its_lines_came_through(tmp_path: Path) -> None:
    """A file of parameters, a portal and a shell each do something else to line breaks."""
    one = Authority.create(tmp_path / "one").ca_path.read_text()
    two = Authority.create(tmp_path / "two").ca_path.read_text()
    both = one + two
    ways = (
        both,
        both.replace("\n", "\\n"),
        both.replace("\n", "\r\n"),
        both.replace("\n", " "),
        f"text\n{one}text{two}",
    )
    for way in ways:
        assert load(CLUSTERS | {"ARM_CA_DATA": way}).arm_ca_data == both
    (mistake,) = mistakes(**CLUSTERS, ARM_CA_DATA=one, ARM_CA_FILE=str(tmp_path / "one" / "ca.pem"))
    assert mistake == "ARM_CA_DATA: is set, and so is ARM_CA_FILE; set one of them"


def test_a_path_is_shown_whole() -> None:
    """The end of a path tells most; a text that is no path at all is cut."""
    path = "/run/secrets/" + "long/" * 40 + "ca.pem"
    assert mistakes(**CLUSTERS, ARM_CA_FILE=path) == [f"ARM_CA_FILE: is '{path}', and there is no such file"]
    (mistake,) = mistakes(CLUSTERS="- name: prod\n" * 20)
    assert len(mistake) < 250


@pytest.mark.parametrize(
    "value", ["clusters.yaml", "/", "http://example.com/a/b", "https://host/only", "https://host"]
)
def test_a_blob_is_a_container_and_a_path(value: str) -> None:
    """Else the storage SDK would refuse it at the first run."""
    (mistake,) = mistakes(CLUSTERS_BLOB=value, AzureWebJobsStorage=EMULATOR)
    assert mistake.startswith("CLUSTERS_BLOB: is ")


def test_a_signature_is_not_shown() -> None:
    """A SAS is a secret, also in a wrong address."""
    (mistake,) = mistakes(CLUSTERS_BLOB="https://host/only?sig=SECRET")
    assert "SECRET" not in mistake


def test_a_blob_with_its_own_address_needs_no_storage_account() -> None:
    """A SAS signs in by itself."""
    url = "https://acc.blob.core.windows.net/c/p.json?sig=x"
    assert load({"CLUSTERS_BLOB": url}).clusters_blob == url


def test_clusters_come_from_one_place() -> None:
    """From one of the two, and from somewhere."""
    assert mistakes() == ["CLUSTERS: is not set, and neither is CLUSTERS_BLOB; set one of them"]
    assert mistakes(CLUSTERS_BLOB="c/p", AzureWebJobsStorage=EMULATOR, **CLUSTERS) == [
        "CLUSTERS_BLOB: is set, and so is CLUSTERS; set one of them"
    ]


def test_storage_by_the_account_s_name() -> None:
    """The public cloud's addresses; the identity of the rest where storage names none."""
    settings = load(
        CLUSTERS
        | {
            "AzureWebJobsStorage__accountName": "acc",
            "AzureWebJobsStorage__credential": "managedidentity",
            "AZURE_CLIENT_ID": "me",
        }
    )
    assert settings.storage == StorageSettings(
        table_uri="https://acc.table.core.windows.net",
        queue_uri="https://acc.queue.core.windows.net",
        blob_uri="https://acc.blob.core.windows.net",
        client_id="me",
    )


def test_storage_by_its_addresses() -> None:
    """Another cloud, another identity; blobs are needed only by CLUSTERS_BLOB."""
    parts = {
        "AzureWebJobsStorage__tableServiceUri": "https://acc.table.core.chinacloudapi.cn/",
        "AzureWebJobsStorage__queueServiceUri": "https://acc.queue.core.chinacloudapi.cn",
        "AzureWebJobsStorage__clientId": "storage-identity",
    }
    assert load(CLUSTERS | parts | {"AZURE_CLIENT_ID": "me"}).storage == StorageSettings(
        table_uri="https://acc.table.core.chinacloudapi.cn",
        queue_uri="https://acc.queue.core.chinacloudapi.cn",
        client_id="storage-identity",
    )
    assert mistakes(CLUSTERS_BLOB="c/p", **parts) == [
        "CLUSTERS_BLOB: is container/path, but no storage account is set (AzureWebJobsStorage)"
    ]


def test_half_a_storage_account_is_a_mistake() -> None:
    """Tables without queues would lose every wake-up."""
    (mistake,) = mistakes(
        AzureWebJobsStorage__tableServiceUri="https://acc.table.core.windows.net", **CLUSTERS
    )
    assert mistake.startswith("AzureWebJobsStorage__queueServiceUri: is not set")


def test_the_connection_string_is_not_printed() -> None:
    """It holds the account's key."""
    assert "SECRET" not in repr(load(CLUSTERS | {"AzureWebJobsStorage": "AccountName=a;AccountKey=SECRET"}))
    for wrong in ("SECRET", "AccountKey=SECRET", "AccountName=;AccountKey=SECRET", ";;=;SECRET="):
        (mistake,) = mistakes(AzureWebJobsStorage=wrong, **CLUSTERS)
        assert mistake.startswith("AzureWebJobsStorage: is no connection string")
        assert "SECRET" not in mistake


def test_the_sample_for_core_tools_is_valid() -> None:
    """Who copies it gets a working start."""
    root = Path(__file__).parents[2]
    values = json.loads((root / "local.settings.sample.json").read_text())["Values"]
    assert values.keys() - {setting.name for setting in SETTINGS} == {"FUNCTIONS_WORKER_RUNTIME"}
    settings = load(values | {"CLUSTERS": json.dumps([cluster()])})
    assert settings.storage == StorageSettings(connection_string="UseDevelopmentStorage=true")
