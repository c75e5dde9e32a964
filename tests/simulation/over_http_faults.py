"""Faults of the simulation's ports as faults of the requests behind them, in the words of each system.

One call of a port is one request or a few; a fault befalls requests. ``digest`` and ``list_services`` are the
same request but for a header, so a fault of one befalls the other, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.simulation.ports import STRANGER
from tests.simulation.steps import Fault, FaultKind, Port

Json = dict[str, Any]
LIST = r"/api/v1/services\?(?!.*watch).*fieldSelector"  # the product's; the provider asks for no field
IDENTITY = r"/namespaces/default/services/kubernetes$"
SERVICE = r"/namespaces/shop/services/[^/?]+$"
WRITE = "POST|PUT|PATCH|MERGE"


@dataclass(frozen=True)
class Request:
    """The requests of a port's method: a system, methods (alternatives), a pattern of the path."""

    system: str
    methods: str
    path: str


REQUESTS: dict[tuple[Port, str], Request] = {
    ("azure", "list_load_balancers"): Request("arm", "GET", "/loadBalancers$"),
    ("azure", "list_private_link_services"): Request(
        "arm", "GET", "^/subscriptions/[^/]+/providers/[^/]+/privateLinkServices$"
    ),
    ("azure", "get_private_link_service"): Request("arm", "GET", "/privateLinkServices/[^/]+$"),
    ("azure", "get_subnet"): Request("arm", "GET", "/subnets/[^/]+$"),
    ("azure", "list_nat_addresses"): Request("arm", "GET", "/networkInterfaces$"),
    ("azure", "put_private_link_service"): Request("arm", "PUT", "/privateLinkServices/[^/]+$"),
    ("azure", "put_subnet"): Request("arm", "PUT", "/subnets/[^/]+$"),
    ("azure", "delete_private_link_service"): Request("arm", "DELETE", "/privateLinkServices/[^/]+$"),
    ("azure", "delete_connection"): Request("arm", "DELETE", "/privateEndpointConnections/[^/]+$"),
    ("cluster", "list_services"): Request("kubernetes", "GET", LIST),
    ("cluster", "digest"): Request("kubernetes", "GET", LIST),
    ("cluster", "identity"): Request("kubernetes", "GET", IDENTITY),
    ("cluster", "get_service"): Request("kubernetes", "GET", SERVICE),
    ("ledger", "put_ownership"): Request("tables", "POST", r"/\$batch[# ]ownership"),
    ("ledger", "forget_ownership"): Request("tables", "POST", r"/\$batch[# ]ownership"),
    ("ledger", "replace_sharing"): Request("tables", "POST", r"/\$batch[# ]sharing"),
    ("ledger", "reserve"): Request("tables", "POST", r"/ownership(\?|$)"),
    ("ledger", "write_lease"): Request("tables", WRITE, r"/leases"),
    ("ledger", "write_state"): Request("tables", WRITE, r"/clusters"),
    ("ledger", "add_history"): Request("tables", "POST", r"history"),
    ("ledger", "ownership"): Request("tables", "GET", r"/ownership(?!.*reserved)"),
    ("ledger", "reservations"): Request("tables", "GET", r"/ownership.*reserved"),
    ("ledger", "state"): Request("tables", "GET", "/clusters"),
    ("ledger", "lease"): Request("tables", "GET", "/leases"),
    ("ledger", "*"): Request("tables", "", "."),
    ("queue", "send"): Request("queues", "POST", "/reconcile/messages"),
}
ANSWERS: dict[FaultKind, Json] = {
    "throttled": {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": "17"}},
    "busy": {"status": 409, "code": "AnotherOperationInProgress"},
    "down": {"status": 503, "code": "ServiceUnavailable"},
    "lost": {"mode": "reset-before"},
    "cut": {"mode": "reset-after"},
    "denied": {"status": 403, "code": "AuthorizationFailed"},
    "rejected": {"status": 400, "code": "InvalidRequestFormat"},
    "stale": {"status": 412, "code": "PreconditionFailed"},
}
CLUSTER_CODES = {"denied": "Forbidden"}
STORAGE_CODES = {"down": "ServerBusy"}


def doors(fault: Fault) -> list[tuple[str, Json]]:
    """The system and what its back door is told, for each method that the request may have."""
    request = REQUESTS[fault.port, fault.method]
    answer = dict(ANSWERS[fault.kind])
    codes = {"kubernetes": CLUSTER_CODES, "arm": {}}.get(request.system, STORAGE_CODES)
    if "code" in answer:
        answer["code"] = codes.get(fault.kind, answer["code"])
    told = {"path": request.path, "times": fault.times, **answer}
    methods = request.methods.split("|") if request.methods else [None]
    return [(request.system, told | {"method": method}) for method in methods]


def moment(port: Port, method: str) -> Json:
    """The request as a worker's hook knows it: a path without its query."""
    request = REQUESTS[port, method]
    path = "/api/v1/services$" if request.path == LIST else request.path
    return {"method": request.methods or ".*", "path": path}


def empty_list(*, half: bool) -> list[Json]:
    """The cluster's list lacks all Services, or every second one, until it is taken back."""
    return [{"path": LIST, "times": None, "mode": "half-list"} if half else _says(LIST, _EMPTY)]


def imposter() -> list[Json]:
    """Another, empty cluster answers, until it is taken back."""
    metadata = {"name": "kubernetes", "namespace": "default", "uid": STRANGER, "resourceVersion": "1"}
    service = {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": {}}
    gone = {"path": SERVICE, "method": "GET", "times": None, "status": 404, "code": "NotFound"}
    return [_says(LIST, _EMPTY), _says(IDENTITY, service), gone]


_EMPTY: Json = {"kind": "ServiceList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}


def _says(path: str, document: Json) -> Json:
    return {"path": path, "method": "GET", "times": None, "mode": "garbage", "message": json.dumps(document)}
