"""The shape of a clusters' document as people write it: keys, kinds and limits of each value.

What several keys owe each other is in ``cluster_rules``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.alias_generators import to_camel

from reconciler.arm_ids import parse
from reconciler.model import STANDARD_PREFIX, InTree, Mode, Succession, WriteBack
from reconciler.setting_values import address

_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# Whoever writes a clusters' document names servers and scopes: a token for these would be worth more than a cluster.
_NOT_CLUSTERS = {
    "797f4846-ba00-4fd7-ba43-dac1f8f63013": "Azure Resource Manager",
    "e406a681-f3d4-42a8-90b6-c2b029497af1": "Azure Storage",
    "4962773b-9cdb-44cf-a8bf-237846a00ab7": "Event Grid",
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093": "Azure Key Vault",
    "00000003-0000-0000-c000-000000000000": "Microsoft Graph",
    "00000002-0000-0000-c000-000000000000": "Azure AD Graph",
}


def _fits(pattern: str, wanted: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value.strip()):
            raise ValueError(f"wanted: {wanted}")
        return value.strip()

    return check


def _location(value: str) -> str:
    """``East US`` is ``eastus``: Azure writes both."""
    return _fits(r"[a-z0-9]+", "an Azure region, such as eastus")(value.replace(" ", "").lower())


def _managed_cluster(value: str) -> str:
    found = parse(value)
    kind = (found.provider.lower(), found.kind.lower()) if found and not found.rest else ()
    if not (kind == ("microsoft.containerservice", "managedclusters") and value.strip().startswith("/")):
        raise ValueError(
            "wanted: /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…"
        )
    return value.strip().rstrip("/")


def _scope(value: str) -> str:
    """The application of a Kubernetes API; never one that would let a server collect the identity's rights in Azure."""
    found = re.fullmatch(rf"(api://[^\s/]+(?:/[^\s/]+)*|{_GUID})/\.default", value.strip())
    if not found:
        raise ValueError(
            "wanted: api://…/.default or <application id>/.default of the API server's application"
        )
    if service := _NOT_CLUSTERS.get(found[1].lower()):
        raise ValueError(f"is the scope of {service}, not of a Kubernetes API")
    return value.strip()


# The name is a key of table rows, a word in messages and a parameter of addresses.
Name = Annotated[
    str,
    AfterValidator(
        _fits(
            r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?",
            "at most 63 letters, digits, dots, hyphens, underscores",
        )
    ),
]
Guid = Annotated[
    str,
    AfterValidator(_fits(_GUID, "a subscription id (a GUID)")),
]
Group = Annotated[
    str,
    AfterValidator(
        _fits(r"[\w().-]{0,89}[\w()-]", "a resource group's name: at most 90 letters, digits, _ ( ) - .")
    ),
]
Network = Annotated[
    str,
    AfterValidator(
        _fits(
            r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?",
            "the name alone, not a resource id; at most 80 characters",
        )
    ),
]
Filled = Annotated[str, AfterValidator(_fits(r"\S(.*\S)?", "something, in one line"))]
Location = Annotated[str, AfterValidator(_location)]
Prefix = Annotated[
    str,
    AfterValidator(
        _fits(
            r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9][A-Za-z0-9._-]{0,40}",
            f"the beginning of annotation keys, such as {STANDARD_PREFIX}",
        )
    ),
]
Server = Annotated[str, AfterValidator(address)]
# What follows SECRET_PREFIX in the name of an environment variable.
SecretName = Annotated[str, AfterValidator(_fits(r"[A-Za-z0-9_]{1,100}", "letters, digits, underscores"))]
ManagedCluster = Annotated[str, AfterValidator(_managed_cluster)]
Scope = Annotated[str, AfterValidator(_scope)]
TagWish = Annotated[
    str, AfterValidator(_fits(r"[^\s=<>%&\\?/][^=<>%&\\?/\n]{0,511}(=[^\n]{0,256})?", "name or name=value"))
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class AksText(_Part):
    """An AKS cluster: server, authority and places are taken from its resource; the token is our own."""

    type: Literal["aks"]
    resource_id: ManagedCluster


class KubeconfigText(_Part):
    """A kubeconfig, from one of three places."""

    type: Literal["kubeconfig"]
    path: Filled = ""
    content: str = Field(default="", repr=False)
    secret: SecretName = ""
    context: Filled = ""


class ServerText(_Part):
    """An address, its authority, and one of three ways to a token."""

    type: Literal["server"]
    server: Server
    ca_file: Filled = ""
    ca_data: str = ""
    scope: Scope = ""
    token_file: Filled = ""
    token_secret: SecretName = ""


class InClusterText(_Part):
    """From inside a pod of the cluster."""

    type: Literal["inCluster"]


def api_type(api: Any) -> str | None:
    """What tells the ways to a cluster's API apart. Anything but text tells none, and is not looked into."""
    kind = api.get("type") if isinstance(api, Mapping) else None
    return kind if isinstance(kind, str) else None


class VnetText(_Part):
    """The virtual network of the NAT subnets."""

    resource_group: Group
    name: Network
    subscription: Guid = ""


class SharedText(_Part):
    """What clusters have in common, whether they are named or found."""

    mode: Mode
    cluster_name: Filled = "kubernetes"
    pls_resource_group: Group = ""
    pls_prefix: Prefix = STANDARD_PREFIX
    tags: Mapping[str, str] = Field(default_factory=dict)
    in_tree: InTree | None = None
    owner_succession: Succession = "none"
    settle_seconds: Annotated[int, Field(ge=0, le=3600)] = 150
    write_back: WriteBack | None = None


class ClusterText(SharedText):
    """One cluster."""

    name: Name
    api: Annotated[
        Annotated[AksText, Tag("aks")]
        | Annotated[KubeconfigText, Tag("kubeconfig")]
        | Annotated[ServerText, Tag("server")]
        | Annotated[InClusterText, Tag("inCluster")],
        Discriminator(api_type),
    ]
    subscription: Guid
    location: Location
    load_balancer_resource_group: Group
    vnet: VnetText
    default_subnet: Network


class AksClusterText(SharedText):
    """One AKS cluster: its places may be left to its resource."""

    name: Name
    api: AksText
    subscription: Guid = ""
    location: Location = ""
    load_balancer_resource_group: Group = ""
    vnet: VnetText | None = None
    default_subnet: Network = ""


class DiscoveryText(SharedText):
    """AKS clusters by a tag of theirs: ``name``, or ``name=value``."""

    subscription: Guid
    tag: TagWish
    vnet: VnetText | None = None
    default_subnet: Network = ""


_PARTS: dict[tuple[Any, ...], type[_Part]] = {
    ("vnet",): VnetText,
    ("api",): AksText,
    ("api", "kubeconfig"): KubeconfigText,
    ("api", "server"): ServerText,
    ("api", "inCluster"): InClusterText,
}


def shape_of(item: Any) -> type[ClusterText] | type[AksClusterText]:
    """What a cluster's entry has to look like: only an AKS cluster's resource tells its places."""
    api = item.get("api") if isinstance(item, Mapping) else None
    return AksClusterText if api_type(api) == "aks" else ClusterText


def keys_at(shape: type[SharedText], path: tuple[Any, ...]) -> list[str]:
    """The keys that may stand at a place within an entry, for a hint."""
    part = _PARTS.get(path, shape)
    return [field.alias or name for name, field in part.model_fields.items()]
