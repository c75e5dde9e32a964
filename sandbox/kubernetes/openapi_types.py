"""The types of the OpenAPI documents: fields, descriptions and merge keys of everything that is served.

Names and descriptions come from the models of the Kubernetes client, which are made from the real server's document.
Fields newer than our version are left out of the types that `schema` knows; the other types may show some.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.kubernetes.resources import RESOURCES, Resource
from sandbox.kubernetes.schema import messages

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_META_TYPES = {
    "Condition",
    "LabelSelector",
    "LabelSelectorRequirement",
    "ManagedFieldsEntry",
    "ObjectMeta",
    "OwnerReference",
}
_PACKAGES = {
    "": "io.k8s.api.core.v1",
    "apps": "io.k8s.api.apps.v1",
    "coordination.k8s.io": "io.k8s.api.coordination.v1",
    "discovery.k8s.io": "io.k8s.api.discovery.v1",
}
_MODEL = re.compile(r"\b(?:Core|Discovery)?V1\w+")
# What the client's models do not tell: how a strategic merge finds an item of a list (strategy, key).
_MERGED: dict[tuple[str, str], tuple[str, str]] = {
    ("Container", "env"): ("merge", "name"),
    ("Container", "ports"): ("merge", "containerPort"),
    ("Container", "volumeDevices"): ("merge", "devicePath"),
    ("Container", "volumeMounts"): ("merge", "mountPath"),
    ("DeploymentSpec", "strategy"): ("retainKeys", ""),
    ("DeploymentStatus", "conditions"): ("merge", "type"),
    ("NamespaceStatus", "conditions"): ("merge", "type"),
    ("NodeSpec", "podCIDRs"): ("merge", ""),
    ("NodeStatus", "addresses"): ("merge", "type"),
    ("NodeStatus", "conditions"): ("merge", "type"),
    ("ObjectMeta", "finalizers"): ("merge", ""),
    ("ObjectMeta", "ownerReferences"): ("merge", "uid"),
    ("PodSpec", "containers"): ("merge", "name"),
    ("PodSpec", "ephemeralContainers"): ("merge", "name"),
    ("PodSpec", "hostAliases"): ("merge", "ip"),
    ("PodSpec", "imagePullSecrets"): ("merge", "name"),
    ("PodSpec", "initContainers"): ("merge", "name"),
    ("PodSpec", "topologySpreadConstraints"): ("merge", "topologyKey"),
    ("PodSpec", "volumes"): ("merge,retainKeys", "name"),
    ("PodStatus", "conditions"): ("merge", "type"),
    ("PodStatus", "hostIPs"): ("merge", "ip"),
    ("PodStatus", "podIPs"): ("merge", "ip"),
    ("ServiceSpec", "ports"): ("merge", "port"),
    ("ServiceStatus", "conditions"): ("merge", "type"),
}
# The client's models lose the description of a field that is another type; these are the first that one asks for.
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_UNDESCRIBED = {
    ("", "metadata"): f"Standard object's metadata. More info: {_CONVENTIONS}#metadata",
    ("Service", "spec"): f"Spec defines the behavior of a service. {_CONVENTIONS}#spec-and-status",
    ("Service", "status"): "Most recently observed status of the service. Populated by the system. Read-only."
    f" More info: {_CONVENTIONS}#spec-and-status",
}


@dataclass(frozen=True)
class Property:
    """`type` is `string`, `integer`, `boolean`, `bytes` or the full name of a type; `container` `list`, `map` or empty."""

    name: str
    type: str
    container: str
    description: str
    required: bool
    strategy: str = ""
    merge_key: str = ""


@dataclass(frozen=True)
class Type:
    """An object type, or a scalar one of a name of its own with a `format`; `resource` if objects of it are served."""

    name: str
    description: str
    properties: tuple[Property, ...] = ()
    format: str = ""
    resource: Resource | None = None


_NAMED_SCALARS = (
    Type(
        f"{META}.Time",
        "Time is a wrapper around time.Time which supports correct marshaling to YAML and JSON.",
        format="date-time",
    ),
    Type(INT_OR_STRING, "IntOrString is a type that can hold an int32 or a string.", format="int-or-string"),
    Type(
        f"{META}.FieldsV1", "FieldsV1 stores a set of fields in a data structure like a Trie, in JSON format."
    ),
)
_SCALARS = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "bytes": "bytes",
    "datetime": f"{META}.Time",
}


@cache
def types() -> dict[str, Type]:
    """Every type that is served or part of one, by its full name. Slow the first time: it imports the models."""
    from kubernetes.client import models

    found: dict[str, str] = {}  # a model's name → its full name
    for row in RESOURCES:
        _reach(models, _root(models, row), _PACKAGES[row.group], found)
    served = {found[_root(models, row)]: row for row in RESOURCES}
    made = [_type(getattr(models, model), full, found, served.get(full)) for model, full in found.items()]
    return {type_.name: type_ for type_ in sorted([*made, *_NAMED_SCALARS], key=lambda type_: type_.name)}


def _root(models: Any, row: Resource) -> str:
    return f"V1{row.kind}" if hasattr(models, f"V1{row.kind}") else f"CoreV1{row.kind}"


def _bare(model: str) -> str:
    return model.split("V1", 1)[1]


def _reach(models: Any, model: str, package: str, found: dict[str, str]) -> None:
    """All models below one. Who is found first from the core is the core's."""
    if model in found:
        return
    found[model] = f"{META if _bare(model) in _META_TYPES else package}.{_bare(model)}"
    for text in getattr(models, model).openapi_types.values():
        for inner in _MODEL.findall(text):
            _reach(models, inner, package, found)


def _type(model: Any, full: str, names: dict[str, str], resource: Resource | None) -> Type:
    bare = full.rpartition(".")[2]
    known = messages().get(bare)
    wanted = {*known.by_name, "kind", "apiVersion"} if known else None
    properties = [
        _property(model, attribute, bare, names)
        for attribute, name in model.attribute_map.items()
        if wanted is None or name in wanted
    ]
    description = (model.__doc__ or "").split("Attributes:")[0].strip()
    return Type(full, description, tuple(properties), resource=resource)


def _property(model: Any, attribute: str, owner: str, names: dict[str, str]) -> Property:
    name, text = model.attribute_map[attribute], model.openapi_types[attribute]
    container, inner = "", text
    if found := re.fullmatch(r"List\[(.*)\]", text):
        container, inner = "list", found[1]
    elif found := re.fullmatch(r"Dict\[str, (.*)\]", text):
        container, inner = "map", found[1]
    field = next(row for key, row in model.model_fields.items() if name in (key, row.serialization_alias))
    description = field.description or _UNDESCRIBED.get((owner, name)) or _UNDESCRIBED.get(("", name), "")
    strategy, key = _MERGED.get((owner, name), ("", ""))
    type_ = _inner(inner, name, names)
    return Property(name, type_, container, description, field.is_required(), strategy, key)


def _inner(text: str, name: str, names: dict[str, str]) -> str:
    if text == "object":
        return f"{META}.FieldsV1" if name == "fieldsV1" else INT_OR_STRING
    return names.get(text) or _SCALARS[text]
