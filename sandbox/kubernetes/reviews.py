"""`kubectl auth`: who am I, what may I do? Answered from the roles, never stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.kubernetes.access import ANY, Role
from sandbox.kubernetes.discovery import HEALTH
from sandbox.kubernetes.errors import bad_request
from sandbox.kubernetes.resources import ACCESS_REVIEWS, RULES_REVIEWS, SUBJECT_REVIEWS, Resource

Json = dict[str, Any]


def review(path: str) -> Callable[[Role, Any], Json] | None:
    """What answers a POST to a path (no slashes at its ends), or None."""
    return _BY_PATH.get(path)


def _access(role: Role, body: Any) -> Json:
    spec = _spec(body)
    attributes = spec.get("resourceAttributes") or {}
    resource, subresource = attributes.get("resource", ""), attributes.get("subresource", "")
    asked = f"{resource}/{subresource}" if subresource else resource
    allowed = any(rule.allows(attributes.get("verb", ""), asked) for rule in role.rules)
    return _answer(ACCESS_REVIEWS, {"allowed": allowed}, spec)


def _rules(role: Role, body: Any) -> Json:
    rules = [
        {
            "verbs": list(rule.verbs),
            "apiGroups": [ANY if ANY in rule.resources else ""],
            "resources": list(rule.resources),
        }
        for rule in role.rules
    ]
    urls = ["/api", "/apis", "/openapi", "/version", *(f"/{name}" for name in HEALTH)]
    others = [{"verbs": ["get"], "nonResourceURLs": urls}]
    status = {"resourceRules": rules, "nonResourceRules": others, "incomplete": False}
    return _answer(RULES_REVIEWS, status, _spec(body))


def _subject(role: Role, _body: Any) -> Json:
    user = {"username": role.user, "groups": ["system:authenticated"]}
    return _answer(SUBJECT_REVIEWS, {"userInfo": user})


def _spec(body: Any) -> Json:
    spec = body.get("spec") if isinstance(body, dict) else None
    if not isinstance(spec, dict):
        raise bad_request("spec: Required value")
    return spec


def _answer(row: Resource, status: Json, spec: Json | None = None) -> Json:
    """The object with its status filled in."""
    asked = {} if spec is None else {"spec": spec}
    return {"kind": row.kind, "apiVersion": row.api_version, "metadata": {}, **asked, "status": status}


_BY_PATH = {
    f"{row.root}/{row.plural}": answer
    for row, answer in ((ACCESS_REVIEWS, _access), (RULES_REVIEWS, _rules), (SUBJECT_REVIEWS, _subject))
}
