"""What can be set: :data:`SETTINGS` is the one table of it; docs/reference/settings.md tells the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reconciler.cluster_settings import read_clusters
from reconciler.model import ClusterList
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
