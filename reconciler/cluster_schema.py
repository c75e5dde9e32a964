"""The shape of one cluster as people write it: keys, kinds and limits of each value.

What several keys owe each other is in ``cluster_rules``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from reconciler.model import STANDARD_PREFIX, InTree, Mode, Succession
from reconciler.setting_values import address


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


_PARTS: dict[tuple[Any, ...], type[_Part]] = {(): ClusterText, ("access",): AccessText, ("vnet",): VnetText}


def keys_at(path: tuple[Any, ...]) -> list[str]:
    """The keys that may stand at a place within a cluster, for a hint."""
    part = _PARTS.get(path, ClusterText)
    return [field.alias or name for name, field in part.model_fields.items()]
