"""A small Azure Resource Manager in virtual time: load balancers, PLSs, subnets, public IPs, and their events.

Documents are replaced, never changed, so that whoever read one may keep it. Operations take seconds; what
ARM refuses, and what it is busy with, is refused here too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from reconciler.errors import NotFound, Rejected, RetryLater, Stale
from tests.simulation.documents import (
    FRONTENDS,
    POLICY,
    TRANSIT,
    connections_of,
    frontend_of,
    group_of,
    static_addresses,
)
from tests.simulation.events import DELETED, FAILED, WRITTEN, EventGrid
from tests.simulation.kernel import Kernel

Json = dict[str, Any]
MOST_PER_BALANCER = 8


class Subscription:
    """All resources by lower-case id. ``fail_next`` operations on PLSs will end Failed."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.events = kernel, EventGrid(kernel)
        self.documents: dict[str, Json] = {}
        self.gone_since: dict[str, float] = {}
        self.rule_since: dict[str, float] = {}
        self.fail_next = 0
        self._numbers, self._addresses = count(1), count(20)
        self._operations: dict[str, int] = {}

    # -- reading

    def find(self, resource_id: str) -> Json | None:
        """A resource, or a frontend's document."""
        return self.documents.get(resource_id.lower())

    def of_kind(self, kind: str, scope: str = "") -> list[Json]:
        """The resources of a kind in a scope, in the order of their ids."""
        middle, start = f"/{kind.lower()}/", scope.lower()
        return [
            self.documents[key] for key in sorted(self.documents) if middle in key and key.startswith(start)
        ]

    def links(self, group: str = "") -> list[Json]:
        """The PLSs whose frontends lie in a resource group, or all."""
        found = self.of_kind("privateLinkServices")
        return [p for p in found if not group or group_of(frontend_of(p)) == group.lower()]

    def link_on(self, frontend_id: str) -> Json | None:
        """The PLS on a frontend."""
        return next((p for p in self.links() if frontend_of(p).lower() == frontend_id.lower()), None)

    def frontend(self, frontend_id: str) -> Json | None:
        """A frontend as its load balancer has it."""
        balancer = self.find(frontend_id.split(f"/{FRONTENDS}/", 1)[0])
        items = balancer["properties"][FRONTENDS] if balancer else []
        return next((f for f in items if f["id"].lower() == frontend_id.lower()), None)

    # -- writing

    def make(self, document: Json) -> None:
        """Put a resource as it is, unchecked, without an event."""
        self.documents[document["id"].lower()] = {**document, "etag": self._etag()}

    def put_link(self, pls_id: str, body: Json) -> Json:
        """A PUT of a PLS that is accepted, or an error as ARM's."""
        before = self.find(pls_id)
        if before and before["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{pls_id} is in transit", code="AnotherOperationInProgress")
        self._check_frontend(pls_id, frontend_of(body))
        for item in body["properties"]["ipConfigurations"]:
            self._check_subnet(item["properties"]["subnet"]["id"])
        self._check_addresses(pls_id, body)
        document = self._link(pls_id, body, before)
        self.documents[pls_id.lower()] = document
        ends = "Failed" if self._fails() else "Succeeded"
        self._operate(pls_id, self.kernel.random.uniform(1, 20), lambda: self._end(pls_id, ends))
        return document

    def _link(self, pls_id: str, body: Json, before: Json | None) -> Json:
        name, kept = pls_id.rsplit("/", 1)[1], before["properties"] if before else {}
        guid = kept.get("resourceGuid") or f"guid-{next(self._numbers)}"
        properties = {
            **body["properties"],
            "provisioningState": "Updating",
            "resourceGuid": guid,
            "alias": kept.get("alias") or f"{name.lower()}.{guid}.eastus.azure.privatelinkservice",
            "privateEndpointConnections": kept.get("privateEndpointConnections", []),
            "networkInterfaces": [{"id": f"{pls_id.rsplit('/', 2)[0]}/networkInterfaces/{name}.nic.{guid}"}],
        }
        rest = {k: v for k, v in body.items() if k not in ("etag", "properties")}
        kind = "Microsoft.Network/privateLinkServices"
        return {
            **rest,
            "id": pls_id,
            "name": name,
            "type": kind,
            "etag": self._etag(),
            "properties": properties,
        }

    def _check_frontend(self, pls_id: str, frontend_id: str) -> None:
        if self.frontend(frontend_id) is None:
            raise Rejected(f"{frontend_id} was not found", code="InvalidResourceReference")
        other = self.link_on(frontend_id)
        if other and other["id"].lower() != pls_id.lower():
            raise Rejected(f"{frontend_id} has {other['id']}", code="FrontendAlreadyHasPrivateLinkService")
        balancer_id = frontend_id.split(f"/{FRONTENDS}/", 1)[0]
        balancer = self.find(balancer_id)
        if balancer and balancer["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{balancer_id} is in transit", code="RetryableError", after=3)
        beside = [
            p
            for p in self.links()
            if frontend_of(p).lower().startswith(balancer_id.lower() + "/")
            and p["id"].lower() != pls_id.lower()
        ]
        if len(beside) >= MOST_PER_BALANCER:
            raise Rejected("too many PLSs on the load balancer", code="PrivateLinkServicesPerLoadBalancer")

    def _check_subnet(self, subnet_id: str) -> None:
        subnet = self.find(subnet_id)
        if subnet is None:
            raise Rejected(f"{subnet_id} was not found", code="InvalidResourceReference")
        if subnet["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{subnet_id} is in transit", code="RetryableError", after=2)
        if subnet["properties"].get(POLICY) != "Disabled":
            code = "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled"
            raise Rejected(f"{subnet_id} has network policies", code=code)

    def _check_addresses(self, pls_id: str, body: Json) -> None:
        """A static address of a subnet is one PLS's."""
        wished = static_addresses(body)
        for other in self.links():
            if other["id"].lower() != pls_id.lower() and (taken := wished & static_addresses(other)):
                raise Rejected(f"{min(taken)} is {other['id']}'s", code="PrivateIPAddressIsAllocated")

    def put_subnet(self, subnet_id: str, body: Json, etag: str) -> Json:
        """A PUT of a subnet; with an ETag only where it still fits."""
        before = self.find(subnet_id)
        if before is None:
            raise NotFound(f"{subnet_id} is not there", code="ResourceNotFound")
        if etag and before["etag"] != etag:
            raise Stale("the ETag does not match", code="PreconditionFailed")
        if before["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{subnet_id} is in transit", code="AnotherOperationInProgress")
        properties = {**body["properties"], "provisioningState": "Updating"}
        document = {**body, "id": before["id"], "etag": self._etag(), "properties": properties}
        self.documents[subnet_id.lower()] = document
        self._operate(
            subnet_id, self.kernel.random.uniform(0.3, 2), lambda: self._end(subnet_id, "Succeeded")
        )
        return document

    def delete_link(self, pls_id: str) -> None:
        """A DELETE of a PLS; fine where it is not there, refused while it has connections."""
        before = self.find(pls_id)
        if before is None:
            return
        if connections_of(before):
            code = "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted"
            raise RetryLater(f"{pls_id} has connections", code=code)
        if before["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{pls_id} is in transit", code="AnotherOperationInProgress")
        if self._fails():
            self._set_state(pls_id, "Updating")
            self._operate(pls_id, self.kernel.random.uniform(1, 8), lambda: self._end(pls_id, "Failed"))
            return
        self._set_state(pls_id, "Deleting")
        self._operate(pls_id, self.kernel.random.uniform(1, 8), lambda: self.drop(pls_id))

    def delete_connection(self, connection_id: str) -> None:
        """A DELETE of a private endpoint connection."""
        pls_id = connection_id.rsplit("/", 2)[0]
        pls = self.find(pls_id)
        if pls is None:
            return
        if pls["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{pls_id} is in transit", code="AnotherOperationInProgress")

        def gone() -> None:
            now = self.find(pls_id)
            if now:
                left = [c for c in connections_of(now) if c["id"].lower() != connection_id.lower()]
                self.change(pls_id, privateEndpointConnections=left)

        self.kernel.after(self.kernel.random.uniform(0.5, 5), gone)

    def put_balancer(self, balancer_id: str, body: Json, etag: str) -> Json:
        """A PUT of a load balancer: refused while frontends that go have a PLS."""
        before = self.find(balancer_id)
        if etag and (before is None or before["etag"] != etag):
            raise Stale("the ETag does not match", code="PreconditionFailed")
        if before and before["properties"]["provisioningState"] in TRANSIT:
            raise RetryLater(f"{balancer_id} is in transit", code="AnotherOperationInProgress")
        self._release_frontends(balancer_id, body)
        fronts = [self._addressed(item, before) for item in body["properties"][FRONTENDS]]
        properties = {**body["properties"], FRONTENDS: fronts, "provisioningState": "Updating"}
        document = {**body, "id": balancer_id, "etag": self._etag(), "properties": properties}
        self.documents[balancer_id.lower()] = document
        self._date_rules(balancer_id, before, document)
        ends = self.kernel.random.uniform(0.5, 6)
        self._operate(balancer_id, ends, lambda: self._end(balancer_id, "Succeeded"))
        return document

    def _date_rules(self, balancer_id: str, before: Json | None, after: Json) -> None:
        old = {str(rule) for rule in before["properties"]["loadBalancingRules"]} if before else set()
        for rule in after["properties"]["loadBalancingRules"]:
            if str(rule) not in old:
                self.rule_since[f"{balancer_id}/{rule['name']}".lower()] = self.kernel.now

    def _release_frontends(self, balancer_id: str, body: Json | None) -> None:
        before = self.find(balancer_id)
        staying = {f["id"].lower() for f in body["properties"][FRONTENDS]} if body else set()
        for item in before["properties"][FRONTENDS] if before else []:
            if item["id"].lower() in staying:
                continue
            link = self.link_on(item["id"])
            if link:
                code = "FrontendIPConfigurationInUseByPrivateLinkService"
                raise Rejected(f"{item['id']} is referenced by {link['id']}", code=code)
        for item in before["properties"][FRONTENDS] if before else []:
            if item["id"].lower() not in staying:
                self.gone_since[item["id"].lower()] = self.kernel.now

    def _addressed(self, item: Json, before: Json | None) -> Json:
        """With an address: one that was given out stays, also where nobody asks for it any more."""
        properties = item["properties"]
        if properties.get("publicIPAddress") or properties.get("privateIPAddress"):
            return item
        held = {f["id"].lower(): f["properties"] for f in before["properties"][FRONTENDS]} if before else {}
        kept = held.get(item["id"].lower(), {}).get("privateIPAddress")
        address = kept or f"10.224.1.{next(self._addresses)}"
        return {**item, "properties": {**properties, "privateIPAddress": address}}

    def delete_balancer(self, balancer_id: str) -> None:
        """A DELETE of a load balancer: refused while a PLS is on it."""
        if self.find(balancer_id) is None:
            return
        self._release_frontends(balancer_id, None)
        self.drop(balancer_id)

    def change(self, resource_id: str, **properties: Any) -> None:
        """A write by hand that takes no time: some properties, and ``tags`` where given."""
        before = self.find(resource_id)
        if before is None:
            return
        tags = properties.pop("tags", before.get("tags"))
        merged = {**before["properties"], **properties}
        self.documents[resource_id.lower()] = {
            **before,
            "tags": tags,
            "etag": self._etag(),
            "properties": merged,
        }
        self.events.publish(WRITTEN, before["id"])

    def drop(self, resource_id: str) -> None:
        """A resource is gone."""
        document = self.documents.pop(resource_id.lower(), None)
        if document:
            self.events.publish(DELETED, document["id"])

    # -- helpers

    def _fails(self) -> bool:
        self.fail_next -= 1
        return self.fail_next >= 0

    def _etag(self) -> str:
        return f'W/"{next(self._numbers)}"'

    def _set_state(self, resource_id: str, state: str) -> None:
        before = self.documents[resource_id.lower()]
        properties = {**before["properties"], "provisioningState": state}
        self.documents[resource_id.lower()] = {**before, "etag": self._etag(), "properties": properties}

    def _operate(self, resource_id: str, seconds: float, end: Callable[[], None]) -> None:
        """Run an operation; where the resource was replaced meanwhile, its end has no effect."""
        key, number = resource_id.lower(), next(self._numbers)
        self._operations[key] = number

        def ends() -> None:
            if self._operations.get(key) == number and key in self.documents:
                end()

        self.kernel.after(seconds, ends)

    def _end(self, resource_id: str, state: str) -> None:
        self._set_state(resource_id, state)
        self.events.publish(
            WRITTEN if state == "Succeeded" else FAILED, self.documents[resource_id.lower()]["id"]
        )
