"""What people do to the servers: ``kubectl``, edits of PLSs by hand, private endpoints, PLSs of their own.

Each request is one that ARM and Kubernetes serve to anybody; the back door helps only where a person of the
simulation is quicker than any request (a Service without its finalizers).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.scenarios.world import World as Users
from tests.simulation.documents import (
    FRONTENDS,
    ON,
    POLICY,
    TRANSIT,
    connections_of,
    frontend_of,
    group_of,
    network,
)
from tests.simulation.edits import MINE
from tests.simulation.kubernetes import NAMESPACE, annotated
from tests.simulation.over_http_edits import edited
from tests.simulation.over_http_words import Words, sent
from tests.simulation.over_http_world import CLUSTERS, HttpWorld, waited
from tests.simulation.steps import (
    ApplyService,
    Connect,
    DeletePls,
    DeleteService,
    EditPls,
    EnablePolicy,
    Happening,
    MakeForeign,
    Resync,
    Settings,
)

Json = dict[str, Any]
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
# Real seconds until the provider has looked at a changed Service, and until ARM is done with a person's write.
PROVIDER, AZURE = 5.0, 10.0


class People:
    """``settings`` are those applied last, by cluster and Service; ``refused`` is what ARM refused them.

    ``resync`` asks for a run.
    """

    def __init__(self, world: HttpWorld, words: Words, resync: Callable[[str], None]) -> None:
        self.world, self.words, self._resync = world, words, resync
        self.users: Users = world.users
        self.settings: dict[str, dict[str, Settings]] = {name: {} for name in CLUSTERS}
        self.refused: list[str] = []
        self._numbers = itertools.count()

    def happen(self, step: Happening) -> None:
        """Do it. Faults are made for the product: people's requests pass them by."""
        with self._spared():
            match step:
                case ApplyService():
                    self._apply(step)
                case DeleteService():
                    self._delete(step)
                case EditPls() | DeletePls() | Connect():
                    self._by_hand(step)
                case MakeForeign():
                    self._make_foreign(step)
                case EnablePolicy():
                    self._enable_policy(step)
                case Resync():
                    self._resync(step.cluster)

    @contextmanager
    def _spared(self) -> Iterator[None]:
        """ARM's and the clusters' faults wait."""
        doors = [door for name, door in self.world.doors.items() if name not in ("tables", "queues")]
        waiting = [(door, door.call("GET", "faults")["value"]) for door in doors]
        for door, faults in waiting:
            if faults:
                door.call("DELETE", "faults")
        try:
            yield
        finally:
            for door, faults in waiting:
                for fault in faults:
                    left = fault.pop("left", fault["times"])
                    door.call("POST", "faults", {**fault, "times": left})

    # Services

    def services(self, cluster: str) -> dict[str, Json]:
        """The Services by name, as they are."""
        found = self.users.expect(self.users.sandbox.cluster(cluster, "GET", SERVICES), 200)["items"]
        return {s["metadata"]["name"]: s for s in found}

    def _apply(self, step: ApplyService) -> None:
        before = self.services(step.cluster).get(step.name)
        if before and before["metadata"].get("deletionTimestamp"):
            return
        wished = sent(annotated(step.settings), step.settings)
        looks = self._looks(step.cluster, step.name)
        if before is None:
            self._create(step, wished)
        else:
            old = before["metadata"].get("annotations") or {}
            changes = {"annotations": {**dict.fromkeys(old), **wished}}
            body = {"metadata": changes, "spec": {"type": step.settings.type}}
            self._cluster(step.cluster, "PATCH", f"{SERVICES}/{step.name}", body)
            if old == wished and before["spec"]["type"] == step.settings.type:
                looks = -1
        self.settings[step.cluster][step.name] = step.settings
        balanced = step.settings.type == "LoadBalancer" or before
        if looks >= 0 and balanced:
            waited(lambda: self._looks(step.cluster, step.name) > looks, PROVIDER)

    def _create(self, step: ApplyService, annotations: dict[str, str]) -> None:
        port = 80 + ("web", "api", "pay", "log", "bus").index(step.name)
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": step.name, "annotations": annotations},
            "spec": {
                "type": step.settings.type,
                "selector": {"app": "myApp"},
                "ports": [{"protocol": "TCP", "port": port}],
            },
        }
        made = self._cluster(step.cluster, "POST", SERVICES, body, 201)
        self.words.made(step.cluster, step.name, made["metadata"]["uid"])

    def _delete(self, step: DeleteService) -> None:
        service = self.services(step.cluster).get(step.name)
        if service is None:
            return
        looks = self._looks(step.cluster, step.name)
        if step.force:
            path = f"objects/services/{NAMESPACE}/{step.name}"
            self.users.expect(self.users.sandbox.cluster_backdoor(step.cluster, "DELETE", path), 200)
        else:
            self.users.sandbox.cluster(step.cluster, "DELETE", f"{SERVICES}/{step.name}")
            if service["metadata"].get("finalizers") and not service["metadata"].get("deletionTimestamp"):
                waited(lambda: self._looks(step.cluster, step.name) > looks, PROVIDER)

    def nudge(self, cluster: str, name: str) -> None:
        """Make the provider try a Service again now, which it would do by itself in seconds to minutes."""
        change = {"annotations": {"nudged": str(next(self._numbers))}}
        self.users.sandbox.cluster(cluster, "PATCH", f"{SERVICES}/{name}", {"metadata": change})

    def _looks(self, cluster: str, name: str) -> int:
        """How often the provider has come to an end with a Service, good or bad."""
        reply = self.users.sandbox.cluster(cluster, "GET", f"/api/v1/namespaces/{NAMESPACE}/events")
        ends = ("EnsuredLoadBalancer", "SyncLoadBalancerFailed", "DeletedLoadBalancer")
        return sum(
            int(event.get("count", 1))
            for event in self.users.expect(reply, 200)["items"]
            if event["involvedObject"]["name"] == name and event["reason"] in ends
        )

    def _cluster(self, cluster: str, method: str, path: str, body: Json, *statuses: int) -> Json:
        reply = self.users.sandbox.cluster(cluster, method, path, body)
        found: Json = self.users.expect(reply, *(statuses or (200,)))
        return found

    # Private Link Services

    def resources(self, kind: str) -> list[Json]:
        """The resources of a kind, in the order that the simulation's ids have."""
        state = self.users.expect(self.users.sandbox.arm_backdoor("GET", "state"), 200)
        found = [r for r in state["resources"] if r["type"].lower() == f"microsoft.network/{kind}".lower()]
        return sorted(found, key=lambda r: self.words.text(r["id"]).lower())

    def links(self, cluster: str) -> list[Json]:
        """The PLSs on a cluster's frontends that nobody made by hand."""
        group = f"mc_{cluster}"
        found = (p for p in self.resources("privateLinkServices") if group_of(frontend_of(p)) == group)
        return [p for p in found if MINE not in (p.get("tags") or {})]

    def _by_hand(self, step: EditPls | DeletePls | Connect) -> None:
        links = self.links(step.cluster)
        if not links:
            return
        pls = links[step.pick % len(links)]
        if pls["properties"]["provisioningState"] in TRANSIT:
            return
        match step:
            case EditPls():
                self._put(edited(pls, step))
            case DeletePls():
                self._remove(pls)
            case Connect():
                self._connect(pls, step.status)

    def _put(self, document: Json) -> None:
        self._write("PUT", document["id"], document)
        waited(lambda: self._at_rest(document["id"]), AZURE)

    def _write(self, method: str, resource_id: str, document: Json | None = None) -> None:
        """A person's request; what ARM refuses is left, as a person would leave it."""
        reply = self.users.sandbox.arm(method, resource_id, document)
        if 400 <= reply.status < 500:
            self.refused.append(f"{method} {resource_id}: {reply.status} {reply.body['error']['code']}")
        else:
            self.users.expect(reply, 200, 201, 202, 204)

    def _at_rest(self, resource_id: str) -> bool:
        found = self.users.sandbox.arm("GET", resource_id)
        return found.status != 200 or found.body["properties"].get("provisioningState") not in TRANSIT

    def _remove(self, pls: Json) -> None:
        for connection in connections_of(pls):
            self._write("DELETE", connection["id"])
        waited(lambda: not connections_of(self.users.pls(pls["id"]) or pls), AZURE)
        self._write("DELETE", pls["id"])
        waited(lambda: self.users.pls(pls["id"]) is None, AZURE)

    def _connect(self, pls: Json, status: str) -> None:
        """A private endpoint; approved where it is not at once; a Disconnected one has lost its endpoint."""
        known = {c["id"] for c in connections_of(pls)}
        endpoint = self.users.connect(pls["id"], f"pe-{next(self._numbers)}")

        def fresh() -> Json | None:
            now = connections_of(self.users.pls(pls["id"]) or {"properties": {}})
            return next((c for c in now if c["id"] not in known), None)

        waited(lambda: fresh() and self._at_rest(pls["id"]) and self._at_rest(endpoint), AZURE)
        connection = fresh()
        if connection is None:
            return
        state = connection["properties"]["privateLinkServiceConnectionState"]
        if status == "Disconnected":
            self._write("DELETE", endpoint)
            waited(
                lambda: self._at_rest(pls["id"]) and self.users.sandbox.arm("GET", endpoint).status == 404,
                AZURE,
            )
        elif status != state["status"] and status == "Approved":
            properties = {
                **connection["properties"],
                "privateLinkServiceConnectionState": {**state, "status": status},
            }
            body = {**connection, "properties": properties}
            self._write("PUT", connection["id"], body)
            waited(lambda: self._at_rest(pls["id"]), AZURE)

    def _make_foreign(self, step: MakeForeign) -> None:
        group = f"MC_{step.cluster}"
        balancers = [b for b in self.resources("loadBalancers") if group_of(b["id"]) == group.lower()]
        fronts = [f["id"] for b in balancers for f in b["properties"][FRONTENDS]]
        used = {frontend_of(p).lower() for p in self.resources("privateLinkServices")}
        free = [f for f in fronts if f.lower() not in used]
        pls_id = f"{network(group)}/privateLinkServices/{step.name}"
        if not free or self.users.pls(pls_id):
            return
        subnet = f"{network(group)}/virtualNetworks/aks-vnet/subnets/default"
        self._policy(subnet, "Disabled")
        nat = {"primary": True, "privateIPAllocationMethod": "Dynamic", "subnet": {"id": subnet}}
        properties = {
            ON: [{"id": free[step.pick % len(free)]}],
            "ipConfigurations": [{"name": "theirs", "properties": nat}],
        }
        self._put({"id": pls_id, "location": "eastus", "tags": {MINE: "hand"}, "properties": properties})

    def _enable_policy(self, step: EnablePolicy) -> None:
        self._policy(
            f"{network(f'MC_{step.cluster}')}/virtualNetworks/aks-vnet/subnets/{step.subnet}", "Enabled"
        )

    def _policy(self, subnet: str, policy: str) -> None:
        found = self.users.expect(self.users.sandbox.arm("GET", subnet), 200)
        if found["properties"].get(POLICY) != policy:
            self._put({**found, "properties": {**found["properties"], POLICY: policy}})
