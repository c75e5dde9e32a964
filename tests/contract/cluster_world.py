"""A cluster for the contract tests, faked and real: the same hand changes both."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from reconciler import reading
from reconciler.adapters.kubernetes import KubernetesCluster
from reconciler.model import ApiAccess
from reconciler.ports import Cluster
from sandbox.kubernetes import RunningCluster
from sandbox.tls import Authority
from tests.contract.servers import BackDoor
from tests.fakes.cluster import FakeCluster

Json = dict[str, Any]
PAGE = 3
WRITER, ANNOTATOR = "writer", "annotator"  # tokens of the roles that may tell results


def document(name: str, **spec: Any) -> Json:
    """A Service as the API stores it."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "annotations": {"a": name}}
    metadata |= {"creationTimestamp": "2026-01-02T03:04:05Z"}
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], **spec}}


class World(Protocol):
    """A cluster to ask, and the hand that changes it."""

    cluster: Cluster

    def put(self, service: Json) -> None:
        """Add or replace a Service."""

    def remove(self, namespace: str, name: str) -> None:
        """Take one out at once."""

    def become_another(self) -> None:
        """Let another cluster answer."""

    def events(self) -> list[tuple[str, str, int]]:
        """Reason, message and count of each Event."""


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeCluster()
        self.cluster: Cluster = self.fake

    def put(self, service: Json) -> None:
        read = reading.service(service)
        assert read
        self.fake.put(read)

    def remove(self, namespace: str, name: str) -> None:
        self.fake.remove(namespace, name)

    def become_another(self) -> None:
        found = self.fake.get_service("default", "kubernetes")
        assert found
        self.fake.put(replace(found, uid="another"))

    def events(self) -> list[tuple[str, str, int]]:
        counts = Counter((event.reason, event.message) for event in self.fake.events)
        return [(*told, count) for told, count in counts.items()]


@dataclass
class RealWorld:
    cluster: KubernetesCluster
    running: RunningCluster
    authority: Authority
    door: BackDoor
    directory: Path

    def put(self, service: Json) -> None:
        at = service["metadata"]
        self.door.call("PUT", f"objects/namespaces/-/{at['namespace']}", {})
        self.door.call("PUT", f"objects/services/{at['namespace']}/{at['name']}", service)

    def remove(self, namespace: str, name: str) -> None:
        self.door.call("DELETE", f"objects/services/{namespace}/{name}")

    def become_another(self) -> None:
        self.door.call("POST", "swap-uid")

    def events(self) -> list[tuple[str, str, int]]:
        found = self.door.call("GET", "state")["objects"]["events"]
        return [(event["reason"], event["message"], event["count"]) for event in found]

    def access(self, token: str = "") -> ApiAccess:
        """By server, CA and token file; the reader's token unless told."""
        file = self.directory / "token"
        file.write_text(f"{token or self.running.reader_token}\n")
        return ApiAccess(server=self.running.url, ca_file=str(self.authority.ca_path), token_file=str(file))

    def put_many(self, count: int) -> None:
        for number in range(count):
            self.put(document(f"s{number}"))
