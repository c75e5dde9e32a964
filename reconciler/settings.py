"""The environment read once, checked as a whole: :func:`load` names every mistake in one message.

What can be set is in :mod:`reconciler.setting_table`. An empty value counts as unset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import SettingsError
from reconciler.model import ClusterList, Limits, WriteBack
from reconciler.setting_table import SETTINGS, STORAGE


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
