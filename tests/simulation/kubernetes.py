"""A small Kubernetes API in virtual time: Services with finalizers and versions, as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from reconciler.model import CONDITION, Condition
from tests.simulation.kernel import Kernel
from tests.simulation.steps import Settings
from tests.simulation.troubles import SELDOM

Json = dict[str, Any]
NAMESPACE = "shop"
PREFIX = "service.beta.kubernetes.io/azure-"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def annotated(settings: Settings) -> dict[str, str]:
    """The annotations that say these settings; spelt out here, so that they do not rest on the product's own."""
    listed = {
        "load-balancer-internal": "true" if settings.internal else None,
        "disable-load-balancer-floating-ip": None if settings.internal or settings.floating else "true",
        "load-balancer-ipv4": (settings.address or None) if settings.internal else None,
        "pls-create": "true" if settings.asks else None,
        "pls-name": settings.name,
        "pls-resource-group": settings.group,
        "pls-ip-configuration-subnet": settings.subnet,
        "pls-ip-configuration-ip-address-count": None if settings.count is None else str(settings.count),
        "pls-ip-configuration-ip-address": " ".join(settings.static) or None,
        "pls-fqdns": " ".join(settings.fqdns) or None,
        "pls-proxy-protocol": "true" if settings.proxy else None,
        "pls-visibility": " ".join(settings.visibility) or None,
        "pls-auto-approval": " ".join(settings.auto_approval) or None,
    }
    return {PREFIX + name: value for name, value in listed.items() if value is not None}


def _condition(told: Condition) -> Json:
    names = ("status", "reason", "message")
    return {"type": CONDITION, "lastTransitionTime": told.since, **{n: getattr(told, n) for n in names}}


def seat_of(service: Json) -> tuple[str, bool] | None:
    """What the names of a live Service's rules begin with, and whether its load balancer is internal."""
    metadata = service["metadata"]
    if service["spec"]["type"] != "LoadBalancer" or metadata.get("deletionTimestamp"):
        return None
    internal = metadata["annotations"].get(f"{PREFIX}load-balancer-internal") == "true"
    return ("a" + metadata["uid"].replace("-", ""))[:32], internal


class Api:
    """The Services of one cluster by name. ``changed`` is called with the name after each change.

    ``left`` is when somebody left a seat (see ``seat_of``); who was back for a moment may not have been seen.
    """

    def __init__(self, kernel: Kernel, cluster: str) -> None:
        self.kernel, self.cluster = kernel, cluster
        self.identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{cluster}/kubernetes"))
        self.services: dict[str, Json] = {}
        self.settings: dict[str, Settings] = {}
        self.changed: Callable[[str], None] = lambda name: None
        self.live_since: dict[str, float] = {}
        self.left: dict[tuple[str, bool], float] = {}
        self._taken: dict[tuple[str, bool], float] = {}
        self._versions, self._made = count(1), count(1)

    def apply(self, name: str, settings: Settings, port: int) -> None:
        """Make or change a Service. One that is being deleted stays as it is."""
        before = self.services.get(name)
        if before and before["metadata"].get("deletionTimestamp"):
            return
        metadata = before["metadata"] if before else self._metadata(name)
        spec = {"type": settings.type, "ipFamilies": ["IPv4"], "ports": [{"protocol": "TCP", "port": port}]}
        if not before or before["spec"]["type"] != settings.type or self.settings[name] != settings:
            self.live_since[name] = self.kernel.now
        self.settings[name] = settings
        status = before.get("status", {}) if before else {}
        self._store(
            name,
            {"metadata": {**metadata, "annotations": annotated(settings)}, "spec": spec, "status": status},
        )

    def delete(self, name: str, *, force: bool) -> None:
        """Delete: at once, or once the finalizers are gone."""
        service = self.services.get(name)
        if service is None:
            return
        if force or not service["metadata"].get("finalizers"):
            self._drop(name)
        elif not service["metadata"].get("deletionTimestamp"):
            self.patch(name, deletionTimestamp=self.kernel.time().isoformat())

    def patch(self, name: str, **metadata: Any) -> None:
        """Change metadata; a deleted Service goes with its last finalizer."""
        service = self.services.get(name)
        if service is None:
            return
        merged = {**service["metadata"], **metadata}
        if merged.get("deletionTimestamp") and not merged.get("finalizers"):
            self._drop(name)
        else:
            self._store(name, {**service, "metadata": merged})

    def tell(self, name: str, uid: str, condition: Condition | None) -> Json | None:
        """Our condition in the status, which wakes nobody; None where the Service is gone or another."""
        service = self._same(name, uid)
        if service is None:
            return None
        told = [] if condition is None else [_condition(condition)]
        return self._kept(name, {**service, "status": {"conditions": told}})

    def annotate(self, name: str, uid: str, annotations: Mapping[str, str | None]) -> Json | None:
        """Annotations beside the settings'; the cloud provider syncs the Service."""
        service = self._same(name, uid)
        if service is None:
            return None
        merged = {**service["metadata"]["annotations"], **annotations}
        kept = {key: value for key, value in merged.items() if value is not None}
        found = self._kept(name, {**service, "metadata": {**service["metadata"], "annotations": kept}})
        self.kernel.at(self.kernel.now, lambda: self.changed(name))
        return found

    def _same(self, name: str, uid: str) -> Json | None:
        found = self.services.get(name)
        return found if found and found["metadata"]["uid"] == uid else None

    def _kept(self, name: str, service: Json) -> Json:
        """Stored with a new version, or as it was where nothing changed."""
        if service == self.services[name]:
            return service
        metadata = {**service["metadata"], "resourceVersion": str(next(self._versions))}
        self.services[name] = {**service, "metadata": metadata}
        return self.services[name]

    def _metadata(self, name: str) -> Json:
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.cluster}/{name}/{next(self._made)}"))
        return {
            "namespace": NAMESPACE,
            "name": name,
            "uid": uid,
            "creationTimestamp": self.kernel.time().isoformat(timespec="seconds"),
        }

    def _move(self, name: str, service: Json | None) -> None:
        """Note a seat that is left, and one that is taken."""
        before, now = self.services.get(name), self.kernel.now
        left, taken = before and seat_of(before), service and seat_of(service)
        if left != taken:
            if left and now > self._taken.get(left, 0.0) + SELDOM:
                self.left[left] = now
            elif left:
                self.left.setdefault(left, now)
            if taken:
                self._taken[taken] = now

    def _store(self, name: str, service: Json) -> None:
        self._move(name, service)
        metadata = {**service["metadata"], "resourceVersion": str(next(self._versions))}
        self.services[name] = {**service, "metadata": metadata}
        self.kernel.at(self.kernel.now, lambda: self.changed(name))

    def _drop(self, name: str) -> None:
        self._move(name, None)
        del self.services[name]
        self.kernel.at(self.kernel.now, lambda: self.changed(name))
