"""A real cluster's kubeconfig (kind, minikube) as the cloud provider's way in."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml

from sandbox.cloud_provider.options import ClusterAccess, Json


class KubeconfigError(ValueError):
    """A kubeconfig that cannot be used; the text says which and why."""


def read_kubeconfig(path: Path, folder: Path, name: str) -> ClusterAccess:
    """The current context's server and credentials; what is embedded goes into files `NAME-…` in `folder`.

    A token or a client certificate; no log-in programs. Raises KubeconfigError.
    """
    try:
        document = yaml.safe_load(path.read_text())
        context = _entry(document, "contexts", document["current-context"])["context"]
        cluster = _entry(document, "clusters", context["cluster"])["cluster"]
        user = _entry(document, "users", context["user"])["user"]
        server = str(cluster["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise KubeconfigError(f"{path}: {error!r}") from error
    files = _Files(path.parent, folder, name)
    authority = files.path(cluster, "certificate-authority")
    if authority is None or not server.startswith("https:"):
        raise KubeconfigError(f"{path}: a server with https and a certificate authority is needed")
    certificate, key = files.path(user, "client-certificate"), files.path(user, "client-key")
    token = str(user.get("token") or "")
    if certificate and key:
        return ClusterAccess(server, authority, token, (certificate, key))
    if not token:
        raise KubeconfigError(f"{path}: neither a token nor a client certificate")
    return ClusterAccess(server, authority, token)


def _entry(document: Json, collection: str, name: str) -> Any:
    found = [item for item in document[collection] if item["name"] == name]
    if not found:
        raise KeyError(f"{collection}: {name}")
    return found[0]


class _Files:
    """Paths of what a kubeconfig names or embeds."""

    def __init__(self, beside: Path, folder: Path, name: str) -> None:
        self._beside, self._folder, self._name = beside, folder, name

    def path(self, section: Json, key: str) -> Path | None:
        """The file of `key`, written first when `key-data` embeds it; None when there is neither."""
        if embedded := section.get(f"{key}-data"):
            path = self._folder / f"{self._name}-{key}.pem"
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(base64.b64decode(embedded))
            return path
        return self._beside / section[key] if section.get(key) else None
