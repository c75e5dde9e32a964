"""What the API server refuses in any object's metadata, in its own words."""

from __future__ import annotations

import re
from typing import Any

from sandbox.kubernetes.causes import go, invalid, required
from sandbox.kubernetes.errors import Cause
from sandbox.kubernetes.resources import NAMESPACES, SERVICES, Resource

Json = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
ANNOTATIONS_LIMIT = 256 * 1024

_SAY_1123 = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must"
    " start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for"
    f" validation is '{_LABEL}')"
)
_SAY_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an"
    " alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123',"
    f" regex used for validation is '{_LABEL_1035}')"
)
_SAY_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    f" validation is '{_LABEL}(\\.{_LABEL})*')"
)
_SAY_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with"
    " an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    f" validation is '{_QUALIFIED}')"
)
_SAY_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or"
    " '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_SAY_PARTS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    f" '{_QUALIFIED}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_OWN_FINALIZERS = ("foregroundDeletion", "kubernetes", "orphan")


def metadata_causes(resource: Resource, metadata: Json) -> list[Cause]:
    """All that is wrong with an object's metadata."""
    return [
        *_name(resource, metadata.get("name", "")),
        *labels_causes("metadata.labels", metadata.get("labels", {})),
        *_annotations(metadata.get("annotations", {})),
        *_owners(metadata.get("ownerReferences", [])),
        *_finalizers(metadata.get("finalizers", [])),
    ]


def dns_label(field: str, value: str) -> list[Cause]:
    return _shaped(field, value, _LABEL, _SAY_1123, 63)


def dns_subdomain(field: str, value: str) -> list[Cause]:
    return _shaped(field, value, _SUBDOMAIN, _SAY_SUBDOMAIN, 253)


def _shaped(field: str, value: str, pattern: str, why: str, limit: int) -> list[Cause]:
    causes = []
    if len(value) > limit:
        causes.append(invalid(field, value, f"must be no more than {limit} characters"))
    return causes if re.fullmatch(pattern, value) else [*causes, invalid(field, value, why)]


def _name(resource: Resource, name: str) -> list[Cause]:
    field = "metadata.name"
    if not name:
        return [required(field, "name or generateName is required")]
    if resource == SERVICES:
        return _shaped(field, name, _LABEL_1035, _SAY_1035, 63)
    return dns_label(field, name) if resource == NAMESPACES else dns_subdomain(field, name)


def labels_causes(field: str, labels: dict[str, str]) -> list[Cause]:
    """What is wrong with labels, or with the equal map of a selector."""
    causes = [cause for key in labels for cause in qualified_name(field, key)]
    for value in labels.values():
        if len(value) > 63:
            causes.append(invalid(field, value, "must be no more than 63 characters"))
        if value and not re.fullmatch(_QUALIFIED, value):
            causes.append(invalid(field, value, _SAY_VALUE))
    return causes


def _annotations(annotations: dict[str, str]) -> list[Cause]:
    causes = [cause for key in annotations for cause in qualified_name("metadata.annotations", key.lower())]
    size = sum(
        len(key.encode()) + len(value.encode(errors="surrogatepass")) for key, value in annotations.items()
    )
    if size > ANNOTATIONS_LIMIT:
        causes.append(
            Cause(
                "metadata.annotations",
                f"Too long: may not be more than {ANNOTATIONS_LIMIT} bytes",
                "FieldValueTooLong",
            )
        )
    return causes


def _owners(owners: list[Json]) -> list[Cause]:
    causes = []
    for owner in owners:
        field = "metadata.ownerReferences"
        if not owner.get("apiVersion"):
            causes.append(invalid(f"{field}.apiVersion", "", "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                causes.append(invalid(f"{field}.{name}", "", "must not be empty"))
    return causes


def _finalizers(finalizers: list[str]) -> list[Cause]:
    field = "metadata.finalizers"
    causes = [cause for name in finalizers for cause in qualified_name(field, name)]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        said = "finalizer orphan and foregroundDeletion cannot be both set"
        causes.append(Cause(field, f"Invalid value: {go(finalizers)}: {said}"))
    for index, name in enumerate(finalizers):
        if "/" not in name and name not in _OWN_FINALIZERS:
            said = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(invalid(f"{field}[{index}]", name, said))
    return causes


def qualified_name(field: str, key: str) -> list[Cause]:
    """`name` or `example.com/name`."""
    prefix, slash, name = key.rpartition("/")
    if key.count("/") > 1:
        return [invalid(field, key, f"a qualified name {_SAY_PARTS}")]
    causes = []
    if slash and not prefix:
        causes.append(invalid(field, key, "prefix part must be non-empty"))
    elif slash:
        causes += [invalid(field, key, f"prefix part {why}") for why in _prefix_faults(prefix)]
    if not name:
        causes.append(invalid(field, key, "name part must be non-empty"))
    elif len(name) > 63:
        causes.append(invalid(field, key, "name part must be no more than 63 characters"))
    if not re.fullmatch(_QUALIFIED, name):
        causes.append(invalid(field, key, _SAY_QUALIFIED))
    return causes


def _prefix_faults(prefix: str) -> list[str]:
    long = ["must be no more than 253 characters"] if len(prefix) > 253 else []
    return long if re.fullmatch(_SUBDOMAIN, prefix) else [*long, _SAY_SUBDOMAIN]
