"""What the API server refuses in any object's metadata, in its own words."""

from __future__ import annotations

import re
from typing import Any

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


def metadata_causes(resource: Resource, metadata: Json) -> list[Cause]:
    """All that is wrong with an object's metadata."""
    return [
        *_name(resource, metadata.get("name", "")),
        *_labels(metadata.get("labels", {})),
        *_annotations(metadata.get("annotations", {})),
        *_finalizers(metadata.get("finalizers", [])),
    ]


def _invalid(field: str, value: str, why: str) -> Cause:
    return Cause(field, f'Invalid value: "{value}": {why}')


def _name(resource: Resource, name: str) -> list[Cause]:
    field = "metadata.name"
    if not name:
        return [Cause(field, "Required value: name or generateName is required", "FieldValueRequired")]
    if resource == SERVICES:
        pattern, limit, why = _LABEL_1035, 63, _SAY_1035
    elif resource == NAMESPACES:
        pattern, limit, why = _LABEL, 63, _SAY_1123
    else:
        pattern, limit, why = _SUBDOMAIN, 253, _SAY_SUBDOMAIN
    causes = [] if re.fullmatch(pattern, name) else [_invalid(field, name, why)]
    if len(name) > limit:
        causes.append(_invalid(field, name, f"must be no more than {limit} characters"))
    return causes


def _labels(labels: dict[str, str]) -> list[Cause]:
    causes = [cause for key in labels for cause in _key("metadata.labels", key)]
    for value in labels.values():
        if value and not re.fullmatch(_QUALIFIED, value):
            causes.append(_invalid("metadata.labels", value, _SAY_VALUE))
        if len(value) > 63:
            causes.append(_invalid("metadata.labels", value, "must be no more than 63 characters"))
    return causes


def _annotations(annotations: dict[str, str]) -> list[Cause]:
    causes = [cause for key in annotations for cause in _key("metadata.annotations", key.lower())]
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


def _finalizers(finalizers: list[str]) -> list[Cause]:
    return [cause for name in finalizers for cause in _key("metadata.finalizers", name)]


def _key(field: str, key: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return [_invalid(field, key, "prefix part must be non-empty")]
    if slash and (len(prefix) > 253 or not re.fullmatch(_SUBDOMAIN, prefix)):
        return [_invalid(field, key, f"prefix part {_SAY_SUBDOMAIN}")]
    if not name:
        return [_invalid(field, key, "name part must be non-empty")]
    if len(name) > 63:
        return [_invalid(field, key, "name part must be no more than 63 characters")]
    return [] if re.fullmatch(_QUALIFIED, name) else [_invalid(field, key, _SAY_QUALIFIED)]
