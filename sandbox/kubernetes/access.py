"""Bearer tokens and roles: who may do what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.kubernetes.errors import ApiError, unauthorized
from sandbox.kubernetes.resources import Resource

ANY = "*"


@dataclass(frozen=True)
class Rule:
    """Verbs on resources (`services`, `services/status`); `*` stands for all."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, verb: str, resource: str) -> bool:
        return _within(verb, self.verbs) and _within(resource, self.resources)


@dataclass(frozen=True)
class Role:
    """A user and the rules bound to it, cluster-wide. `refusal` ends the words of a 403."""

    user: str
    rules: tuple[Rule, ...]
    refusal: str = ""


def admin(user: str = "sandbox-admin") -> Role:
    return Role(user, (Rule((ANY,), (ANY,)),))


def service_reader(user: str = "sandbox-reader") -> Role:
    """Reads Services and nothing else."""
    return Role(user, (Rule(("get", "list", "watch"), ("services",)),))


def status_writer(user: str = "sandbox-writer") -> Role:
    """Reads Services, tells them results in their status, and writes Events."""
    return _with(
        service_reader(user), Rule(("patch",), ("services/status",)), Rule(("create", "patch"), ("events",))
    )


def annotator(user: str = "sandbox-annotator") -> Role:
    """The same, and may patch all of a Service."""
    return _with(status_writer(user), Rule(("patch",), ("services",)))


def _with(role: Role, *rules: Rule) -> Role:
    return Role(role.user, (*role.rules, *rules))


def authenticate(header: str, roles: Mapping[str, Role], other: Callable[[str], Role | None]) -> Role:
    """The role of an Authorization header: of a known token, or what `other` says; 401 without one."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    role = (roles.get(token) or other(token)) if scheme.lower() == "bearer" else None
    if role is None:
        raise unauthorized()
    return role


def impersonated(role: Role, user: str, roles: Mapping[str, Role]) -> Role:
    """The role of `user`, in whose place `role` acts (`kubectl --as`); 403 unless it may do everything.

    A user that no token stands for may do nothing.
    """
    if not any(rule.allows("impersonate", "users") for rule in role.rules):
        raise ApiError(
            403,
            f'users "{user}" is forbidden: User "{role.user}" cannot impersonate resource "users" in API group ""'
            f" at the cluster scope{role.refusal}",
            details={"name": user, "kind": "users"},
        )
    return next((known for known in roles.values() if known.user == user), Role(user, ()))


def authorize(role: Role, verb: str, resource: Resource, subresource: str, namespace: str, name: str) -> None:
    """403 in the words of RBAC unless a rule allows it."""
    asked = f"{resource.plural}/{subresource}" if subresource else resource.plural
    if any(rule.allows(verb, asked) for rule in role.rules):
        return
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    if not resource.namespaced:
        where = "at the cluster scope"
    named = f'{resource.qualified} "{name}"' if name else resource.qualified
    raise ApiError(
        403,
        f'{named} is forbidden: User "{role.user}" cannot {verb} resource "{asked}" in API group'
        f' "{resource.group}" {where}{role.refusal}',
        details={"name": name, "kind": resource.plural} if name else {"kind": resource.plural},
    )


def _within(item: str, allowed: tuple[str, ...]) -> bool:
    return ANY in allowed or item in allowed
