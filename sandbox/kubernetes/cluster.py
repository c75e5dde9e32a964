"""A simulated cluster from start to stop: several run in one process, each on its own port."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from sandbox.kubernetes.access import Role, admin, service_reader
from sandbox.kubernetes.api import Api, ApiSettings
from sandbox.kubernetes.backdoor import BackDoor
from sandbox.kubernetes.entra import Entra
from sandbox.kubernetes.faults import Faults, RequestLog
from sandbox.kubernetes.listening import Listening
from sandbox.kubernetes.registry import Registry
from sandbox.kubernetes.seeding import keep_identity, seed, stable_uid
from sandbox.kubernetes.server import Server, log_answer, real_headers
from sandbox.kubernetes.service_addresses import Allocations
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.strategies import strategies
from sandbox.kubernetes.watching import Watches
from sandbox.tls import Authority


def _token() -> str:
    return secrets.token_hex(16)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ClusterOptions:
    """`token` may do everything, `reader_token` reads Services; `roles` adds tokens. Times in seconds.

    `uid` is that of default/kubernetes; without one it follows from the name and is the same in every run.
    `tenant` is that whose Entra ID tokens it takes; none without one.
    """

    name: str = "cluster"
    port: int = 0
    uid: str = ""
    token: str = field(default_factory=_token)
    reader_token: str = field(default_factory=_token)
    roles: Mapping[str, Role] = field(default_factory=dict)
    tenant: str = ""
    service_cidrs: tuple[str, str] = ("10.0.0.0/16", "fd12:3456:789a:1::/112")
    history: int = 50_000
    watch_seconds: float = 1800.0
    bookmark_seconds: float = 60.0
    clock: Callable[[], datetime] = _now


@dataclass(frozen=True)
class RunningCluster:
    """A cluster that answers at `url` (https) until `stop`. `registry` is what exists, for its own process.

    `entra` says whose Entra ID tokens are taken; it may be changed at any time.
    """

    name: str
    url: str
    token: str
    reader_token: str
    ca_path: Path
    registry: Registry
    entra: Entra
    _runner: web.AppRunner
    _listening: Listening
    _watches: Watches

    def kubeconfig(self, path: Path, *, token: str = "", namespace: str = "default") -> Path:
        """Write a kubeconfig for a token (the admin's unless told) and return its path."""
        authority = base64.b64encode(self.ca_path.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        context = {"cluster": self.name, "user": self.name, "namespace": namespace}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": self.name, "user": {"token": token or self.token}}],
            "contexts": [{"name": self.name, "context": context}],
            "current-context": self.name,
        }
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        return path

    def power(self, on: bool) -> None:
        """Off: connections are refused, back door included, until it is on again; nothing is lost."""
        if on:
            self._listening.open()
        else:
            self._listening.refuse()
            self._listening.drop()

    async def stop(self) -> None:
        """End all watches and close the port."""
        self._listening.refuse()
        self._watches.close()
        await self._runner.cleanup()
        self._listening.release()


async def start_cluster(options: ClusterOptions, authority: Authority) -> RunningCluster:
    """Start a cluster on 127.0.0.1; a port of 0 takes a free one."""
    store = Store(options.history)
    registry = Registry(store, strategies(Allocations(options.service_cidrs)), options.clock)
    uid = options.uid or stable_uid(options.name)
    seed(registry, uid)
    keep_identity(store, registry)
    watches = Watches(store)
    roles = {
        options.token: admin(),
        options.reader_token: service_reader(),
        **options.roles,
    }
    entra = Entra(options.tenant)
    settings = ApiSettings(roles, options.watch_seconds, options.bookmark_seconds, options.clock, entra)
    faults, log = Faults(), RequestLog()
    api = Api(store, registry, watches, settings)
    server = Server(api, BackDoor(store, registry, entra, faults, log), faults, log)
    runner = await _runner(server)
    listening = Listening(runner, authority.server_context(), options.port)
    listening.open()
    return RunningCluster(
        name=options.name,
        url=f"https://127.0.0.1:{listening.port}",
        token=options.token,
        reader_token=options.reader_token,
        ca_path=authority.ca_path,
        registry=registry,
        entra=entra,
        _runner=runner,
        _listening=listening,
        _watches=watches,
    )


async def _runner(server: Server) -> web.AppRunner:
    app = server.application()
    app.on_response_prepare.extend((real_headers, log_answer))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    return runner
