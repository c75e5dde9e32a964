"""The environment read once, checked as a whole: :func:`load` names every mistake in one message.

:data:`SETTINGS` is the one table of what can be set; docs/reference/settings.md tells the same. An empty value counts as unset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.cluster_settings import read_clusters
from reconciler.errors import SettingsError
from reconciler.model import ClusterList, Limits, WriteBack
from reconciler.setting_values import (
    address,
    authority,
    blob,
    connection_string,
    file,
    one_of,
    optional,
    queue_name,
    schedule,
    share,
    text,
    topic,
    whole,
)

PUBLIC_CLOUD = "https://management.azure.com"
STORAGE = "AzureWebJobsStorage"


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """The storage account: a connection string, or the addresses of its services and an identity.

    ``client_id`` tells which managed identity, where there are several.
    """

    connection_string: str = field(default="", repr=False)
    table_uri: str = ""
    queue_uri: str = ""
    blob_uri: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of a deployment. Times in seconds.

    ``clusters`` is empty where ``clusters_blob`` (``container/path`` or a URL) is set instead. ``storage``
    is None where none is configured: plans can do without. ``arm_audience`` is without ``/.default``.
    """

    clusters: ClusterList
    clusters_blob: str
    arm_endpoint: str
    arm_audience: str
    arm_ca_file: str
    arm_ca_data: str
    azure_client_id: str
    limits: Limits
    write_back: WriteBack
    events_topic_endpoint: str
    history_days: int
    lease_seconds: int
    max_writes: int
    max_writes_per_network: int
    kubernetes_timeout: int
    aks_refresh_seconds: int
    probe_schedule: str
    resync_schedule: str
    lb_events_queue: str
    reconcile_queue: str
    storage: StorageSettings | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``read`` turns its text into its value and raises ValueError with the reason."""

    name: str
    default: str
    meaning: str
    read: Callable[[str], Any]


def _clusters(value: str) -> ClusterList:
    return read_clusters(value) if value else ClusterList()


SETTINGS: tuple[Setting, ...] = (
    Setting("CLUSTERS", "", "The clusters: JSON, or the path of a JSON or YAML file.", _clusters),
    Setting(
        "CLUSTERS_BLOB",
        "",
        "In place of CLUSTERS: a blob with them, read at each run; container/path in AzureWebJobsStorage, or an address.",
        optional(blob),
    ),
    Setting(
        "SUBNET_POLICY",
        "disable",
        "A NAT subnet whose privateLinkServiceNetworkPolicies is not Disabled: `disable` sets it, `report` refuses "
        "and prints the command.",
        one_of("disable", "report"),
    ),
    Setting(
        "WRITE_BACK",
        "status",
        "What Services are told about their PLS: `status` a condition and Events, `annotations` alias and id besides, "
        "`off` nothing.",
        one_of("status", "annotations", "off"),
    ),
    Setting(
        "EVENTS_TOPIC_ENDPOINT",
        "",
        "The endpoint of a custom topic of Event Grid that gets our own events; without it none are published.",
        optional(topic),
    ),
    Setting(
        "GRACE_SECONDS",
        "900",
        "How long a frontend must have been gone before its PLS is deleted without proof that its Services are.",
        whole(0, 604800),
    ),
    Setting(
        "STUCK_SECONDS",
        "1800",
        "How long a PLS may be in transition until it is reported.",
        whole(60, 604800),
    ),
    Setting(
        "BRAKE_SHARE",
        "0.3",
        "The brake: the share of a cluster's PLSs above which a run's unannounced deletes are held back.",
        share,
    ),
    Setting(
        "BRAKE_MINIMUM", "3", "The brake: fewer unannounced deletes than this never are.", whole(1, 100000)
    ),
    Setting("HISTORY_DAYS", "90", "How many days the history is kept.", whole(1, 3650)),
    Setting(
        "LEASE_SECONDS",
        "120",
        "How long a run may hold its cluster; no write starts in the last 20 seconds.",
        whole(60, 600),
    ),
    Setting("MAX_WRITES", "16", "Writes in flight at once, in total.", whole(1, 128)),
    Setting(
        "MAX_WRITES_PER_NETWORK",
        "4",
        "Writes in flight at once for one load balancer or virtual network.",
        whole(1, 128),
    ),
    Setting(
        "KUBERNETES_TIMEOUT", "60", "Seconds until reading a cluster's Services is given up.", whole(1, 600)
    ),
    Setting(
        "AKS_REFRESH_SECONDS",
        "300",
        "How long what Azure said of AKS clusters holds; while one cannot be reached, a minute at most.",
        whole(1, 3600),
    ),
    Setting(
        "PROBE_SCHEDULE",
        "*/30 * * * * *",
        "When to look for changed Services (NCRONTAB, six fields, UTC).",
        schedule,
    ),
    Setting(
        "RESYNC_SCHEDULE",
        "0 */5 * * * *",
        "When to reconcile every cluster in full (NCRONTAB, six fields, UTC).",
        schedule,
    ),
    Setting("LB_EVENTS_QUEUE", "lb-events", "The queue that Event Grid fills.", queue_name),
    Setting("RECONCILE_QUEUE", "reconcile", "The queue of wake-ups.", queue_name),
    Setting("ARM_ENDPOINT", PUBLIC_CLOUD, "Azure Resource Manager of your cloud.", address),
    Setting("ARM_AUDIENCE", "", "The audience of its tokens; ARM_ENDPOINT where not set.", optional(address)),
    Setting(
        "ARM_CA_FILE",
        "",
        "A PEM file with the authority of ARM_ENDPOINT's certificate, where it is not a public one.",
        optional(file),
    ),
    Setting("ARM_CA_DATA", "", "The same as text, in place of ARM_CA_FILE.", optional(authority)),
    Setting("AZURE_CLIENT_ID", "", "The client id of the managed identity, where there are several.", text),
    Setting(
        "AzureWebJobsStorage",
        "",
        "The connection string of the storage account; or leave it out and set the following.",
        optional(connection_string),
    ),
    Setting("AzureWebJobsStorage__accountName", "", "The account's name, in the public cloud.", text),
    Setting(
        "AzureWebJobsStorage__tableServiceUri",
        "",
        "The address of its tables, in place of the name.",
        optional(address),
    ),
    Setting(
        "AzureWebJobsStorage__queueServiceUri",
        "",
        "The address of its queues, in place of the name.",
        optional(address),
    ),
    Setting(
        "AzureWebJobsStorage__blobServiceUri",
        "",
        "The address of its blobs, in place of the name.",
        optional(address),
    ),
    Setting(
        "AzureWebJobsStorage__credential",
        "",
        "`managedidentity`; the Functions host asks for it where an identity is used.",
        optional(one_of("managedidentity")),
    ),
    Setting(
        "AzureWebJobsStorage__clientId",
        "",
        "The client id of the identity for storage; AZURE_CLIENT_ID where not set.",
        text,
    ),
)


def trigger_setting(name: str, environ: Mapping[str, str]) -> str:
    """A setting that a trigger's binding needs when functions are indexed: as set, unchecked, or its default."""
    default = next(setting.default for setting in SETTINGS if setting.name == name)
    return environ.get(name, "").strip() or default


