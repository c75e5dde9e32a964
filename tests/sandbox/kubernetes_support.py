"""A simulated cluster for tests: it runs on a thread of its own, tests speak HTTP to it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import urllib3

from sandbox.kubernetes import ClusterOptions, RunningCluster, start_cluster
from sandbox.tls import Authority

Json = dict[str, Any]
SERVICES = "/api/v1/namespaces/default/services"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True)
class Cluster:
    """A running cluster and the shortest way to ask it something."""

    running: RunningCluster
    pool: urllib3.PoolManager

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = "",
        content: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, Json]:
        """Status and JSON body of one request, as the admin unless told."""
        headers = {
            "Authorization": f"Bearer {token or self.running.token}",
            "Content-Type": content,
            "Accept": accept,
        }
        sent = None if body is None else json.dumps(body)
        answer = self.pool.request(method, self.running.url + path, body=sent, headers=headers, timeout=10)
        return answer.status, json.loads(answer.data) if answer.data else {}

    def ok(self, method: str, path: str, body: object = None, **options: str) -> Json:
        """The body of a request that must succeed."""
        status, found = self.call(method, path, body, **options)
        assert status < 300, found
        return found

    def create(self, name: str, **fields: Any) -> Json:
        """A Service of type LoadBalancer with one port, unless `fields` says otherwise."""
        return self.ok("POST", SERVICES, service(name, **fields))

    def watched(self, query: str) -> list[Json]:
        """All events of a watch on all Services that ends by itself."""
        answer = self.pool.request(
            "GET",
            f"{self.running.url}/api/v1/services?watch=true&{query}",
            headers={"Authorization": f"Bearer {self.running.token}"},
            timeout=10,
        )
        return [json.loads(line) for line in answer.data.splitlines()]

    def inject(self, **fault: Any) -> None:
        self.ok("POST", "/_sandbox/faults", fault)


def service(name: str, *, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    metadata: Json = {"name": name} | ({"annotations": annotations} if annotations else {})
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


@contextmanager
def cluster_running(directory: Path, options: ClusterOptions | None = None) -> Iterator[Cluster]:
    authority = Authority.create(directory / "tls")
    chosen = replace(options or ClusterOptions(), token="admin-token", reader_token="reader-token")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(start_cluster(chosen, authority), loop).result(10)
    pool = urllib3.PoolManager(ca_certs=str(authority.ca_path), retries=False)
    try:
        yield Cluster(running, pool)
    finally:
        pool.clear()
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
