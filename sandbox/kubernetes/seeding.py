"""What every cluster has from the start: its own namespaces and the Service default/kubernetes."""

from __future__ import annotations

import uuid

from sandbox.kubernetes.registry import PERMANENT_NAMESPACES, Address, Registry
from sandbox.kubernetes.resources import NAMESPACES, SERVICES

IDENTITY = Address(SERVICES, "default", "kubernetes")


def stable_uid(cluster: str) -> str:
    """The identity of a cluster of this name: the same in every run, so that a restart is no other cluster."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"kubernetes.default.{cluster}.sandbox"))


def seed(registry: Registry, uid: str) -> None:
    for namespace in PERMANENT_NAMESPACES:
        registry.create(NAMESPACES, "", {"metadata": {"name": namespace}})
    service = {
        "metadata": {
            "name": IDENTITY.name,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 443}]},
    }
    registry.create(SERVICES, IDENTITY.namespace, service)
    set_identity(registry, uid)


def set_identity(registry: Registry, uid: str) -> None:
    """Whoever asks default/kubernetes for its uid sees this cluster."""
    document = registry.read(IDENTITY).copy()
    document["metadata"]["uid"] = uid
    registry.put_raw(IDENTITY, document)