def load(environ: Mapping[str, str]) -> Settings:
    """Read all settings. Raises SettingsError with a line per mistake, each beginning with the setting's name."""
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for setting in SETTINGS:
        try:
            values[setting.name] = setting.read(environ.get(setting.name, "").strip() or setting.default)
        except ValueError as error:
            mistakes += [f"{setting.name}: {line}" for line in str(error).splitlines()]
    given = {setting.name for setting in SETTINGS if environ.get(setting.name, "").strip()}
    mistakes += _at_odds(given, environ.get("CLUSTERS_BLOB", ""))
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return _settings(values)


def _at_odds(given: set[str], blob_location: str) -> list[str]:
    """What is wrong only in combination. ``given`` are the names of the settings that are set."""
    mistakes = []
    if {"CLUSTERS", "CLUSTERS_BLOB"} <= given:
        mistakes.append("CLUSTERS_BLOB: is set, and so is CLUSTERS; set one of them")
    if {"ARM_CA_FILE", "ARM_CA_DATA"} <= given:
        mistakes.append("ARM_CA_DATA: is set, and so is ARM_CA_FILE; set one of them")
    if not {"CLUSTERS", "CLUSTERS_BLOB"} & given:
        mistakes.append("CLUSTERS: is not set, and neither is CLUSTERS_BLOB; set one of them")
    if {STORAGE, f"{STORAGE}__accountName"} & given:
        return mistakes
    addresses = {f"{STORAGE}__{service}ServiceUri" for service in ("table", "queue")}
    if addresses & given or any(name.startswith(STORAGE) for name in given):
        mistakes += [
            f"{name}: is not set, and there is no {STORAGE}__accountName"
            for name in sorted(addresses - given)
        ]
    if "CLUSTERS_BLOB" in given and "://" not in blob_location and f"{STORAGE}__blobServiceUri" not in given:
        mistakes.append(f"CLUSTERS_BLOB: is container/path, but no storage account is set ({STORAGE})")
    return mistakes


