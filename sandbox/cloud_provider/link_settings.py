"""The `azure-pls-*` annotations as the in-tree controller reads them, with its own error texts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from sandbox.cloud_provider.options import Json, SyncError
from sandbox.cloud_provider.wishes import PREFIX, annotations_of, internal_subnet, true

MAX_IP_CONFIGURATIONS = 8
_SETTINGS = (
    "name",
    "ip-configuration-subnet",
    "ip-configuration-ip-address-count",
    "ip-configuration-ip-address",
    "fqdns",
    "proxy-protocol",
    "visibility",
    "auto-approval",
)
_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class LinkSettings:
    """What the annotations say, with defaults filled in. `subnet` is "" for the cluster's default."""

    subnet: str
    count: int
    static: tuple[str, ...]
    fqdns: tuple[str, ...]
    proxy_protocol: bool
    visibility: tuple[str, ...]
    auto_approval: tuple[str, ...]


def annotation(service: Json, name: str) -> str | None:
    """An `azure-pls-` annotation, or None."""
    return annotations_of(service).get(f"{PREFIX}pls-{name}")


def asks(service: Json) -> bool:
    """`azure-pls-create` is true."""
    return true(service, f"{PREFIX}pls-create")


def has_settings(service: Json) -> bool:
    """Any setting is there, even an empty one; the resource group is none."""
    return any(annotation(service, name) is not None for name in _SETTINGS)


def resource_group(service: Json, default: str) -> str:
    """Where the Service's PLS is looked for and made."""
    return (annotation(service, "resource-group") or "").strip() or default


def read_settings(service: Json) -> LinkSettings:
    """All settings. SyncError with the controller's words."""
    visibility = _listed(service, "visibility")
    count, static = _count(service), _static(service)
    if count < len(static):
        raise SyncError(
            f"checkAndUpdatePLSIPConfigs: ipConfigCount({count}) must be no smaller than number of static IPs"
            f" specified({len(static)})"
        )
    return LinkSettings(
        subnet=_subnet(service),
        count=count,
        static=static,
        fqdns=_listed(service, "fqdns"),
        proxy_protocol=true(service, f"{PREFIX}pls-proxy-protocol"),
        visibility=("*",) if "*" in visibility else visibility,
        auto_approval=_listed(service, "auto-approval"),
    )


def _subnet(service: Json) -> str:
    # Looked at trimmed, used as it is: a padded name finds no subnet.
    named = annotation(service, "ip-configuration-subnet") or ""
    return named if named.strip() else internal_subnet(service)


def _listed(service: Json, name: str) -> tuple[str, ...]:
    """Single spaces separate; other white space is trimmed from the entries, blank ones are dropped."""
    entries = (annotation(service, name) or "").split(" ")
    return tuple(entry.strip() for entry in entries if entry.strip())


def _count(service: Json) -> int:
    given = annotation(service, "ip-configuration-ip-address-count")
    if given is None:
        return 1
    text = given.strip()
    if not _WHOLE.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        raise SyncError(
            f'error value: strconv.ParseInt: parsing "{text}": invalid syntax: {text} value must be a whole number'
        )
    if int(text) < 1:
        raise SyncError(
            f"error parsing value: minimum number of private link service ipConfig is 1, {text} provided"
        )
    if int(text) > MAX_IP_CONFIGURATIONS:
        raise SyncError(
            f"error parsing value: maximum number of private link service ipConfig is"
            f" {MAX_IP_CONFIGURATIONS}, {text} provided"
        )
    return int(text)


def _static(service: Json) -> tuple[str, ...]:
    found: list[str] = []
    for text in _listed(service, "ip-configuration-ip-address"):
        try:
            address = ipaddress.ip_address(text)
        except ValueError as error:
            raise SyncError(f"getPLSStaticIPs: {text} is not a valid IP address") from error
        if address.version != 4:
            raise SyncError(
                f"getPLSStaticIPs: private link service ip config only supports IPv4, {text} provided"
            )
        if text not in found:
            found.append(text)
    return tuple(found)
