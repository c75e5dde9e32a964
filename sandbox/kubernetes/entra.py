"""Entra ID tokens at the API server, as AKS takes them: the audience is AKS's server application, the user the token's oid."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.access import Role, Rule

Json = dict[str, Any]

AKS_SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
EVERYBODY = "*"
READS_SERVICES = (Rule(("get", "list"), ("services",)),)
_NO_ROLE_ASSIGNMENT = (
    ": User does not have access to the resource in Azure. Update role assignment to allow access."
)


@dataclass
class Entra:
    """Whose tokens a cluster takes, and what is bound to an identity (by its oid).

    `tenant` "" is a cluster without Entra integration: it takes no such token. What is bound to `*` holds for
    every identity that has no rules of its own. `azure_rbac`: Azure's roles decide; here only refusals differ.
    """

    tenant: str = ""
    azure_rbac: bool = False
    rules: dict[str, tuple[Rule, ...]] = field(default_factory=lambda: {EVERYBODY: READS_SERVICES})

    def role(self, token: str, now: float) -> Role | None:
        """The role of a bearer token at a Unix time; None unless it is for this API, of this tenant, and valid."""
        claims = _claims(token)
        identity = str(claims.get("oid") or "")
        meant = claims.get("aud") == AKS_SERVER_APPLICATION and claims.get("tid") == self.tenant
        if not (self.tenant and identity and meant and _valid(claims, now)):
            return None
        rules = self.rules.get(identity, self.rules.get(EVERYBODY, ()))
        return Role(identity, rules, _NO_ROLE_ASSIGNMENT if self.azure_rbac else "")


def _valid(claims: Json, now: float) -> bool:
    begins, ends = claims.get("nbf", 0), claims.get("exp", 0)
    return isinstance(begins, int | float) and isinstance(ends, int | float) and begins <= now < ends


def _claims(token: str) -> Json:
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def shown_rules(rules: Mapping[str, tuple[Rule, ...]]) -> Json:
    """Bindings as the back door shows them: oid → list of `{"verbs", "resources"}`."""
    return {
        identity: [{"verbs": list(rule.verbs), "resources": list(rule.resources)} for rule in bound]
        for identity, bound in rules.items()
    }


def parsed_rules(body: Any) -> tuple[Rule, ...]:
    """Rules from `{"rules": [{"verbs", "resources"}]}`; ValueError for anything else."""
    rules = body.get("rules") if isinstance(body, dict) else None
    if not isinstance(rules, list):
        raise ValueError("an object with a list of rules")
    return tuple(_rule(item) for item in rules)


def _rule(item: Any) -> Rule:
    if not isinstance(item, dict) or set(item) != {"verbs", "resources"}:
        raise ValueError("a rule has verbs and resources")
    if not all(isinstance(words, list) for words in item.values()):
        raise ValueError("verbs and resources are lists")
    return Rule(tuple(map(str, item["verbs"])), tuple(map(str, item["resources"])))