def _settings(values: Mapping[str, Any]) -> Settings:
    return Settings(
        clusters=values["CLUSTERS"],
        clusters_blob=values["CLUSTERS_BLOB"],
        arm_endpoint=values["ARM_ENDPOINT"],
        arm_audience=values["ARM_AUDIENCE"] or values["ARM_ENDPOINT"],
        arm_ca_file=values["ARM_CA_FILE"],
        arm_ca_data=values["ARM_CA_DATA"],
        azure_client_id=values["AZURE_CLIENT_ID"],
        limits=Limits(
            grace_seconds=values["GRACE_SECONDS"],
            stuck_seconds=values["STUCK_SECONDS"],
            brake_share=values["BRAKE_SHARE"],
            brake_minimum=values["BRAKE_MINIMUM"],
            subnet_policy=values["SUBNET_POLICY"],
        ),
        write_back=values["WRITE_BACK"],
        events_topic_endpoint=values["EVENTS_TOPIC_ENDPOINT"],
        history_days=values["HISTORY_DAYS"],
        lease_seconds=values["LEASE_SECONDS"],
        max_writes=values["MAX_WRITES"],
        max_writes_per_network=values["MAX_WRITES_PER_NETWORK"],
        kubernetes_timeout=values["KUBERNETES_TIMEOUT"],
        aks_refresh_seconds=values["AKS_REFRESH_SECONDS"],
        probe_schedule=values["PROBE_SCHEDULE"],
        resync_schedule=values["RESYNC_SCHEDULE"],
        lb_events_queue=values["LB_EVENTS_QUEUE"],
        reconcile_queue=values["RECONCILE_QUEUE"],
        storage=_storage(values),
    )


def _storage(values: Mapping[str, Any]) -> StorageSettings | None:
    def part(name: str) -> str:
        return str(values[f"{STORAGE}__{name}"])

    def uri(service: str) -> str:
        account = part("accountName")
        return part(f"{service}ServiceUri") or (
            f"https://{account}.{service}.core.windows.net" if account else ""
        )

    if values[STORAGE]:
        return StorageSettings(connection_string=values[STORAGE])
    if not uri("table"):
        return None
    return StorageSettings(
        table_uri=uri("table"),
        queue_uri=uri("queue"),
        blob_uri=uri("blob"),
        client_id=part("clientId") or values["AZURE_CLIENT_ID"],
    )
