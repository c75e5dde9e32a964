"""The fields of the typed resources: what strict decoding knows and how protobuf bodies number them.

Types without a row here (ConfigMap, Pod ...) are kept as sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

SCALARS = {"string", "int", "bool", "time", "intstr", "map", "any"}

_MESSAGES = """
ObjectMeta: 1 name string, 2 generateName string, 3 namespace string, 4 selfLink string, 5 uid string, \
6 resourceVersion string, 7 generation int, 8 creationTimestamp time, 9 deletionTimestamp time, \
10 deletionGracePeriodSeconds int, 11 labels map, 12 annotations map, 13 ownerReferences []OwnerReference, \
14 finalizers []string, 17 managedFields []ManagedFieldsEntry
ManagedFieldsEntry: 1 manager string, 2 operation string, 3 apiVersion string, 4 time time, 6 fieldsType string, \
7 fieldsV1 any, 8 subresource string
OwnerReference: 1 kind string, 3 name string, 4 uid string, 5 apiVersion string, 6 controller bool, \
7 blockOwnerDeletion bool
Namespace: 1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status NamespaceStatus
NamespaceSpec: 1 finalizers []string
NamespaceStatus: 1 phase string, 2 conditions []any
Service: 1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status ServiceStatus
ServiceSpec: 1 ports []ServicePort, 2 selector map, 3 clusterIP string, 4 type string, 5 externalIPs []string, \
7 sessionAffinity string, 8 loadBalancerIP string, 9 loadBalancerSourceRanges []string, 10 externalName string, \
11 externalTrafficPolicy string, 12 healthCheckNodePort int, 13 publishNotReadyAddresses bool, \
14 sessionAffinityConfig SessionAffinityConfig, 17 ipFamilyPolicy string, 18 clusterIPs []string, \
19 ipFamilies []string, 20 allocateLoadBalancerNodePorts bool, 21 loadBalancerClass string, \
22 internalTrafficPolicy string, 23 trafficDistribution string
ServicePort: 1 name string, 2 protocol string, 3 port int, 4 targetPort intstr, 5 nodePort int, 6 appProtocol string
SessionAffinityConfig: 1 clientIP ClientIPConfig
ClientIPConfig: 1 timeoutSeconds int
ServiceStatus: 1 loadBalancer LoadBalancerStatus, 2 conditions []Condition
LoadBalancerStatus: 1 ingress []LoadBalancerIngress
LoadBalancerIngress: 1 ip string, 2 hostname string, 3 ipMode string, 4 ports []PortStatus
PortStatus: 1 port int, 2 protocol string, 3 error string
Condition: 1 type string!, 2 status string!, 3 observedGeneration int, 4 lastTransitionTime time!, \
5 reason string!, 6 message string!
ConfigMap: 1 metadata ObjectMeta, 2 data map, 3 binaryData any, 4 immutable bool
Event: 1 metadata ObjectMeta, 2 involvedObject ObjectReference, 3 reason string, 4 message string, \
5 source EventSource, 6 firstTimestamp time, 7 lastTimestamp time, 8 count int, 9 type string, 10 eventTime time, \
11 series EventSeries, 12 action string, 13 related ObjectReference, 14 reportingComponent string!, \
15 reportingInstance string!
EventSource: 1 component string, 2 host string
EventSeries: 1 count int, 2 lastObservedTime time
ObjectReference: 1 kind string, 2 namespace string, 3 name string, 4 uid string, 5 apiVersion string, \
6 resourceVersion string, 7 fieldPath string
DeleteOptions: 1 gracePeriodSeconds int, 2 preconditions Preconditions, 3 orphanDependents bool, \
4 propagationPolicy string, 5 dryRun []string
Preconditions: 1 uid string, 2 resourceVersion string
SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SelfSubjectAccessReviewSpec
SelfSubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes
SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec
SelfSubjectRulesReviewSpec: 1 namespace string
SelfSubjectReview: 1 metadata ObjectMeta
ResourceAttributes: 1 namespace string, 2 verb string, 3 group string, 4 version string, 5 resource string, \
6 subresource string, 7 name string
Unknown: 1 typeMeta TypeMeta, 2 raw bytes, 3 contentEncoding string, 4 contentType string
TypeMeta: 1 apiVersion string, 2 kind string
"""


@dataclass(frozen=True)
class Field:
    """`type` is a scalar of SCALARS, `bytes`, or the name of a message; `always` written, even when empty (`!`)."""

    number: int
    name: str
    type: str
    repeated: bool
    always: bool


@dataclass(frozen=True)
class Message:
    name: str
    by_name: dict[str, Field]
    by_number: dict[int, Field]


def _field(text: str) -> Field:
    number, name, kind = text.split()
    bare = kind.removeprefix("[]").removesuffix("!")
    return Field(int(number), name, bare, kind.startswith("[]"), kind.endswith("!"))


@cache
def messages() -> dict[str, Message]:
    """Every message by its Go name."""
    found = {}
    for line in _MESSAGES.strip().splitlines():
        name, _, fields = line.partition(": ")
        rows = [_field(text) for text in fields.split(", ")]
        found[name] = Message(name, {row.name: row for row in rows}, {row.number: row for row in rows})
    return found
