"""The shape of one cluster as people write it: keys, kinds and limits of its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from reconciler.model import (
    CLUSTER_TAG,
    OWNER_TAG,
    STANDARD_PREFIX,
    InTree,
    Mode,
    Succession,
)
from reconciler.setting_values import address

OWN_TAGS = (CLUSTER_TAG, OWNER_TAG)


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
    AfterValidator(
        _fits(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "a subscription id (a GUID)")
    ),
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


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class AccessText(_Part):
    """How the API server is reached."""

    kubeconfig: Filled = ""
    kubeconfig_content: str = Field(default="", repr=False)
    context: Filled = ""
    in_cluster: bool = False
    server: Server = ""
    ca_file: Filled = ""
    ca_data: str = ""
    token_file: Filled = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.kubeconfig, self.kubeconfig_content, self.in_cluster, self.server)
        given = sum(bool(way) for way in ways)
        if given != 1:
            count = "is none" if given == 0 else "are several"
            raise ValueError(
                f"wanted: one of kubeconfig, kubeconfigContent, inCluster, server; there {count}"
            )
        if self.server and not self.token_file:
            raise ValueError("server needs tokenFile")
        if self.ca_file and self.ca_data:
            raise ValueError("caFile and caData exclude each other")
        if not self.server and (self.ca_file or self.ca_data or self.token_file):
            raise ValueError("caFile, caData and tokenFile belong to server")
        if self.context and not (self.kubeconfig or self.kubeconfig_content):
            raise ValueError("context belongs to kubeconfig or kubeconfigContent")
        return self


class VnetText(_Part):
    """The virtual network of the NAT subnets."""

    resource_group: Group
    name: Network
    subscription: Guid = ""


class ClusterText(_Part):
    """One cluster."""

    name: Name
    cluster_name: Filled = "kubernetes"
    access: AccessText
    subscription: Guid
    location: Location
    load_balancer_resource_group: Group
    pls_resource_group: Group = ""
    vnet: VnetText
    default_subnet: Network
    pls_prefix: Prefix = STANDARD_PREFIX
    tags: Mapping[str, str] = Field(default_factory=dict)
    mode: Mode
    in_tree: InTree | None = None
    owner_succession: Succession = "none"
    settle_seconds: Annotated[int, Field(ge=0, le=3600)] = 150

    @model_validator(mode="after")
    def _tags_fit(self) -> Self:
        for name, value in self.tags.items():
            if name.lower() in OWN_TAGS:
                raise ValueError(f"tags.{name}: is a tag of the reconciler itself")
            if not name.strip() or len(name) > 512 or re.search(r"[<>%&\\?/\x00-\x1f]", name):
                raise ValueError(f"tags.{name[:60]}: wanted: at most 512 characters without < > % & \\ ? /")
            if len(value) > 256:
                raise ValueError(f"tags.{name}: wanted: at most 256 characters")
        if len(self.tags) > 50 - len(OWN_TAGS):
            raise ValueError("tags: Azure keeps at most 50, two of them for the reconciler")
        return self


_PARTS: dict[tuple[Any, ...], type[_Part]] = {(): ClusterText, ("access",): AccessText, ("vnet",): VnetText}


def keys_at(path: tuple[Any, ...]) -> list[str]:
    """The keys that may stand at a place within a cluster, for a hint."""
    part = _PARTS.get(path, ClusterText)
    return [field.alias or name for name, field in part.model_fields.items()]
