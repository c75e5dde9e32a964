"""What a sandbox tells others: clusters.yaml, local.settings.json, endpoints.json. Documents, and one writer."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox.up_options import SandboxOptions
from sandbox.up_servers import Cluster, Servers, node_group

Json = dict[str, Any]

CLUSTERS = "clusters.yaml"
SETTINGS = "local.settings.json"
ENDPOINTS = "endpoints.json"
KEYS = "keys.json"
ENVIRONMENT = "environment"
_QUEUES = "AzureFunctionsJobHost__extensions__queues__"


def clusters_document(options: SandboxOptions, servers: Servers) -> Json:
    """The product's configuration of the clusters."""
    return {"clusters": [_cluster_entry(options, servers, name) for name in servers.clusters]}


def _cluster_entry(options: SandboxOptions, servers: Servers, name: str) -> Json:
    cluster = servers.clusters[name]
    from_aks = options.api == "aks" and cluster.resource_id
    entry: Json = {
        "name": name,
        "mode": options.mode,
        "clusterName": options.cluster_name,
        **(
            {"api": {"type": "aks", "resourceId": cluster.resource_id}}
            if from_aks
            else _place(servers, cluster)
        ),
        "inTree": "active" if options.ccm_pls else "absent",
    }
    if options.settle_seconds is not None:
        entry["settleSeconds"] = options.settle_seconds
    return entry


def _place(servers: Servers, cluster: Cluster) -> Json:
    """A cluster's API by its kubeconfig, and what an AKS resource would tell."""
    group = node_group(cluster.name)
    return {
        "api": {"type": "kubeconfig", "path": str(cluster.kubeconfig)},
        "subscription": servers.arm_options.subscription,
        "location": servers.arm_options.location,
        "loadBalancerResourceGroup": group,
        "plsResourceGroup": group,
        "vnet": {"resourceGroup": group, "name": cluster.network.name},
        "defaultSubnet": cluster.network.subnet,
    }


def settings(
    options: SandboxOptions, servers: Servers, state: Path, connection_string: str
) -> dict[str, str]:
    """The environment of the functions, and of the command line."""
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": connection_string,
        "CLUSTERS": str(state / CLUSTERS),
        "ARM_ENDPOINT": servers.arm.url,
        "ARM_AUDIENCE": "https://management.azure.com",
        "ARM_CA_FILE": str(servers.authority.ca_path),
        "IDENTITY_ENDPOINT": servers.identity_url,
        "IDENTITY_HEADER": servers.arm.identity_header,
        **({"EVENTS_TOPIC_ENDPOINT": servers.topic.url} if servers.topic else {}),
        # People wait in front of a sandbox: look for work, changed Services and stopped clusters more often.
        f"{_QUEUES}maxPollingInterval": "00:00:00.200",
        "PROBE_SCHEDULE": "*/2 * * * * *",
        "AKS_REFRESH_SECONDS": "5",
        **options.extra_settings,
    }


def endpoints(
    options: SandboxOptions,
    servers: Servers,
    connection_string: str,
    functions: Json | None,
    pids: Mapping[str, int],
) -> Json:
    """Where everything is: the content of endpoints.json."""
    clusters = {
        name: {
            "server": cluster.access.url,
            "ca": str(cluster.access.ca_path),
            "token": cluster.access.token,
            "kubeconfig": str(cluster.kubeconfig),
            "nodeResourceGroup": node_group(name),
            "vnet": {"resourceGroup": node_group(name), "name": cluster.network.name},
            "clusterName": options.cluster_name,
            "resourceId": cluster.resource_id or None,
        }
        for name, cluster in servers.clusters.items()
    }
    azure = servers.arm_options
    return {
        "arm": {
            "url": servers.arm.url,
            "ca": str(servers.authority.ca_path),
            "identityEndpoint": servers.identity_url,
            "identityHeader": servers.arm.identity_header,
            "subscription": azure.subscription,
            "tenant": azure.tenant,
            "location": azure.location,
        },
        "clusters": clusters,
        "storage": {"connectionString": connection_string} if connection_string else None,
        "topic": {"url": servers.topic.url, "key": servers.topic.key} if servers.topic else None,
        "functions": functions,
        "pids": dict(pids),
    }


def write_configuration(state: Path, clusters: Json, values: Mapping[str, str]) -> None:
    """clusters.yaml, local.settings.json (functions, Core Tools) and environment (a shell sources it)."""
    write_text(state / CLUSTERS, yaml.safe_dump(clusters, sort_keys=False))
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in values.items() if "__" not in name
    )
    write_text(state / ENVIRONMENT, exports)
    document = {"IsEncrypted": False, "Values": dict(values)}
    write_text(state / SETTINGS, json.dumps(document, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Atomically, readable by its owner only: there are tokens in it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
