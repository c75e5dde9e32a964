"""What the API server refuses in a Service's cluster IPs and address families, in its own words."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from sandbox.kubernetes.causes import duplicate, forbidden, go, invalid, required, unsupported
from sandbox.kubernetes.errors import Cause

Json = dict[str, Any]

POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
INVALID_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_ADDRESSES, _FAMILIES, _POLICY = "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"
_FIXED = "may not change once set"
_UNSET = "must be set to 'SingleStack' when releasing the secondary"


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def headless(spec: Json) -> bool:
    return (spec.get("clusterIPs") or [spec.get("clusterIP")]) == ["None"]


def address_causes(spec: Json, old: Json | None) -> list[Cause]:
    """Causes about `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy`."""
    if spec["type"] == "ExternalName":
        names = ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        said = "may not be set for ExternalName services"
        return [forbidden(f"spec.{name}", said) for name in names if spec.get(name)]
    if spec["type"] in ("LoadBalancer", "NodePort") and headless(spec):
        said = f"may not be set to 'None' for {spec['type']} services"
        return [invalid(f"{_ADDRESSES}[0]", "None", said)]
    changed = _changed_causes(spec, old) if old and old.get("type") != "ExternalName" else []
    return changed + _own_causes(spec, old)


def _own_causes(spec: Json, old: Json | None) -> list[Cause]:
    addresses = spec.get("clusterIPs") or []
    causes = _synced_causes(spec.get("clusterIP"), addresses)
    causes += _family_causes(spec, old)
    broken = [
        invalid(f"{_ADDRESSES}[{index}]", address, INVALID_IP)
        for index, address in enumerate(addresses)
        if not is_ip(address) and (index, address) != (0, "None")
    ]
    if broken:
        return causes + broken
    if len(addresses) > 2:
        causes.append(invalid(_ADDRESSES, addresses, "may only hold up to 2 values"))
    versions = [ip_address(address).version for address in addresses if address != "None"]
    if len(versions) > 1 and len(set(versions)) < len(versions):
        causes.append(invalid(_ADDRESSES, addresses, "may specify no more than one IP for each IP family"))
    pairs = enumerate(zip(versions, spec.get("ipFamilies") or [], strict=False))
    for index, (version, family) in pairs:
        if family != f"IPv{version}":
            said = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            causes.append(invalid(f"{_ADDRESSES}[{index}]", addresses[index], said))
    return causes


def _synced_causes(first: str | None, addresses: list[str]) -> list[Cause]:
    if not first:
        said = "must be empty when `clusterIP` is not specified"
        return [invalid(_ADDRESSES, addresses, said)] if addresses else []
    if not addresses:
        return [required(_ADDRESSES)]
    if addresses[0] != first:
        return [invalid(_ADDRESSES, addresses, "first value must match `clusterIP`")]
    return []


def _family_causes(spec: Json, old: Json | None) -> list[Cause]:
    causes = []
    families, policy = spec.get("ipFamilies") or [], spec.get("ipFamilyPolicy")
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            causes.append(unsupported(f"{_FAMILIES}[{index}]", family, ("IPv4", "IPv6")))
        if family in families[:index]:
            causes.append(duplicate(f"{_FAMILIES}[{index}]", go(family)))
    if policy and policy not in POLICIES:
        causes.append(unsupported(_POLICY, policy, POLICIES))
    if old is None and policy == "SingleStack" and len(families) > 1:
        said = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
        causes.append(invalid(_POLICY, policy, said))
    return causes


def _changed_causes(spec: Json, old: Json) -> list[Cause]:
    """A second address or family may come and go; the first ones stay."""
    before, after = old.get("clusterIPs") or [], spec.get("clusterIPs") or []
    causes = [] if headless(old) and headless(spec) else _released("clusterIP", before, after, spec)
    if headless(old) or headless(spec):
        return causes
    return causes + _released("ipFamily", old.get("ipFamilies") or [], spec.get("ipFamilies") or [], spec)


def _released(what: str, before: list[str], after: list[str], spec: Json) -> list[Cause]:
    field, element = (_ADDRESSES, "string") if what == "clusterIP" else (_FAMILIES, "core.IPFamily")
    shown = go(after, element)
    if len(before) == len(after):
        pairs = zip(before, after, strict=True)
        changed = [index for index, (was, is_) in enumerate(pairs) if was != is_]
        return [Cause(f"{field}[{index}]", f"Invalid value: {shown}: {_FIXED}") for index in changed]
    causes = []
    if before and after and before[0] != after[0]:
        causes.append(Cause(f"{field}[0]", f"Invalid value: {shown}: {_FIXED}"))
    if not after:
        causes.append(Cause(f"{field}[0]", f"Invalid value: {shown}: primary {what} can not be unset"))
    policy = spec.get("ipFamilyPolicy")
    if len(before) > len(after) == 1 and policy != "SingleStack":
        causes.append(invalid(_POLICY, policy, f"{_UNSET} {what}"))
    return causes
