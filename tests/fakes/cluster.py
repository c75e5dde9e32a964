"""A cluster in memory (the port ``Cluster``)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from reconciler import reading
from reconciler.errors import NotFound, Rejected, Stale
from reconciler.model import Condition, Service, ServiceEvent, ServiceRef
from tests.fakes import Failures

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
COUNTED_EVERY = timedelta(hours=1)
CLUSTER_UID = "00000000-0000-0000-0000-00000000c105"


class FakeCluster(Failures):
    """Services by namespace and name; ``default/kubernetes`` is one of them, with the UID given."""

    def __init__(self, services: Iterable[Service] = (), *, uid: str = CLUSTER_UID) -> None:
        super().__init__()
        self._versions, self._lock = count(1), threading.Lock()
        self._services: dict[tuple[str, str], Service] = {}
        self.events: list[ServiceEvent] = []
        self.put(Service("default", "kubernetes", uid, datetime(2026, 1, 1, tzinfo=UTC), type="ClusterIP"))
        for service in services:
            self.put(service)

    def put(self, service: Service) -> None:
        """Add or replace a Service; it gets a new resourceVersion, as from the API."""
        with self._lock:
            stamped = replace(service, resource_version=str(next(self._versions)))
            self._services[service.namespace, service.name] = stamped

    def remove(self, namespace: str, name: str) -> None:
        """Take a Service out."""
        del self._services[namespace, name]

    def list_services(self) -> tuple[Service, ...]:
        """All of type LoadBalancer, by namespace and name."""
        self.called("list_services")
        with self._lock:
            return tuple(s for _, s in sorted(self._services.items()) if s.type == "LoadBalancer")

    def identity(self) -> str:
        """The UID of ``default/kubernetes``."""
        self.called("identity")
        service = self._services.get(("default", "kubernetes"))
        if service is None:
            raise NotFound("there is no Service default/kubernetes")
        return service.uid

    def get_service(self, namespace: str, name: str) -> Service | None:
        """One by name, of any type. Raises Rejected for what no Service can be called."""
        self.called("get_service", f"{namespace}/{name}")
        if not (NAME.fullmatch(namespace) and NAME.fullmatch(name)):
            raise Rejected(f"{namespace}/{name} is no name of a Service")
        return self._services.get((namespace, name))

    def digest(self) -> str:
        """Over what ``list_services`` shows."""
        self.called("digest")
        with self._lock:
            services = [s for s in self._services.values() if s.type == "LoadBalancer"]
        return reading.digest((service.uid, service.resource_version) for service in services)

    def patch_status(self, service: ServiceRef, condition: Condition | None) -> Service:
        """Our condition alone; what is the same already keeps its version."""
        self.called("patch_status", service.key)
        return self._change(service, lambda found: replace(found, condition=condition))

    def patch_annotations(self, service: ServiceRef, annotations: Mapping[str, str | None]) -> Service:
        """These alone."""
        self.called("patch_annotations", service.key)

        def change(found: Service) -> Service:
            merged = {**found.annotations, **annotations}
            return replace(found, annotations={k: v for k, v in merged.items() if v is not None})

        return self._change(service, change)

    def _change(self, ref: ServiceRef, change: Callable[[Service], Service]) -> Service:
        """Raises NotFound and Stale as the API does."""
        with self._lock:
            found = self._there(ref)
            changed = change(found)
            if changed != found:
                changed = replace(changed, resource_version=str(next(self._versions)))
                self._services[ref.namespace, ref.name] = changed
            return changed

    def _there(self, ref: ServiceRef) -> Service:
        found = self._services.get((ref.namespace, ref.name))
        if found is None:
            raise NotFound(f"Service {ref.key} is not there", code=ref.name)
        if found.uid != ref.uid:
            raise Stale(f"Service {ref.key} is another one")
        return found

    def record_event(self, event: ServiceEvent) -> None:
        """Kept as they come; the same one again within the hour is not."""
        self.called("record_event", f"{event.service.key} {event.reason}")
        with self._lock:
            if event.service.namespace not in {namespace for namespace, _ in self._services}:
                raise NotFound(f"there is no namespace {event.service.namespace}")
            same = [told for told in self.events if replace(told, at=event.at) == event]
            if not same or event.at - same[-1].at >= COUNTED_EVERY:
                self.events.append(event)
