"""`kubectl auth can-i`: may the caller do this? Answered from the roles, never stored."""

from __future__ import annotations

from typing import Any

from sandbox.kubernetes.access import Role
from sandbox.kubernetes.errors import bad_request

Json = dict[str, Any]

PATH = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def access_review(role: Role, body: Any) -> Json:
    """The SelfSubjectAccessReview with its status filled in."""
    spec = body.get("spec") if isinstance(body, dict) else None
    if not isinstance(spec, dict):
        raise bad_request("spec: Required value")
    attributes = spec.get("resourceAttributes") or {}
    resource, subresource = attributes.get("resource", ""), attributes.get("subresource", "")
    asked = f"{resource}/{subresource}" if subresource else resource
    allowed = any(rule.allows(attributes.get("verb", ""), asked) for rule in role.rules)
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": allowed},
    }
