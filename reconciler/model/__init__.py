"""The nouns: what is configured, what was seen, what the ledger knows. Frozen values, no I/O, no clock.

All times are aware datetimes in UTC; all ids are ARM resource ids as Azure spells them (compare them
with :mod:`reconciler.arm_ids`).
"""

from __future__ import annotations

from reconciler.model.configured import (
    STANDARD_PREFIX,
    ApiAccess,
    ClusterConfig,
    ClusterList,
    Discovery,
    Endpoint,
    InTree,
    Limits,
    Mode,
    SubnetPolicy,
    Succession,
    WriteBack,
)
from reconciler.model.ledger import PLANNED, Ownership, Reservation, Sharing
from reconciler.model.observed import WAIT, Absent, Observed, Proof, Unknown, known
from reconciler.model.resources import (
    CLUSTER_TAG,
    ENDED_BADLY,
    IN_TRANSIT,
    OWNER_TAG,
    Connection,
    Frontend,
    Json,
    LoadBalancer,
    NatIp,
    PrivateLinkService,
    PublicIp,
    Subnet,
)
from reconciler.model.services import CONDITION, Condition, Service, ServiceEvent, ServiceRef

__all__ = [
    "CLUSTER_TAG",
    "CONDITION",
    "ENDED_BADLY",
    "IN_TRANSIT",
    "OWNER_TAG",
    "PLANNED",
    "STANDARD_PREFIX",
    "WAIT",
    "Absent",
    "ApiAccess",
    "ClusterConfig",
    "ClusterList",
    "Condition",
    "Connection",
    "Discovery",
    "Endpoint",
    "Frontend",
    "InTree",
    "Json",
    "Limits",
    "LoadBalancer",
    "Mode",
    "NatIp",
    "Observed",
    "Ownership",
    "PrivateLinkService",
    "Proof",
    "PublicIp",
    "Reservation",
    "Service",
    "ServiceEvent",
    "ServiceRef",
    "Sharing",
    "Subnet",
    "SubnetPolicy",
    "Succession",
    "Unknown",
    "WriteBack",
    "known",
]
