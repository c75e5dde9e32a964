"""The resource types this API serves: one row each. What a row lacks, the API does not have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby

ALL_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True)
class Resource:
    """A resource type. `fields` are the field selectors beyond metadata.name and namespace."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    has_status: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As messages name it: `services`, `leases.coordination.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root(self) -> str:
        """The path of its group and version, without slashes at the ends."""
        return f"apis/{self.group}/{self.version}" if self.group else f"api/{self.version}"


NAMESPACES = Resource(
    "namespaces",
    "Namespace",
    namespaced=False,
    has_status=True,
    short_names=("ns",),
    fields=("status.phase",),
)
SERVICES = Resource(
    "services",
    "Service",
    has_status=True,
    short_names=("svc",),
    categories=("all",),
    fields=("spec.clusterIP", "spec.type"),
)
EVENTS = Resource(
    "events",
    "Event",
    short_names=("ev",),
    fields=(
        *(
            f"involvedObject.{part}"
            for part in (
                "kind",
                "namespace",
                "name",
                "uid",
                "apiVersion",
                "resourceVersion",
                "fieldPath",
            )
        ),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
)
RESOURCES = (
    NAMESPACES,
    SERVICES,
    EVENTS,
    Resource("endpoints", "Endpoints", short_names=("ep",)),
    Resource("configmaps", "ConfigMap", short_names=("cm",)),
    Resource("nodes", "Node", namespaced=False, has_status=True, short_names=("no",)),
    Resource("pods", "Pod", has_status=True, short_names=("po",), categories=("all",)),
    Resource(
        "deployments",
        "Deployment",
        "apps",
        has_status=True,
        short_names=("deploy",),
        categories=("all",),
    ),
    Resource("leases", "Lease", "coordination.k8s.io"),
    Resource("endpointslices", "EndpointSlice", "discovery.k8s.io"),
)

# Answered, never stored.
ACCESS_REVIEWS = Resource(
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    "authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)
RULES_REVIEWS = Resource(
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    "authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)
SUBJECT_REVIEWS = Resource(
    "selfsubjectreviews",
    "SelfSubjectReview",
    "authentication.k8s.io",
    namespaced=False,
    verbs=("create",),
)
REVIEWS = (ACCESS_REVIEWS, RULES_REVIEWS, SUBJECT_REVIEWS)


@cache
def by_root(resources: tuple[Resource, ...] = RESOURCES) -> dict[str, tuple[Resource, ...]]:
    """The resource types by the path of their group and version."""
    ordered = sorted(resources, key=lambda row: row.root)
    return {root: tuple(rows) for root, rows in groupby(ordered, key=lambda row: row.root)}
