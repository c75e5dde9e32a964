"""What the world of a cell has come to, part by part, without what differs between two tellings of a story.

Left out are times, attempts, and what Azure makes up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azure.data.tables import TableServiceClient
from azure.storage.blob import ContainerClient

from reconciler.adapters.documents import BlobDocuments
from reconciler.adapters.storage import StorageAccount
from reconciler.adapters.tables import TableLedger
from reconciler.settings import StorageSettings
from tests.chaos import heard
from tests.contract.servers import BackDoor

Json = dict[str, Any]
DONE = ("links", "ownership", "sharing", "told")  # the other parts tell of it, to pipelines and people
_MADE_UP = ("alias", "resourceGuid", "networkInterfaces", "privateEndpointConnections", "ipConfigurations")
_OF_NAT = ("subnet", "primary", "privateIPAllocationMethod")


class PatientAccount(StorageAccount):
    """The storage account with the SDKs' own patience: the product's is cut short here, and a look must not fail."""

    def __init__(self, connection_string: str) -> None:
        super().__init__(StorageSettings(connection_string=connection_string))

    @cached_property
    def tables(self) -> TableServiceClient:
        """The table service."""
        return TableServiceClient.from_connection_string(self._settings.connection_string)

    def container(self, name: str) -> ContainerClient:
        """A container; it need not be there yet."""
        return ContainerClient.from_connection_string(self._settings.connection_string, name)


@dataclass(frozen=True)
class Eyes:
    """Looks at one cluster's Azure, ledgers, Services, status document and published events."""

    cluster: str
    doors: Mapping[str, BackDoor]
    ledger: TableLedger
    documents: BlobDocuments

    def all(self) -> Json:
        """Every part."""
        return {part: self._plain(look()) for part, look in self._parts.items()}

    def see(self, goal: Json) -> bool:
        """Whether each part of ``goal`` is as there; looks no further than to the first one that is not."""
        return all(self._plain(self._parts[part]()) == wanted for part, wanted in goal.items())

    def events(self) -> list[Json]:
        """What the topic got, in the order of its coming."""
        found: list[Json] = self.doors["topic"].call("GET", "published")["value"]
        return found

    @property
    def _parts(self) -> Mapping[str, Callable[[], Any]]:
        return {
            "links": self._links,
            "heard": lambda: heard.in_the_end(self.events()),
            "told": self._conditions,
            "ownership": self._ownership,
            "sharing": self._sharing,
            "document": self._document,
            "unpublished": lambda: self.ledger.state(self.cluster).publication.failures > 0,
        }

    def _plain(self, part: Any) -> Any:
        return json.loads(json.dumps(part, sort_keys=True).replace(self.cluster, "CLUSTER"))

    def _links(self) -> Json:
        """The Private Link Services, and the policies of subnets."""
        resources = self.doors["arm"].call("GET", "state")["resources"]
        kinds = ("privatelinkservices", "virtualnetworks")
        return {r["id"].lower(): _wished(r) for r in resources if r["type"].lower().endswith(kinds)}

    def _ownership(self) -> list[tuple[Any, ...]]:
        return sorted(
            (r.pls_id.lower(), r.frontend_id.lower(), r.owner.key, r.claim_hash, r.state, len(r.nat_ips))
            for r in self.ledger.ownership(self.cluster)
        )

    def _sharing(self) -> list[tuple[Any, ...]]:
        rows = self.ledger.sharing(self.cluster)
        return sorted((row.pls_id, row.frontend_id, row.service.key, row.role) for row in rows)

    def _conditions(self) -> Json:
        """What each Service is told in its status."""
        services = self.doors["kubernetes"].call("GET", "state")["objects"]["services"]
        return {
            s["metadata"]["name"]: [
                (c["type"], c["status"], c["reason"]) for c in s.get("status", {}).get("conditions", ())
            ]
            for s in services
        }

    def _document(self) -> Json:
        """What people see: each Private Link Service's state, and what each Service is told."""
        document = self.documents.read(self.cluster) or {}
        links = {link["id"].lower(): link["state"] for link in document.get("privateLinkServices", ())}
        return {**links, **{t["service"]: t["reason"] for t in document.get("tellings", ())}}


def _wished(resource: Json) -> Json:
    """What somebody wished of a PLS or network, and its state."""
    properties = resource["properties"]
    if "subnets" in properties:
        policies = [s["properties"].get("privateLinkServiceNetworkPolicies") for s in properties["subnets"]]
        return {"policies": policies}  # a network stays Failed after a failed write of its subnet
    kept = {key: value for key, value in properties.items() if key not in _MADE_UP}
    nat = [{k: v for k, v in c["properties"].items() if k in _OF_NAT} for c in properties["ipConfigurations"]]
    connections = len(properties.get("privateEndpointConnections") or ())
    return {"tags": resource.get("tags"), "nat": nat, "connections": connections, **kept}
