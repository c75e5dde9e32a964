"""What every cluster has from the start: its own namespaces and the Service default/kubernetes."""

from __future__ import annotations

import asyncio
import uuid

from sandbox.kubernetes.registry import PERMANENT_NAMESPACES, Address, Registry
from sandbox.kubernetes.resources import NAMESPACES, SERVICES
from sandbox.kubernetes.store import Change, Store

IDENTITY = Address(SERVICES, "default", "kubernetes")


def stable_uid(cluster: str) -> str:
    """The identity of a cluster of this name: the same in every run, so that a restart is no other cluster."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"kubernetes.default.{cluster}.sandbox"))


def seed(registry: Registry, uid: str) -> None:
    for namespace in (*PERMANENT_NAMESPACES, "kube-node-lease"):
        registry.create(NAMESPACES, "", {"metadata": {"name": namespace}})
    _seed_service(registry)
    set_identity(registry, uid)


def keep_identity(store: Store, registry: Registry) -> None:
    """As the real server does: default/kubernetes comes back when it is deleted, with another uid."""

    def restore(change: Change) -> None:
        if change.kind == "DELETED" and (change.resource, change.entry.key) == (SERVICES, IDENTITY.key):
            asyncio.get_running_loop().call_soon(_seed_service, registry)

    store.listen(restore)


def _seed_service(registry: Registry) -> None:
    service = {
        "metadata": {
            "name": IDENTITY.name,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 443}]},
    }
    registry.create(SERVICES, IDENTITY.namespace, service)


def set_identity(registry: Registry, uid: str) -> None:
    """Whoever asks default/kubernetes for its uid sees this cluster."""
    document = registry.read(IDENTITY).copy()
    document["metadata"]["uid"] = uid
    registry.put_raw(IDENTITY, document)
