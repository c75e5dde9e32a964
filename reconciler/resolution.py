"""The clusters as configured now, those of AKS completed from their resources and those with a tag found.

What AKS says is asked for every few minutes per process, for all clusters at once: a list per subscription where one
is permitted, else each by itself. While it cannot be asked, what it said last stays in force. A deployment without
AKS clusters makes no call here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn, TypeVar

from reconciler import aks, arm_ids
from reconciler.aks import ManagedCluster
from reconciler.aks_known import (
    Configured,
    Known,
    Networks,
    Place,
    all_of,
    cluster_of,
    completed,
    concerned,
    place_of,
    reasons,
    subscription,
    wanted,
)
from reconciler.errors import Denied, NotFound, OutsideError, RetryLater
from reconciler.model import ClusterConfig, ClusterList, Condition, Service, ServiceEvent, ServiceRef
from reconciler.ports import Aks

log = logging.getLogger("reconciler")
# While anything is amiss it is asked sooner: somebody is starting the cluster, or granting a role.
SOON = timedelta(seconds=60)
MOST_AT_ONCE = 16

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
View = ManagedCluster | OutsideError
Listed = Mapping[str, ManagedCluster]  # by lower-case id


class Resolution:
    """Gives the clusters as configured now. Threads share one instance.

    ``read`` gives the document as it is now, each time it is called; the same object while nothing changed.
    """

    def __init__(
        self,
        read: Callable[[], ClusterList],
        azure: Aks,
        clock: Callable[[], datetime],
        fresh_seconds: float = 300,
    ) -> None:
        self._read, self._azure, self._clock = read, azure, clock
        self._fresh = timedelta(seconds=fresh_seconds)
        self._lock = threading.Lock()
        self._known, self._due = Known(), clock()
        self._last: tuple[ClusterList, Known, Configured] | None = None
        self._told: Mapping[str, str] = {}

    def __call__(self) -> Mapping[str, ClusterConfig]:
        """The clusters by name. Raises what ``read`` does, never what AKS fails with."""
        return self.configured().clusters

    def at_hand(self) -> tuple[Configured, bool]:
        """Both as far as they are known without asking AKS, and whether AKS was asked for all of it."""
        listed, known = self._read(), self._known
        return completed(listed, known), not concerned(listed) or _covers(known, listed)

    def problems(self) -> tuple[str, ...]:
        """What is amiss with the configuration as a whole, in sentences."""
        return self.configured().problems

    def renew(self) -> None:
        """A person has done something: where anything is amiss, it is asked for again when it is needed next."""
        if self._told:
            self._due = self._clock()

    def configured(self) -> Configured:
        """Both."""
        listed = self._read()
        if concerned(listed):
            self._refresh(listed)
        known, last = self._known, self._last
        if last is None or last[0] is not listed or last[1] is not known:
            last = (listed, known, completed(listed, known))
            self._last = last
        return last[2]

    def _refresh(self, listed: ClusterList) -> None:
        """Ask AKS where that is due. Who comes meanwhile goes on with what is known, if it knows of each cluster."""
        if self._clock() < self._due and _covers(self._known, listed):
            return
        if not self._lock.acquire(blocking=not _covers(self._known, listed)):
            return
        try:
            now = self._clock()
            if now >= self._due or not _covers(self._known, listed):
                self._known = known = _Round(self._azure, self._known).ask(listed)
                found = reasons(listed, known)
                self._due = now + (min(self._fresh, SOON) if found else self._fresh)
                self._tell(found)
        finally:
            self._lock.release()

    def _tell(self, found: Mapping[str, str]) -> None:
        """Into the log, once each: a cluster may be stopped for weeks."""
        for subject, reason in found.items():
            if self._told.get(subject) != reason:
                log.warning("%s: %s", subject, reason)
        self._told = found


def _covers(known: Known, listed: ClusterList) -> bool:
    """Whether every cluster and every discovery was asked for, however that went."""
    clusters = wanted(listed).keys() <= {*known.clusters, *known.amiss}
    return clusters and {d.subscription.lower() for d in listed.discoveries} <= {
        *known.lists,
        *known.unlisted,
    }


class _Round:
    """One round of questions to AKS."""

    def __init__(self, azure: Aks, before: Known) -> None:
        self._azure, self._before = azure, before

    def ask(self, listed: ClusterList) -> Known:
        """What is known after it."""
        lists = self._each(_to_list(listed), self._list)
        ids = wanted(listed)
        known = self._after(ids, self._views(ids, lists), lists)
        return replace(known, networks=self._networks(listed, known))

    def _list(self, subscription_id: str) -> Listed:
        clusters = self._azure.managed_clusters(subscription_id)
        return {arm_ids.key(cluster.id): cluster for cluster in clusters}

    def _views(self, ids: Mapping[str, str], lists: Mapping[str, Listed | OutsideError]) -> dict[str, View]:
        """Each named cluster: from its list, or from a read of its own where there is none that tells."""
        views: dict[str, View] = {}
        for key in ids:
            view = lists.get(subscription(key), {})
            if isinstance(view, OutsideError) and not isinstance(view, Denied):
                views[key] = view
            elif not isinstance(view, OutsideError) and key in view:
                views[key] = view[key]
        # One that a list leaves out may be hidden: only its own 404 says that it is not there.
        return views | self._each(
            ids.keys() - views.keys(), lambda key: self._azure.managed_cluster(ids[key])
        )

    def _after(
        self, ids: Mapping[str, str], views: Mapping[str, View], lists: Mapping[str, Listed | OutsideError]
    ) -> Known:
        """What was read is taken over; what could not be read stays as it was, unless it is gone."""
        before = self._before
        clusters = {key: before.clusters[key] for key in views if key in before.clusters}
        clusters |= {key: view for key, view in views.items() if isinstance(view, ManagedCluster)}
        gone = {key for key, view in views.items() if isinstance(view, NotFound)}
        kept = {key: before.lists[key] for key in lists if key in before.lists}
        return Known(
            clusters={key: cluster for key, cluster in clusters.items() if key not in gone},
            amiss={key: _why(ids[key], v) for key, v in views.items() if isinstance(v, OutsideError)},
            lists=kept | {key: view for key, view in lists.items() if not isinstance(view, OutsideError)},
            unlisted={key: aks.unlisted(key, v) for key, v in lists.items() if isinstance(v, OutsideError)},
        )

    def _networks(self, listed: ClusterList, known: Known) -> dict[Place, Networks]:
        """Those that are needed. One that tells a subnet stays what it is while the cluster is there, and is read once."""
        needed = {
            place_of(cluster): cluster
            for config in all_of(listed, known)
            if (cluster := cluster_of(config, known)) and aks.needs_networks(config, cluster)
        }
        before = self._before.networks
        read = {p: n for p, cluster in needed.items() if aks.is_told(cluster, n := before.get(p, ""))}
        views = self._each(
            needed.keys() - read.keys(), lambda place: self._azure.virtual_networks(*place[:2])
        )
        return read | {p: str(v) if isinstance(v, OutsideError) else v for p, v in views.items()}

    def _each(self, keys: Iterable[K], call: Callable[[K], T]) -> dict[K, T | OutsideError]:
        def one(key: K) -> T | OutsideError:
            try:
                return call(key)
            except OutsideError as error:
                return error

        in_order = list(keys)
        if len(in_order) < 2:
            return {key: one(key) for key in in_order}
        # Threads of their own: the engine's may all be waiting for runs, which wait for this.
        with ThreadPoolExecutor(min(MOST_AT_ONCE, len(in_order))) as asking:
            return dict(zip(in_order, asking.map(one, in_order), strict=True))


def _to_list(listed: ClusterList) -> set[str]:
    """The subscriptions where one list is cheaper than each cluster by itself, or tells what to find."""
    subscriptions = [subscription(key) for key in wanted(listed)]
    several = {s for s in subscriptions if subscriptions.count(s) > 1}
    return several | {d.subscription.lower() for d in listed.discoveries}


def _why(resource_id: str, error: OutsideError) -> str:
    if isinstance(error, NotFound):
        return f"there is no AKS cluster {resource_id} ({error})"
    return aks.refusal(resource_id, error)


class UnresolvedCluster:
    """The port ``Cluster`` of a configuration that is not resolved: nothing is called, everything is unknown."""

    def __init__(self, why: str) -> None:
        self._why = why

    def list_services(self) -> tuple[Service, ...]:
        """Raises RetryLater."""
        self._unknown()

    def identity(self) -> str:
        """Raises RetryLater."""
        self._unknown()

    def get_service(self, namespace: str, name: str) -> Service | None:
        """Raises RetryLater."""
        self._unknown()

    def digest(self) -> str:
        """Raises RetryLater."""
        self._unknown()

    def patch_status(self, service: ServiceRef, condition: Condition | None) -> Service:
        """Raises RetryLater."""
        self._unknown()

    def patch_annotations(self, service: ServiceRef, annotations: Mapping[str, str | None]) -> Service:
        """Raises RetryLater."""
        self._unknown()

    def record_event(self, event: ServiceEvent) -> None:
        """Raises RetryLater."""
        self._unknown()

    def _unknown(self) -> NoReturn:
        raise RetryLater(self._why)
