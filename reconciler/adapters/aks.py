"""AKS through Azure Resource Manager (the port ``Aks``): clusters, the networks of their nodes, their API's address.

Of what ``listClusterUserCredential`` answers only the server and its authority are taken. The user part is neither
kept nor told: on a cluster without Microsoft Entra integration it is an administrator's certificate.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from reconciler import aks, arm_ids
from reconciler.adapters import arm_errors
from reconciler.adapters.arm_client import ArmClient, parsed, path_of, segment, shown
from reconciler.adapters.arm_errors import Request
from reconciler.aks import ManagedCluster, VirtualNetwork
from reconciler.errors import Denied
from reconciler.model import Endpoint, Json

API_VERSION = "2025-10-01"  # of Microsoft.ContainerService; what is read here is the same since 2021
_KUBECONFIG_LIMIT = 1024 * 1024  # characters; they have about ten thousand
_ADDRESS_LIMIT = 2048
_PEM = "-----BEGIN CERTIFICATE-----"

_Noun = TypeVar("_Noun")


class ArmAks:
    """AKS clusters, for all subscriptions that the credential reaches. Threads share one instance."""

    def __init__(self, client: ArmClient) -> None:
        self._client = client

    def managed_clusters(self, subscription: str) -> tuple[ManagedCluster, ...]:
        """All of a subscription. Raises Denied where the role allows only single clusters."""
        path = f"/subscriptions/{segment(subscription)}/providers/{aks.PROVIDER}/{aks.KIND}"
        return self._list(path, API_VERSION, aks.managed_cluster)

    def managed_cluster(self, resource_id: str) -> ManagedCluster:
        """One by id. Raises NotFound where it is not there."""
        path = path_of(resource_id)
        request = Request("GET", shown(path))
        cluster = aks.managed_cluster(self._client.document(request, path, API_VERSION))
        if cluster is None:
            raise arm_errors.garbage(request, "is no AKS cluster")
        return cluster

    def virtual_networks(self, subscription: str, resource_group: str) -> tuple[VirtualNetwork, ...]:
        """The virtual networks of a resource group."""
        group = arm_ids.group_id(segment(subscription), segment(resource_group))
        return self._list(f"{group}/providers/{arm_ids.NETWORK}/virtualNetworks", "", aks.virtual_network)

    def endpoint(self, resource_id: str) -> Endpoint:
        """Where the cluster's API is. Raises Denied with the role that is missing."""
        path = path_of(resource_id)
        request = Request("POST", f"the address of {shown(path)}")
        try:
            answer = self._client.send(
                request, f"{path}/listClusterUserCredential", {200}, api_version=API_VERSION
            )
        except Denied as error:
            raise Denied(aks.refusal(resource_id, error), code=error.code) from error
        found = _endpoint(parsed(request, answer.content))
        if found is None:
            # Nothing of it is quoted: there are credentials in it.
            raise arm_errors.garbage(request, "holds no https address with a certificate authority")
        return found

    def _list(self, path: str, api_version: str, read: Callable[[Json], _Noun | None]) -> tuple[_Noun, ...]:
        request = Request("GET", shown(path))
        nouns = [read(item) for item in self._client.items(request, path, api_version)]
        if None in nouns:
            raise arm_errors.garbage(request, "holds an item without an id")
        return tuple(noun for noun in nouns if noun is not None)


def _endpoint(document: Json) -> Endpoint | None:
    """Server and authority of the first kubeconfig; None where they are not plainly there."""
    cluster = _kubeconfig(document)
    server, authority = cluster.get("server"), cluster.get("certificate-authority-data")
    if not (isinstance(server, str) and isinstance(authority, str) and _is_https(server)):
        return None
    pem = _decoded(authority)
    return Endpoint(server.rstrip("/"), pem) if _PEM in pem else None


def _kubeconfig(document: Json) -> Mapping[str, Any]:
    """The cluster of the first kubeconfig; empty where there is none that can be read."""
    import yaml

    value = _first(document.get("kubeconfigs")).get("value")
    if not isinstance(value, str) or len(value) > _KUBECONFIG_LIMIT:
        return {}
    try:
        content = yaml.safe_load(_decoded(value))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    cluster = _first(content.get("clusters")).get("cluster") if isinstance(content, Mapping) else None
    return cluster if isinstance(cluster, Mapping) else {}


def _first(items: Any) -> Mapping[str, Any]:
    found = items[0] if isinstance(items, list) and items else None
    return found if isinstance(found, Mapping) else {}


def _decoded(value: str) -> str:
    """The text behind base64; "" where it is none."""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        return ""


def _is_https(server: str) -> bool:
    """Our token goes there: encrypted, to a host, and nothing else in the address."""
    try:
        parts = urlsplit(server)
        plain = parts.username is None and parts.password is None and not (parts.query or parts.fragment)
        return len(server) <= _ADDRESS_LIMIT and parts.scheme == "https" and bool(parts.hostname) and plain
    except ValueError:
        return False
